import { installedKernels } from "../kernels/install.ts";
import { loadOnnxRuntime } from "../onnx-runtime.ts";
import { adapters, WebGpu } from "../webgpu.ts";
import type { NativeKind } from "./paths.ts";
import { hasNvidiaDevice, installedNative } from "./start.ts";

/** One way to compute: whether it runs here, and if not why not and what to do. */
export interface BackendState {
  readonly name: "cuda" | "cpu" | "compiled" | "native-c" | "wasm" | "webgpu";
  /** What asks for it in a configuration. */
  readonly request: string;
  readonly runs: boolean;
  readonly why: string;
  readonly fix: string | null;
}

/**
 * All ways to compute, in the order in which `device=auto` takes the first that runs; then compiled kernels, which it takes for inference
 * alone, and WebGPU, which it takes for trainings whose step is faster there. Nothing native is loaded for it.
 */
export async function listBackends(cache: string): Promise<BackendState[]> {
  return [native("cuda", cache), await compiled(), native("cpu", cache), wasm, kernels(cache), await webGpu()];
}

function native(kind: NativeKind, cache: string): BackendState {
  const request = kind === "cuda" ? "device=cuda" : "device=cpu engine=eager";
  const row = { name: kind, request };
  if (kind === "cuda" && !hasNvidiaDevice()) {
    const fix = "a machine with an NVIDIA GPU and its driver (`nvidia-smi` shows them)";
    return { ...row, runs: false, why: "no NVIDIA driver is on this machine", fix };
  }
  const installed = installedNative(kind, cache);
  if ("why" in installed) return { ...row, runs: false, ...installed };
  const { tensorflow, check, folder } = installed;
  const where = tensorflow.source === "pip" ? folder.root : tensorflow.folder;
  if (kind === "cuda" && !check.usesGpu) {
    const why = `TensorFlow ${tensorflow.version} saw no device when it was installed`;
    return {
      ...row,
      runs: false,
      why,
      fix: "astrochem backend remove cuda, then install it on the machine with the GPU",
    };
  }
  return { ...row, runs: true, why: `native TensorFlow ${tensorflow.version} in ${where}`, fix: null };
}

function kernels(cache: string): BackendState {
  const row = { name: "native-c", request: "engine=native-c" } as const;
  const installed = installedKernels(cache);
  if ("why" in installed) return { ...row, runs: false, ...installed };
  const why = `inference in C compiled by ${installed.compiler.version}, also where nothing is asked for`;
  return { ...row, runs: true, why, fix: null };
}

async function compiled(): Promise<BackendState> {
  const row = { name: "compiled", request: "engine=compiled" } as const;
  const runtime = await loadOnnxRuntime();
  if (!(runtime instanceof Error)) {
    return {
      ...row,
      runs: true,
      why: `ONNX Runtime ${runtime.env.versions.node ?? runtime.env.versions.common}`,
      fix: null,
    };
  }
  const why = `ONNX Runtime cannot be loaded: ${runtime.message.split("\n")[0]}`;
  return { ...row, runs: false, why, fix: "ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node" };
}

async function webGpu(): Promise<BackendState> {
  const row = { name: "webgpu", request: "device=webgpu" } as const;
  const runtime = await loadOnnxRuntime();
  if (runtime instanceof Error) return { ...(await compiled()), ...row };
  const device = await WebGpu.start(runtime);
  if ("why" in device) return { ...row, runs: false, ...device };
  return { ...row, runs: true, why: `compiled steps on a GPU: ${adapters().join(", ")}`, fix: null };
}

const wasm: BackendState = {
  name: "wasm",
  request: "device=wasm",
  runs: true,
  why: "comes with astrochem, runs everywhere, is the slowest",
  fix: null,
};
