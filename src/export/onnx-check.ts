import { EagerEngine } from "../backend/eager-engine.ts";
import { hostTensor } from "../backend/engine.ts";
import { loadOnnxRuntime, type OnnxRuntime } from "../backend/onnx-runtime.ts";
import { derivedSeed, RandomStream } from "../data/random.ts";
import { ConfigError } from "../errors.ts";
import type { Inference } from "../inference/inference.ts";
import { type Models, type Part, type PartOptions, type PartPort, partOf } from "./onnx-parts.ts";
import { Samples } from "./onnx-samples.ts";

/** The batches that every file is tried with: one, a few, many. */
export const checkedBatches = [1, 3, 64] as const;

/** How far a file may be from `Inference`, in scaled units. */
export const tolerance = 1e-5;

/** Arrays by the names of ports. */
type Values = Record<string, Float32Array>;

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
    const [output] = part.outputs as [PartPort];
    try {
      let largest = 0;
      for (const batch of checkedBatches) {
        const inputs = Object.fromEntries(part.inputs.map((port) => [port.name, samples.draw(port, batch)]));
        Object.assign(inputs, await this.#carryOf(part, inputs, batch), await this.#startsOf(part, inputs, batch));
        const expected = await this.#expected(part, inputs, batch, samples);
        // What a step remembers shows in the next one: as many steps as `Inference` says something of.
        for (const wanted of expected) {
          const feeds = part.inputs.map(({ name, shape }) => {
            return [name, new this.#runtime.Tensor("float32", inputs[name]!, [batch, ...shape])] as const;
          });
          const made = await session.run(Object.fromEntries(feeds));
          const { data, dims } = made[output.name]!;
          if (`${dims}` !== `${[batch, ...output.shape]}` || data.length !== wanted.length) return Infinity;
          if (made.correction) {
            const kept = { data: data as Float32Array, correction: made.correction.data as Float32Array };
            await this.#asKept(wanted, kept, { part, inputs, batch });
          }
          const found = samples.rawLatents(output.quantity, data as Float32Array);
          const deviation = samples.deviation(comparedAs(output), found, wanted);
          if (!(deviation <= largest)) largest = deviation;
          if (Number.isNaN(largest)) return largest;
          for (const { name } of part.outputs) inputs[name.replace("next_", "")] = made[name]!.data as Float32Array;
        }
      }
      return largest;
    } finally {
      await session.release();
    }
  }

  /** Starts as the surrogate knows them, where totals are kept: those of abundances drawn at random have totals that nothing decoded is near. */
  async #startsOf({ options, kind }: Part, { abundances }: Values, batch: number): Promise<Values> {
    if (kind !== "rollout" || !options.conserve || !options.scaling) return {};
    const drawn = { data: abundances!, shape: [batch, abundances!.length / batch] };
    return { abundances: (await this.#inference.decode(await this.#inference.encode(drawn))).data };
  }

  /**
   * States that the file left as decoded are so in what is wanted, too. Those far off may have their totals by other weights: `Inference` begins
   * again after eight iterations, which a file cannot, and it may be met just then. Neither is nearer to the truth.
   */
  async #asKept(
    wanted: Float32Array,
    found: { readonly data: Float32Array; readonly correction: Float32Array },
    { part, inputs, batch }: { part: Part; inputs: Values; batch: number },
  ): Promise<void> {
    const matrix = (data: Float32Array, shape: readonly number[]) => ({ data, shape: [batch, ...shape] });
    const [physical, abundances] = part.inputs.map(({ name, shape }) => matrix(inputs[name]!, shape));
    const { data } = await this.#inference.emulate(physical!, abundances!, { conserve: false });
    const { correction } = await this.#inference.emulate(physical!, abundances!);
    const width = data.length / found.correction.length;
    for (const [row, size] of found.correction.entries()) {
      const hasOtherWeights = size > farOff && Math.abs(correction![row]! - size) > 1e-5 * size;
      const taken = !Number.isFinite(size) ? data : hasOtherWeights ? found.data : null;
      if (taken) wanted.set(taken.subarray(row * width, (row + 1) * width), row * width);
    }
  }

  /** The carry that goes into a step, of trajectories that start; nothing where there is none. */
  #carryOf(part: Part, { latents }: Readonly<Record<string, Float32Array>>, batch: number): Promise<Values> | Values {
    const hasCarry = part.inputs.some(({ quantity }) => quantity === "carry");
    return hasCarry ? this.#begin(latents!, batch, part.options) : {};
  }

  /** What trajectories remember when they start, eagerly computed. @param given latents as the file takes them, [batch, latent] */
  async #begin(given: Float32Array, batch: number, options: PartOptions): Promise<Values> {
    const part = partOf("start", this.#models, options);
    const engine = new EagerEngine("cpu");
    const state = engine.state(part.weights);
    const program = engine.program("start", part.step);
    try {
      const made = await program.run(state, { latents: hostTensor(given, [batch, ...part.inputs[0]!.shape]) });
      return Object.fromEntries(Object.entries(made).map(([name, { data }]) => [name, data]));
    } finally {
      await program.dispose();
      state.dispose();
    }
  }

  /** What `Inference` says; latents are raw. */
  async #expected(
    part: Part,
    inputs: Readonly<Record<string, Float32Array>>,
    batch: number,
    samples: Samples,
  ): Promise<Float32Array[]> {
    if (part.kind === "start")
      return [(await this.#begin(inputs.latents!, batch, part.options))[part.outputs[0]!.name]!];
    const inference = this.#inference;
    const scaled = { scaled: !part.options.scaling };
    const matrix = (name: string, shape = part.inputs.find((port) => port.name === name)!.shape) => {
      const { quantity } = part.inputs.find((port) => port.name === name)!;
      return { data: samples.rawLatents(quantity, inputs[name]!), shape: [batch, ...shape] };
    };
    if (part.kind === "encoder") return [(await inference.encode(matrix(part.inputs[0]!.name), scaled)).data];
    if (part.kind === "decoder") return [(await inference.decode(matrix("latents"), scaled)).data];
    const width = part.inputs[0]!.shape.at(-1)!;
    if (part.kind === "rollout") {
      const physical = matrix("physical", [part.options.steps, width]);
      if ("abundances" in inputs)
        return [
          (await inference.emulate(physical, matrix("abundances"), { ...scaled, conserve: part.options.conserve }))
            .data,
        ];
      return [(await inference.latentEmulate(physical, matrix("latents"), scaled)).data];
    }
    const { members, latentDim } = inference;
    const start = matrix("latents", members > 1 ? [members, latentDim] : [latentDim]);
    const first = await inference.latentEmulate(matrix("physical", [1, width]), start, scaled);
    if (!part.inputs.some(({ quantity }) => quantity === "carry")) return [first.data];
    const twice = { data: repeated(matrix("physical").data, batch, width), shape: [batch, 2, width] };
    const both = await inference.latentEmulate(twice, start, scaled);
    return [first.data, lastRows(both.data, batch, first.data.length / batch)];
  }
}

/** dex: a correction of states that are not to be trusted. */
const farOff = 0.1;

/** Each row twice. */
function repeated(rows: Float32Array, count: number, width: number): Float32Array {
  const out = new Float32Array(2 * rows.length);
  for (let i = 0; i < count; i++) {
    const row = rows.subarray(i * width, (i + 1) * width);
    out.set(row, 2 * i * width);
    out.set(row, (2 * i + 1) * width);
  }
  return out;
}

/** The second of each two rows. */
function lastRows(rows: Float32Array, count: number, width: number): Float32Array {
  const out = new Float32Array(count * width);
  for (let i = 0; i < count; i++) out.set(rows.subarray((2 * i + 1) * width, (2 * i + 2) * width), i * width);
  return out;
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
