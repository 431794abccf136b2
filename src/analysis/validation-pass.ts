import type { PhysicalScaling } from "../chemistry/scaling.ts";
import type { Inference } from "../inference/inference.ts";
import { borrowed, persistence } from "./baselines.ts";
import type { ErrorScale } from "./error-scale.ts";
import type { PredictionKind, TracerSummary } from "./evaluation-types.ts";
import { FailureMapSums, type PlaneAxes } from "./failure-maps.ts";
import { gradientBinsOf } from "./gradient-bins.ts";
import { DensityPlotSums, LogHistogram } from "./histograms.ts";
import { PredictionErrors, type ScoredRows } from "./prediction-errors.ts";
import {
  decodeRows,
  encodeRows,
  rolloutLatents,
  type Stretch,
  startsOf,
  wholeTracers,
} from "./surrogate-predictions.ts";
import { partOf, type TracerBlock, type TracerPlace, type TracerReader } from "./tracer-blocks.ts";
import {
  addParameters,
  finalDensity,
  scaledPhysical,
  type TracerVector,
  type TrainingKnowledge,
  tracerVector,
} from "./training-pass.ts";
import { someRows, type TrueRows, trueRows } from "./true-rows.ts";
import type { WindowChoice } from "./window-choice.ts";

/** Rows × species that windows are decoded to at once: 16 MB. */
const valuesAtOnce = 2 ** 22;
const [densityBins, historyRows] = [120, 300];

/** What the validation pass needs. */
export interface ValidationTools {
  readonly surrogate: Inference;
  readonly reader: TracerReader;
  /** Reads training tracers, for the nearest history. */
  readonly trainingReader: TracerReader;
  readonly knowledge: TrainingKnowledge;
  readonly scale: ErrorScale;
  readonly physical: PhysicalScaling;
  readonly axes: PlaneAxes | null;
  /** Null without an emulator, and where no tracer has the rows of a window. */
  readonly windows: WindowChoice | null;
  readonly longestRows: number;
  /** Tracers whose physical histories and vectors are kept. */
  readonly kept: { readonly histories: ReadonlySet<TracerPlace>; readonly vectors: ReadonlySet<TracerPlace> };
  readonly checkpoint: () => Promise<void>;
  /** Milliseconds. */
  readonly now: () => number;
}

/** A tracer's physical history, thinned. */
export interface KeptHistory {
  readonly id: number;
  readonly times_yr: readonly number[];
  readonly physical: readonly (readonly number[])[];
}

/** Runs every prediction over the validation tracers, block by block, and sums up what is asked of each. */
export class ValidationPass {
  readonly errors = new Map<PredictionKind, PredictionErrors>();
  readonly maps = new Map<"reconstruction" | "emulation", FailureMapSums>();
  readonly densities = new Map<"reconstruction" | "emulation", DensityPlotSums>();
  readonly parameters: readonly LogHistogram[];
  readonly tracers: TracerSummary[] = [];
  readonly histories: KeptHistory[] = [];
  readonly vectors: TracerVector[] = [];
  /** Of the emulation of full lengths, without the first call, which prepares the engine. */
  emulationSeconds = 0;
  readonly #tools: ValidationTools;
  #isPrepared = false;

  constructor(tools: ValidationTools) {
    this.#tools = tools;
    this.parameters = tools.reader.columns.physical.map(() => new LogHistogram());
  }

  async run(places: readonly TracerPlace[]): Promise<void> {
    for (const block of this.#tools.reader.blocks(places)) {
      await this.#block(block);
      await this.#tools.checkpoint();
    }
  }

