import type { BatchMatMulAttrs, BatchMatMulInputs, KernelConfig } from "@tensorflow/tfjs";
import { tf } from "../tf.ts";
import { type NodeBackend, RawOps } from "./raw-ops.ts";
import { residualChain, residualChainGradient } from "./residual-chain.ts";

/**
 * Gives the current backend, tfjs-node's, the kernels that it lacks or has slower than need be. Once in a process. They use what the package
 * does not promise: where that is missing its own kernels stay.
 */
export function installNativeKernels(backendName: string): void {
  const { binding } = tf.backend() as Partial<NodeBackend>;
  if (typeof binding?.executeOp !== "function") return;
  const plain = tf.getKernel("BatchMatMul", backendName);
  if (!plain) throw new Error(`the backend ${backendName} has no BatchMatMul kernel`);
  tf.unregisterKernel("BatchMatMul", backendName);
  for (const kernel of [matMul(plain), residualChain, residualChainGradient]) {
    tf.registerKernel({ ...kernel, backendName });
  }
}

/**
 * The product of two matrices as TensorFlow's MatMul. tfjs-node takes BatchMatMulV2, which hands small products to another thread:
 * 95 µs against 22 for [64, 14] × [14, 181] on two cores.
 */
function matMul(plain: KernelConfig): Omit<KernelConfig, "backendName"> {
  return {
    ...plain,
    kernelFunc: (call) => {
      const { a, b } = call.inputs as BatchMatMulInputs;
      const { transposeA, transposeB } = call.attrs as unknown as BatchMatMulAttrs;
      const isBatch = a!.shape.length !== 2 || b!.shape.length !== 2;
      if (isBatch || a!.dtype !== "float32" || b!.dtype !== "float32") return plain.kernelFunc(call);
      return RawOps.within(call.backend as NodeBackend, (ops) =>
        ops.take(ops.matMul(ops.borrow(a!), ops.borrow(b!), transposeA, transposeB)),
      );
    },
  };
}
