import { type TensorMap, tf } from "../backend/tf.ts";

const epsilon = 1e-5;
const momentum = 0.1;

/** Batch normalisation in one of its two modes. `name` is the layer's, as in the state_dict. */
export interface Normalizer {
  /** @param x [rows, features] @returns [rows, features] */
  normalize(x: tf.Tensor2D, name: string): tf.Tensor2D;
}

/** Evaluation: the running statistics. @param arrays `<name>.weight`, `.bias`, `.running_mean`, `.running_var`, each [features] */
export function runningNormalizer(arrays: TensorMap): Normalizer {
  return {
    normalize(x, name) {
      const get = (part: string): tf.Tensor => arrays[`${name}.${part}`]!;
      const scale = tf.mul(get("weight"), tf.rsqrt(tf.add(get("running_var"), epsilon)));
      const shift = tf.sub(get("bias"), tf.mul(get("running_mean"), scale));
      return tf.add(tf.mul(x, scale), shift);
    },
  };
}

/**
 * Training: the batch's own statistics; the new running ones are collected in `updates`. PyTorch's conventions: the biased
 * variance normalises, the unbiased one enters the running value, momentum 0.1 is the weight of the new value.
 */
export function batchNormalizer(arrays: TensorMap, running: TensorMap): Normalizer & { readonly updates: TensorMap } {
  const updates: TensorMap = {};
  return {
    updates,
    normalize(x, name) {
      const rows = x.shape[0];
      const mean = tf.mean(x, 0, true); // [1, features]
      const centred = tf.sub<tf.Tensor2D>(x, mean);
      const variance = tf.mean(tf.square(centred), 0, true); // [1, features]
      const updated = (part: string, value: tf.Tensor): tf.Tensor =>
        tf.add(tf.mul(running[`${name}.${part}`]!, 1 - momentum), tf.mul(tf.reshape(value, [-1]), momentum));
      updates[`${name}.running_mean`] = updated("running_mean", mean);
      updates[`${name}.running_var`] = updated("running_var", tf.mul(variance, rows / (rows - 1)));
      const deviation = tf.rsqrt(tf.add(variance, epsilon)) as tf.Tensor2D;
      return standardize(x, centred, deviation, arrays[`${name}.weight`]!, arrays[`${name}.bias`]!);
    },
  };
}

/**
 * weight · (x − mean) / √(variance + ε) + bias with the closed-form gradient of batch norm (Ioffe & Szegedy 2015), through the
 * mean and the variance as well: three passes where automatic differentiation makes a dozen.
 * @param x, centred  [rows, features]; `centred` is x − mean
 * @param reciprocal  [1, features], 1 / √(variance + ε)
 */
function standardize(
  x: tf.Tensor2D,
  centred: tf.Tensor2D,
  reciprocal: tf.Tensor2D,
  weight: tf.Tensor,
  bias: tf.Tensor,
): tf.Tensor2D {
  return tf.customGrad((...inputs) => {
    const [, w, b] = inputs as tf.Tensor[];
    const save = inputs[3] as (tensors: tf.Tensor[]) => void;
    const normal = tf.mul(centred, reciprocal);
    save([normal, reciprocal, w!]);
    return {
      value: tf.add(tf.mul(normal, w!), b!),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [xhat, r, scale] = saved as [tf.Tensor, tf.Tensor, tf.Tensor];
        const rows = dy.shape[0]!;
        const ofBias = tf.sum(dy, 0);
        const ofWeight = tf.sum(tf.mul(dy, xhat), 0);
        const inner = tf.sub(tf.sub(dy, tf.div(ofBias, rows)), tf.mul(xhat, tf.div(ofWeight, rows)));
        return [tf.mul(inner, tf.mul(scale, r)), ofWeight, ofBias];
      },
    };
  })(x, weight, bias) as tf.Tensor2D;
}
