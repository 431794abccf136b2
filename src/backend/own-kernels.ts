import type { NamedAttrMap, NamedTensorMap } from "@tensorflow/tfjs";
import { tf } from "./tf.ts";

/**
 * The outputs of a kernel of our own, where the current backend has it: a composition of tfjs' operations that the backend does in fewer
 * passes or calls. Null where it has not, which leaves the composition to the caller. No gradient: for use within `tf.customGrad`.
 */
export function runOwnKernel(
  name: string,
  inputs: Readonly<Record<string, tf.Tensor | undefined>>,
  attributes: NamedAttrMap,
): tf.Tensor[] | null {
  const backend = tf.getBackend();
  if (!backend || !tf.getKernel(name, backend)) return null;
  const present = Object.entries(inputs).filter((entry): entry is [string, tf.Tensor] => entry[1] !== undefined);
  const made = tf.engine().runKernel(name, Object.fromEntries(present) as NamedTensorMap, attributes);
  return (Array.isArray(made) ? made : [made]) as tf.Tensor[];
}
