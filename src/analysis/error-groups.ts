import { dexQuantiles, largestDex, largestRelative, relativeQuantiles, sketchBins, summaryOf } from "./error-sketch.ts";
import type { ErrorStats } from "./error-types.ts";

/** The share of the values that the quantiles of an `ErrorSummary` stand for. */
const shares = [0.5, 0.9, 0.99];

/**
 * Errors of many groups of values (species, steps, levels of abundance), summed value by value in bounded memory. The arrays are
 * public because the inner loop of the evaluation adds to several of them at once.
 */
export class ErrorGroups {
  readonly counts: Float64Array;
  readonly dex: Float64Array;
  readonly relative: Float64Array;
  /** Of log10 predicted − log10 true. */
  readonly bias: Float64Array;
  readonly largestDex: Float64Array;
  readonly largestRelative: Float64Array;
  /** [groups, sketchBins] */
  readonly sketches: Uint32Array;

  constructor(groups: number) {
    this.counts = new Float64Array(groups);
    this.dex = new Float64Array(groups);
    this.relative = new Float64Array(groups);
    this.bias = new Float64Array(groups);
    this.largestDex = new Float64Array(groups);
    this.largestRelative = new Float64Array(groups);
    this.sketches = new Uint32Array(groups * sketchBins);
  }

  /** @param dex signed, from `cappedDex`; `bin` its `sketchBin`; `relative` at most `largestRelative` */
  add(group: number, dex: number, relative: number, bin: number): void {
    const size = Math.abs(dex);
    this.counts[group]! += 1;
    this.dex[group]! += size;
    this.bias[group]! += dex;
    this.relative[group]! += relative;
    if (size > this.largestDex[group]!) this.largestDex[group] = size;
    if (relative > this.largestRelative[group]!) this.largestRelative[group] = relative;
    this.sketches[group * sketchBins + bin]! += 1;
  }

  /** Adds all but the sketch of several errors at once: their count, sums and largest values. */
  addSums(
    group: number,
    count: number,
    dex: number,
    bias: number,
    relative: number,
    mostDex: number,
    mostRelative: number,
  ): void {
    this.counts[group]! += count;
    this.dex[group]! += dex;
    this.bias[group]! += bias;
    this.relative[group]! += relative;
    if (mostDex > this.largestDex[group]!) this.largestDex[group] = mostDex;
    if (mostRelative > this.largestRelative[group]!) this.largestRelative[group] = mostRelative;
  }

  /** The errors of these groups together; null where they hold none. */
  stats(groups: readonly number[]): ErrorStats | null {
    const merged = this.merge(groups);
    const { count } = merged;
    if (count === 0) return null;
    return {
      count,
      relative: summaryOf(relativeQuantiles(merged.sketch, count, shares), {
        mean: merged.relative / count,
        max: merged.largestRelative,
      }),
      dex: summaryOf(dexQuantiles(merged.sketch, count, shares), { mean: merged.dex / count, max: merged.largestDex }),
    };
  }

  /** Counts, sums and sketch of several groups. */
  merge(groups: readonly number[]) {
    const sketch = new Float64Array(sketchBins);
    const merged = { count: 0, dex: 0, relative: 0, largestDex: 0, largestRelative: 0, sketch };
    for (const group of groups) {
      if (this.counts[group] === 0) continue;
      merged.count += this.counts[group]!;
      merged.dex += this.dex[group]!;
      merged.relative += this.relative[group]!;
      merged.largestDex = Math.max(merged.largestDex, this.largestDex[group]!);
      merged.largestRelative = Math.max(merged.largestRelative, this.largestRelative[group]!);
      const from = group * sketchBins;
      for (let bin = 0; bin < sketchBins; bin++) sketch[bin]! += this.sketches[from + bin]!;
    }
    return merged;
  }
}

/** Within ± `largestDex`; what is no number is the largest error there is. */
export function cappedDex(dex: number): number {
  if (Number.isNaN(dex)) return largestDex;
  return Math.min(Math.max(dex, -largestDex), largestDex);
}

/** |predicted − true| / true, of log10 predicted − log10 true. */
export function relativeOfDex(dex: number): number {
  return Math.min(Math.abs(Math.expm1(dex * Math.LN10)), largestRelative);
}
