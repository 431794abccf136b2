import { chooseEngine } from "../backend/choose-engine.ts";
import type { ComputeChoice } from "../backend/compute.ts";
import type { Engine } from "../backend/engine.ts";
import { type ElementTable, tableOfWeights } from "../chemistry/element-table.ts";
import { AbundanceScaling, type LatentAffine, LatentScaling, PhysicalScaling } from "../chemistry/scaling.ts";
import type { RawColumns } from "../data/respelt-frame.ts";
import { CheckpointError, ConfigError } from "../errors.ts";
import { checkPair } from "../models/companion.ts";
import { memberCount } from "../models/members.ts";
import { Encoder, Roller } from "../models/runners.ts";
import type { Trust } from "../models/trust.ts";
import {
  type AutoencoderWeights,
  type EmulatorWeights,
  latentsOf,
  readAutoencoder,
  readEmulator,
} from "../models/weights-file.ts";
import { AbundanceDecoder } from "./abundance-decoder.ts";
import {
  checkInto,
  checkShape,
  checkValues,
  type Dimension,
  finite,
  linearAbundance,
  linearPhysical,
  type Matrix,
  type MatrixInput,
} from "./arguments.ts";
import { InputWarnings } from "./input-warnings.ts";
import type {
  Abundances,
  DecodeOptions,
  Emulated,
  EmulateOptions,
  InferenceOptions,
  PhysicalParameter,
  ScaledOption,
  TrainedStart,
} from "./options.ts";
import { startOf, trainedRanges, unknownFacts } from "./training-facts.ts";
import { checkTimes, type Passed, TrustMeter, uncalibrated } from "./trust.ts";

