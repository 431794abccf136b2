import { chooseEngine } from "../backend/choose-engine.ts";
import type { ComputeChoice, ComputeRequest } from "../backend/compute.ts";
import type { Engine } from "../backend/engine.ts";
import { type ElementTable, tableOfWeights } from "../chemistry/element-table.ts";
import {
  AbundanceScaling,
  type LatentAffine,
  LatentScaling,
  PhysicalScaling,
  type ScaledParameter,
} from "../chemistry/scaling.ts";
import { RangeWatch } from "../data/range-watch.ts";
import type { RawColumns } from "../data/respelt-frame.ts";
import { CheckpointError, ConfigError } from "../errors.ts";
import { checkPair } from "../models/companion.ts";
import { Decoder, Encoder, Roller } from "../models/runners.ts";
import {
  type AutoencoderWeights,
  type EmulatorWeights,
  latentsOf,
  readAutoencoder,
  readEmulator,
} from "../models/weights-file.ts";
import {
  type Abundances,
  checkShape,
  checkValues,
  type DecodeOptions,
  type EmulateOptions,
  finite,
  linearAbundance,
  linearPhysical,
  type Matrix,
  type MatrixInput,
  type ScaledOption,
} from "./arguments.ts";
import { InputWarnings, type WarningListener } from "./input-warnings.ts";
import { hasFormulas, TotalsKeeper } from "./totals-keeper.ts";

export type { Abundances, DecodeOptions, EmulateOptions, Matrix, MatrixInput, ScaledOption } from "./arguments.ts";
export type { WarningKind, WarningListener } from "./input-warnings.ts";

/** What to load and where to compute. */
export interface InferenceOptions extends ComputeRequest {
  /** Path of the autoencoder's weights. */
  readonly autoencoder: string;
  /** Path of the emulator's weights; without it `latentEmulate` and `emulate` are errors. */
  readonly emulator?: string | undefined;
  /**
   * Told once of each kind of doubtful input, such as abundances that are not relative to hydrogen nuclei, and of what is doubtful about
   * the choice of what computes (kind `compute`). Default: a warning of the process, of type `AstrochemWarning`.
   */
  readonly onWarning?: WarningListener | undefined;
}

/** A physical parameter of the emulator, the range that scales it, and what the training rows held where that is known. */
export interface PhysicalParameter extends ScaledParameter {
  readonly trained?: readonly [number, number] | undefined;
}

/** The state that the training tracers start from. */
export interface TrainedStart {
  /** Linear, [species]; null where each starts from its own. */
  readonly abundances: Float64Array | null;
  readonly origin: string;
}

/**
 * A trained surrogate: linear abundances and physical units in, linear abundances out. Calls may overlap. All that it needs
 * to know stands in the weights files. What comes out, over however many steps, stays within the training data's range of each species widened
 * by half a dex (weights that know no ranges, imported or of formats 1 and 2, are not bounded).
 *
 * @example
 * const surrogate = await Inference.load({ autoencoder: "weights/grav/autoencoder.safetensors", emulator: "weights/grav/emulator.safetensors" });
 * const chemistry = await surrogate.emulate(physical, abundances); // [b, t, phys], [b, species] → [b, t, species]
 * await surrogate.dispose();
 */
export class Inference {
  /** Species in the order of every abundance array. */
  readonly species: readonly string[];
  /** Physical parameters in the order of every physical array; empty without an emulator. */
  readonly physicalParameters: readonly PhysicalParameter[];
  /** Elements of the species, in the order of the atoms. */
  readonly elements: readonly string[];
  /** Atoms of each element in each species, [species][elements], charges and phases, [species]. */
  readonly elementTable: ElementTable;
  readonly latentDim: number;
  /** Rows of the windows that the emulator was trained on: it saw rollouts of one step less. Null without an emulator. */
  readonly windowSize: number | null;
  /**
   * Years of one step; null where it varies (then `Timestep` is one of the physical parameters), where the weights do not know it, and
   * without an emulator.
   */
  readonly timeStepYears: number | null;
  /** Null where the weights do not know it. */
  readonly startState: TrainedStart | null;
  /** What raw files of the training's dataset call their columns, and their units, by our names; null where they are ours or not known. */
  readonly rawColumns: RawColumns | null;
  /** What the weights do not tell of their training, for people: those of earlier versions and imported ones know less. */
  readonly unknownFacts: readonly string[];
  /** Linear abundances outside are raised or lowered to it. */
  readonly abundancesClipping: { readonly lower: number; readonly upper: number };
  /** What computes, and why. */
  readonly compute: ComputeChoice;

