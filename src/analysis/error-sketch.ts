import type { ErrorSummary } from "./error-types.ts";

/** Histogram bins of an error's size: one for 0, `octaves` × 64 up to 1 dex, 64 a dex up to 20 dex, one for the rest. */
const octaves = 17;
const perOctave = 64;
const perDex = 64;
const lastDex = 20;
const smallest = 2 ** -octaves;
const linearFrom = 1 + octaves * perOctave;
const perSign = linearFrom + (lastDex - 1) * perDex + 1;

/** Bins of a sketch: those of predictions that are too high, then of those too low. */
export const sketchBins = 2 * perSign;

/** Relative errors count as this at most: sums stay finite where a prediction is not. */
export const largestRelative = 1e30;
/** Errors in dex count as this at most, and are this where a prediction is no number. */
export const largestDex = 1000;

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/**
 * The bin of a signed error in dex. Error quantiles of any number of values fit in bounded memory so: below 1 dex bins have 1/64
 * octave, above 1/64 dex, which puts the middle of a bin within 0.8 % of a value in dex, and within 2 % in relative error
 * up to 20 dex; smaller errors than 2^-17 dex are taken for half of that.
 */
export function sketchBin(dex: number): number {
  float[0] = dex;
  return sketchBinOf(dex, bits[0]!);
}

/**
 * The same, where the bits of the error as float32 are at hand: of many errors they are had from an array's buffer, without waiting.
 * The sign is taken from them too: a branch that goes either way as often would cost more than all the rest.
 */
export function sketchBinOf(dex: number, bits: number): number {
  const size = Math.abs(dex);
  const offset = (bits >>> 31) * perSign;
  if (size >= 1) return offset + (size < lastDex ? linearFrom + Math.floor((size - 1) * perDex) : perSign - 1);
  if (size < smallest) return offset;
  // The exponent and the first six bits of the mantissa count the bins, without a logarithm.
  return offset + 1 + ((bits & 0x7fff_ffff) >>> 17) - ((127 - octaves) << 6);
}

/** The size in the middle of each bin, [perSign], dex. */
const middles = Float64Array.from({ length: perSign }, (_, bin) => {
  if (bin === 0) return smallest / 2;
  if (bin >= linearFrom) return bin === perSign - 1 ? largestDex : 1 + (bin - linearFrom + 0.5) / perDex;
  const at = bin - 1;
  return smallest * 2 ** Math.floor(at / perOctave) * (1 + ((at % perOctave) + 0.5) / perOctave);
});

/** A relative error, from a signed error in dex: 10^dex − 1 where the prediction is too high. */
function relativeOf(bin: number): number {
  const dex = bin < perSign ? middles[bin]! : -middles[bin - perSign]!;
  return Math.min(Math.abs(Math.expm1(dex * Math.LN10)), largestRelative);
}

const relatives = Float64Array.from({ length: sketchBins }, (_, bin) => relativeOf(bin));
/** The bins by rising relative error. */
const byRelative = Uint32Array.from({ length: sketchBins }, (_, bin) => bin).sort(
  (a, b) => relatives[a]! - relatives[b]!,
);

/** Counts by bin of `sketchBin`. */
export type SketchCounts = Uint32Array | Float64Array;

/** Quantiles of |error| in dex; `shares` ascending, in (0, 1]. The nearest rank: the smallest bin that holds the share. */
export function dexQuantiles(counts: SketchCounts, total: number, shares: readonly number[]): number[] {
  const found: number[] = [];
  let sum = 0;
  for (let bin = 0; bin < perSign && found.length < shares.length; bin++) {
    sum += counts[bin]! + counts[bin + perSign]!;
    while (found.length < shares.length && sum >= shares[found.length]! * total) found.push(middles[bin]!);
  }
  return found;
}

/** Quantiles of the relative error. */
export function relativeQuantiles(counts: SketchCounts, total: number, shares: readonly number[]): number[] {
  const found: number[] = [];
  let sum = 0;
  for (let i = 0; i < sketchBins && found.length < shares.length; i++) {
    const bin = byRelative[i]!;
    sum += counts[bin]!;
    while (found.length < shares.length && sum >= shares[found.length]! * total) found.push(relatives[bin]!);
  }
  return found;
}

/** @param exact the mean and the largest error, which quantiles do not exceed */
export function summaryOf([median, p90, p99]: readonly number[], exact: { mean: number; max: number }): ErrorSummary {
  const { mean, max } = exact;
  return { mean, median: Math.min(median!, max), p90: Math.min(p90!, max), p99: Math.min(p99!, max), max };
}
