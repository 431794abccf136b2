import { type HostTensors, hostTensor } from "../backend/engine.ts";
import { type TensorMap, tf } from "../backend/tf.ts";
import type { FrozenStep } from "./forward-steps.ts";
import type { Trust } from "./trust.ts";

/** Arrays of a program's state for `distanceStep`. */
export function distanceArrays({ matrix, offset, sample }: Trust): HostTensors {
  const d = offset.length;
  return {
    matrix: hostTensor(matrix, [d, d]),
    offset: hostTensor(offset, [1, d]),
    sample: hostTensor(sample, [sample.length / d, d]),
  };
}

/** From the whitened sample: state of `distanceArrays`; input `seen` [rows, d]; output `distance` [rows], to the nearest of the sample. */
export function distanceStep(): FrozenStep {
  return {
    // |q − s|² = |q|² − (2 q·s − |s|²): one product serves all rows and all of the sample.
    prepare: ({ matrix, offset, sample }) => ({
      matrix: matrix!,
      offset: offset!,
      twice: tf.mul(tf.transpose(sample!), 2),
      squares: tf.expandDims(tf.sum(tf.square(sample!), 1), 0),
    }),
    batch: { seen: 0 },
    step: (arrays, { seen }) => ({ outputs: { distance: nearestOf(arrays, seen as tf.Tensor2D) } }),
  };
}

/** [rows], from rows [rows, d] with what `distanceStep` prepares; NaN where a row has it: it is no distance 0. */
export function nearestOf({ matrix, offset, twice, squares }: TensorMap, seen: tf.Tensor2D): tf.Tensor1D {
  const q = tf.add<tf.Tensor2D>(tf.matMul(seen, matrix as tf.Tensor2D), offset!);
  const nearest = tf.max(tf.sub(tf.matMul(q, twice as tf.Tensor2D), squares!), 1);
  const size = tf.sum<tf.Tensor1D>(tf.square(q), 1);
  return tf.add(tf.sqrt(tf.maximum(tf.sub(size, nearest), 0)), tf.mul(size, 0));
}
