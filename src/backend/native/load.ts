import { createRequire, Module } from "node:module";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { KernelBackend } from "@tensorflow/tfjs";
import { tf } from "../tf.ts";
import { installFastMatMul } from "./kernels.ts";
import type { NativeFolder } from "./paths.ts";

/** A native TensorFlow, ready as one of tfjs' backends. */
export interface NativeBackend {
  /** For `tf.setBackend`. */
  readonly name: string;
  /** It computes on a CUDA device. */
  readonly usesGpu: boolean;
  /** Threads within an operation: set once in a process. */
  readonly threads: number;
}

export interface LoadOptions {
  /** Threads within an operation; absent: all cores, or what TensorFlow's own variable says. Of the process's first load only. */
  readonly threads?: number | null | undefined;
}

/** The name that tfjs-node registers itself by. */
const name = "tensorflow";
let loaded: { readonly addon: string; readonly backend: NativeBackend } | null = null;

/**
 * Loads an installed TensorFlow into this process, which takes 1 to 2.5 s. Which backend is current stays as it is.
 * @returns what went wrong, as an error, where it cannot be loaded; a process can hold one only
 */
export async function loadNative({ addon }: NativeFolder, options: LoadOptions = {}): Promise<NativeBackend | Error> {
  if (loaded !== null) {
    return loaded.addon === addon
      ? loaded.backend
      : new Error(`this process runs on the TensorFlow of ${loaded.addon}`);
  }
  prepareProcess(options);
  const previous = tf.getBackend();
  try {
    requireWithOurTfjs(join(addon, "package.json"));
    await tf.setBackend(name);
    installFastMatMul(name);
    const { isUsingGpuDevice } = tf.backend() as KernelBackend & { readonly isUsingGpuDevice?: boolean };
    loaded = { addon, backend: { name, usesGpu: isUsingGpuDevice === true, threads: threadCount() } };
    return loaded.backend;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  } finally {
    if (previous) await tf.setBackend(previous);
  }
}

function prepareProcess({ threads }: LoadOptions): void {
  // tfjs otherwise checks every result for NaN on the host.
  tf.enableProdMode();
  // One line about oneDNN still comes: TensorFlow 2.21 writes it before it reads this.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= "3";
  if (threads) process.env.TF_NUM_INTRAOP_THREADS ??= String(threads);
  // tfjs-node calls both; Node 22 warns of them, Node 23 has them no more.
  const util = createRequire(import.meta.url)("node:util") as Record<string, unknown>;
  util.isArray = Array.isArray;
  util.isNullOrUndefined = (value: unknown): boolean => value === null || value === undefined;
}

function threadCount(): number {
  return Number(process.env.TF_NUM_INTRAOP_THREADS) || availableParallelism();
}

type Resolve = (request: string, parent: unknown, ...rest: unknown[]) => string;

/**
 * Requires the package with tfjs resolved as from here: two copies of tfjs do not see each other's tensors. Links in its folder
 * would do so for one program only, and a folder may serve several; Node 20 has no other way to resolve a name differently.
 */
function requireWithOurTfjs(manifest: string): void {
  const tfjs = createRequire(import.meta.url).resolve("@tensorflow/tfjs");
  const core = "@tensorflow/tfjs-core";
  const ours = new Map([
    ["@tensorflow/tfjs", tfjs],
    [core, createRequire(tfjs).resolve(core)],
  ]);
  const loader = Module as unknown as { _resolveFilename: Resolve };
  const plain = loader._resolveFilename;
  loader._resolveFilename = (request, ...rest) => ours.get(request) ?? plain.call(loader, request, ...rest);
  try {
    createRequire(manifest)("./");
  } finally {
    loader._resolveFilename = plain;
  }
}
