import { type ComputeChoice, type ComputeRequest, chooseEngine } from "../backend/choose-engine.ts";
import { type Engine, type EngineState, type HostTensors, hostTensor, type Program } from "../backend/engine.ts";
import { AbundanceScaling, PhysicalScaling } from "../chemistry/scaling.ts";
import { elements } from "../chemistry/species.ts";
import { CheckpointError, ConfigError } from "../errors.ts";
import {
  type AutoencoderWeights,
  checkPair,
  type EmulatorWeights,
  latentRange,
  readAutoencoder,
  readEmulator,
} from "../models/weights-file.ts";
import { decodeStep, encodeStep } from "../training/autoencoder-steps.ts";
import { rolloutStep } from "../training/emulator-steps.ts";
import {
  checkShape,
  checkValues,
  finite,
  linearAbundance,
  linearPhysical,
  type Matrix,
  type MatrixInput,
} from "./arguments.ts";

export type { Matrix, MatrixInput } from "./arguments.ts";

/** What to load and where to compute. */
export interface InferenceOptions extends ComputeRequest {
  /** Path of the autoencoder's weights. */
  readonly autoencoder: string;
  /** Path of the emulator's weights; without it `latentEmulate` and `emulate` are errors. */
  readonly emulator?: string | undefined;
}

/** `scaled: true`: abundances and physical parameters go in and come out scaled. Latents are raw encoder outputs either way. */
export interface ScaledOption {
  readonly scaled?: boolean | undefined;
}

/** A physical parameter of the emulator and the range that scales it. */
export interface PhysicalParameter {
  readonly name: string;
  readonly range: readonly [number, number];
}

/** Rows that are computed at once: bounds memory ([4096, 333] float32 is 5 MB) and costs no speed. */
const rowsAtOnce = 4096;
const trajectoriesAtOnce = 1024;

/**
 * A trained surrogate: linear abundances and physical units in, linear abundances out. Calls may overlap. All that it needs
 * to know stands in the weights files.
 *
 * @example
 * const surrogate = await Inference.load({ autoencoder: "weights/autoencoder.safetensors", emulator: "weights/emulator.safetensors" });
 * const chemistry = await surrogate.emulate(physical, abundances); // [b, t, phys], [b, species] → [b, t, species]
 * surrogate.dispose();
 */
export class Inference {
  /** Species in the order of every abundance array. */
  readonly species: readonly string[];
  /** Physical parameters in the order of every physical array; empty without an emulator. */
  readonly physicalParameters: readonly PhysicalParameter[];
  /** Elements whose totals the training conserved. */
  readonly elements: readonly string[] = elements;
  readonly latentDim: number;
  /** What computes, and why. */
  readonly compute: ComputeChoice;

