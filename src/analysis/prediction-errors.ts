import { elements as allElements, parseSpecies, type Species } from "../chemistry/species.ts";
import { cappedDex, ErrorGroups } from "./error-groups.ts";
import { largestDex, largestRelative, sketchBin, sketchBins } from "./error-sketch.ts";

/** What errors are counted by: the species, their scaling, and the abundance above which a value counts as present. */
export interface ErrorScale {
  readonly species: readonly Species[];
  /** log10 of the clipping range. */
  readonly log10_lower: number;
  readonly log10_upper: number;
  /** Linear abundance. */
  readonly floor: number;
}

export function errorScale(
  names: readonly string[],
  clipping: { readonly lower: number; readonly upper: number },
  floor: number,
): ErrorScale {
  const [log10_lower, log10_upper] = [Math.log10(clipping.lower), Math.log10(clipping.upper)];
  return { species: names.map(parseSpecies), log10_lower, log10_upper, floor };
}

/** True values beside predictions of the same rows: consecutive steps of one tracer or window. */
export interface ScoredRows {
  /** Scaled, [rows, species]. */
  readonly truth: Float32Array;
  /** Linear, [rows, species], from `linear`. */
  readonly linearTruth: Float32Array;
  /** Step of the first row since the start, at least 1. */
  readonly firstStep: number;
  /** Years since the start, [rows]. */
  readonly times: ArrayLike<number>;
}

/** Scaled → linear, as the errors take the truth. */
export function linear(scaled: Float32Array, { log10_lower, log10_upper }: ErrorScale): Float32Array {
  const [slope, offset] = [(log10_upper - log10_lower) * Math.LN10, log10_lower * Math.LN10];
  const out = new Float32Array(scaled.length);
  for (let i = 0; i < scaled.length; i++) out[i] = Math.exp(scaled[i]! * slope + offset);
  return out;
}

/** Sums of one tracer. */
export interface TracerErrors {
  dex: number;
  relative: number;
  values: number;
}

/** Errors of one kind of prediction, value by value, by species, step and level of abundance; in bounded memory. */
export class PredictionErrors {
  readonly scale: ErrorScale;
  /** Group s: species s at or below the floor; group species + s: above it. */
  readonly bySpecies: ErrorGroups;
  /** Group k: step k + 1. */
  readonly bySteps: ErrorGroups;
  /** Group l: true log10 abundance from log10_lower + l to one more. */
  readonly byLevel: ErrorGroups;
  readonly conservation: ErrorGroups;
  /** Columns of `conservation`: the elements that occur, then `charge`. */
  readonly totals: readonly string[];
  readonly stepRows: Float64Array;
  readonly stepTimes: Float64Array;
  /** Per species, over rows, of true log10 abundance. */
  readonly truthSum: Float64Array;
  readonly truthSquares: Float64Array;
  rows = 0;
  tracers = 0;
  nonFinite = 0;
  readonly #atoms: SparseTotals;
  readonly #predicted: Float64Array;

  /** @param steps the longest rollout */
  constructor(scale: ErrorScale, steps: number) {
    const { species } = scale;
    this.scale = scale;
    this.bySpecies = new ErrorGroups(2 * species.length);
    this.bySteps = new ErrorGroups(steps);
    this.byLevel = new ErrorGroups(Math.ceil(scale.log10_upper - scale.log10_lower) + 1);
    this.#atoms = new SparseTotals(species);
    this.totals = this.#atoms.names;
    this.conservation = new ErrorGroups(this.totals.length);
    this.stepRows = new Float64Array(steps);
    this.stepTimes = new Float64Array(steps);
    this.truthSum = new Float64Array(species.length);
    this.truthSquares = new Float64Array(species.length);
    this.#predicted = new Float64Array(species.length);
  }

  /**
   * @param predicted  scaled, [rows, species]
   * @returns          the sums over these rows
   */
  add(predicted: Float32Array, scored: ScoredRows): TracerErrors {
    const width = this.scale.species.length;
    const rows = scored.truth.length / width;
    if (!Number.isInteger(rows) || predicted.length !== scored.truth.length) {
      throw new RangeError(
        `${predicted.length} predicted and ${scored.truth.length} true values are no rows of ${width} species`,
      );
    }
    const sums: TracerErrors = { dex: 0, relative: 0, values: 0 };
    for (let row = 0; row < rows; row++) {
      const step = scored.firstStep - 1 + row;
      this.#addRow(predicted, scored, row, step, sums);
      this.#addTotals(scored.linearTruth, row);
      this.stepRows[step]! += 1;
      this.stepTimes[step]! += scored.times[row]!;
    }
    this.rows += rows;
    this.tracers += 1;
    return sums;
  }

