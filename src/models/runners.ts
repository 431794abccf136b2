import { type Block, blocks, powersOfTwo } from "../backend/blocks.ts";
import {
  type BlockSizes,
  type Engine,
  type EngineState,
  type HostTensors,
  hostTensor,
  type Program,
} from "../backend/engine.ts";
import { abundanceBounds, boundsArrays, latentBounds } from "./bounds.ts";
import { compressorOf } from "./compressors.ts";
import { evolverOf } from "./evolvers.ts";
import { beginStep, decodeStep, encodeStep, type FrozenStep, rolloutStep } from "./forward-steps.ts";
import type { AutoencoderWeights, EmulatorWeights } from "./weights-file.ts";

/** Trajectories at once: enough for two cores to share each product (128 are half as fast on two cores as on one). */
const trajectoriesAtOnce = 1024;
/** Steps of one stretch at most, where the evolver says nothing: the time to prepare a graph grows faster than its length. */
const stepsAtOnce = 256;

/** A program whose weights never change. */
function frozenProgram(engine: Engine, name: string, { step, prepare, batch }: FrozenStep): Program {
  return engine.program(name, step, { frozen: true, prepare, batch });
}

/** Encodes rows with trained weights. */
export class Encoder {
  readonly latentDim: number;
  readonly #map: RowMap;

  constructor(engine: Engine, weights: AutoencoderWeights) {
    this.latentDim = weights.model.latent_dim;
    const program = frozenProgram(engine, "encode", encodeStep(compressorOf(weights)));
    this.#map = new RowMap(engine.blocks, autoencoderState(engine, weights), program, {
      from: "features",
      to: "latents",
    });
  }

  /** @param scaled [rows, species] @returns raw latents, [rows, latent] */
  encode(scaled: Float32Array, rows: number): Promise<Float32Array> {
    return this.#map.run(scaled, rows, this.latentDim);
  }

  dispose(): Promise<void> {
    return this.#map.dispose();
  }
}

/** Decodes rows with trained weights. No abundance leaves the training data's range by more than half a dex, where that is known. */
export class Decoder {
  readonly #species: number;
  readonly #map: RowMap;

  constructor(engine: Engine, weights: AutoencoderWeights) {
    this.#species = weights.model.input_dim;
    const program = frozenProgram(engine, "decode", decodeStep(compressorOf(weights)));
    const state = autoencoderState(engine, weights, boundsArrays("abundance", abundanceBounds(weights)));
    this.#map = new RowMap(engine.blocks, state, program, { from: "latents", to: "scaled" });
  }

  /** @param latents raw, [rows, latent] @returns scaled abundances, [rows, species] */
  decode(latents: Float32Array, rows: number): Promise<Float32Array> {
    return this.#map.run(latents, rows, this.#species);
  }

  dispose(): Promise<void> {
    return this.#map.dispose();
  }
}

/** A program that maps rows to rows, applied in blocks. */
class RowMap {
  readonly #sizes: BlockSizes;
  readonly #state: EngineState;
  readonly #program: Program;
  readonly #names: { readonly from: string; readonly to: string };

