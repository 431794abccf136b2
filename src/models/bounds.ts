import { type HostTensors, hostTensor } from "../backend/engine.ts";
import { type TensorMap, tf } from "../backend/tf.ts";
import type { ClippingRange } from "../chemistry/scaling.ts";

/** How far from the training data's range an abundance may come out, dex. */
export const abundanceMargin_dex = 0.5;
/** How far a latent may go beyond its range in the training data, in parts of that range: rollouts of the trained length never do. */
const latentMargin = 0.2;

/** The least and the largest value of each column over the training rows, as weights hold them. */
interface ColumnRange {
  readonly lower: readonly number[];
  readonly upper: readonly number[];
}

/** The least and the largest value of each column, scaled. */
export interface Bounds {
  readonly lower: Float32Array;
  readonly upper: Float32Array;
}

/** Those of decoded abundances, scaled, [species]; null where the training data's range is not known (imported weights, old files). */
export function abundanceBounds({
  abundance_range,
  abundances_clipping,
}: {
  readonly abundance_range?: ColumnRange | undefined;
  readonly abundances_clipping: ClippingRange;
}): Bounds | null {
  if (!abundance_range) return null;
  const low = Math.log10(abundances_clipping.lower);
  const span = Math.log10(abundances_clipping.upper) - low;
  return {
    lower: Float32Array.from(abundance_range.lower, (dex) => (dex - abundanceMargin_dex - low) / span),
    upper: Float32Array.from(abundance_range.upper, (dex) => (dex + abundanceMargin_dex - low) / span),
  };
}

/** Those of the emulator's state, scaled, [latent]; null as for abundances. They end every growth without bound. */
export function latentBounds({
  scaled_latent_range: range,
}: {
  readonly scaled_latent_range?: ColumnRange | undefined;
}): Bounds | null {
  if (!range) return null;
  const margin = (k: number): number => latentMargin * (range.upper[k]! - range.lower[k]!);
  return {
    lower: Float32Array.from(range.lower, (low, k) => low - margin(k)),
    upper: Float32Array.from(range.upper, (high, k) => high + margin(k)),
  };
}

/** What is bounded. */
type Bounded = "abundance" | "latent";

/** Bounds as arrays `<what>_lower` and `<what>_upper`, [1, columns], of a program's state; nothing for null. */
export function boundsArrays(what: Bounded, bounds: Bounds | null): HostTensors {
  if (!bounds) return {};
  const array = (data: Float32Array) => hostTensor(data, [1, data.length]);
  return { [`${what}_lower`]: array(bounds.lower), [`${what}_upper`]: array(bounds.upper) };
}

/** Bounds as tensors, [1, columns]. */
export interface BoundTensors {
  readonly lower: tf.Tensor;
  readonly upper: tf.Tensor;
}

/** The bounds among a state's arrays; null where there are none. */
export function boundsOf(arrays: TensorMap, what: Bounded): BoundTensors | null {
  const [lower, upper] = [arrays[`${what}_lower`], arrays[`${what}_upper`]];
  return lower && upper ? { lower, upper } : null;
}

/** The same under their names in the state; empty where there are none. */
export function boundsAmong(arrays: TensorMap, what: Bounded): TensorMap {
  const bounds = boundsOf(arrays, what);
  return bounds ? { [`${what}_lower`]: bounds.lower, [`${what}_upper`]: bounds.upper } : {};
}

/** @param x [rows, columns] */
export function bounded(x: tf.Tensor2D, bounds: BoundTensors | null): tf.Tensor2D {
  return bounds ? tf.minimum(tf.maximum(x, bounds.lower), bounds.upper) : x;
}
