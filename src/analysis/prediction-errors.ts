import { elements as allElements, parseSpecies, type Species } from "../chemistry/species.ts";
import { cappedDex, ErrorGroups, type ErrorSums } from "./error-groups.ts";
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
  nonFinite = 0;
  readonly #atoms: SparseTotals;
  readonly #predicted: Float64Array;
  readonly #tile: Tile;

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
    this.#tile = new Tile(species.length);
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
    const sums: TracerErrors = { dex: 0, relative: 0, values: rows * width };
    for (let from = 0; from < rows; from += tileRows) {
      const to = Math.min(from + tileRows, rows);
      for (let row = from; row < to; row++) {
        const step = scored.firstStep - 1 + row;
        this.#measureRow(predicted, scored, row, row - from, step, sums);
        this.#addTotals(scored.linearTruth, row);
        this.stepRows[step]! += 1;
        this.stepTimes[step]! += scored.times[row]!;
      }
      for (let s = 0; s < width; s++) this.#addSpecies(s, scored, from, to);
    }
    this.rows += rows;
    return sums;
  }

  /** Errors of one row, value by value, into a place of the tile, and their sums by step. Here goes the time: plain loops. */
  #measureRow(
    predicted: Float32Array,
    { truth, linearTruth }: ScoredRows,
    row: number,
    place: number,
    step: number,
    sums: TracerErrors,
  ): void {
    const { bySteps } = this;
    const { dex: dexes, relative: relatives, bins } = this.#tile;
    const width = this.scale.species.length;
    const span = this.scale.log10_upper - this.scale.log10_lower;
    const slope = span * Math.LN10;
    const offset = this.scale.log10_lower * Math.LN10;
    const stepSketch = step * sketchBins;
    let rowDex = 0;
    let rowRelative = 0;
    let rowLargest = 0;
    let rowLargestRelative = 0;
    for (let s = 0, at = row * width, to = place * width; s < width; s++, at++, to++) {
      const p = predicted[at]!;
      let dex = (p - truth[at]!) * span;
      let y = Math.exp(p * slope + offset);
      let relative = Math.abs(y / linearTruth[at]! - 1);
      if (!(Math.abs(dex) <= largestDex && relative <= largestRelative)) {
        if (!Number.isFinite(p)) this.nonFinite += 1;
        dex = cappedDex(dex);
        relative = relative <= largestRelative ? relative : largestRelative;
        y = y <= largestRelative ? y : largestRelative;
      }
      this.#predicted[s] = y;
      const bin = sketchBin(dex);
      dexes[to] = dex;
      relatives[to] = relative;
      bins[to] = bin;
      bySteps.sketches[stepSketch + bin]! += 1;
      const size = Math.abs(dex);
      rowDex += size;
      rowRelative += relative;
      if (size > rowLargest) rowLargest = size;
      if (relative > rowLargestRelative) rowLargestRelative = relative;
    }
    bySteps.counts[step]! += width;
    bySteps.dex[step]! += rowDex;
    bySteps.relative[step]! += rowRelative;
    bySteps.largestDex[step] = Math.max(bySteps.largestDex[step]!, rowLargest);
    bySteps.largestRelative[step] = Math.max(bySteps.largestRelative[step]!, rowLargestRelative);
    sums.dex += rowDex;
    sums.relative += rowRelative;
  }

  /**
   * Adds the measured errors of one species over the rows [from, to) of a tile: its sketch stays in the cache meanwhile, as no row's
   * would; and its abundance changes little from row to row, so that sums are added once a run of rows at one level.
   */
  #addSpecies(s: number, { truth, linearTruth }: ScoredRows, from: number, to: number): void {
    const { bySpecies, byLevel } = this;
    const { dex: dexes, relative: relatives, bins, run } = this.#tile;
    const { log10_lower, log10_upper, floor, species } = this.scale;
    const width = species.length;
    const span = log10_upper - log10_lower;
    const lastLevel = byLevel.counts.length - 1;
    let [level, group, sum, squares] = [-1, -1, 0, 0];
    for (let row = from, at = s; row < to; row++, at += width) {
      const value = row * width + s;
      const decades = truth[value]! * span;
      const log10 = decades + log10_lower;
      sum += log10;
      squares += log10 * log10;
      const itsGroup = linearTruth[value]! > floor ? s + width : s;
      // A hair's breadth: 10^-5 belongs to the level that it begins, whatever float32 makes of it.
      const itsLevel = Math.min(Math.max(Math.floor(decades + 1e-5), 0), lastLevel);
      if (itsLevel !== level || itsGroup !== group) {
        if (level >= 0) this.#endRun(group, level);
        [level, group] = [itsLevel, itsGroup];
      }
      const dex = dexes[at]!;
      const relative = relatives[at]!;
      const size = Math.abs(dex);
      run.count += 1;
      run.dex += size;
      run.bias += dex;
      run.relative += relative;
      if (size > run.largestDex) run.largestDex = size;
      if (relative > run.largestRelative) run.largestRelative = relative;
      const bin = bins[at]!;
      bySpecies.sketches[group * sketchBins + bin]! += 1;
      byLevel.sketches[level * sketchBins + bin]! += 1;
    }
    this.#endRun(group, level);
    this.truthSum[s]! += sum;
    this.truthSquares[s]! += squares;
  }

  #endRun(group: number, level: number): void {
    const { run } = this.#tile;
    this.bySpecies.addSums(group, run);
    this.byLevel.addSums(level, run);
    Object.assign(run, noErrors);
  }

  /** Totals of the row just measured. Their relative error is kept as if it were one in dex. */
  #addTotals(linearTruth: Float32Array, row: number): void {
    const width = this.scale.species.length;
    for (let total = 0; total < this.totals.length; total++) {
      const relative = this.#atoms.error(total, this.#predicted, linearTruth, row * width);
      if (relative === null) continue;
      const capped = Math.min(relative, largestRelative);
      this.conservation.add(total, capped, capped, sketchBin(Math.log10(1 + capped)));
    }
  }
}

const noErrors: Readonly<ErrorSums> = { count: 0, dex: 0, bias: 0, relative: 0, largestDex: 0, largestRelative: 0 };

/** Rows that are measured before they are added: what is kept of them fits in a processor's cache. */
const tileRows = 32;

/** Errors of the values of a tile, [tileRows, species], and of a run of rows. */
class Tile {
  readonly dex: Float64Array;
  readonly relative: Float64Array;
  readonly bins: Uint16Array;
  readonly run: ErrorSums = { ...noErrors };

  constructor(species: number) {
    this.dex = new Float64Array(tileRows * species);
    this.relative = new Float64Array(tileRows * species);
    this.bins = new Uint16Array(tileRows * species);
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

  /**
   * |predicted − true| / Σ |weight| · true; null where there is none of it.
   * @param start of the row in `truth`
   */
  error(total: number, predicted: Float64Array, truth: Float32Array, start: number): number | null {
    const species = this.#species[total]!;
    const weights = this.#weights[total]!;
    let difference = 0;
    let scale = 0;
    for (let i = 0; i < species.length; i++) {
      const s = species[i]!;
      const weight = weights[i]!;
      const x = truth[start + s]!;
      difference += weight * (predicted[s]! - x);
      scale += Math.abs(weight) * x;
    }
    return scale > 0 ? Math.abs(difference) / scale : null;
  }
}