  readonly #abundanceScaling: AbundanceScaling;
  readonly #encoder: Encoder;
  readonly #decoder: Decoder;
  /** Made when it is first asked for; null where nothing can be kept. */
  readonly #conserving: () => TotalsKeeper | null;
  #keeper: TotalsKeeper | null = null;
  readonly #emulator: { roller: Roller; physical: PhysicalScaling; latents: LatentScaling } | null;
  readonly #warnings: InputWarnings;
  readonly #running = new Set<Promise<unknown>>();
  #disposal: Promise<void> | null = null;

  private constructor(
    { engine, choice }: { engine: Engine; choice: ComputeChoice },
    autoencoder: AutoencoderWeights,
    emulator: LoadedEmulator | null,
    warnings: InputWarnings,
  ) {
    this.compute = choice;
    this.species = autoencoder.species;
    this.elementTable = tableOfWeights(autoencoder);
    this.elements = this.elementTable.elements;
    this.latentDim = autoencoder.model.latent_dim;
    this.windowSize = emulator?.weights.window_size ?? null;
    this.timeStepYears =
      emulator?.weights.time_step_found === "input" ? null : (emulator?.weights.time_step_yr ?? null);
    this.startState = startOf(autoencoder.species, emulator?.weights.start);
    this.rawColumns = emulator?.weights.raw ?? null;
    this.unknownFacts = emulator ? unknownFacts(emulator.weights) : [];
    this.abundancesClipping = autoencoder.abundances_clipping;
    this.physicalParameters = emulator?.weights.physical_parameters ?? [];
    this.#warnings = warnings;
    this.#abundanceScaling = new AbundanceScaling(autoencoder.abundances_clipping);
    this.#encoder = new Encoder(engine, autoencoder);
    this.#decoder = new Decoder(engine, autoencoder);
    this.#conserving = () => {
      if (hasFormulas(this.elementTable)) this.#keeper ??= new TotalsKeeper(engine, autoencoder);
      else warnings.check("conservation", () => "conservation: no species has a formula, so that nothing can be kept");
      return this.#keeper;
    };
    this.#emulator = emulator && {
      roller: new Roller(engine, emulator.weights),
      physical: PhysicalScaling.of(emulator.weights.physical_parameters),
      latents: new LatentScaling(emulator.latents),
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
      emulator = { weights, latents: latentsOf(options.autoencoder, autoencoder, weights) };
    }
    const warnings = new InputWarnings(options.onWarning);
    return new Inference(
      await chooseEngine(options, (message) => warnings.tellCompute(message)),
      autoencoder,
      emulator,
      warnings,
    );
  }

  /**
   * @param abundances  [n, species], linear; scaled with `scaled`
   * @returns           [n, latent_dim], raw latents
   * @throws DataError naming the argument and the first bad index
   */
  encode(abundances: MatrixInput, options: ScaledOption = {}): Promise<Matrix> {
    return this.#call(() => this.#encode(abundances, options));
  }

  async #encode(abundances: MatrixInput, options: ScaledOption): Promise<Matrix> {
    checkShape("abundances", abundances, ["n", ["species", this.species.length]]);
    const features = this.#scaledAbundances("abundances", abundances, options);
    return {
      data: await this.#encoder.encode(features, abundances.shape[0]!),
      shape: [abundances.shape[0]!, this.latentDim],
    };
  }

  /**
   * @param latents  [n, latent_dim] or [b, t, latent_dim], raw
   * @param options  `totalsOf`: abundances whose totals the states are to have
   * @returns        [n, species] or [b, t, species], linear abundances; scaled with `scaled`
   * @throws DataError naming the argument and the first bad index
   */
  decode(latents: MatrixInput, options: DecodeOptions = {}): Promise<Abundances> {
    return this.#call(() => this.#decode(latents, options));
  }

  async #decode(latents: MatrixInput, { totalsOf, ...options }: DecodeOptions): Promise<Abundances> {
    const leading = latents?.shape?.length === 3 ? ["b", "t"] : ["n"];
    checkShape("latents", latents, [...leading, ["latent_dim", this.latentDim]]);
    checkValues("latents", latents, finite);
    const shape = [...latents.shape.slice(0, -1), this.species.length];
    if (totalsOf !== undefined) {
      const count = totalsOf?.shape?.[0] === 1 ? 1 : shape[0]!;
      checkShape("totalsOf", totalsOf, [
        [leading[0]!, count],
        ["species", this.species.length],
      ]);
      checkValues("totalsOf", totalsOf, options.scaled ? finite : linearAbundance(this.abundancesClipping.lower));
    }
    const starts = totalsOf && this.#linear(totalsOf, options);
    return { ...(await this.#decodeRows(Float32Array.from(latents.data), options, starts)), shape };
  }

  /**
   * The emulator alone, step by step: entry t is the state after the conditions of row t have acted for one time step.
   * @param physical  [b, t, physical], cm^-3, Habing, mag, K in the order of `physicalParameters`; scaled with `scaled`
   * @param latents   [b, latent_dim], raw: the state at the start
   * @returns         [b, t, latent_dim], raw
   * @throws DataError naming the argument and the first bad index
   */
  latentEmulate(physical: MatrixInput, latents: MatrixInput, options: ScaledOption = {}): Promise<Matrix> {
    return this.#call(() => this.#latentEmulate(physical, latents, options));
  }

  async #latentEmulate(physical: MatrixInput, latents: MatrixInput, options: ScaledOption): Promise<Matrix> {
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
  emulate(physical: MatrixInput, abundances: MatrixInput, options: EmulateOptions = {}): Promise<Abundances> {
    return this.#call(() => this.#emulate(physical, abundances, options));
  }

  async #emulate(physical: MatrixInput, abundances: MatrixInput, options: EmulateOptions): Promise<Abundances> {
    const scaled = this.#scaledPhysical(physical, options);
    const [batch, steps] = physical.shape as [number, number];
    checkShape("abundances", abundances, [
      ["b", batch],
      ["species", this.species.length],
    ]);
    const features = this.#scaledAbundances("abundances", abundances, options);
    // Before anything is waited for: the caller may change its array.
    const starts = options.conserve === false ? undefined : this.#linear(abundances, options);
    const latents = await this.#encoder.encode(features, batch);
    const evolved = await this.#rollout(scaled, latents, batch, steps);
    const made = await this.#decodeRows(evolved, options, starts);
    return { ...made, shape: [batch, steps, this.species.length] };
  }

  /**
   * Frees the weights and all that was prepared, once the calls that run have ended. Calls after it are errors.
   * @returns resolved when all is free; a program that goes on otherwise need not wait for it
   */
  dispose(): Promise<void> {
    this.#disposal ??= this.#free();
    return this.#disposal;
  }

  async #free(): Promise<void> {
    await Promise.allSettled(this.#running);
    await Promise.all(
      [this.#encoder, this.#decoder, this.#keeper, this.#emulator?.roller].map((runner) => runner?.dispose()),
    );
  }

  /** Runs a call that `dispose` waits for. */
  async #call<T>(work: () => Promise<T>): Promise<T> {
    if (this.#disposal)
      throw new ConfigError("this Inference was disposed", { fix: "load it again: Inference.load(…)" });
    const running = work();
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  #scaledAbundances(name: string, abundances: MatrixInput, { scaled }: ScaledOption): Float32Array {
    const { lower } = this.abundancesClipping;
    checkValues(name, abundances, scaled ? finite : linearAbundance(lower));
    const features = new Float32Array(abundances.data.length);
    if (scaled) {
      features.set(abundances.data);
      return features;
    }
    this.#warnings.checkAbundances(name, abundances, this.species, lower);
    this.#abundanceScaling.scaleInto(abundances.data, features);
    return features;
  }

  /** A copy. */
  #linear({ data }: MatrixInput, { scaled }: ScaledOption): Float32Array {
    const linear = Float32Array.from(data);
    if (scaled) this.#abundanceScaling.unscaleInto(linear, linear);
    return linear;
  }

  #scaledPhysical(physical: MatrixInput, { scaled }: ScaledOption): Float32Array {
    const emulator = this.#requireEmulator();
    checkShape("physical", physical, ["b", "t", ["physical", this.physicalParameters.length]]);
    checkValues("physical", physical, scaled ? finite : linearPhysical(this.physicalParameters));
    if (!scaled) this.#warnings.checkConditions(physical, () => trainedRanges(this));
    const values = new Float32Array(physical.data.length);
    if (scaled) values.set(physical.data);
    else emulator.physical.scaleInto(physical.data, values);
    return values;
  }

  #requireEmulator() {
    if (this.#emulator) return this.#emulator;
    throw new CheckpointError("no emulator was loaded", {
      fix: "give its weights: Inference.load({ autoencoder, emulator })",
    });
  }

  /** Raw latents, [b, t, latent] → abundances, linear or scaled. @param starts whose totals they are to have, linear, [b, species] */
  async #decodeRows(
    latents: Float32Array,
    { scaled }: ScaledOption,
    starts?: Float32Array,
  ): Promise<Pick<Abundances, "data" | "correction">> {
    const keeper = starts && this.#conserving();
    if (!keeper) {
      const data = await this.#decoder.decode(latents, latents.length / this.latentDim);
      if (!scaled) this.#abundanceScaling.unscaleInto(data, data);
      return { data };
    }
    const { abundances: data, correction, doubt } = await keeper.decode(latents, starts);
    this.#warnings.check("conservation", () => doubt);
    if (scaled) this.#abundanceScaling.scaleInto(data, data);
    return { data, correction };
  }

  /** Scaled physical parameters, [b, t, physical], and raw latents, [b, latent], → raw latents, [b, t, latent]. */
  async #rollout(physical: Float32Array, latents: Float32Array, batch: number, steps: number): Promise<Float32Array> {
    const { roller, latents: scaling } = this.#requireEmulator();
    const start = new Float32Array(latents.length);
    scaling.scaleInto(latents, start);
    const evolved = await roller.rollout(physical, start, batch, steps);
    scaling.unscaleInto(evolved, evolved);
    return evolved;
  }
}

