import { existsSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, join } from "node:path";
import type { InferenceSession, Tensor } from "onnxruntime-node";
import { ConfigError } from "../errors.ts";
import { packageVersion } from "../version.ts";
import type { BlockSizes, HostTensor } from "./engine.ts";
import type { GraphLimits } from "./graph-builder.ts";
import type { Unavailable } from "./native/start.ts";
import { encodeOnnx } from "./onnx-model.ts";
import type { OnnxRuntime } from "./onnx-runtime.ts";

/** A shader of the provider binds some ten arrays: so many parts of a Split, Concat or Sum leave room for the rest. */
export const webGpuLimits: GraphLimits = { widest: 8, int64: false };

/** A call costs milliseconds whatever its size, and the device wants thousands of rows to be busy. */
export const webGpuBlocks: BlockSizes = { rows: 16384, stretch: 65536, anyLength: false };

const remedy =
  "a GPU with a Vulkan driver, and the loader libvulkan.so.1 (Debian, Ubuntu: `apt-get install libvulkan1 mesa-vulkan-drivers`; NVIDIA's " +
  "driver wants libgl1, libegl1 and libxext6 besides, and in containers NVIDIA_DRIVER_CAPABILITIES=all), or device=cpu";

/** ONNX Runtime's WebGPU provider: what goes to the device and comes back. */
export class WebGpu {
  readonly #runtime: OnnxRuntime;
  readonly #copies = new Map<string, Promise<InferenceSession>>();

  private constructor(runtime: OnnxRuntime) {
    this.#runtime = runtime;
  }

  /** Looks for an adapter by a copy there and back. */
  static async start(runtime: OnnxRuntime): Promise<WebGpu | Unavailable> {
    // Without any, the loader would print warnings.
    if (adapters().length === 0) return { why: "no GPU driver for Vulkan is on this machine", fix: remedy };
    const device = new WebGpu(runtime);
    // Nothing is drawn, but a driver says "error: XDG_RUNTIME_DIR is invalid" on stderr without it, as on nodes of a cluster.
    process.env.XDG_RUNTIME_DIR ??= tmpdir();
    try {
      const there = await device.upload({ data: Float32Array.of(1, 2), shape: [2] });
      const { data } = await device.download(there);
      there.dispose();
      return `${data}` === "1,2" ? device : { why: `the GPU gives back ${data} for 1,2`, fix: "device=cpu" };
    } catch (error) {
      return { why: `ONNX Runtime finds no GPU: ${shortReason(error as Error)}`, fix: remedy };
    }
  }

  async upload({ data, shape }: HostTensor): Promise<Tensor> {
    const session = await this.#copy("gpu-buffer", shape.length);
    return this.run(session, { x: new this.#runtime.Tensor("float32", data, [...shape]) }).then(({ y }) => y!);
  }

  /** By a graph that hands its input on: `getData` of a tensor on the device ends the process (onnxruntime-node 1.30). */
  async download(tensor: Tensor): Promise<HostTensor> {
    const session = await this.#copy("cpu", tensor.dims.length);
    const { y } = await this.run(session, { x: tensor });
    return { data: y!.data as Float32Array, shape: y!.dims };
  }

  /** Runs a session. @throws ConfigError where the device has gone or its memory is full */
  async run(
    session: InferenceSession,
    feeds: Record<string, Tensor>,
    fetches: Record<string, Tensor | null> = { y: null },
  ): Promise<Record<string, Tensor>> {
    try {
      return await session.run(feeds, fetches);
    } catch (error) {
      const cause = error instanceof Error ? error : new Error(String(error));
      const reason = shortReason(cause);
      // So ONNX Runtime 1.30 tells it, at the next copy to the host: "MapAsyncStatus value: 4, message: [Device] is lost."
      const isLost = /device\]? is lost/i.test(reason);
      throw new ConfigError(`the GPU ${isLost ? "was lost" : "has stopped computing"}: ${reason}`, {
        where: "device=webgpu",
        fix:
          "go on from the last checkpoint with --resume (and device=cpu if the GPU does not come back); the driver's log (`dmesg`) may tell why: " +
          "where its memory was full, make batches smaller",
        cause,
      });
    }
  }

  /** A graph that hands an array of that rank on, kept. */
  #copy(to: "gpu-buffer" | "cpu", rank: number): Promise<InferenceSession> {
    const key = `${to} ${rank}`;
    const shape = Array.from({ length: rank }, (_, axis) => `n${axis}`);
    const [x, y] = ["x", "y"].map((name) => ({ name, type: "float32" as const, shape }));
    const nodes = [{ op: "Identity", inputs: ["x"], outputs: ["y"], attributes: {} }];
    const graph = { name: "copy", nodes, constants: [], inputs: [x!], outputs: [y!] };
    const made =
      this.#copies.get(key) ??
      this.#runtime.InferenceSession.create(encodeOnnx(graph, packageVersion), {
        executionProviders: ["webgpu"],
        preferredOutputLocation: to,
        logSeverityLevel: 3,
      });
    this.#copies.set(key, made);
    return made;
  }
}

/** GPUs that there may be: NVIDIA's cards and the manifests of Vulkan drivers on Linux; elsewhere the system's own interface. */
export function adapters(env: Readonly<Record<string, string | undefined>> = process.env): string[] {
  if (process.platform !== "linux") return [process.platform === "darwin" ? "Metal" : "Direct3D 12"];
  const asked = env.VK_DRIVER_FILES ?? env.VK_ICD_FILENAMES;
  const folders = ["/etc", "/usr/local/share", "/usr/share", join(env.HOME ?? "/", ".local/share")];
  const manifests = asked
    ? asked.split(delimiter).filter((path) => existsSync(path))
    : folders.flatMap((folder) => filesIn(join(folder, "vulkan/icd.d")));
  const cards = manifests.some((path) => path.includes("nvidia")) ? filesIn("/proc/driver/nvidia/gpus") : [];
  const models = cards.map(
    (card) => /Model:\s*(.*)/.exec(readFileSync(join(card, "information"), "utf8"))?.[1] ?? card,
  );
  return [...models, ...manifests.map((path) => basename(path))];
}

/**
 * Whether it is worth a look for a GPU, told by files alone: Mesa's manifests lie on machines without one, too, where they stand for a software
 * GPU. Linux only: elsewhere nothing has been tried, and `device=webgpu` asks for it.
 */
export function mayHaveGpu(env: Readonly<Record<string, string | undefined>> = process.env, devices = "/dev"): boolean {
  if (process.platform !== "linux" || adapters(env).length === 0) return false;
  if (env.VK_DRIVER_FILES ?? env.VK_ICD_FILENAMES) return true;
  const nodes = [devices, join(devices, "dri")].flatMap(filesIn).map((path) => basename(path));
  return nodes.some((name) => /^(renderD\d+|nvidia\d+|dxg)$/.test(name));
}

function filesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
}

/** The last sentence of ONNX Runtime's message: before it come names of its source files. */
function shortReason({ message }: Error): string {
  const line = message.split("\n")[0]!;
  return line.split(" was false. ").at(-1)!.slice(0, 300);
}
