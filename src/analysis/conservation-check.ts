import { Conservation } from "../chemistry/conservation.ts";
import { AbundanceScaling } from "../chemistry/scaling.ts";
import type { Inference } from "../inference/inference.ts";
import { cappedDex } from "./error-groups.ts";
import { mainly } from "./plain-numbers.ts";

/** The emulated rows before their totals were kept, and after. */
export interface ConservationCheck {
  readonly rows: number;
  /** Mean error, dex, over all values. */
  readonly dex: BeforeAfter;
  /** |total / the start's − 1| of each element, |net charge − the start's| / all charges: the mean and the worst over the rows. */
  readonly totals: readonly { readonly element: string; readonly mean: BeforeAfter; readonly worst: BeforeAfter }[];
  /** How far rows were moved: the mean over species of |Δ log10 x|, dex, of the rows that have their totals; null where none has. */
  readonly correction_dex: { readonly mean: number; readonly max: number } | null;
  /** Rows that could not have the totals of their start. */
  readonly unmet: number;
}

interface BeforeAfter {
  readonly before: number;
  readonly after: number;
}

/** Rows of one tracer. */
interface CheckedRows {
  /** Linear, [rows, species]. */
  readonly before: Float32Array;
  readonly after: Float32Array;
  /** dex, [rows] */
  readonly correction: Float32Array;
  /** Linear, [species]. */
  readonly start: Float32Array;
  /** Scaled, [rows, species]. */
  readonly truth: Float32Array;
}

/** Sums up what keeping the totals does to emulated rows. */
export class ConservationSums {
  readonly #conservation: Conservation;
  readonly #scaling: AbundanceScaling;
  readonly #totals: { readonly mean: Record<Side, Float64Array>; readonly worst: Record<Side, Float64Array> };
  readonly #dex: Record<Side, number> = { before: 0, after: 0 };
  #values = 0;
  #rows = 0;
  #corrected = 0;
  #largest = 0;
  #met = 0;

  constructor({ elementTable, abundancesClipping }: Pick<Inference, "elementTable" | "abundancesClipping">) {
    this.#conservation = new Conservation(elementTable);
    this.#scaling = new AbundanceScaling(abundancesClipping);
    const zeros = () => new Float64Array(this.#conservation.names.length);
    this.#totals = { mean: { before: zeros(), after: zeros() }, worst: { before: zeros(), after: zeros() } };
  }

  add({ correction, start, truth, ...rows }: CheckedRows): void {
    const wanted = this.#conservation.totals(start);
    const width = start.length;
    const { log10_lower, log10_upper } = this.#scaling;
    const scaled = new Float32Array(truth.length);
    for (const side of sides) {
      this.#scaling.scaleInto(rows[side], scaled);
      for (let at = 0; at < truth.length; at++) {
        this.#dex[side] += Math.abs(cappedDex((scaled[at]! - truth[at]!) * (log10_upper - log10_lower)));
      }
      for (let at = 0; at < truth.length; at += width) {
        const off = this.#conservation.off(rows[side].subarray(at, at + width), wanted);
        for (const [k, error] of off.entries()) {
          this.#totals.mean[side][k]! += error;
          this.#totals.worst[side][k] = Math.max(this.#totals.worst[side][k]!, error);
        }
      }
    }
    this.#values += truth.length;
    this.#rows += correction.length;
    for (const size of correction) {
      if (!Number.isFinite(size)) continue;
      this.#met += 1;
      this.#corrected += size;
      this.#largest = Math.max(this.#largest, size);
    }
  }

  /** Null where nothing was added. */
  check(): ConservationCheck | null {
    if (this.#rows === 0) return null;
    const both = (of: (side: Side) => number): BeforeAfter => ({ before: of("before"), after: of("after") });
    return {
      rows: this.#rows,
      dex: both((side) => this.#dex[side] / this.#values),
      totals: this.#conservation.names.map((element, k) => ({
        element,
        mean: both((side) => this.#totals.mean[side][k]! / this.#rows),
        worst: both((side) => this.#totals.worst[side][k]!),
      })),
      correction_dex: this.#met === 0 ? null : { mean: this.#corrected / this.#met, max: this.#largest },
      unmet: this.#rows - this.#met,
    };
  }
}

const sides = ["before", "after"] as const;
type Side = (typeof sides)[number];

/** What came of it, in a sentence. */
export function describeConservation({ dex, totals, correction_dex, rows, unmet }: ConservationCheck): string {
  const worst = (side: Side): string => mainly(Math.max(...totals.map((total) => total.worst[side])));
  const moved =
    correction_dex === null
      ? ""
      : `; states moved by ${correction_dex.mean.toPrecision(2)} dex, by ${correction_dex.max.toPrecision(2)} at most`;
  const failed = unmet === 0 ? "" : `; ${unmet} of ${rows} rows could not have the totals of their start`;
  return (
    `Totals of elements and charge kept: off by ${worst("after")} at most (${worst("before")} as decoded), ` +
    `error ${dex.after.toPrecision(4)} dex (${dex.before.toPrecision(4)})${moved}${failed}.`
  );
}
