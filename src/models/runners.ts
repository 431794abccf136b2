import { type Engine, type EngineState, hostTensor, type Program } from "../backend/engine.ts";
import { blocks } from "./blocks.ts";
import { decodeStep, encodeStep, rolloutStep } from "./forward-steps.ts";
import type { AutoencoderWeights, EmulatorWeights } from "./weights-file.ts";

/** Rows, trajectories and steps that are computed at once: bounds memory and costs no speed. */
const rowsAtOnce = 4096;
const trajectoriesAtOnce = 1024;
const stepsAtOnce = 64;

/** Encodes rows with trained weights. */
export class Encoder {
  readonly latentDim: number;
  readonly #map: RowMap;

  constructor(engine: Engine, weights: AutoencoderWeights) {
    this.latentDim = weights.model.latent_dim;
    const program = engine.program("encode", encodeStep(weights.model));
    this.#map = new RowMap(autoencoderState(engine, weights), program, { from: "features", to: "latents" });
  }

  /** @param scaled [rows, species] @returns raw latents, [rows, latent] */
  encode(scaled: Float32Array, rows: number): Promise<Float32Array> {
    return this.#map.run(scaled, rows, this.latentDim);
  }

  dispose(): void {
    this.#map.dispose();
  }
}

/** Decodes rows with trained weights. */
export class Decoder {
  readonly #species: number;
  readonly #map: RowMap;

  constructor(engine: Engine, weights: AutoencoderWeights) {
    this.#species = weights.model.input_dim;
    const program = engine.program("decode", decodeStep(weights.model));
    this.#map = new RowMap(autoencoderState(engine, weights), program, { from: "latents", to: "scaled" });
  }

  /** @param latents raw, [rows, latent] @returns scaled abundances, [rows, species] */
  decode(latents: Float32Array, rows: number): Promise<Float32Array> {
    return this.#map.run(latents, rows, this.#species);
  }

  dispose(): void {
    this.#map.dispose();
  }
}

/** A program that maps rows to rows, applied in blocks. */
class RowMap {
  readonly #state: EngineState;
  readonly #program: Program;
  readonly #names: { readonly from: string; readonly to: string };

  constructor(state: EngineState, program: Program, names: { readonly from: string; readonly to: string }) {
    [this.#state, this.#program, this.#names] = [state, program, names];
  }

  async run(input: Float32Array, rows: number, widthOut: number): Promise<Float32Array> {
    const width = input.length / rows;
    const out = new Float32Array(rows * widthOut);
    for (const { start, count } of blocks(rows, rowsAtOnce)) {
      const block = hostTensor(input.subarray(start * width, (start + count) * width), [count, width]);
      const made = await this.#program.run(this.#state, { [this.#names.from]: block });
      out.set(made[this.#names.to]!.data, start * widthOut);
    }
    return out;
  }

  dispose(): void {
    this.#state.dispose();
    this.#program.dispose();
  }
}

/** Rolls trajectories out with trained weights. */
export class Roller {
  readonly #state: EngineState;
  readonly #program: Program;
  readonly #latent: number;

  constructor(engine: Engine, { model, trainable }: EmulatorWeights) {
    this.#latent = model.output_dim;
    this.#state = engine.state({ parameters: hostTensor(trainable, [trainable.length]) });
    this.#program = engine.program("rollout", rolloutStep(model));
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
      let state = latents.slice(start * this.#latent, (start + count) * this.#latent);
      // In stretches, each from where the last one ended: long rollouts need no large graphs.
      for (const stretch of blocks(steps, stepsAtOnce)) {
        const driving = new Float32Array(stretch.count * count * parameters);
        eachStep(stretch, count, (t, b, place) => {
          const from = ((start + b) * steps + t) * parameters;
          driving.set(physical.subarray(from, from + parameters), place * parameters);
        });
        const made = await this.#program.run(this.#state, {
          physical: hostTensor(driving, [stretch.count, count, parameters]),
          latents: hostTensor(state, [count, this.#latent]),
        });
        const evolved = made.latents!.data;
        eachStep(stretch, count, (t, b, place) => {
          const row = evolved.subarray(place * this.#latent, (place + 1) * this.#latent);
          out.set(row, ((start + b) * steps + t) * this.#latent);
        });
        state = evolved.slice((stretch.count - 1) * count * this.#latent);
      }
    }
    return out;
  }

  dispose(): void {
    this.#state.dispose();
    this.#program.dispose();
  }
}

/** Every step t and trajectory b of a stretch with its place in a [steps, batch] array. */
function eachStep(
  stretch: { start: number; count: number },
  batch: number,
  f: (t: number, b: number, place: number) => void,
): void {
  for (let step = 0; step < stretch.count; step++) {
    for (let b = 0; b < batch; b++) f(stretch.start + step, b, step * batch + b);
  }
}

function autoencoderState(engine: Engine, { trainable, statistics }: AutoencoderWeights): EngineState {
  return engine.state({
    parameters: hostTensor(trainable, [trainable.length]),
    statistics: hostTensor(statistics, [statistics.length]),
  });
}
