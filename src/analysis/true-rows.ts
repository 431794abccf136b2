import type { ErrorScale } from "./error-scale.ts";

/** What errors are counted by, of true values: once for all predictions of the same rows. */
export interface TrueRows {
  /** Scaled, [rows, species]. */
  readonly scaled: Float32Array;
  /** Linear. */
  readonly linear: Float32Array;
  /** 2 × level of abundance, and 1 more where it is above the floor. */
  readonly codes: Uint16Array;
  /** Σ |weight| · abundance of each total, [rows, totals]. */
  readonly totals: Float64Array;
}

/** @param scaled [rows, species] */
export function trueRows(scaled: Float32Array, scale: ErrorScale): TrueRows {
  const width = scale.species.length;
  const rows = scaled.length / width;
  const span = scale.log10_upper - scale.log10_lower;
  const last = scale.levels - 1;
  const linear = new Float32Array(scaled.length);
  scale.powers.fill(scaled, 0, scaled.length, linear);
  const codes = new Uint16Array(scaled.length);
  for (let at = 0; at < scaled.length; at++) {
    // A hair's breadth: 10^-5 belongs to the level that it begins, whatever float32 makes of it.
    const level = Math.floor(scaled[at]! * span + 1e-5);
    codes[at] = 2 * (level < 0 ? 0 : level > last ? last : level) + (linear[at]! > scale.floor ? 1 : 0);
  }
  const count = scale.totals.names.length;
  const totals = new Float64Array(rows * count);
  for (let row = 0; row < rows; row++) {
    for (let total = 0; total < count; total++) {
      totals[row * count + total] = scale.totals.size(total, linear, row * width);
    }
  }
  return { scaled, linear, codes, totals };
}

/** Some of the rows. */
export function someRows({ scaled, linear, codes, totals }: TrueRows, from: number, to: number, all: number): TrueRows {
  const part = <T extends Float32Array | Float64Array | Uint16Array>(array: T): T =>
    array.subarray((array.length / all) * from, (array.length / all) * to) as T;
  return { scaled: part(scaled), linear: part(linear), codes: part(codes), totals: part(totals) };
}