  readonly #abundanceScaling: AbundanceScaling;
  readonly #autoencoder: { state: EngineState; encode: Program; decode: Program };
  readonly #emulator: {
    state: EngineState;
    rollout: Program;
    scaling: PhysicalScaling;
    range: readonly [number, number];
  } | null;
  #disposed = false;

  private constructor(
    { engine, choice }: { engine: Engine; choice: ComputeChoice },
    autoencoder: AutoencoderWeights,
    emulator: LoadedEmulator | null,
  ) {
    this.compute = choice;
    this.species = autoencoder.species;
    this.latentDim = autoencoder.model.latent_dim;
    this.physicalParameters = emulator?.weights.physical_parameters ?? [];
    this.#abundanceScaling = new AbundanceScaling(autoencoder.abundances_clipping);
    this.#autoencoder = {
      state: engine.state({
        parameters: hostTensor(autoencoder.trainable, [autoencoder.trainable.length]),
        statistics: hostTensor(autoencoder.statistics, [autoencoder.statistics.length]),
      }),
      encode: engine.program("encode", encodeStep(autoencoder.model)),
      decode: engine.program("decode", decodeStep(autoencoder.model)),
    };
    this.#emulator = emulator && {
      state: engine.state({ parameters: hostTensor(emulator.weights.trainable, [emulator.weights.trainable.length]) }),
      rollout: engine.program("rollout", rolloutStep(emulator.weights.model)),
      scaling: physicalScaling(emulator.weights),
      range: emulator.range,
    };
  }

  /**
   * Loads the weights and makes the device ready.
   * @throws CheckpointError where a file is absent, damaged or does not fit the other
   * @throws ConfigError for a device that cannot run here
   */
  static async load(options: InferenceOptions): Promise<Inference> {
    const autoencoder = readAutoencoder(options.autoencoder);
    let emulator: LoadedEmulator | null = null;
    if (options.emulator !== undefined) {
      const weights = readEmulator(options.emulator);
      checkPair({ path: options.autoencoder, weights: autoencoder }, { path: options.emulator, weights });
      emulator = { weights, range: latentRange(options.autoencoder, autoencoder) };
    }
    return new Inference(await chooseEngine(options), autoencoder, emulator);
  }

  /**
   * @param abundances  [n, species], linear; scaled with `scaled`
   * @returns           [n, latent_dim], raw latents
   * @throws DataError naming the argument and the first bad index
   */
  async encode(abundances: MatrixInput, options: ScaledOption = {}): Promise<Matrix> {
    this.#checkUsable();
    checkShape("abundances", abundances, ["n", ["species", this.species.length]]);
    const features = this.#scaledAbundances("abundances", abundances, options);
    return { data: await this.#encodeRows(features), shape: [abundances.shape[0]!, this.latentDim] };
  }

  /**
   * @param latents  [n, latent_dim] or [b, t, latent_dim], raw
   * @returns        [n, species] or [b, t, species], linear abundances; scaled with `scaled`
   * @throws DataError naming the argument and the first bad index
   */
  async decode(latents: MatrixInput, options: ScaledOption = {}): Promise<Matrix> {
    this.#checkUsable();
    const leading = latents?.shape?.length === 3 ? ["b", "t"] : ["n"];
    checkShape("latents", latents, [...leading, ["latent_dim", this.latentDim]]);
    checkValues("latents", latents, finite);
    const data = await this.#decodeRows(Float32Array.from(latents.data), options);
    return { data, shape: [...latents.shape.slice(0, -1), this.species.length] };
  }

  /**
   * The emulator alone, step by step: entry t is the state after the conditions of row t have acted for one time step.
   * @param physical  [b, t, physical], cm^-3, Habing, mag, K in the order of `physicalParameters`; scaled with `scaled`
   * @param latents   [b, latent_dim], raw: the state at the start
   * @returns         [b, t, latent_dim], raw
   * @throws DataError naming the argument and the first bad index
   */
  async latentEmulate(physical: MatrixInput, latents: MatrixInput, options: ScaledOption = {}): Promise<Matrix> {
    const scaled = this.#scaledPhysical(physical, options);
    const [batch, steps] = physical.shape as [number, number];
    checkShape("latents", latents, [
      ["b", batch],
      ["latent_dim", this.latentDim],
    ]);
    checkValues("latents", latents, finite);
    const data = await this.#rollout(scaled, Float32Array.from(latents.data), batch, steps);
    return { data, shape: [batch, steps, this.latentDim] };
  }

  /**
   * The whole surrogate: encode, emulate, decode.
   * @param physical    [b, t, physical], as for `latentEmulate`
   * @param abundances  [b, species], linear: the state at the start; scaled with `scaled`
   * @returns           [b, t, species], linear; scaled with `scaled`. Entry t is the state one time step after row t.
   * @throws DataError naming the argument and the first bad index
   */
  async emulate(physical: MatrixInput, abundances: MatrixInput, options: ScaledOption = {}): Promise<Matrix> {
    const scaled = this.#scaledPhysical(physical, options);
    const [batch, steps] = physical.shape as [number, number];
    checkShape("abundances", abundances, [
      ["b", batch],
      ["species", this.species.length],
    ]);
    const latents = await this.#encodeRows(this.#scaledAbundances("abundances", abundances, options));
    const evolved = await this.#rollout(scaled, latents, batch, steps);
    return { data: await this.#decodeRows(evolved, options), shape: [batch, steps, this.species.length] };
  }

  /** Frees the weights. Calls after it are errors. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#autoencoder.state.dispose();
    this.#emulator?.state.dispose();
    for (const program of [this.#autoencoder.encode, this.#autoencoder.decode, this.#emulator?.rollout])
      program?.dispose();
  }

  #checkUsable(): void {
    if (this.#disposed)
      throw new ConfigError("this Inference was disposed", { fix: "load it again: Inference.load(…)" });
  }

  #scaledAbundances(name: string, abundances: MatrixInput, { scaled }: ScaledOption): Float32Array {
    checkValues(name, abundances, scaled ? finite : linearAbundance);
    const features = new Float32Array(abundances.data.length);
    if (scaled) features.set(abundances.data);
    else this.#abundanceScaling.scaleInto(abundances.data, features);
    return features;
  }

  #scaledPhysical(physical: MatrixInput, { scaled }: ScaledOption): Float32Array {
    this.#checkUsable();
    const emulator = this.#requireEmulator();
    checkShape("physical", physical, ["b", "t", ["physical", this.physicalParameters.length]]);
    checkValues("physical", physical, scaled ? finite : linearPhysical);
    const values = new Float32Array(physical.data.length);
    if (scaled) values.set(physical.data);
    else emulator.scaling.scaleInto(physical.data, values);
    return values;
  }

  #requireEmulator() {
    if (this.#emulator) return this.#emulator;
    throw new CheckpointError("no emulator was loaded", {
      fix: "give its weights: Inference.load({ autoencoder, emulator })",
    });
  }

  /** Scaled abundances → raw latents. */
  async #encodeRows(features: Float32Array): Promise<Float32Array> {
    const { state, encode } = this.#autoencoder;
    return inBlocks(features, this.species.length, this.latentDim, async (block, rows) => {
      const { latents } = await encode.run(state, { features: hostTensor(block, [rows, this.species.length]) });
      return latents!.data;
    });
  }

  /** Raw latents → abundances, linear or scaled. */
  async #decodeRows(latents: Float32Array, { scaled }: ScaledOption): Promise<Float32Array> {
    const { state, decode } = this.#autoencoder;
    const values = await inBlocks(latents, this.latentDim, this.species.length, async (block, rows) => {
      const outputs = await decode.run(state, { latents: hostTensor(block, [rows, this.latentDim]) });
      return outputs.scaled!.data;
    });
    if (!scaled) this.#abundanceScaling.unscaleInto(values, values);
    return values;
  }

  /** Scaled physical parameters, [b, t, physical], and raw latents, [b, latent], → raw latents, [b, t, latent]. */
  async #rollout(physical: Float32Array, latents: Float32Array, batch: number, steps: number): Promise<Float32Array> {
    const { state, rollout, range } = this.#requireEmulator();
    const [low, high] = range;
    const [width, parameters] = [this.latentDim, this.physicalParameters.length];
    const out = new Float32Array(batch * steps * width);
    for (let first = 0; first < batch; first += trajectoriesAtOnce) {
      const count = Math.min(trajectoriesAtOnce, batch - first);
      const start = latents.slice(first * width, (first + count) * width).map((z) => (z - low) / (high - low));
      const driving = physical.subarray(first * steps * parameters, (first + count) * steps * parameters);
      const inputs: HostTensors = {
        physical: hostTensor(swapLeading(driving, count, steps), [steps, count, parameters]),
        latents: hostTensor(start, [count, width]),
      };
      const evolved = (await rollout.run(state, inputs)).latents!.data;
      out.set(
        swapLeading(evolved, steps, count).map((z) => z * (high - low) + low),
        first * steps * width,
      );
    }
    return out;
  }
}

