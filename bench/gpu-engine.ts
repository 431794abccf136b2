import { CompiledEngine } from "../src/backend/compiled-engine.ts";
import type { Engine } from "../src/backend/engine.ts";
import { loadOnnxRuntime } from "../src/backend/onnx-runtime.ts";
import { adapters, WebGpu } from "../src/backend/webgpu.ts";

/** The compiled engine on a GPU or the CPU, without the package around it; THREADS of the CPU. Steps that it cannot compile are errors. */
export async function gpuEngine(provider: "cpu" | "webgpu"): Promise<{ engine: Engine; device: WebGpu | undefined }> {
  const runtime = await loadOnnxRuntime();
  if (runtime instanceof Error) throw runtime;
  const started = provider === "webgpu" ? await WebGpu.start(runtime) : undefined;
  if (started && "why" in started) throw new Error(`${started.why} (${adapters()}); ${started.fix}`);
  const device: WebGpu | undefined = started;
  const refuse = (message: string): never => {
    throw new Error(message);
  };
  const fallback = (): never => refuse("a step cannot be compiled");
  const engine = new CompiledEngine(runtime, {
    ...{ threads: Number(process.env.THREADS ?? 2), device, fallback },
    note: refuse,
  });
  return { engine, device };
}
