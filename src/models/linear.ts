import { type TensorMap, tf } from "../backend/tf.ts";

/** Weights of a linear layer, [inputs, outputs], transposed once for all steps: x·Wᵀ is a slow path of some backends. */
export function transposed(arrays: TensorMap, name: string): tf.Tensor2D {
  return tf.transpose(arrays[name] as tf.Tensor2D);
}

/** The linear layer of that name: x·Wᵀ + b. */
export function linear(arrays: TensorMap, name: string): (x: tf.Tensor2D) => tf.Tensor2D {
  const weight = transposed(arrays, `${name}.weight`);
  return (x) => tf.add<tf.Tensor2D>(tf.matMul(x, weight), arrays[`${name}.bias`]!);
}

/** A linear layer of two inputs side by side, as two products: neither a concatenation at each step nor one of the weights. */
export interface SplitLinear {
  /** [first, outputs] */
  readonly first: tf.Tensor2D;
  /** [second, outputs] */
  readonly second: tf.Tensor2D;
  /** [outputs] */
  readonly bias: tf.Tensor1D;
}

/** The linear layer of that name, its inputs cut after so many. */
export function splitLinear(arrays: TensorMap, name: string, first: number): SplitLinear {
  const weight = transposed(arrays, `${name}.weight`);
  const [inputs, outputs] = weight.shape;
  return {
    first: tf.slice(weight, [0, 0], [first, outputs]),
    second: tf.slice(weight, [first, 0], [inputs - first, outputs]),
    bias: arrays[`${name}.bias`] as tf.Tensor1D,
  };
}

/** x·W + rest. */
export function product(x: tf.Tensor2D, weight: tf.Tensor2D, rest: tf.Tensor): tf.Tensor2D {
  return tf.add<tf.Tensor2D>(tf.matMul(x, weight), rest);
}

/** With dropout where there is a mask. */
export function masked(x: tf.Tensor2D, mask: tf.Tensor | undefined): tf.Tensor2D {
  return mask ? tf.mul(x, mask) : x;
}
