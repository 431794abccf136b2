import type { DensityPlot, Histogram } from "./sample-types.ts";

/** Fine bins a dex, and how far from 1 they go. */
const [finePerDex, fineDex] = [200, 40];

/** log10 of a quantity in fine bins; any number of equal bins between its extremes comes from them. What has no logarithm is not counted. */
export class LogHistogram {
  /** Of all values. */
  least = Number.POSITIVE_INFINITY;
  largest = Number.NEGATIVE_INFINITY;
  low = Number.POSITIVE_INFINITY;
  high = Number.NEGATIVE_INFINITY;
  readonly #fine = new Float64Array(2 * fineDex * finePerDex);

  add(value: number): void {
    this.least = Math.min(this.least, value);
    this.largest = Math.max(this.largest, value);
    if (!(value > 0)) return;
    const log10 = Math.log10(value);
    this.low = Math.min(this.low, log10);
    this.high = Math.max(this.high, log10);
    const at = Math.floor((log10 + fineDex) * finePerDex);
    this.#fine[Math.min(Math.max(at, 0), this.#fine.length - 1)]! += 1;
  }

  /** Equal bins between the extremes, to 1/200 dex; one bin of no width where all values are equal. */
  histogram(bins: number): Histogram {
    const { low, high } = this;
    if (low > high) return { from: 0, to: 0, counts: [0] };
    if (low === high) return { from: low, to: high, counts: [this.#fine.reduce((sum, count) => sum + count, 0)] };
    const counts = new Array<number>(bins).fill(0);
    for (const [at, count] of this.#fine.entries()) {
      if (count === 0) continue;
      const middle = (at + 0.5) / finePerDex - fineDex;
      const bin = Math.floor(((middle - low) / (high - low)) * bins);
      counts[Math.min(Math.max(bin, 0), bins - 1)]! += count;
    }
    return { from: low, to: high, counts };
  }
}

/** Per species, scaled abundances in equal bins from 0 to 1. */
export class AbundanceHistograms {
  readonly #species: number;
  readonly #bins: number;
  readonly #counts: Float64Array;

  constructor(species: number, bins: number) {
    [this.#species, this.#bins] = [species, bins];
    this.#counts = new Float64Array(species * bins);
  }

  /** @param scaled [rows, species] */
  add(scaled: Float32Array): void {
    for (let at = 0, s = 0; at < scaled.length; at++, s = s + 1 === this.#species ? 0 : s + 1) {
      const bin = Math.min(Math.max(Math.floor(scaled[at]! * this.#bins), 0), this.#bins - 1);
      this.#counts[s * this.#bins + bin]! += 1;
    }
  }

  histogram(species: number): Histogram {
    return {
      from: 0,
      to: 1,
      counts: [...this.#counts.subarray(species * this.#bins, (species + 1) * this.#bins)],
    };
  }
}

/** Predicted against true log10 abundance. */
export class DensityPlotSums {
  readonly #bins: number;
  readonly #counts: Float64Array;

  constructor(bins: number) {
    this.#bins = bins;
    this.#counts = new Float64Array(bins * bins);
  }

  /** @param predicted, truth scaled, of one length */
  add(predicted: Float32Array, truth: Float32Array): void {
    for (let at = 0; at < truth.length; at++) {
      this.#counts[this.#bin(truth[at]!) * this.#bins + this.#bin(predicted[at]!)]! += 1;
    }
  }

  plot(log10_lower: number, log10_upper: number): DensityPlot {
    return { from: log10_lower, to: log10_upper, bins: this.#bins, counts: [...this.#counts] };
  }

  #bin(scaled: number): number {
    // What is no number counts in the first bin.
    return Math.min(Math.max(Math.floor(scaled * this.#bins), 0) || 0, this.#bins - 1);
  }
}
