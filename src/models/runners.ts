import {
  type Engine,
  type EngineState,
  type HostTensor,
  type HostTensors,
  hostTensor,
  type Program,
} from "../backend/engine.ts";
import { abundanceBounds, boundsArrays, latentBounds } from "./bounds.ts";
import { compressorOf } from "./compressors.ts";
import { evolverOf } from "./evolvers.ts";
import { beginStep, decodeStep, encodeStep, type FrozenStep, rolloutStep } from "./forward-steps.ts";
import type { AutoencoderWeights, EmulatorWeights } from "./weights-file.ts";

type Run = (inputs: HostTensors) => Promise<HostTensors>;

/** Programs whose weights never change, and the weights. */
class Frozen {
  readonly #engine: Engine;
  readonly #state: EngineState;
  readonly #programs: Program[] = [];

  constructor(engine: Engine, arrays: HostTensors) {
    [this.#engine, this.#state] = [engine, engine.state(arrays)];
  }

  /** What runs a step. */
  bind(name: string, { step, ...options }: FrozenStep): Run {
    const program = this.#engine.program(name, step, { frozen: true, ...options });
    this.#programs.push(program);
    return (inputs) => program.run(this.#state, inputs);
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.dispose()));
    this.#state.dispose();
  }
}

/** Encodes rows with trained weights. */
export class Encoder {
  readonly latentDim: number;
  readonly #frozen: Frozen;
  readonly #encode: Run;

  constructor(engine: Engine, weights: AutoencoderWeights) {
    this.latentDim = weights.model.latent_dim;
    this.#frozen = new Frozen(engine, autoencoderArrays(weights));
    this.#encode = this.#frozen.bind("encode", encodeStep(compressorOf(weights)));
  }

  /** @param scaled [rows, species] @returns raw latents, [rows, latent] */
  async encode(scaled: Float32Array, rows: number): Promise<Float32Array> {
    return (await this.#encode({ features: hostTensor(scaled, [rows, scaled.length / rows]) })).latents!.data;
  }

  dispose(): Promise<void> {
    return this.#frozen.dispose();
  }
}

/** Decodes rows with trained weights. No abundance leaves the training data's range by more than half a dex, where that is known. */
export class Decoder {
  readonly #frozen: Frozen;
  readonly #decode: Run;

  constructor(engine: Engine, weights: AutoencoderWeights) {
    const bounds = boundsArrays("abundance", abundanceBounds(weights));
    this.#frozen = new Frozen(engine, { ...bounds, ...autoencoderArrays(weights) });
    this.#decode = this.#frozen.bind("decode", decodeStep(compressorOf(weights)));
  }

  /** @param latents raw, [rows, latent] @returns scaled abundances, [rows, species] */
  async decode(latents: Float32Array, rows: number): Promise<Float32Array> {
    return (await this.#decode({ latents: hostTensor(latents, [rows, latents.length / rows]) })).scaled!.data;
  }

  dispose(): Promise<void> {
    return this.#frozen.dispose();
  }
}

/** Rolls trajectories out with trained weights. The state stays near the training data's, where their range is known. */
export class Roller {
  readonly #frozen: Frozen;
  readonly #rollout: Run;
  /** Makes the carry of a start; null where there is none. */
  readonly #begin: Run | null;

  constructor(engine: Engine, weights: EmulatorWeights) {
    const evolver = evolverOf(weights);
    const bounds = boundsArrays("latent", latentBounds(weights));
    this.#frozen = new Frozen(engine, { parameters: vector(weights.trainable), ...bounds });
    this.#rollout = this.#frozen.bind("rollout", rolloutStep(evolver));
    this.#begin = evolver.carry.length > 0 ? this.#frozen.bind("start of a rollout", beginStep(evolver)) : null;
  }

  /**
   * @param physical  [batch, steps, physical], scaled
   * @param latents   [batch, latent], scaled: the state at the start
   * @returns         [batch, steps, latent], scaled
   */
  async rollout(physical: Float32Array, latents: Float32Array, batch: number, steps: number): Promise<Float32Array> {
    const start = { latents: hostTensor(latents, [batch, latents.length / batch]) };
    const driving = hostTensor(physical, [batch, steps, physical.length / (batch * steps)]);
    const made = await this.#rollout({ physical: driving, ...start, ...(await this.#begin?.(start)) });
    return made.latents!.data;
  }

  dispose(): Promise<void> {
    return this.#frozen.dispose();
  }
}

function autoencoderArrays({ trainable, statistics }: AutoencoderWeights): HostTensors {
  return { parameters: vector(trainable), statistics: vector(statistics) };
}

function vector(data: Float32Array): HostTensor {
  return hostTensor(data, [data.length]);
}