  constructor(
    sizes: BlockSizes,
    state: EngineState,
    program: Program,
    names: { readonly from: string; readonly to: string },
  ) {
    this.#sizes = sizes;
    [this.#state, this.#program, this.#names] = [state, program, names];
  }

  async run(input: Float32Array, rows: number, widthOut: number): Promise<Float32Array> {
    const width = input.length / rows;
    const { from, to } = this.#names;
    const parts = [...blocks(rows, this.#sizes.rows)];
    // What is made in one call needs no other array: filling a fresh one takes as long as a product.
    if (parts.length === 1)
      return (await this.#program.run(this.#state, { [from]: hostTensor(input, [rows, width]) }))[to]!.data;
    const out = new Float32Array(rows * widthOut);
    for (const { start, count } of parts) {
      const block = hostTensor(input.subarray(start * width, (start + count) * width), [count, width]);
      const place = out.subarray(start * widthOut, (start + count) * widthOut);
      const made = await this.#program.run(this.#state, { [from]: block }, { [to]: place });
      if (made[to]!.data !== place) place.set(made[to]!.data);
    }
    return out;
  }

  async dispose(): Promise<void> {
    await this.#program.dispose();
    this.#state.dispose();
  }
}

/** Rolls trajectories out with trained weights. The state stays near the training data's, where their range is known. */
export class Roller {
  readonly #state: EngineState;
  readonly #program: Program;
  /** Makes the carry of a start; null where there is none. */
  readonly #begin: Program | null;
  readonly #latent: number;
  readonly #stepsAtOnce: number;
  readonly #sizes: BlockSizes;

  constructor(engine: Engine, weights: EmulatorWeights) {
    const { trainable } = weights;
    const evolver = evolverOf(weights);
    this.#latent = evolver.shape.output_dim;
    this.#stepsAtOnce = evolver.stretch ?? stepsAtOnce;
    this.#sizes = engine.blocks;
    this.#state = engine.state({
      parameters: hostTensor(trainable, [trainable.length]),
      ...boundsArrays("latent", latentBounds(weights)),
    });
    this.#program = frozenProgram(engine, "rollout", rolloutStep(evolver));
    this.#begin = evolver.carry.length > 0 ? frozenProgram(engine, "start of a rollout", beginStep(evolver)) : null;
  }

  /**
   * @param physical  [batch, steps, physical], scaled
   * @param latents   [batch, latent], scaled: the state at the start
   * @returns         [batch, steps, latent], scaled
   */
  async rollout(physical: Float32Array, latents: Float32Array, batch: number, steps: number): Promise<Float32Array> {
    const parameters = physical.length / (batch * steps);
    const out = new Float32Array(batch * steps * this.#latent);
    for (const { start, count } of blocks(batch, trajectoriesAtOnce)) {
      let state = hostTensor(latents.slice(start * this.#latent, (start + count) * this.#latent), [
        count,
        this.#latent,
      ]);
      let carry = (await this.#begin?.run(this.#state, { latents: state })) ?? {};
      // In stretches, each from where the last one ended: long rollouts need no large graphs.
      for (const stretch of this.#stretches(count, steps)) {
        const driving = new Float32Array(stretch.count * count * parameters);
        const first = (start * steps + stretch.start) * parameters;
        timeFirst(physical.subarray(first), driving, {
          batch: count,
          steps: stretch.count,
          stride: steps,
          width: parameters,
        });
        const { latents: made, ...after } = await this.#program.run(this.#state, {
          physical: hostTensor(driving, [stretch.count, count, parameters]),
          latents: state,
          ...carry,
        });
        const evolved = made!.data;
        const place = out.subarray((start * steps + stretch.start) * this.#latent);
        batchFirst(evolved, place, { batch: count, steps: stretch.count, stride: steps, width: this.#latent });
        state = hostTensor(evolved.slice((stretch.count - 1) * count * this.#latent), [count, this.#latent]);
        carry = after;
      }
    }
    return out;
  }

  /** Cut by the sizes alone, so that the same call gives the same bits whatever was asked before. */
  #stretches(trajectories: number, steps: number): Iterable<Block> {
    const largest = Math.min(this.#stepsAtOnce, Math.max(1, Math.floor(this.#sizes.stretch / trajectories)));
    return this.#sizes.anyLength ? blocks(steps, largest) : powersOfTwo(steps, largest);
  }

  async dispose(): Promise<void> {
    await Promise.all([this.#program.dispose(), this.#begin?.dispose()]);
    this.#state.dispose();
  }
}

/** A stretch of trajectories: `stride` is how many steps the whole ones have. */
interface Stretch {
  readonly batch: number;
  readonly steps: number;
  readonly stride: number;
  readonly width: number;
}

/** [batch, stride, width] → [steps, batch, width]: plain loops, because a call per row costs more than the row. */
function timeFirst(from: Float32Array, to: Float32Array, { batch, steps, stride, width }: Stretch): void {
  for (let t = 0, at = 0; t < steps; t++) {
    for (let b = 0; b < batch; b++) {
      const row = (b * stride + t) * width;
      for (let k = 0; k < width; k++) to[at++] = from[row + k]!;
    }
  }
}

/** [steps, batch, width] → [batch, stride, width]. */
function batchFirst(from: Float32Array, to: Float32Array, { batch, steps, stride, width }: Stretch): void {
  for (let t = 0, at = 0; t < steps; t++) {
    for (let b = 0; b < batch; b++) {
      const row = (b * stride + t) * width;
      for (let k = 0; k < width; k++) to[row + k] = from[at++]!;
    }
  }
}

function autoencoderState(
  engine: Engine,
  { trainable, statistics }: AutoencoderWeights,
  beside: HostTensors = {},
): EngineState {
  return engine.state({
    ...beside,
    parameters: hostTensor(trainable, [trainable.length]),
    statistics: hostTensor(statistics, [statistics.length]),
  });
}
