import { cappedDex, ErrorGroups } from "./error-groups.ts";
import type { ErrorScale } from "./error-scale.ts";
import { largestDex, largestRelative, sketchBin, sketchBinOf, sketchBins } from "./error-sketch.ts";
import type { ConservationErrors } from "./error-types.ts";
import { SketchBuffer } from "./sketch-buffer.ts";
import type { TrueRows } from "./true-rows.ts";

/** True values beside predictions of the same rows. */
export interface ScoredRows {
  readonly truth: TrueRows;
  /** Steps since the start of the tracer or window, at least 1, [rows]. */
  readonly steps: ArrayLike<number>;
  /** Years since the start, [rows]. */
  readonly times: ArrayLike<number>;
  /** Whose rows these are, where they are one tracer's. */
  readonly tracer?: number;
}

/** Bins of time where steps vary: up to 10^9 years. */
const timeBinsADecade = 6;
const timeBins = 9 * timeBinsADecade;

/** Sums of what was added together. */
export interface TracerErrors {
  dex: number;
  relative: number;
  values: number;
}

/** Errors of one kind of prediction, value by value, by species, step and level of abundance; in bounded memory. */
export class PredictionErrors {
  readonly scale: ErrorScale;
  /** Group k: step k + 1. */
  readonly bySteps: ErrorGroups;
  /** Groups: `scale.totals.names`. */
  readonly conservation: ErrorGroups;
  /** The row of each total's largest error. */
  readonly worstTotals: ConservationErrors["worst"][] = [];
  readonly stepRows: Float64Array;
  readonly stepTimes: Float64Array;
  /** The same by time where steps vary, in bins of a sixth of a decade from a year on; null where each step is one time. */
  readonly byTimes: { readonly groups: ErrorGroups; readonly rows: Float64Array; readonly sums: Float64Array } | null;
  /** Per species, over rows, of true log10 abundance. */
  readonly truthSum: Float64Array;
  readonly truthSquares: Float64Array;
  rows = 0;
  nonFinite = 0;
  readonly #bySpecies: ErrorGroups;
  readonly #byLevel: ErrorGroups;
  readonly #kept: SketchBuffer;
  readonly #tile: Tile;

  /**
   * @param steps     the longest rollout
   * @param isVarying whether steps have lengths of their own
   */
  constructor(scale: ErrorScale, steps: number, isVarying = false) {
    const { species } = scale;
    this.scale = scale;
    this.#bySpecies = new ErrorGroups(2 * species.length);
    this.bySteps = new ErrorGroups(steps);
    this.#byLevel = new ErrorGroups(scale.levels);
    this.conservation = new ErrorGroups(scale.totals.names.length);
    this.stepRows = new Float64Array(steps);
    this.stepTimes = new Float64Array(steps);
    this.byTimes = isVarying
      ? { groups: new ErrorGroups(timeBins), rows: new Float64Array(timeBins), sums: new Float64Array(timeBins) }
      : null;
    this.truthSum = new Float64Array(species.length);
    this.truthSquares = new Float64Array(species.length);
    this.#kept = new SketchBuffer(species.length);
    this.#tile = new Tile(species.length);
  }

  /** Group s: species s at or below the floor; group species + s: above it. */
  get bySpecies(): ErrorGroups {
    this.#kept.count(this.#bySpecies, this.#byLevel);
    return this.#bySpecies;
  }

  /** Group l: true log10 abundance from log10_lower + l to one more. */
  get byLevel(): ErrorGroups {
    this.#kept.count(this.#bySpecies, this.#byLevel);
    return this.#byLevel;
  }

  /**
   * @param predicted  scaled, [rows, species]
   * @returns          the sums over these rows
   */
  add(predicted: Float32Array, scored: ScoredRows): TracerErrors {
    const width = this.scale.species.length;
    const { length } = scored.truth.scaled;
    const rows = length / width;
    if (!Number.isInteger(rows) || predicted.length !== length) {
      throw new RangeError(`${predicted.length} predicted and ${length} true values are no rows of ${width} species`);
    }
    const sums: TracerErrors = { dex: 0, relative: 0, values: rows * width };
    for (let from = 0; from < rows; from += tileRows) {
      const to = Math.min(from + tileRows, rows);
      for (let row = from; row < to; row++) {
        const step = scored.steps[row]! - 1;
        this.#measureRow(predicted, scored.truth, row, row - from);
        const { dex, relative } = this.#addRow(this.bySteps, step, row - from);
        sums.dex += dex;
        sums.relative += relative;
        if (this.byTimes !== null) this.#addTime(this.byTimes, scored.times[row]!, row - from);
        this.#addTotals(scored, row);
        this.stepRows[step]! += 1;
        this.stepTimes[step]! += scored.times[row]!;
      }
      if (!this.#kept.hasRoom(to - from)) this.#kept.count(this.#bySpecies, this.#byLevel);
      for (let s = 0; s < width; s++) {
        this.#addSpecies(s, scored.truth, from, to);
        this.#kept.keep(s, to - from, this.#tile.bins, scored.truth.codes, from);
      }
      this.#kept.advance(to - from);
    }
    this.rows += rows;
    return sums;
  }

  /** Errors of one row, value by value, into a place of the tile. */
  #measureRow(predicted: Float32Array, truth: TrueRows, row: number, place: number): void {
    const { dex: dexes, relative: relatives, differences, floats } = this.#tile;
    const { scaled, linear } = truth;
    const width = this.scale.species.length;
    const span = this.scale.log10_upper - this.scale.log10_lower;
    this.scale.powers.fill(predicted, row * width, width, differences);
    for (let s = 0, at = row * width, to = place * width; s < width; s++, at++, to++) {
      const dex = (predicted[at]! - scaled[at]!) * span;
      const x = linear[at]!;
      const y = differences[s]!;
      const relative = Math.abs(y / x - 1);
      if (Math.abs(dex) <= largestDex && relative <= largestRelative) {
        dexes[to] = dex;
        floats[s] = dex;
        relatives[to] = relative;
        differences[s] = y - x;
      } else {
        if (!Number.isFinite(predicted[at]!)) this.nonFinite += 1;
        dexes[to] = cappedDex(dex);
        floats[s] = dexes[to]!;
        relatives[to] = relative <= largestRelative ? relative : largestRelative;
        differences[s] = (y <= largestRelative ? y : largestRelative) - x;
      }
    }
  }