export type { Matrix, MatrixInput } from "./arguments.ts";
export type { WarningKind, WarningListener } from "./input-warnings.ts";
export type * from "./options.ts";

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
  /** Emulators that roll out side by side; 1 for one that is no ensemble, and without an emulator. */
  readonly members: number;
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
  readonly #decoder: AbundanceDecoder;
  #meter: TrustMeter | null = null;
  readonly #engine: Engine;
  /** The part of states that the expected errors of `trust` cover; null where the weights are not calibrated. */
  readonly trustLevel: number | null;
  readonly #emulator: {
    roller: Roller;
    physical: PhysicalScaling;
    latents: LatentScaling;
    trust: Trust | undefined;
  } | null;
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
    this.members = emulator ? memberCount(emulator.weights) : 1;
    this.windowSize = emulator?.weights.window_size ?? null;
    this.timeStepYears =
      emulator?.weights.time_step_found === "input" ? null : (emulator?.weights.time_step_yr ?? null);
    this.startState = startOf(autoencoder.species, emulator?.weights.start);
    this.rawColumns = emulator?.weights.raw ?? null;
    this.unknownFacts = emulator ? unknownFacts(emulator.weights) : [];
    this.abundancesClipping = autoencoder.abundances_clipping;
    this.physicalParameters = emulator?.weights.physical_parameters ?? [];
    this.#warnings = warnings;
    this.#engine = engine;
    this.trustLevel = emulator?.weights.trust?.level ?? null;
    this.#abundanceScaling = new AbundanceScaling(autoencoder.abundances_clipping);
    this.#encoder = new Encoder(engine, autoencoder);
    this.#decoder = new AbundanceDecoder(engine, autoencoder, warnings);
    this.#emulator = emulator && {
      roller: new Roller(engine, emulator.weights),
      physical: PhysicalScaling.of(emulator.weights.physical_parameters),
      latents: new LatentScaling(emulator.latents),
      trust: emulator.weights.trust,
    };
  }

  /**
   * Loads the weights and makes the device ready.
   * @throws CheckpointError where a file is absent, damaged or does not fit the other
   * @throws ConfigError for a device that cannot run here
   */
  static async load(options: InferenceOptions): Promise<Inference> {
    return Inference.of(options, options.emulator === undefined ? null : readEmulator(options.emulator));
  }

  /** @internal The same with an emulator that no file need hold yet. */
  static async of(
    options: InferenceOptions,
    weights: EmulatorWeights | null,
    { takesKernels = true } = {},
  ): Promise<Inference> {
    const autoencoder = readAutoencoder(options.autoencoder);
    let emulator: LoadedEmulator | null = null;
    if (weights !== null) {
      checkPair({ path: options.autoencoder, weights: autoencoder }, { path: options.emulator ?? "", weights });
      emulator = { weights, latents: latentsOf(options.autoencoder, autoencoder, weights) };
    }
    const warnings = new InputWarnings(options.onWarning);
    return new Inference(
      await chooseEngine(options, (message) => warnings.tellCompute(message), { isInference: takesKernels }),
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
   * @param latents  [n, latent_dim] or [b, t, latent_dim], raw; of an ensemble also [b, t, members, latent_dim]
   * @param options  `totalsOf`: abundances whose totals the states are to have
   * @returns        [n, species] or [b, t, species], linear abundances; scaled with `scaled`. Of an ensemble the members' mean in scaled space.
   * @throws DataError naming the argument and the first bad index
   */
  decode(latents: MatrixInput, options: DecodeOptions = {}): Promise<Abundances> {
    return this.#call(() => this.#decode(latents, options));
  }

  async #decode(latents: MatrixInput, { totalsOf, ...options }: DecodeOptions): Promise<Abundances> {
    const rank = latents?.shape?.length;
    const isEnsemble = rank === 4 && this.members > 1;
    const leading: Dimension[] = isEnsemble ? ["b", "t", ["members", this.members]] : rank === 3 ? ["b", "t"] : ["n"];
    checkShape("latents", latents, [...leading, ["latent_dim", this.latentDim]]);
    checkValues("latents", latents, finite);
    const shape = [...latents.shape.slice(0, isEnsemble ? 2 : -1), this.species.length];
    checkInto(options.into, shape);
    if (totalsOf !== undefined) {
      const count = totalsOf?.shape?.[0] === 1 ? 1 : shape[0]!;
      checkShape("totalsOf", totalsOf, [
        [rank === 2 ? "n" : "b", count],
        ["species", this.species.length],
      ]);
      checkValues("totalsOf", totalsOf, options.scaled ? finite : linearAbundance(this.abundancesClipping.lower));
    }
    const starts = totalsOf && this.#linear(totalsOf, options);
    const members = isEnsemble ? this.members : 1;
    const { data, correction } = await this.#decoder.decode(Float32Array.from(latents.data), members, options, starts);
    return { data, shape, correction };
  }

  /**
   * The emulator alone, step by step: entry t is the state after the conditions of row t have acted for one time step.
   * @param physical  [b, t, physical], cm^-3, Habing, mag, K in the order of `physicalParameters`; scaled with `scaled`
   * @param latents   [b, latent_dim], raw: the state at the start; of an ensemble also [b, members, latent_dim], of each member its own
   * @returns         [b, t, latent_dim], raw; of an ensemble [b, t, members, latent_dim]. The mean of latents is no state: `decode` gives
   *                  the mean of what they stand for.
   * @throws DataError naming the argument and the first bad index
   */
  latentEmulate(physical: MatrixInput, latents: MatrixInput, options: ScaledOption = {}): Promise<Matrix> {
    return this.#call(() => this.#latentEmulate(physical, latents, options));
  }

  async #latentEmulate(physical: MatrixInput, latents: MatrixInput, options: ScaledOption): Promise<Matrix> {
    const scaled = this.#scaledPhysical(physical, options);
    const [batch, steps] = physical.shape as [number, number];
    const isEach = latents?.shape?.length === 3 && this.members > 1;
    const members: Dimension[] = isEach ? [["members", this.members]] : [];
    checkShape("latents", latents, [["b", batch], ...members, ["latent_dim", this.latentDim]]);
    checkValues("latents", latents, finite);
    const data = await this.#rollout(scaled, Float32Array.from(latents.data), batch, steps);
    return { data, shape: [batch, steps, ...(this.members > 1 ? [this.members] : []), this.latentDim] };
  }

  /**
   * The whole surrogate: encode, emulate, decode.
   * @param physical    [b, t, physical], as for `latentEmulate`
   * @param abundances  [b, species], linear: the state at the start; scaled with `scaled`
   * @returns           [b, t, species], linear; scaled with `scaled`. Entry t is the state one time step after row t. Of an ensemble the mean of
   *                    its members in scaled space.
   * @throws DataError naming the argument and the first bad index
   * @throws ConfigError where a spread is asked for and there are no members
   */
  emulate(physical: MatrixInput, abundances: MatrixInput, options: EmulateOptions = {}): Promise<Emulated> {
    return this.#call(() => this.#emulate(physical, abundances, options));
  }

  async #emulate(physical: MatrixInput, abundances: MatrixInput, options: EmulateOptions): Promise<Emulated> {
    const meter = options.trust ? this.#trusting() : null;
    if (options.spread && this.members === 1) {
      throw new ConfigError("one emulator has no spread", {
        fix: "load an ensemble: astrochem train-emulator members=4",
      });
    }
    const { data, passed } = await this.#passed(physical, abundances, options);
    const { batch, steps } = passed;
    return {
      data,
      shape: [batch, steps, this.species.length],
      correction: passed.correction,
      ...(options.spread ? { spread: { data: passed.spread!, shape: [batch, steps] } } : {}),
      ...(meter ? { trust: await meter.expected(passed) } : {}),
    };
  }

  /** @internal As `emulate`, with all that trust is measured by; for a calibration. */
  passed(physical: MatrixInput, abundances: MatrixInput, options: EmulateOptions = {}): Promise<Passed> {
    return this.#call(() => this.#passed(physical, abundances, options));
  }

  async #passed(physical: MatrixInput, abundances: MatrixInput, options: EmulateOptions): Promise<Passed> {
    const scaled = this.#scaledPhysical(physical, options);
    const [batch, steps] = physical.shape as [number, number];
    checkShape("abundances", abundances, [
      ["b", batch],
      ["species", this.species.length],
    ]);
    checkInto(options.into, [batch, steps, this.species.length]);
    const features = this.#scaledAbundances("abundances", abundances, options);
    // Before anything is waited for: the caller may change its array.
    const starts = this.#linear(abundances, options);
    if (options.times !== undefined) checkTimes(options.times, batch, steps);
    const times = options.times && { ...options.times, data: Float64Array.from(options.times.data) };
    const latents = await this.#encoder.encode(features, batch);
    const evolved = await this.#rollout(scaled, latents, batch, steps);
    const kept = options.conserve === false ? undefined : starts;
    const { data, ...known } = await this.#decoder.decode(evolved, this.members, options, kept);
    return { data, passed: { batch, steps, physical: scaled, latents, evolved, starts, times, ...known } };
  }

  /** @internal What measures trust with a calibration; the caller's to dispose. For the calibration itself. */
  trustMeter(trust: Trust): TrustMeter {
    return new TrustMeter(this.#engine, trust, this);
  }

  /** @throws CheckpointError for weights that are not calibrated */
  #trusting(): TrustMeter {
    const { trust } = this.#requireEmulator();
    if (trust === undefined) throw uncalibrated();
    this.#meter ??= this.trustMeter(trust);
    return this.#meter;
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
    const all = [this.#encoder, this.#decoder, this.#meter, this.#emulator?.roller];
    await Promise.all(all.map((runner) => runner?.dispose()));
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

  /** Scaled physical parameters, [b, t, physical], and raw latents, [b, latent], → raw latents, [b, t, members · latent]. */
  async #rollout(physical: Float32Array, latents: Float32Array, batch: number, steps: number): Promise<Float32Array> {
    const { roller, latents: scaling } = this.#requireEmulator();
    const start = new Float32Array(latents.length);
    scaling.scaleInto(latents, start);
    const evolved = await roller.rollout(physical, start, batch, steps);
    scaling.unscaleInto(evolved, evolved);
    return evolved;
  }
}

interface LoadedEmulator {
  readonly weights: EmulatorWeights;
  readonly latents: LatentAffine;
}