  async #block(block: TracerBlock): Promise<void> {
    const { surrogate, windows } = this.#tools;
    const truth = trueRows(block.scaled, this.#tools.scale);
    const scored = block.places.map((_, k) => scoredRows(block, truth, k));
    const gradient = gradientBinsOf(block, this.#tools.scale);
    const sums: Errors[] = block.places.map(() => ({}));
    const latents = await encodeRows(surrogate, block.scaled);
    const reconstructed = afterFirstRows(await decodeRows(surrogate, latents), block);
    this.#score("reconstruction", reconstructed, { block, scored, gradient, sums });
    if (surrogate.windowSize !== null) {
      this.#score("emulation", await this.#emulate(block, latents), { block, scored, gradient, sums });
      if (windows !== null) await this.#windows(block, latents, truth, windows);
    }
    this.#baselines(block, scored, sums);
    this.#keep(block, sums);
  }

  async #emulate(block: TracerBlock, latents: Float32Array): Promise<Float32Array> {
    const { surrogate, now } = this.#tools;
    const starts = startsOf(block, latents, wholeTracers(block), block.rows - 1);
    const emulate = async (): Promise<Float32Array> => decodeRows(surrogate, await rolloutLatents(surrogate, starts));
    if (!this.#isPrepared) await emulate();
    this.#isPrepared = true;
    const started = now();
    const emulated = await emulate();
    this.emulationSeconds += (now() - started) / 1000;
    return emulated;
  }

  /** Windows of a block's tracers, as many at once as fit. */
  async #windows(block: TracerBlock, latents: Float32Array, truth: TrueRows, windows: WindowChoice): Promise<void> {
    const { surrogate } = this.#tools;
    const steps = surrogate.windowSize! - 1;
    const width = surrogate.species.length;
    const stretches = block.places.flatMap((place, tracer): Stretch[] =>
      windows.of(place).map((first) => ({ tracer, first })),
    );
    const most = Math.max(1, Math.floor(valuesAtOnce / (steps * width)));
    for (let from = 0; from < stretches.length; from += most) {
      const part = stretches.slice(from, from + most);
      const rolled = await rolloutLatents(surrogate, startsOf(block, latents, part, steps));
      const predicted = await decodeRows(surrogate, rolled);
      for (const [i, { tracer, first }] of part.entries()) {
        const row = tracer * block.rows + first;
        const times = block.times.subarray(row + 1, row + 1 + steps).map((time) => time - block.times[row]!);
        this.#errorsOf("windows").add(predicted.subarray(i * steps * width, (i + 1) * steps * width), {
          truth: someRows(truth, row + 1, row + 1 + steps, block.times.length),
          firstStep: 1,
          times,
        });
      }
      await this.#tools.checkpoint();
    }
  }

  #baselines(block: TracerBlock, scored: readonly ScoredRows[], sums: readonly Errors[]): void {
    const { knowledge, trainingReader, physical } = this.#tools;
    const { components, dynamics, mean, nearest, places } = knowledge;
    const conditions = scaledPhysical(block, physical);
    const one = (kind: PredictionKind, k: number, predicted: Float32Array): void => {
      const { dex, relative, values } = this.#errorsOf(kind).add(predicted, scored[k]!);
      sums[k]![kind] = [dex / values, relative / values];
    };
    const meanTrajectory = mean.predict(block.rows);
    for (const k of block.places.keys()) {
      const scaled = partOf(block.scaled, block, k);
      const history = partOf(conditions, block, k);
      one("persistence", k, persistence(scaled, block.rows));
      one("mean_trajectory", k, meanTrajectory);
      const other = trainingReader.read([places[nearest.find(history)]!]);
      one("nearest_history", k, borrowed(other.scaled, other.rows, block.rows));
      const scores = components.project(scaled);
      one("pca_dynamics", k, components.restore(dynamics.rollout(scores, history, block.rows - 1)));
      one("pca_reconstruction", k, components.restore(scores.subarray(components.count)));
    }
  }

  #score(
    kind: "reconstruction" | "emulation",
    predicted: Float32Array,
    { block, scored, gradient, sums }: ScoredBlock,
  ): void {
    const { scale, axes, longestRows } = this.#tools;
    const maps = obtain(this.maps, kind, () => new FailureMapSums(scale, axes, longestRows - 1));
    const density = obtain(this.densities, kind, () => new DensityPlotSums(densityBins));
    for (const k of block.places.keys()) {
      const part = partOf(predicted, block, k);
      const { dex, relative, values } = this.#errorsOf(kind).add(part, scored[k]!);
      sums[k]![kind] = [dex / values, relative / values];
      maps.add(part, block, k, gradient);
      density.add(part, scored[k]!.truth.scaled);
    }
  }

  #errorsOf(kind: PredictionKind): PredictionErrors {
    const { scale, longestRows, surrogate } = this.#tools;
    const steps = kind === "windows" ? surrogate.windowSize! - 1 : longestRows - 1;
    return obtain(this.errors, kind, () => new PredictionErrors(scale, steps));
  }

  #keep(block: TracerBlock, sums: readonly Errors[]): void {
    const { kept, knowledge, reader } = this.#tools;
    const { physical } = reader.columns;
    addParameters(this.parameters, block.physical);
    for (const [k, place] of block.places.entries()) {
      const vector = tracerVector(block, k, knowledge.components, physical);
      this.tracers.push({
        id: place.id,
        rows: block.rows,
        final_density: finalDensity(block, k, physical),
        errors: sums[k]!,
        pca: meanScores(vector.features, knowledge.components.count).slice(0, 3),
      });
      if (kept.vectors.has(place)) this.vectors.push(vector);
      if (kept.histories.has(place)) this.histories.push(keptHistory(block, k));
    }
  }
}

/** A block with what is counted of it, of each tracer. */
interface ScoredBlock {
  readonly block: TracerBlock;
  readonly scored: readonly ScoredRows[];
  /** Of `gradientBinsOf`. */
  readonly gradient: Uint8Array;
  readonly sums: readonly Errors[];
}

/** Tracer k of a block, but for its first row. @param truth of all rows of the block */
function scoredRows(block: TracerBlock, truth: TrueRows, k: number): ScoredRows {
  const [from, to] = [k * block.rows, (k + 1) * block.rows];
  const times = block.times.subarray(from + 1, to);
  return { truth: someRows(truth, from + 1, to, block.times.length), firstStep: 1, times };
}

type Errors = Partial<Record<PredictionKind, readonly [number, number]>>;

/** Rows 1 … of every tracer of a block. @param values [tracers, rows, width] @returns [tracers, rows − 1, width] */
function afterFirstRows(values: Float32Array, block: TracerBlock): Float32Array {
  const tracers = block.places.length;
  const width = values.length / (tracers * block.rows);
  const out = new Float32Array(values.length - tracers * width);
  for (const k of block.places.keys()) {
    out.set(partOf(values, block, k).subarray(width), k * (block.rows - 1) * width);
  }
  return out;
}

/** Mean over a vector's rows of each component. */
function meanScores(features: readonly number[], count: number): number[] {
  const rows = features.length / count;
  return Array.from({ length: count }, (_, c) => {
    let sum = 0;
    for (let row = 0; row < rows; row++) sum += features[row * count + c]!;
    return sum / rows;
  });
}

function keptHistory(block: TracerBlock, k: number): KeptHistory {
  const [times, physical] = [partOf(block.times, block, k), partOf(block.physical, block, k)];
  const width = physical.length / block.rows;
  const stride = Math.ceil(block.rows / historyRows);
  const rows = Array.from({ length: Math.ceil(block.rows / stride) }, (_, i) => i * stride);
  return {
    id: block.places[k]!.id,
    times_yr: rows.map((row) => times[row]!),
    physical: Array.from({ length: width }, (_, column) => rows.map((row) => physical[row * width + column]!)),
  };
}

function obtain<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}
