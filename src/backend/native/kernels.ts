import type { BatchMatMulAttrs, BatchMatMulInputs, TensorInfo } from "@tensorflow/tfjs";
import { tf } from "../tf.ts";

/** What is used of tfjs-node's backend: it runs any of TensorFlow's operations by its name. */
interface NodeBackend {
  readonly binding: { readonly TF_ATTR_BOOL: number };
  executeSingleOutput(name: string, attributes: object[], inputs: TensorInfo[]): TensorInfo;
}

/**
 * Gives the current backend, tfjs-node's, the product of two matrices as TensorFlow's MatMul; once in a process. tfjs-node takes
 * BatchMatMulV2, which hands small products to another thread: on two cores a rollout took 2.3 times as long. A package without what this
 * uses keeps its own kernel.
 */
export function installFastMatMul(backendName: string): void {
  const { binding, executeSingleOutput } = tf.backend() as Partial<NodeBackend>;
  if (!binding || !executeSingleOutput) return;
  const plain = tf.getKernel("BatchMatMul", backendName);
  if (!plain) throw new Error(`the backend ${backendName} has no BatchMatMul kernel`);
  tf.unregisterKernel("BatchMatMul", backendName);
  tf.registerKernel({
    ...plain,
    kernelFunc: (call) => {
      const { a, b } = call.inputs as BatchMatMulInputs;
      if (a!.shape.length !== 2 || b!.shape.length !== 2) return plain.kernelFunc(call);
      const { transposeA, transposeB } = call.attrs as unknown as BatchMatMulAttrs;
      const attributes = [
        { name: "transpose_a", type: binding.TF_ATTR_BOOL, value: transposeA },
        { name: "transpose_b", type: binding.TF_ATTR_BOOL, value: transposeB },
      ];
      return (call.backend as unknown as NodeBackend).executeSingleOutput("MatMul", attributes, [a!, b!]);
    },
  });
}