  /** Adds the row just measured to its step, and bins its errors. */
  #addTime({ groups, rows, sums }: NonNullable<PredictionErrors["byTimes"]>, time: number, place: number): void {
    const bin = Math.min(timeBins - 1, Math.max(0, Math.floor(timeBinsADecade * Math.log10(time))));
    this.#addRow(groups, bin, place);
    rows[bin]! += 1;
    sums[bin]! += time;
  }

  /** Adds the errors of a row to a group. @returns their sums */
  #addRow(groups: ErrorGroups, group: number, place: number): { dex: number; relative: number } {
    const { dex: dexes, relative: relatives, bins, floatBits } = this.#tile;
    const { sketches } = groups;
    const width = this.scale.species.length;
    const sketch = group * sketchBins;
    let dexSum = 0;
    let relativeSum = 0;
    let mostDex = 0;
    let mostRelative = 0;
    for (let s = 0, at = place * width; s < width; s++, at++) {
      const dex = dexes[at]!;
      const relative = relatives[at]!;
      const bin = sketchBinOf(dex, floatBits[s]!);
      bins[at] = bin;
      sketches[sketch + bin]! += 1;
      const size = Math.abs(dex);
      dexSum += size;
      relativeSum += relative;
      if (size > mostDex) mostDex = size;
      if (relative > mostRelative) mostRelative = relative;
    }
    groups.addSums(group, width, dexSum, 0, relativeSum, mostDex, mostRelative);
    return { dex: dexSum, relative: relativeSum };
  }

  /**
   * Adds the measured errors of one species over the rows [from, to) of a tile, but for its sketch: its abundance changes little from
   * row to row, so that sums are added once a run of rows at one level.
   */
  #addSpecies(s: number, { scaled, codes }: TrueRows, from: number, to: number): void {
    const { dex: dexes, relative: relatives } = this.#tile;
    const { log10_lower, log10_upper, species } = this.scale;
    const width = species.length;
    const span = log10_upper - log10_lower;
    let sum = 0;
    let squares = 0;
    for (let row = from, at = s; row < to; ) {
      const code = codes[row * width + s]!;
      const group = s + (code & 1) * width;
      const first = row;
      let dexSum = 0;
      let bias = 0;
      let relativeSum = 0;
      let mostDex = 0;
      let mostRelative = 0;
      for (; row < to && codes[row * width + s] === code; row++, at += width) {
        const log10 = scaled[row * width + s]! * span + log10_lower;
        sum += log10;
        squares += log10 * log10;
        const dex = dexes[at]!;
        const relative = relatives[at]!;
        const size = Math.abs(dex);
        dexSum += size;
        bias += dex;
        relativeSum += relative;
        if (size > mostDex) mostDex = size;
        if (relative > mostRelative) mostRelative = relative;
      }
      this.#bySpecies.addSums(group, row - first, dexSum, bias, relativeSum, mostDex, mostRelative);
      this.#byLevel.addSums(code >> 1, row - first, dexSum, bias, relativeSum, mostDex, mostRelative);
    }
    this.truthSum[s]! += sum;
    this.truthSquares[s]! += squares;
  }

  /** Totals of the row just measured. Their relative error is kept as if it were one in dex. */
  #addTotals({ truth: { totals }, steps, tracer }: ScoredRows, row: number): void {
    const { differences } = this.#tile;
    const { resolution } = this.scale;
    const { names } = this.scale.totals;
    for (let total = 0; total < names.length; total++) {
      const size = totals[row * names.length + total]!;
      // There is none of it.
      if (!(size > 0)) continue;
      const signed = this.scale.totals.sum(total, differences);
      const difference = Math.abs(signed);
      // Charges cancel: those of a prediction may be many more than the true ones, and so its rounding.
      const isCharge = names[total] === "charge";
      const added = isCharge ? this.scale.totals.size(total, differences, 0) : difference;
      const isNoise = difference <= resolution * (2 * size + added);
      const capped = isNoise ? 0 : Math.min(difference / size, largestRelative);
      if (capped > this.conservation.largestRelative[total]!)
        this.worstTotals[total] = { error: Math.sign(signed) * capped, step: steps[row]!, tracer: tracer ?? null };
      this.conservation.add(total, capped, capped, sketchBin(Math.log10(1 + capped)));
    }
  }
}

/** Rows that are measured before they are added: what is kept of them fits in a processor's cache. */
const tileRows = 32;

/** Errors of the values of a tile, [tileRows, species], and predicted − true linear abundances of the row measured last. */
class Tile {
  readonly dex: Float64Array;
  readonly relative: Float64Array;
  readonly bins: Uint16Array;
  readonly differences: Float64Array;
  /** dex of the row measured last, and its bits. */
  readonly floats: Float32Array;
  readonly floatBits: Uint32Array;

  constructor(species: number) {
    this.dex = new Float64Array(tileRows * species);
    this.relative = new Float64Array(tileRows * species);
    this.bins = new Uint16Array(tileRows * species);
    this.differences = new Float64Array(species);
    this.floats = new Float32Array(species);
    this.floatBits = new Uint32Array(this.floats.buffer);
  }
}
