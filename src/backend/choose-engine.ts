import { availableParallelism } from "node:os";
import { ConfigError } from "../errors.ts";
import { CompiledEngine } from "./compiled-engine.ts";
import type { ComputeChoice, ComputeRequest } from "./compute.ts";
import { EagerEngine } from "./eager-engine.ts";
import type { Engine } from "./engine.ts";
import { loadOnnxRuntime } from "./onnx-runtime.ts";
import { tf } from "./tf.ts";
import { installFastMatMul } from "./wasm-kernels.ts";

/**
 * Chooses and starts what computes. What is asked for and cannot run is an error with the remedy, never a silent fall-back.
 * @param note  told when a step has to run eagerly after all, with the kernel's name
 * @throws ConfigError
 */
export async function chooseEngine(
  request: ComputeRequest = {},
  note: (message: string) => void = () => {},
): Promise<{ engine: Engine; choice: ComputeChoice }> {
  const { device = "auto", engine = "auto" } = request;
  if (device === "cuda") {
    throw new ConfigError("device cuda needs a native TensorFlow, which this version does not have", {
      where: "device",
      fix: "device=auto, device=cpu or device=wasm",
    });
  }
  if (device === "wasm" && engine === "compiled") {
    throw new ConfigError("the compiled engine runs on the CPU, not in WASM", {
      where: "engine",
      fix: "device=cpu or engine=eager",
    });
  }
  if (device === "cpu" && engine === "eager") {
    throw new ConfigError("eager execution on the CPU needs a native TensorFlow, which this version does not have", {
      where: "engine",
      fix: "device=wasm engine=eager, or engine=compiled",
    });
  }
  if (device === "wasm" || engine === "eager") {
    return eager(device === "wasm" ? "device=wasm was asked for" : "engine=eager was asked for");
  }
  const runtime = await loadOnnxRuntime();
  if (runtime instanceof Error) {
    const why = `ONNX Runtime cannot be loaded: ${runtime.message}`;
    if (device === "auto" && engine === "auto") return eager(why);
    throw new ConfigError(why, {
      where: engine === "compiled" ? "engine" : "device",
      fix: "npm install onnxruntime-node, or engine=eager",
      cause: runtime,
    });
  }
  const threads = request.threads ?? availableParallelism();
  const fallback = async (): Promise<Engine> => (await eager("")).engine;
  const choice: ComputeChoice = {
    device: "cpu",
    engine: "compiled",
    threads,
    reason: "ONNX Runtime, the fastest at hand",
  };
  return { engine: new CompiledEngine(runtime, { threads, fallback, note }), choice };
}

async function eager(reason: string): Promise<{ engine: Engine; choice: ComputeChoice }> {
  if (tf.getBackend() !== "wasm") {
    // Without it tfjs prints a banner and checks every result for NaN on the host.
    tf.enableProdMode();
    await tf.setBackend("wasm");
    installFastMatMul();
  }
  return { engine: new EagerEngine(), choice: { device: "wasm", engine: "eager", threads: 1, reason } };
}
