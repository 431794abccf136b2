import type { ErrorScale } from "./error-scale.ts";
import type { TracerRows } from "./tracer-blocks.ts";

/** Gradients in half decades of dex per year; what is outside counts in the outermost bins. */
export const gradients = { from: -10, to: 1, perDecade: 2 };
export const gradientBins = (gradients.to - gradients.from) * gradients.perDecade;

/** Where the bins end; the last has no end. */
const ends = Float64Array.from({ length: gradientBins }, (_, bin) =>
  bin === gradientBins - 1 ? Number.POSITIVE_INFINITY : 10 ** (gradients.from + (bin + 1) / gradients.perDecade),
);

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The bin in which each octave of float32 begins, by exponent. */
const binOfOctave = Uint8Array.from({ length: 256 }, (_, exponent) => {
  const bin = ends.findIndex((end) => 2 ** (exponent - 127) < end);
  return bin < 0 ? gradientBins - 1 : bin;
});

/** The bin of a gradient, without a logarithm: by its octave, then by the ends. The first where nothing changes, or time stands still. */
export function gradientBin(gradient: number): number {
  if (!(gradient > 0)) return 0;
  float[0] = gradient;
  let bin = binOfOctave[bits[0]! >>> 23]!;
  // Rounded up to float32, it may have come into the next octave.
  if (bin > 0 && gradient < ends[bin - 1]!) bin -= 1;
  while (gradient >= ends[bin]! && bin < gradientBins - 1) bin += 1;
  return bin;
}

/**
 * The bin of |d log10 x / dt| of the truth, from the row before to each of some rows.
 * @param rows   counted through the block's tracers, none of them a first one
 * @param scaled their abundances, [rows.length, species]
 * @returns      [rows.length, species]
 */
export function gradientBinsOf(
  block: TracerRows,
  rows: Int32Array,
  scaled: Float32Array,
  scale: ErrorScale,
): Uint8Array {
  const width = scale.species.length;
  const span = scale.log10_upper - scale.log10_lower;
  const before = block.scaledRows(rows.map((row) => row - 1));
  const out = new Uint8Array(scaled.length);
  for (const [i, row] of rows.entries()) {
    const perYear = span / (block.times[row]! - block.times[row - 1]!);
    for (let at = i * width, end = at + width; at < end; at++) {
      out[at] = gradientBin(Math.abs(scaled[at]! - before[at]!) * perYear);
    }
  }
  return out;
}
