/**
 * The one place that imports tfjs. The union package, because tfjs-core with a backend alone has no gradients.
 * Import `tf` from here and nowhere else: two copies of tfjs-core do not see each other's tensors.
 */
import * as tf from "@tensorflow/tfjs";
import "@tensorflow/tfjs-backend-wasm";

export { tf };

/** Tensors by name: the parameters of a model, the inputs or the outputs of a program. */
export type TensorMap = Record<string, tf.Tensor>;
