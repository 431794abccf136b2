import { type BatchPart, batchMean, wholeBatch } from "../backend/batch-part.ts";
import { type TensorMap, tf } from "../backend/tf.ts";

const epsilon = 1e-5;
const momentum = 0.1;

/** A linear layer's arrays: x·matrix + bias, or x·matrixᵀ + bias where it is stored [out, in]. */
export interface LinearLayer {
  readonly matrix: tf.Tensor2D;
  readonly transposed: boolean;
  readonly bias?: tf.Tensor | undefined;
}

/** Batch normalisation in one of its two modes, of a linear layer's output. `name` is the norm's, as in the state_dict. */
export interface Normalizer {
  /** @param x [rows, in] @returns [rows, out] */
  layer(x: tf.Tensor2D, linear: LinearLayer, name: string): tf.Tensor2D;
}

/**
 * Evaluation: the running statistics, which scale and shift the layer's own arrays: nothing is left to do for each row.
 * @param arrays `<name>.weight`, `.bias`, `.running_mean`, `.running_var`, each [features]
 */
export function runningNormalizer(arrays: TensorMap): Normalizer {
  return {
    layer(x, { matrix, transposed, bias }, name) {
      const get = (part: string): tf.Tensor => arrays[`${name}.${part}`]!;
      const scale = tf.mul(get("weight"), tf.rsqrt(tf.add(get("running_var"), epsilon)));
      const mean = bias ? tf.sub(get("running_mean"), bias) : get("running_mean");
      const scaled = tf.mul<tf.Tensor2D>(matrix, transposed ? tf.expandDims(scale, 1) : scale);
      return tf.add(tf.matMul(x, scaled, false, transposed), tf.sub(get("bias"), tf.mul(mean, scale)));
    },
  };
}

/**
 * Training: the batch's own statistics; the new running ones are collected in `updates`. PyTorch's conventions: the biased
 * variance normalises, the unbiased one enters the running value, momentum 0.1 is the weight of the new value.
 * @param part  of the batch that the rows are; the statistics are those of all of it
 */
export function batchNormalizer(
  arrays: TensorMap,
  running: TensorMap,
  part: BatchPart = wholeBatch,
): Normalizer & { readonly updates: TensorMap; normalize(x: tf.Tensor2D, name: string): tf.Tensor2D } {
  const updates: TensorMap = {};
  return {
    updates,
    layer(x, { matrix, transposed, bias }, name) {
      const product = tf.matMul(x, matrix, false, transposed);
      return this.normalize((bias ? tf.add(product, bias) : product) as tf.Tensor2D, name);
    },
    normalize(x, name) {
      const rows = Math.round(x.shape[0] / part.share);
      const mean = batchMean(part, tf.mean(x, 0, true)); // [1, features]
      const centred = tf.sub<tf.Tensor2D>(x, mean);
      const variance = batchMean(part, tf.mean(tf.square(centred), 0, true)); // [1, features]
      const updated = (part: string, value: tf.Tensor): tf.Tensor =>
        tf.add(tf.mul(running[`${name}.${part}`]!, 1 - momentum), tf.mul(tf.reshape(value, [-1]), momentum));
      updates[`${name}.running_mean`] = updated("running_mean", mean);
      updates[`${name}.running_var`] = updated("running_var", tf.mul(variance, rows / (rows - 1)));
      const reciprocal = tf.rsqrt(tf.add(variance, epsilon)) as tf.Tensor2D;
      return standardize({ x, centred, reciprocal }, arrays[`${name}.weight`]!, arrays[`${name}.bias`]!, part);
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
  { x, centred, reciprocal }: Readonly<Record<"x" | "centred" | "reciprocal", tf.Tensor2D>>,
  weight: tf.Tensor,
  bias: tf.Tensor,
  { share, sum }: BatchPart,
): tf.Tensor2D {
  return tf.customGrad((...inputs) => {
    const [, w, b] = inputs as tf.Tensor[];
    const save = inputs[3] as (tensors: tf.Tensor[]) => void;
    save([centred, reciprocal, w!]);
    return {
      value: tf.add(tf.mul(centred, tf.mul(reciprocal, w!)), b!),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [away, r, scale] = saved as [tf.Tensor, tf.Tensor, tf.Tensor];
        const rows = Math.round(dy.shape[0]! / share);
        const ofBias = tf.sum(dy, 0);
        // `away` times r is the normalised x: r goes into the small arrays.
        const ofWeight = tf.mul(tf.sum(tf.mul(dy, away), 0), tf.reshape(r, [-1]));
        const [allBias, allWeight] = [sum(ofBias), sum(ofWeight)];
        const inner = tf.sub(tf.sub(dy, tf.div(allBias, rows)), tf.mul(away, tf.mul(tf.div(allWeight, rows), r)));
        return [tf.mul(inner, tf.mul(scale, r)), ofWeight, ofBias];
      },
    };
  })(x, weight, bias) as tf.Tensor2D;
}

/**
 * Layer normalisation (Ba et al. 2016): weight · (x − mean) / √(variance + ε) + bias, mean and variance of each row, with its closed-form
 * gradient.
 * @param x             [rows, features]
 * @param weight, bias  [features]
 */
export function layerNorm(x: tf.Tensor2D, weight: tf.Tensor, bias: tf.Tensor): tf.Tensor2D {
  const normalized = tf.customGrad((...inputs) => {
    const [input, save] = inputs as unknown as [tf.Tensor2D, (tensors: tf.Tensor[]) => void];
    const centred = tf.sub(input, tf.mean(input, 1, true));
    const deviation = tf.rsqrt(tf.add(tf.mean(tf.square(centred), 1, true), epsilon)); // [rows, 1]
    const value = tf.mul(centred, deviation);
    save([value, deviation]);
    return {
      value,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [y, r] = saved as [tf.Tensor, tf.Tensor];
        const along = tf.mul(y, tf.mean(tf.mul(dy, y), 1, true));
        return tf.mul(tf.sub(tf.sub(dy, tf.mean(dy, 1, true)), along), r);
      },
    };
  })(x);
  return tf.add(tf.mul(normalized, weight), bias);
}
