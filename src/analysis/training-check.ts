import { counted } from "../counted.ts";
import type { Inference } from "../inference/inference.ts";
import { gathered, joined, placesOf } from "./chosen-steps.ts";
import { cappedDex, relativeOfDex } from "./error-groups.ts";
import type { Metrics } from "./evaluation-types.ts";
import type { EvenChoice } from "./even-choice.ts";
import { arrayOf, type Found } from "./findings.ts";
import {
  decodeKept,
  decodeRows,
  encodeRows,
  rolloutLatents,
  startsByRow,
  startsOf,
  stateWidth,
} from "./surrogate-predictions.ts";
import type { TracerBlock, TracerPlace, TracerRows } from "./tracer-blocks.ts";
import type { FarOffSpecies, TrainingCheck } from "./verdict-types.ts";

/** A value further off than that is far off; a species' mean relative error above that is too large. */
const [farOffDex, largestMeanRelative] = [1, 0.5];
/** Validation errors so many times the training errors are overfitting; training errors so many times the others, a fault. */
const [overfitting, underfitting] = [3, 1.5];
/** Rows of an emulated training tracer that are decoded, at most; species that are listed. */
const [decodedRows, listedSpecies] = [64, 10];

/** What the check needs. */
interface CheckTools {
  readonly surrogate: Inference;
  /** Emulated rows have the totals of their start. */
  readonly conserve: boolean;
  /** The training rows to reconstruct: steps counted from 0. */
  readonly choice: EvenChoice<TracerPlace>;
  /** Training tracers to emulate. */
  readonly emulated: ReadonlySet<TracerPlace>;
  readonly log10_lower: number;
  readonly log10_upper: number;
}

/** Sums up the errors of training rows, block by block. */
export class TrainingErrors {
  readonly #tools: CheckTools;
  readonly #relative: Float64Array;
  readonly #farOff: Float64Array;
  readonly #worst = new Map<number, Omit<FarOffSpecies, "species" | "values" | "mean_relative">>();
  #dex = 0;
  #rows = 0;
  #emulated = { tracers: 0, rows: 0, dex: 0 };

  constructor(tools: CheckTools) {
    this.#tools = tools;
    this.#relative = new Float64Array(tools.surrogate.species.length);
    this.#farOff = new Float64Array(tools.surrogate.species.length);
  }

  /** Predicts what is scored of a block. @returns it, scaled, and the rows that it is to be compared with */
  async look(block: TracerBlock): Promise<{ readonly rows: Int32Array; readonly predicted: Found }> {
    const { surrogate, conserve } = this.#tools;
    const rows = this.#reconstructedRows(block);
    const found: Record<string, Float32Array> = {};
    if (rows.length > 0)
      found.reconstructed = await decodeRows(surrogate, await encodeRows(surrogate, block.scaledRows(rows)));
    const { stretches, some, firsts, compared } = this.#emulatedRows(block);
    if (compared.length > 0) {
      const starts = block.scaledRows(firsts);
      const latents = await encodeRows(surrogate, starts);
      const steps = block.rows - 1;
      const rolled = await rolloutLatents(surrogate, startsOf(block, latents, stretches, steps));
      const states = gathered(
        rolled,
        placesOf(some, (k) => k * steps - 1),
        stateWidth(surrogate),
      );
      const totals = conserve ? startsByRow(starts, some.starts) : null;
      found.emulated = (await decodeKept(surrogate, states, totals)).scaled;
    }
    return { predicted: found, rows: Int32Array.from([...rows, ...compared]) };
  }

  /** @param found what `look` gave */
  add(block: TracerRows, found: Found): void {
    const rows = this.#reconstructedRows(block);
    if (rows.length > 0)
      this.#compare(arrayOf(found, "reconstructed", Float32Array), block.scaledRows(rows), block, rows);
    const { stretches, compared } = this.#emulatedRows(block);
    if (compared.length === 0) return;
    const { log10_lower, log10_upper } = this.#tools;
    const predicted = arrayOf(found, "emulated", Float32Array);
    const truth = block.scaledRows(compared);
    for (let at = 0; at < truth.length; at++) {
      this.#emulated.dex += Math.abs(cappedDex((predicted[at]! - truth[at]!) * (log10_upper - log10_lower)));
    }
    this.#emulated.tracers += stretches.length;
    this.#emulated.rows += compared.length;
  }

