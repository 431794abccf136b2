import { type BatchPart, wholeBatch } from "./batch-part.ts";
import { mapValues } from "./engine.ts";
import { type TensorMap, tf } from "./tf.ts";

/**
 * The value of a scalar function, its gradients, and what it computed on the way.
 * @param f     gives the loss, [], a mean over the items of the part, and further tensors by name (loss parts, batch statistics) that have no gradient
 * @param xs    what to differentiate by
 * @param part  of the batch: loss and gradients are those of all of it
 * @returns     all owned by the caller's tidy
 */
export function lossAndGradients(
  xs: TensorMap,
  f: (xs: TensorMap) => { loss: tf.Scalar; aside: TensorMap },
  part: BatchPart = wholeBatch,
): { loss: tf.Tensor; gradients: TensorMap; aside: TensorMap } {
  const names = Object.keys(xs);
  let aside: TensorMap = {};
  const { value, grads } = tf.valueAndGrads((...values: tf.Tensor[]) => {
    const made = f(Object.fromEntries(names.map((name, i) => [name, values[i]!])));
    // tfjs disposes what the forward pass made, except the result and what is kept. Clones: a part may be the loss itself.
    aside = Object.fromEntries(Object.entries(made.aside).map(([name, tensor]) => [name, tf.keep(tf.clone(tensor))]));
    return part.share === 1 ? made.loss : tf.mul(made.loss, part.share);
  })(names.map((name) => xs[name]!));
  // Clones belong to the caller's tidy; the kept originals belong to nobody.
  const owned = Object.fromEntries(Object.entries(aside).map(([name, tensor]) => [name, tf.clone(tensor)]));
  tf.dispose(aside);
  const gradients = Object.fromEntries(names.map((name, i) => [name, grads[i]!]));
  return { loss: part.sum(value), gradients: mapValues(gradients, part.sum), aside: owned };
}