  /** One row; this is where the time of an evaluation goes, so it adds to the arrays in place. */
  #addRow(predicted: Float32Array, { truth, linearTruth }: ScoredRows, row: number, step: number, sums: TracerErrors) {
    const { bySpecies, bySteps, byLevel } = this;
    const { log10_lower, log10_upper, floor } = this.scale;
    const span = log10_upper - log10_lower;
    const [slope, offset] = [span * Math.LN10, log10_lower * Math.LN10];
    const width = this.scale.species.length;
    const [start, stepSketch] = [row * width, step * sketchBins];
    let [rowDex, rowRelative, rowLargest, rowLargestRelative] = [0, 0, 0, 0];
    for (let s = 0; s < width; s++) {
      const [p, t, x] = [predicted[start + s]!, truth[start + s]!, linearTruth[start + s]!];
      let dex = (p - t) * span;
      let y = Math.exp(p * slope + offset);
      let relative = Math.abs(y / x - 1);
      if (!(Math.abs(dex) <= largestDex && relative <= largestRelative)) {
        if (!Number.isFinite(p)) this.nonFinite += 1;
        dex = cappedDex(dex);
        relative = relative <= largestRelative ? relative : largestRelative;
        y = Math.min(Number.isNaN(y) ? largestRelative : y, largestRelative);
      }
      this.#predicted[s] = y;
      const bin = sketchBin(dex);
      bySpecies.add(x > floor ? s + width : s, dex, relative, bin);
      const log10 = t * span;
      byLevel.add(Math.min(Math.max(Math.floor(log10 + 1e-6), 0), byLevel.counts.length - 1), dex, relative, bin);
      bySteps.sketches[stepSketch + bin]! += 1;
      const size = Math.abs(dex);
      rowDex += size;
      rowRelative += relative;
      if (size > rowLargest) rowLargest = size;
      if (relative > rowLargestRelative) rowLargestRelative = relative;
      this.truthSum[s]! += log10 + log10_lower;
      this.truthSquares[s]! += (log10 + log10_lower) ** 2;
    }
    bySteps.counts[step]! += width;
    bySteps.dex[step]! += rowDex;
    bySteps.relative[step]! += rowRelative;
    bySteps.largestDex[step] = Math.max(bySteps.largestDex[step]!, rowLargest);
    bySteps.largestRelative[step] = Math.max(bySteps.largestRelative[step]!, rowLargestRelative);
    sums.dex += rowDex;
    sums.relative += rowRelative;
    sums.values += width;
  }

  /** Totals of the row that `#addRow` has just turned linear. Their relative error is kept as if it were one in dex. */
  #addTotals(linearTruth: Float32Array, row: number): void {
    const width = this.scale.species.length;
    const truth = linearTruth.subarray(row * width, (row + 1) * width);
    for (let total = 0; total < this.totals.length; total++) {
      const relative = this.#atoms.error(total, this.#predicted, truth);
      if (relative === null) continue;
      const capped = Math.min(relative, largestRelative);
      this.conservation.add(total, capped, capped, sketchBin(Math.log10(1 + capped)));
    }
  }
}

/** The totals of elements and charge, from the species that hold them. */
class SparseTotals {
  readonly names: readonly string[];
  readonly #species: readonly Int32Array[];
  readonly #weights: readonly Float64Array[];

  constructor(species: readonly Species[]) {
    const present = allElements.filter((element) => species.some(({ atoms }) => atoms.has(element)));
    this.names = [...present, ...(species.some(({ charge }) => charge !== 0) ? ["charge"] : [])];
    const weights = this.names.map((name) =>
      species.map(({ atoms, charge }) => (name === "charge" ? charge : (atoms.get(name as "H") ?? 0))),
    );
    this.#species = weights.map((list) => Int32Array.from(list.keys()).filter((s) => list[s] !== 0));
    this.#weights = weights.map((list) => Float64Array.from(list.filter((weight) => weight !== 0)));
  }

  /** |predicted − true| / Σ |weight| · true; null where there is none of it. */
  error(total: number, predicted: Float64Array, truth: Float32Array): number | null {
    const [species, weights] = [this.#species[total]!, this.#weights[total]!];
    let [difference, scale] = [0, 0];
    for (let i = 0; i < species.length; i++) {
      const [s, weight] = [species[i]!, weights[i]!];
      difference += weight * (predicted[s]! - truth[s]!);
      scale += Math.abs(weight) * truth[s]!;
    }
    return scale > 0 ? Math.abs(difference) / scale : null;
  }
}
