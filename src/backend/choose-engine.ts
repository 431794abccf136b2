import { counted } from "../counted.ts";
import { ConfigError } from "../errors.ts";
import { CompiledEngine } from "./compiled-engine.ts";
import type { ComputeChoice, ComputeRequest } from "./compute.ts";
import { EagerEngine } from "./eager-engine.ts";
import type { BlockSizes, Engine } from "./engine.ts";
import { ownSurroundings } from "./kernels/compile.ts";
import { currentAddon, installedKernels } from "./kernels/install.ts";
import { KernelEngine } from "./kernels/kernel-engine.ts";
import { cacheFolder } from "./native/paths.ts";
import { hasNvidiaDevice, installedNative, startNative, type Unavailable } from "./native/start.ts";
import { loadOnnxRuntime } from "./onnx-runtime.ts";
import { tf } from "./tf.ts";
import { chooseThreads, type ThreadChoice } from "./threads.ts";
import { installFastMatMul } from "./wasm-kernels.ts";
import { adapters, mayHaveGpu, WebGpu } from "./webgpu.ts";

/** What computes, ready. */
export interface ChosenEngine {
  readonly engine: Engine;
  readonly choice: ComputeChoice;
  /** Starts a GPU that may be faster, where nothing was asked for: a probe of the job's own step has to tell (`probe.ts`). */
  readonly rival?: () => Promise<ChosenEngine | Unavailable>;
}

/**
 * Chooses and starts what computes. What is asked for and cannot run is an error with the remedy, never a silent fall-back.
 * @param note  told when a step has to run eagerly after all, with the kernel's name, and what is doubtful ("warning: …")
 * @param isInference  nothing is trained: compiled kernels are taken where they are installed
 * @throws ConfigError
 */
export async function chooseEngine(
  request: ComputeRequest = {},
  note: (message: string) => void = () => {},
  { isInference = false } = {},
): Promise<ChosenEngine> {
  const { device = "auto", engine = "auto" } = request;
  const threads = chooseThreads(request.threads, note);
  if (engine === "compiled" && (device === "cuda" || device === "wasm")) {
    throw new ConfigError(
      `the compiled engine runs on the CPU or by WebGPU, not ${device === "cuda" ? "on CUDA" : "in WASM"}`,
      { where: "engine", fix: "device=cpu, device=webgpu or engine=eager" },
    );
  }
  if (engine === "native-c") {
    if (device !== "auto" && device !== "cpu") {
      throw new ConfigError(`compiled kernels run on the CPU, not device=${device}`, {
        where: "engine",
        fix: "device=cpu, or leave engine out",
      });
    }
    return orRefuse(await kernels(threads, "engine=native-c was asked for", note), "engine");
  }
  if (device === "webgpu") {
    if (engine === "eager") {
      const fix = "leave engine out, or device=cpu";
      throw new ConfigError("device=webgpu runs compiled steps only, not engine=eager", { where: "engine", fix });
    }
    return orRefuse(await webGpu(threads, `device=webgpu was asked for (${adapters().join(", ")})`, note), "device");
  }
  if (device === "wasm") return wasm("device=wasm was asked for");
  if (device === "cuda") return orRefuse(await native("cuda", threads, "device=cuda was asked for"), "device");
  if (device === "cpu" && engine === "eager") {
    return orRefuse(await native("cpu", threads, "device=cpu engine=eager was asked for"), "engine");
  }
  // Not for training: its validation would have other last digits where kernels are installed.
  if (isInference && engine === "auto" && "addon" in installedKernels(cacheFolder(process.env))) {
    const made = hasCuda(device) ? null : await kernels(threads, "compiled kernels are installed", note);
    if (made && "engine" in made) return made;
    if (made) note(`warning: ${made.why}`);
  }
  const what = engine === "compiled" ? "engine" : "device";
  const chosen =
    device === "cpu" || engine === "compiled"
      ? orRefuse(await compiled(threads, "ONNX Runtime, the fastest on the CPU", note), what)
      : await automatic(engine, threads, note);
  if (device !== "auto" || isInference || chosen.choice.engine !== "compiled" || !mayHaveGpu()) return chosen;
  return { ...chosen, rival: () => webGpu(threads, adapters().join(", "), note) };
}

