import { type TensorMap, tf } from "./tf.ts";

/**
 * The value of a scalar function, its gradients, and what it computed on the way.
 * @param f   gives the loss, [], and further tensors by name (loss parts, batch statistics) that have no gradient
 * @param xs  what to differentiate by
 * @returns   all owned by the caller's tidy
 */
export function lossAndGradients(
  xs: TensorMap,
  f: (xs: TensorMap) => { loss: tf.Scalar; aside: TensorMap },
): { loss: tf.Tensor; gradients: TensorMap; aside: TensorMap } {
  const names = Object.keys(xs);
  let aside: TensorMap = {};
  const { value, grads } = tf.valueAndGrads((...values: tf.Tensor[]) => {
    const made = f(Object.fromEntries(names.map((name, i) => [name, values[i]!])));
    // tfjs disposes what the forward pass made, except the result and what is kept. Clones: a part may be the loss itself.
    aside = Object.fromEntries(Object.entries(made.aside).map(([name, tensor]) => [name, tf.keep(tf.clone(tensor))]));
    return made.loss;
  })(names.map((name) => xs[name]!));
  // Clones belong to the caller's tidy; the kept originals belong to nobody.
  const owned = Object.fromEntries(Object.entries(aside).map(([name, tensor]) => [name, tf.clone(tensor)]));
  tf.dispose(aside);
  return { loss: value, gradients: Object.fromEntries(names.map((name, i) => [name, grads[i]!])), aside: owned };
}