  #reconstructedRows({ places, rows }: TracerRows): Int32Array {
    return placesOf(joined(places.map((place) => this.#tools.choice.of(place))), (k) => k * rows);
  }

  /** The tracers of a block that are emulated, the steps that are decoded of each, and the rows that are compared with them. */
  #emulatedRows(block: TracerRows) {
    const { surrogate, emulated } = this.#tools;
    const isLeft = surrogate.windowSize === null;
    const stretches = block.places.flatMap((place, tracer) =>
      !isLeft && emulated.has(place) ? [{ tracer, first: 0 }] : [],
    );
    const steps = block.rows - 1;
    const count = Math.min(steps, decodedRows);
    const spread = Int32Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * steps) / count));
    const some = joined(stretches.map(() => spread));
    const firsts = stretches.map(({ tracer }) => tracer * block.rows);
    return { stretches, some, firsts, compared: placesOf(some, (k) => firsts[k]!) };
  }

  #compare(predicted: Float32Array, truth: Float32Array, block: TracerRows, rows: Int32Array): void {
    const { log10_lower, log10_upper } = this.#tools;
    const span = log10_upper - log10_lower;
    const width = this.#relative.length;
    for (let at = 0; at < truth.length; at++) {
      const s = at % width;
      const difference = cappedDex((predicted[at]! - truth[at]!) * span);
      const dex = Math.abs(difference);
      this.#dex += dex;
      this.#relative[s]! += relativeOfDex(difference);
      if (dex <= farOffDex) continue;
      this.#farOff[s]! += 1;
      if (dex <= (this.#worst.get(s)?.dex ?? 0)) continue;
      const row = rows[Math.floor(at / width)]!;
      const true_log10 = log10_lower + truth[at]! * span;
      this.#worst.set(s, {
        dex,
        tracer: block.places[Math.floor(row / block.rows)]!.id,
        time_yr: block.times[row]!,
        true_log10,
        predicted_log10: true_log10 + difference,
      });
    }
    this.#rows += rows.length;
  }

  /** Null where no training tracer has a second row. */
  check(validation: MeanErrors): TrainingCheck | null {
    const { surrogate, choice } = this.#tools;
    if (this.#rows === 0) return null;
    const width = this.#relative.length;
    const means = this.#relative.map((sum) => sum / this.#rows);
    const worst = [...this.#worst]
      .sort(([, a], [, b]) => b.dex - a.dex)
      .map(([s, value]) => {
        return { species: surrogate.species[s]!, values: this.#farOff[s]!, mean_relative: means[s]!, ...value };
      });
    const { tracers, rows, dex } = this.#emulated;
    const found = {
      all: choice.all,
      rows: this.#rows,
      reconstruction: {
        mean_dex: this.#dex / this.#rows / width,
        over_species: { mean: means.reduce((sum, mean) => sum + mean, 0) / width, max: Math.max(...means) },
        far_off_values: this.#farOff.reduce((sum, count) => sum + count, 0),
        far_off_species: worst.length,
        worst: worst.slice(0, listedSpecies),
      },
      emulation: rows === 0 ? null : { tracers, rows, mean_dex: dex / rows / width },
    };
    return { ...found, findings: findingsOf(found, width, validation) };
  }
}

/** Mean errors in dex on the validation tracers; null where nothing was emulated. */
interface MeanErrors {
  readonly reconstruction: number;
  readonly emulation: number | null;
}

/** Those of an evaluation. */
export function meanErrors({ reconstruction, emulation }: Metrics["predictions"]): MeanErrors {
  return { reconstruction: reconstruction!.overall.all.dex.mean, emulation: emulation?.overall.all.dex.mean ?? null };
}

type Figures = Omit<TrainingCheck, "findings">;

/** The numbers in a sentence, beside those of the validation tracers. */
export function describeTraining(
  { rows, all, reconstruction, emulation }: TrainingCheck,
  validation: MeanErrors,
): string {
  const count = (value: number): string => value.toLocaleString("en-US");
  const some = rows === all ? `all ${count(rows)}` : `${count(rows)} of ${count(all)}`;
  const emulated =
    emulation === null || validation.emulation === null
      ? ""
      : `; ${emulation.tracers} training tracers emulated ${dex(emulation.mean_dex)} dex (${dex(validation.emulation)})`;
  return (
    `Training rows (${some}) reconstructed ${dex(reconstruction.mean_dex)} dex ` +
    `(validation ${dex(validation.reconstruction)})${emulated}.`
  );
}

/** What is worse than it should be, in sentences. @param species how many there are */
export function findingsOf(found: Figures, species: number, validation: MeanErrors): string[] {
  return [...valueFindings(found, species), ...splitFindings(found, validation)];
}

/** Values far off, and the species whose mean relative error they rule. */
function valueFindings({ rows, reconstruction }: Figures, species: number): string[] {
  const { worst, far_off_values, far_off_species, over_species } = reconstruction;
  if (far_off_values === 0) return [];
  const bad = worst.filter(({ mean_relative }) => mean_relative > largestMeanRelative);
  const named = (bad.length > 0 ? bad : worst).slice(0, 3).map(describeWorst);
  const share = ((100 * far_off_values) / (rows * species)).toPrecision(2);
  const values =
    `Reconstruction of training rows: ${counted(far_off_values, "value")} (${share} %) in ${far_off_species} species off by more than ` +
    `${farOffDex} dex; worst: ${named.join("; ")}.`;
  if (over_species.max <= largestMeanRelative) return [values];
  return [
    values,
    `The mean relative error of a species reaches ${over_species.max.toPrecision(2)} on training rows: the autoencoder gave up on ` +
      "these values; a larger `cap` of the recipe's loss counts them more.",
  ];
}

function describeWorst({ species, dex: size, tracer, time_yr, true_log10, predicted_log10 }: FarOffSpecies): string {
  const abundance = (log10: number): string => (10 ** log10).toExponential(1);
  return (
    `${species} by ${size.toFixed(1)} dex in tracer ${tracer} at ${Math.round(time_yr)} yr ` +
    `(${abundance(predicted_log10)} for ${abundance(true_log10)})`
  );
}

/** Where training and validation are further apart than they should be. */
function splitFindings({ reconstruction, emulation }: Figures, validation: MeanErrors): string[] {
  const pairs = [
    ["reconstruction", reconstruction.mean_dex, validation.reconstruction],
    ["emulation", emulation?.mean_dex ?? null, validation.emulation],
  ] as const;
  return pairs.flatMap(([what, train, val]) => {
    if (train === null || val === null) return [];
    if (val > overfitting * train) {
      return [
        `The ${what} overfits: ${dex(val)} dex on validation tracers, ${dex(train)} on training tracers. More tracers help.`,
      ];
    }
    if (train > underfitting * val) {
      return [
        `The ${what} is worse on training tracers (${dex(train)} dex) than on validation tracers (${dex(val)}): these are easier, or ` +
          "not all training data were trained on.",
      ];
    }
    return [];
  });
}

function dex(value: number): string {
  return value.toPrecision(3);
}