/** The first that runs: CUDA, compiled, native, WASM; with `engine=eager` without the compiled one. */
async function automatic(
  engine: "auto" | "eager",
  threads: ThreadChoice,
  note: (message: string) => void,
): Promise<ChosenEngine> {
  const passed: string[] = [];
  const because = (reason: string): string => [reason, ...passed].join("; ");
  // Loading TensorFlow takes seconds: only where it may come to something.
  if (hasNvidiaDevice() && !("why" in installedNative("cuda"))) {
    const cuda = await native("cuda", threads, "a CUDA device is here");
    if ("engine" in cuda) return cuda;
    passed.push(cuda.why);
  }
  if (engine !== "eager") {
    const made = await compiled(threads, because("ONNX Runtime, the fastest at hand"), note);
    if ("engine" in made) return made;
    passed.push(made.why);
  } else passed.push("engine=eager was asked for");
  const cpu = await native("cpu", threads, because("native TensorFlow is installed"));
  if ("engine" in cpu) return cpu;
  passed.push(cpu.why);
  return wasm(passed.join("; "));
}

/** Whether `device` leads to CUDA, which comes before all else. */
function hasCuda(device: "auto" | "cpu"): boolean {
  return device === "auto" && hasNvidiaDevice() && !("why" in installedNative("cuda"));
}

/** Compiled C for frozen steps, on the compiled engine for all others. */
async function kernels(
  wanted: ThreadChoice,
  reason: string,
  note: (message: string) => void,
): Promise<ChosenEngine | Unavailable> {
  const installed = installedKernels(cacheFolder(process.env));
  if ("why" in installed) return installed;
  const base = await compiled(wanted, reason, note);
  if ("why" in base) return base;
  const { threads } = wanted;
  try {
    const addon = await currentAddon({ ...installed, ...ownSurroundings() });
    const engine = new KernelEngine(base.engine, { ...installed, addon }, { threads, note });
    const because = `${reason} (${installed.compiler.version}); ${wanted.reason}`;
    return { engine, choice: { device: "cpu", engine: "native-c", threads, reason: because } };
  } catch (error) {
    const fix = "astrochem backend remove kernels, then astrochem backend install kernels";
    return { why: `the addon of the compiled kernels cannot be loaded: ${(error as Error).message}`, fix };
  }
}

function orRefuse(made: ChosenEngine | Unavailable, where: string): ChosenEngine {
  if ("engine" in made) return made;
  throw new ConfigError(made.why, { where, fix: made.fix });
}

async function compiled(
  { threads, reason: ofThreads }: ThreadChoice,
  reason: string,
  note: (message: string) => void,
): Promise<ChosenEngine | Unavailable> {
  const runtime = await loadOnnxRuntime();
  if (runtime instanceof Error) return notLoaded(runtime);
  const choice: ComputeChoice = { device: "cpu", engine: "compiled", threads, reason: `${reason}; ${ofThreads}` };
  return { engine: new CompiledEngine(runtime, { threads, fallback, note }), choice };
}

/** The same steps on a GPU. */
async function webGpu(
  { threads }: ThreadChoice,
  reason: string,
  note: (message: string) => void,
): Promise<ChosenEngine | Unavailable> {
  const runtime = await loadOnnxRuntime();
  if (runtime instanceof Error) return notLoaded(runtime);
  const device = await WebGpu.start(runtime);
  if ("why" in device) return device;
  const choice: ComputeChoice = { device: "webgpu", engine: "compiled", threads, reason };
  return { engine: new CompiledEngine(runtime, { threads, device, fallback, note }), choice };
}

function notLoaded({ message }: Error): Unavailable {
  const fix = "ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node, or engine=eager";
  return { why: `ONNX Runtime cannot be loaded: ${message}`, fix };
}

/** For steps that cannot be compiled. */
async function fallback(): Promise<Engine> {
  return (await wasm("")).engine;
}

/** Native TensorFlow spends some 20 µs on a call whatever its size; larger blocks than these gain nothing more. */
const nativeBlocks: BlockSizes = { rows: 8192, stretch: 65536, anyLength: true };

async function native(
  device: "cuda" | "cpu",
  wanted: ThreadChoice,
  reason: string,
): Promise<ChosenEngine | Unavailable> {
  const backend = await startNative(device, wanted.threads);
  if ("why" in backend) return backend;
  // TensorFlow takes its threads once in a process, and from a variable of its own where that is set.
  const told =
    backend.threads === wanted.threads
      ? wanted.reason
      : `${counted(backend.threads, "thread")}: as TensorFlow has them`;
  const choice: ComputeChoice = {
    device,
    engine: "eager",
    threads: backend.threads,
    reason: `${reason} (TensorFlow ${backend.version}); ${told}`,
  };
  return { engine: new EagerEngine(backend.name, nativeBlocks), choice };
}

async function wasm(reason: string): Promise<ChosenEngine> {
  if (tf.getBackend() !== "wasm") {
    // Without it tfjs prints a banner and checks every result for NaN on the host.
    tf.enableProdMode();
    await tf.setBackend("wasm");
    installFastMatMul();
  }
  return { engine: new EagerEngine("wasm"), choice: { device: "wasm", engine: "eager", threads: 1, reason } };
}