interface LoadedEmulator {
  readonly weights: EmulatorWeights;
  readonly range: readonly [number, number];
}

function physicalScaling({ physical_parameters }: EmulatorWeights): PhysicalScaling {
  return new PhysicalScaling(
    physical_parameters.map(({ name }) => name),
    Object.fromEntries(physical_parameters.map(({ name, range }) => [name, range])),
  );
}

/** Applies `f` to blocks of rows and gathers the results. */
async function inBlocks(
  input: Float32Array,
  widthIn: number,
  widthOut: number,
  f: (block: Float32Array, rows: number) => Promise<Float32Array>,
): Promise<Float32Array> {
  const rows = input.length / widthIn;
  const out = new Float32Array(rows * widthOut);
  for (let first = 0; first < rows; first += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, rows - first);
    out.set(await f(input.subarray(first * widthIn, (first + count) * widthIn), count), first * widthOut);
  }
  return out;
}

/** [a, b, n] → [b, a, n]. */
function swapLeading(data: Float32Array, a: number, b: number): Float32Array {
  const width = data.length / (a * b);
  const out = new Float32Array(data.length);
  for (let i = 0; i < a; i++) {
    for (let j = 0; j < b; j++) {
      out.set(data.subarray((i * b + j) * width, (i * b + j + 1) * width), (j * a + i) * width);
    }
  }
  return out;
}
