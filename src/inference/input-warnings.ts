import { AbundanceUnits } from "../chemistry/abundance-units.ts";
import type { RangeWatch } from "../data/range-watch.ts";
import { isRounding, roundingText } from "../data/value-checks.ts";
import type { MatrixInput } from "./arguments.ts";

/** Kinds of doubtful input; `conservation`: totals that cannot be kept; `compute`: what is doubtful about the choice of what computes, such as its threads. */
export type WarningKind = "units" | "rounding" | "ranges" | "conservation" | "compute";

/** Told once of each kind of doubtful input, and of all that concerns what computes. */
export type WarningListener = (message: string, kind: WarningKind) => void;

/** Collects what is doubtful in the input of an `Inference`, and tells each kind once. */
export class InputWarnings {
  readonly #listener: WarningListener;
  readonly #told = new Set<WarningKind>();
  /** Reading the names takes as long as a short rollout: kept from call to call, as long as nothing is doubtful. */
  #units: AbundanceUnits | null = null;

  /** @param listener default: `process.emitWarning` */
  constructor(listener: WarningListener = (message) => process.emitWarning(message, { type: "AstrochemWarning" })) {
    this.#listener = listener;
  }

  /** @param message of the engine's choice: `warning: ` may stand before it */
  tellCompute(message: string): void {
    this.#listener(message.replace(/^warning: /, ""), "compute");
  }

  /** @param look makes the message, or null where nothing is doubtful; not called once the kind was told */
  check(kind: WarningKind, look: () => string | null): void {
    if (this.#told.has(kind)) return;
    const message = look();
    if (message === null) return;
    this.#told.add(kind);
    this.#listener(message, kind);
  }

  /** @param physical [b, t, physical], in their units */
  checkConditions({ data, shape }: MatrixInput, ranges: () => RangeWatch): void {
    this.check("ranges", () => {
      const [watch, steps] = [ranges(), shape[1]!];
      for (let row = 0; row * watch.width < data.length; row++) {
        watch.add(data, row * watch.width, () => `physical[${Math.floor(row / steps)}, ${row % steps}]`);
      }
      return watch.lines().join("\n") || null;
    });
  }

  /** @param abundances [n, species], linear */
  checkAbundances(name: string, { data }: MatrixInput, species: readonly string[], lower: number): void {
    const width = species.length;
    this.check("units", () => {
      this.#units ??= new AbundanceUnits(species);
      this.#units.add(data, { rows: data.length / width, width });
      return this.#units.doubt((row) => `${name}[${row}]`);
    });
    this.check("rounding", () => {
      let [raised, first] = [0, 0];
      for (let at = 0; at < data.length; at++) {
        if (isRounding(data[at]!, lower) && raised++ === 0) first = at;
      }
      return raised === 0
        ? null
        : `${roundingText(raised, lower)}, first in ${name}[${Math.floor(first / width)}, ${first % width}]`;
    });
  }
}
