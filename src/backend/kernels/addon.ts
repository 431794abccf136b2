import { createRequire } from "node:module";

/** A compiled kernel with weights, in the addon. */
export type NativeKernel = object & { readonly __kernel: never };

/** The addon (addon-source.ts). */
export interface KernelAddon {
  /** @throws Error for a library that is no kernel */
  load(path: string, weights: Float32Array): NativeKernel;
  /**
   * @param arrays  the inputs, then the outputs, which must be as large as the rows and steps ask for: that is not checked
   * @returns       a promise, or nothing where it has waited
   */
  run(
    kernel: NativeKernel,
    arrays: readonly Float32Array[],
    inputs: number,
    rows: number,
    steps: number,
    threads: number,
    waits: boolean,
  ): Promise<void> | undefined;
}

/** @throws Error where it cannot be loaded */
export function loadAddon(path: string): KernelAddon {
  return createRequire(import.meta.url)(path) as KernelAddon;
}
