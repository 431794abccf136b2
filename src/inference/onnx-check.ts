import { loadOnnxRuntime, type OnnxRuntime } from "../backend/onnx-runtime.ts";
import { derivedSeed, RandomStream } from "../data/random.ts";
import { ConfigError } from "../errors.ts";
import type { Inference } from "./inference.ts";
import type { Models, Part, PartPort } from "./onnx-parts.ts";
import { Samples } from "./onnx-samples.ts";

/** The batches that every file is tried with: one, a few, many. */
export const checkedBatches = [1, 3, 64] as const;

/** How far a file may be from `Inference`, in scaled units. */
export const tolerance = 1e-5;

/** Runs files in ONNX Runtime beside `Inference`. */
export class OnnxChecker {
  readonly #runtime: OnnxRuntime;
  readonly #inference: Inference;
  readonly #models: Models;

  constructor(runtime: OnnxRuntime, inference: Inference, models: Models) {
    [this.#runtime, this.#inference, this.#models] = [runtime, inference, models];
  }

  /**
   * The largest deviation of a file from `Inference` over random inputs at every checked batch.
   * @returns in scaled units; NaN or infinite where the numbers are or a shape differs
   */
  async deviation(bytes: Uint8Array, part: Part): Promise<number> {
    const session = await this.#runtime.InferenceSession.create(bytes, { logSeverityLevel: 3 });
    const samples = new Samples(this.#models, new RandomStream(derivedSeed(0, `onnx ${part.kind}`)));
    try {
      let largest = 0;
      for (const batch of checkedBatches) {
        const inputs = Object.fromEntries(part.inputs.map((port) => [port.name, samples.draw(port, batch)]));
        const feeds = part.inputs.map(({ name, shape }) => {
          return [name, new this.#runtime.Tensor("float32", inputs[name]!, [batch, ...shape])] as const;
        });
        const { data, dims } = (await session.run(Object.fromEntries(feeds)))[part.output.name]!;
        const expected = await this.#expected(part, inputs, batch, samples);
        if (`${dims}` !== `${[batch, ...part.output.shape]}` || data.length !== expected.length) return Infinity;
        const found = samples.rawLatents(part.output.quantity, data as Float32Array);
        const deviation = samples.deviation(comparedAs(part.output), found, expected);
        if (!(deviation <= largest)) largest = deviation;
        if (Number.isNaN(largest)) break;
      }
      return largest;
    } finally {
      await session.release();
    }
  }

  /** What `Inference` says; latents are raw. */
  async #expected(
    part: Part,
    inputs: Readonly<Record<string, Float32Array>>,
    batch: number,
    samples: Samples,
  ): Promise<Float32Array> {
    const inference = this.#inference;
    const scaled = { scaled: !part.options.scaling };
    const matrix = (name: string, shape = part.inputs.find((port) => port.name === name)!.shape) => {
      const { quantity } = part.inputs.find((port) => port.name === name)!;
      return { data: samples.rawLatents(quantity, inputs[name]!), shape: [batch, ...shape] };
    };
    if (part.kind === "encoder") return (await inference.encode(matrix(part.inputs[0]!.name), scaled)).data;
    if (part.kind === "decoder") return (await inference.decode(matrix("latents"), scaled)).data;
    const steps = part.kind === "step" ? 1 : part.options.steps;
    const physical = matrix("physical", [steps, part.inputs[0]!.shape.at(-1)!]);
    if ("abundances" in inputs) return (await inference.emulate(physical, matrix("abundances"), scaled)).data;
    return (await inference.latentEmulate(physical, matrix("latents"), scaled)).data;
  }
}

/** Scaled latents are compared raw, as `Inference` has them, and counted in scaled units all the same. */
function comparedAs({ quantity }: PartPort): PartPort["quantity"] {
  return quantity === "scaled latents" ? "raw latents" : quantity;
}

/** @throws ConfigError where ONNX Runtime cannot run here: a file that cannot be checked is not written */
export async function runtimeForCheck(): Promise<OnnxRuntime> {
  const runtime = await loadOnnxRuntime();
  if (!(runtime instanceof Error)) return runtime;
  throw new ConfigError(`the files cannot be checked: ONNX Runtime cannot be loaded: ${runtime.message}`, {
    fix: "npm install onnxruntime-node",
    cause: runtime,
  });
}