/** Counts conditions outside of what the surrogate was trained for: of the training rows, or of the configuration where those are not known. */
export function trainedRanges({ physicalParameters }: Pick<Inference, "physicalParameters">): RangeWatch {
  return new RangeWatch(
    physicalParameters.map(({ trained, ...parameter }) => ({ ...parameter, range: trained ?? parameter.range })),
    "trained",
  );
}

/** One line about what the weights do not tell. */
export function describeUnknown({ unknownFacts }: Pick<Inference, "unknownFacts">): string {
  return `these weights do not tell ${unknownFacts.join(", ")}: nothing can be compared with it`;
}

interface LoadedEmulator {
  readonly weights: EmulatorWeights;
  readonly latents: LatentAffine;
}

function unknownFacts({ time_step_yr, time_step_found, start, physical_parameters }: EmulatorWeights): string[] {
  return [
    time_step_yr === null && "their time step",
    time_step_yr !== null && time_step_found === "median" && "whether the training rows were one step apart",
    start === undefined && "the state that the training started from",
    physical_parameters.some(({ trained }) => trained === undefined) && "the training rows' conditions",
  ].filter((fact) => fact !== false);
}

function startOf(species: readonly string[], start: EmulatorWeights["start"]): TrainedStart | null {
  if (!start) return null;
  const { abundances, origin } = start;
  return { abundances: abundances && Float64Array.from(species, (name) => abundances[name]!), origin };
}
