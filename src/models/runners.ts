import {
  type Engine,
  type EngineState,
  type HostTensor,
  type HostTensors,
  hostTensor,
  type Program,
  type Targets,
} from "../backend/engine.ts";
import { Conservation } from "../chemistry/conservation.ts";
import { conservedGroups } from "../chemistry/conserved-groups.ts";
import { tableOfWeights } from "../chemistry/element-table.ts";
import { AbundanceScaling } from "../chemistry/scaling.ts";
import { abundanceBounds, boundsArrays, latentBounds } from "./bounds.ts";
import { compressorOf } from "./compressors.ts";
import { conservationArrays } from "./conserved.ts";
import { evolverOf } from "./evolvers.ts";
import {
  beginStep,
  decodeConservedStep,
  decodeLinearStep,
  decodeStep,
  encodeStep,
  type FrozenStep,
  rolloutStep,
} from "./forward-steps.ts";
import type { Trust } from "./trust.ts";
import { distanceArrays, distanceStep } from "./trust-distance.ts";
import type { AutoencoderWeights, EmulatorWeights } from "./weights-file.ts";

/** What float32 leaves of a residual that is met, and what counts as met. */
const [roundedResidual, metResidual] = [5e-7, 1e-6];

type Run = (inputs: HostTensors, targets?: Targets) => Promise<HostTensors>;

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
    return (inputs, targets) => program.run(this.#state, inputs, targets);
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

/** Decoded rows. */
interface Decoded {
  /** Scaled abundances, [rows, species]: of an ensemble their mean. */
  readonly scaled: Float32Array;
  /** Of an ensemble's members, dex, [rows]; null for one model. */
  readonly spread: Float32Array | null;
}

/** Decodes rows with trained weights. No abundance leaves the training data's range by more than half a dex, where that is known. */
export class Decoder {
  readonly members: number;
  readonly #frozen: Frozen;
  readonly #decode: Run;
  readonly #decodeLinear: Run;

  /** @param members  of an ensemble, whose latents are decoded together */
  constructor(engine: Engine, weights: AutoencoderWeights, members = 1) {
    this.members = members;
    this.#frozen = new Frozen(engine, decoderArrays(weights));
    const ensemble = { members, scale: new AbundanceScaling(weights.abundances_clipping) };
    this.#decode = this.#frozen.bind("decode", decodeStep(compressorOf(weights), ensemble));
    this.#decodeLinear = this.#frozen.bind("decode to abundances", decodeLinearStep(compressorOf(weights), ensemble));
  }

  /**
   * @param latents raw, [rows, members · latent]
   * @param into    [rows, species], which an engine may write to and give back
   */
  async decode(latents: Float32Array, rows: number, into?: Float32Array): Promise<Decoded> {
    const given = { latents: hostTensor(latents, [rows, latents.length / rows]) };
    const { scaled, spread } = await this.#decode(given, into && { scaled: into });
    return { scaled: scaled!.data, spread: spread?.data ?? null };
  }

  /** The same, linear. */
  async decodeLinear(
    latents: Float32Array,
    rows: number,
    into?: Float32Array,
  ): Promise<Pick<Conserved, "abundances" | "spread">> {
    const given = { latents: hostTensor(latents, [rows, latents.length / rows]) };
    const { abundances, spread } = await this.#decodeLinear(given, into && { abundances: into });
    return { abundances: abundances!.data, spread: spread?.data ?? null };
  }

  dispose(): Promise<void> {
    return this.#frozen.dispose();
  }
}

/** Decodes rows to linear abundances that have given totals of the elements and the charge. */
export class ConservingDecoder {
  /** What the totals of its species are. */
  readonly conservation: Conservation;
  readonly #frozen: Frozen;
  readonly #decode: Run;
  /** As decoded, for rows that the engine's iteration does not end in. */
  readonly #plain: Run;

  /** @param members  of an ensemble, whose mean has the totals */
  constructor(engine: Engine, weights: AutoencoderWeights, members = 1) {
    this.conservation = new Conservation(tableOfWeights(weights));
    const arrays = { ...decoderArrays(weights), ...conservationArrays(this.conservation) };
    this.#frozen = new Frozen(engine, arrays);
    const ensemble = { members, scale: new AbundanceScaling(weights.abundances_clipping) };
    const step = decodeConservedStep(compressorOf(weights), ensemble, conservedGroups(this.conservation));
    this.#decode = this.#frozen.bind("decode and conserve", step);
    this.#plain = this.#frozen.bind("decode to abundances", decodeLinearStep(compressorOf(weights), ensemble));
  }

  /**
   * By the engine for nearly all rows, on the host in float64 for those that it does not end in.
   * @param latents  raw, [rows, members · latent]
   * @param totals   [rows, totals], in float64: rounded ones may be those of no state
   * @param into     as for `Decoder.decode`
   */
  async decode(latents: Float32Array, totals: Float64Array, rows: number, into?: Float32Array): Promise<Conserved> {
    const given = {
      latents: hostTensor(latents, [rows, latents.length / rows]),
      totals: hostTensor(Float32Array.from(totals), [rows, totals.length / rows]),
    };
    const made = await this.#decode(given, into && { abundances: into });
    const conserved = {
      abundances: made.abundances!.data,
      correction: made.correction!.data,
      unmet: [] as number[],
      spread: made.spread?.data ?? null,
    };
    const residual = made.residual!.data;
    const large: number[] = [];
    for (let row = 0; row < rows; row++) if (!(residual[row]! <= roundedResidual)) large.push(row);
    if (large.length > 0) await this.#finish(large, { latents, totals, rows }, conserved);
    return conserved;
  }

  /** Projects rows from what was decoded. */
  async #finish(
    large: readonly number[],
    { latents, totals, rows }: { latents: Float32Array; totals: Float64Array; rows: number },
    { abundances, correction, unmet }: Conserved & { unmet: number[] },
  ): Promise<void> {
    const given = new Float32Array((latents.length / rows) * large.length);
    for (const [i, row] of large.entries()) given.set(rowOf(latents, row, rows), (i * given.length) / large.length);
    const latentsOfLarge = hostTensor(given, [large.length, latents.length / rows]);
    const { data } = (await this.#plain({ latents: latentsOfLarge })).abundances!;
    for (const [i, row] of large.entries()) {
      const state = rowOf(data, i, large.length);
      const made = this.conservation.project(state, rowOf(totals, row, rows));
      const isMet = made.residual <= metResidual;
      if (!isMet) unmet.push(row);
      correction[row] = isMet ? made.mean_dex : Number.POSITIVE_INFINITY;
      rowOf(abundances, row, rows).set(state);
    }
  }

  dispose(): Promise<void> {
    return this.#frozen.dispose();
  }
}

/** Decoded rows with given totals. */
export interface Conserved {
  /** Linear, [rows, species]; as decoded in the rows of `unmet`. */
  readonly abundances: Float32Array;
  /** How far the rows were moved, the mean over species of |Δ log10 x|, [rows]: no error changes by more. Infinite in those of `unmet`. */
  readonly correction: Float32Array;
  /** Rows that could not have their totals. */
  readonly unmet: readonly number[];
  /** As `Decoded.spread`. */
  readonly spread: Float32Array | null;
}

function rowOf<T extends Float32Array | Float64Array>(data: T, row: number, rows: number): T {
  const width = data.length / rows;
  return data.subarray(row * width, (row + 1) * width) as T;
}

/** Rolls trajectories out with trained weights. The state stays near the training data's, where their range is known. */
export class Roller {
  readonly members: number;
  readonly #latentDim: number;
  readonly #frozen: Frozen;
  readonly #rollout: Run;
  /** Makes the carry of a start; null where there is none. */
  readonly #begin: Run | null;

  constructor(engine: Engine, weights: EmulatorWeights) {
    const evolver = evolverOf(weights);
    [this.members, this.#latentDim] = [evolver.members, evolver.shape.output_dim];
    const bounds = boundsArrays("latent", latentBounds(weights));
    this.#frozen = new Frozen(engine, { parameters: vector(weights.trainable), ...bounds });
    this.#rollout = this.#frozen.bind("rollout", rolloutStep(evolver));
    this.#begin = evolver.carry.length > 0 ? this.#frozen.bind("start of a rollout", beginStep(evolver)) : null;
  }

  /**
   * @param physical  [batch, steps, physical], scaled
   * @param latents   [batch, latent], scaled: the state at the start, of all members; or [batch, members · latent]: each its own
   * @returns         [batch, steps, members · latent], scaled
   */
  async rollout(physical: Float32Array, latents: Float32Array, batch: number, steps: number): Promise<Float32Array> {
    const times = latents.length === batch * this.#latentDim ? this.members : 1;
    const all = repeatedRows(latents, batch, times);
    const start = { latents: hostTensor(all, [batch, all.length / batch]) };
    const driving = hostTensor(physical, [batch, steps, physical.length / (batch * steps)]);
    const made = await this.#rollout({ physical: driving, ...start, ...(await this.#begin?.(start)) });
    return made.latents!.data;
  }

  dispose(): Promise<void> {
    return this.#frozen.dispose();
  }
}

/** Measures how far rows are from a calibration's sample of the training. */
export class DistanceMeter {
  readonly #frozen: Frozen;
  readonly #measure: Run;

  constructor(engine: Engine, trust: Trust) {
    this.#frozen = new Frozen(engine, distanceArrays(trust));
    this.#measure = this.#frozen.bind("distance", distanceStep());
  }

  /** @param seen [rows, d] @returns [rows] */
  async distances(seen: Float32Array, rows: number): Promise<Float32Array> {
    return (await this.#measure({ seen: hostTensor(seen, [rows, seen.length / rows]) })).distance!.data;
  }

  dispose(): Promise<void> {
    return this.#frozen.dispose();
  }
}

/** Each row so many times, one after the other. */
function repeatedRows(rows: Float32Array, count: number, times: number): Float32Array {
  if (times === 1) return rows;
  const [out, width] = [new Float32Array(rows.length * times), rows.length / count];
  for (let at = 0; at < count * times; at++) {
    const row = Math.floor(at / times);
    out.set(rows.subarray(row * width, (row + 1) * width), at * width);
  }
  return out;
}

function decoderArrays(weights: AutoencoderWeights): HostTensors {
  return { ...boundsArrays("abundance", abundanceBounds(weights)), ...autoencoderArrays(weights) };
}

function autoencoderArrays({ trainable, statistics }: AutoencoderWeights): HostTensors {
  return { parameters: vector(trainable), statistics: vector(statistics) };
}

function vector(data: Float32Array): HostTensor {
  return hostTensor(data, [data.length]);
}
