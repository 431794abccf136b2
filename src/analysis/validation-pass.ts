import { AbundanceScaling, type PhysicalScaling } from "../chemistry/scaling.ts";
import { areStepsInput } from "../data/time-steps.ts";
import type { Inference } from "../inference/inference.ts";
import { borrowedRows, persistence } from "./baselines.ts";
import { type ChosenSteps, gathered, joined, placesOf } from "./chosen-steps.ts";
import { ConservationSums } from "./conservation-check.ts";
import type { ErrorScale } from "./error-scale.ts";
import type { PredictionKind } from "./error-types.ts";
import type { TracerSummary } from "./evaluation-types.ts";
import type { EvenChoice } from "./even-choice.ts";
import { type ConditionAxis, FailureMapSums, type MappedRows, type PlaneAxes } from "./failure-maps.ts";
import { gradientBinsOf } from "./gradient-bins.ts";
import { DensityPlotSums, LogHistogram } from "./histograms.ts";
import { PredictionErrors, type ScoredRows } from "./prediction-errors.ts";
import {
  type DecodedRows,
  decodeKept,
  decodeRows,
  encodeRows,
  rolloutLatents,
  type Stretch,
  startsByRow,
  startsOf,
  stateWidth,
  wholeTracers,
} from "./surrogate-predictions.ts";
import { partOf, type TracerBlock, type TracerPlace, type TracerReader, valuesAtOnce } from "./tracer-blocks.ts";
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

const [densityBins, historyRows] = [120, 300];

/** What the validation pass needs. */
export interface ValidationTools {
  readonly surrogate: Inference;
  /** Emulated rows have the totals of the elements and the charge of their start. */
  readonly conserve: boolean;
  readonly reader: TracerReader;
  /** Reads training tracers, for the nearest history. */
  readonly trainingReader: TracerReader;
  readonly knowledge: TrainingKnowledge;
  readonly scale: ErrorScale;
  readonly physical: PhysicalScaling;
  readonly axes: PlaneAxes | null;
  /** Of each physical parameter. */
  readonly conditions: readonly ConditionAxis[];
  /** Null without an emulator, and where no tracer has the rows of a window. */
  readonly windows: WindowChoice | null;
  /** The steps to score, counted from 0: of the tracers, and of the windows in the order in which they come. */
  readonly choice: EvenChoice<TracerPlace>;
  readonly windowChoice: EvenChoice<number>;
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
  readonly conservation: ConservationSums;
  /** Of the emulation of full lengths, of which the scored rows are decoded; without the first call, which prepares the engine. */
  emulationSeconds = 0;
  readonly #tools: ValidationTools;
  #isPrepared = false;
  #windowsSeen = 0;

  constructor(tools: ValidationTools) {
    this.#tools = tools;
    this.conservation = new ConservationSums(tools.surrogate);
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
    const scored = this.#scoredRows(block);
    const sums: Errors[] = block.places.map(() => ({}));
    if (scored.rows.length > 0) {
      const latents = await encodeRows(surrogate, scored.truth.scaled);
      this.#score("reconstruction", await decodeRows(surrogate, latents), scored, sums);
      if (surrogate.windowSize !== null) {
        this.#score("emulation", await this.#emulate(block, scored), scored, sums);
      }
      this.#baselines(block, scored, sums);
    }
    if (windows !== null) await this.#windows(block, windows);
    this.#keep(block, scored, sums);
  }

  /** The rows of a block that are scored. */
  #scoredRows(block: TracerBlock): ScoredBlock {
    const { scale, choice } = this.#tools;
    const chosen = joined(block.places.map((place) => choice.of(place)));
    const rows = placesOf(chosen, (k) => k * block.rows);
    const truth = trueRows(block.scaledRows(rows), scale);
    const parameters = block.physical.length / block.times.length;
    return {
      ...chosen,
      ids: block.places.map(({ id }) => id),
      rows,
      truth,
      times: Float64Array.from(rows, (row) => block.times[row]!),
      first: block.scaledRows(block.places.map((_, k) => k * block.rows)),
      conditions: gathered(
        block.physical,
        rows.map((row) => row - 1),
        parameters,
      ),
      gradient: gradientBinsOf(block, rows, truth.scaled, scale),
    };
  }

  /** Emulates whole tracers, and decodes what is scored of them. */
  async #emulate(block: TracerBlock, scored: ScoredBlock): Promise<Float32Array> {
    const { surrogate, now, conserve } = this.#tools;
    const steps = block.rows - 1;
    const latents = await encodeRows(surrogate, scored.first);
    const starts = startsOf(block, latents, wholeTracers(block), steps);
    const places = placesOf(scored, (k) => k * steps - 1);
    const kept = conserve ? startsByRow(scored.first, scored.starts) : null;
    const emulate = async (): Promise<DecodedRows & { states: Float32Array }> => {
      const states = gathered(await rolloutLatents(surrogate, starts), places, stateWidth(surrogate));
      return { states, ...(await decodeKept(surrogate, states, kept)) };
    };
    if (!this.#isPrepared) await emulate();
    this.#isPrepared = true;
    const started = now();
    const emulated = await emulate();
    this.emulationSeconds += (now() - started) / 1000;
    if (emulated.correction)
      await this.#checkConservation(scored, emulated.states, emulated.linear, emulated.correction);
    return emulated.scaled;
  }

  /** Tracer by tracer, beside what was decoded. */
  async #checkConservation(
    { first, starts, truth }: ScoredBlock,
    states: Float32Array,
    after: Float32Array,
    correction: Float32Array,
  ): Promise<void> {
    const { surrogate } = this.#tools;
    const width = surrogate.species.length;
    const { linear: before } = await decodeKept(surrogate, states, null);
    const start = new Float32Array(width);
    for (let k = 0; k + 1 < starts.length; k++) {
      const [from, to] = [starts[k]!, starts[k + 1]!];
      if (from === to) continue;
      new AbundanceScaling(surrogate.abundancesClipping).unscaleInto(first.subarray(k * width, (k + 1) * width), start);
      const rows = (data: Float32Array) => data.subarray(from * width, to * width);
      this.conservation.add({
        start,
        before: rows(before),
        after: rows(after),
        truth: rows(truth.scaled),
        correction: correction.subarray(from, to),
      });
    }
  }

  /** Windows of a block's tracers, as many at once as fit. */
  async #windows(block: TracerBlock, windows: WindowChoice): Promise<void> {
    const { surrogate, scale, windowChoice, conserve } = this.#tools;
    const steps = surrogate.windowSize! - 1;
    const stretches = block.places.flatMap((place, tracer): Stretch[] =>
      windows.of(place).map((first) => ({ tracer, first })),
    );
    const most = Math.max(1, Math.floor(valuesAtOnce / (steps * surrogate.species.length)));
    for (let from = 0; from < stretches.length; from += most) {
      const part = stretches.slice(from, from + most);
      const first = Int32Array.from(part, (stretch) => stretch.tracer * block.rows + stretch.first);
      const firsts = block.scaledRows(first);
      const latents = await encodeRows(surrogate, firsts);
      const rolled = await rolloutLatents(surrogate, startsOf(block, latents, part, steps));
      const chosen = joined(part.map((_, i) => windowChoice.of(this.#windowsSeen + i)));
      this.#windowsSeen += part.length;
      if (chosen.steps.length === 0) continue;
      const places = placesOf(chosen, (i) => i * steps - 1);
      const rows = placesOf(chosen, (i) => first[i]!);
      const kept = conserve ? startsByRow(firsts, chosen.starts) : null;
      const { scaled } = await decodeKept(surrogate, gathered(rolled, places, stateWidth(surrogate)), kept);
      this.#errorsOf("windows").add(scaled, {
        truth: trueRows(block.scaledRows(rows), scale),
        steps: chosen.steps,
        times: Float64Array.from(rows, (row, i) => block.times[row]! - block.times[row - chosen.steps[i]!]!),
      });
      await this.#tools.checkpoint();
    }
  }

  #baselines(block: TracerBlock, scored: ScoredBlock, sums: readonly Errors[]): void {
    const { knowledge, trainingReader, physical } = this.#tools;
    const { components, linear, mean, nearest, places } = knowledge;
    const conditions = scaledPhysical(block, physical);
    for (const k of block.places.keys()) {
      const own = scoredTracer(scored, k);
      if (own.steps.length === 0) continue;
      const one = (kind: PredictionKind, predicted: Float32Array): void => this.#add(kind, predicted, own, sums[k]!);
      const first = partOf(scored.first, block, k);
      const history = partOf(conditions, block, k);
      one("persistence", persistence(first, own.steps.length));
      one("mean_trajectory", mean.predict(own.steps));
      const other = trainingReader.read([places[nearest.find(history)]!]);
      one("nearest_tracer", other.scaledRows(borrowedRows(own.steps, other.rows)));
      one("linear_history", linear.predict(history, first, own.steps));
      one("pca_reconstruction", components.restore(components.project(own.truth.scaled)));
    }
  }

  #score(
    kind: "reconstruction" | "emulation",
    predicted: Float32Array,
    scored: ScoredBlock,
    sums: readonly Errors[],
  ): void {
    const { scale, axes, conditions, longestRows, surrogate } = this.#tools;
    const width = surrogate.species.length;
    for (const [k, errors] of sums.entries()) {
      const part = predicted.subarray(scored.starts[k]! * width, scored.starts[k + 1]! * width);
      this.#add(kind, part, scoredTracer(scored, k), errors);
    }
    obtain(this.maps, kind, () => new FailureMapSums(scale, { plane: axes, conditions }, longestRows - 1)).add(
      predicted,
      scored,
    );
    obtain(this.densities, kind, () => new DensityPlotSums(densityBins)).add(predicted, scored.truth.scaled);
  }

  /** Adds the scored rows of one tracer. */
  #add(kind: PredictionKind, predicted: Float32Array, scored: ScoredRows, errors: Errors): void {
    if (scored.steps.length === 0) return;
    const { dex, relative, values } = this.#errorsOf(kind).add(predicted, scored);
    errors[kind] = [dex / values, relative / values];
  }

  #errorsOf(kind: PredictionKind): PredictionErrors {
    const { scale, longestRows, surrogate } = this.#tools;
    const steps = kind === "windows" ? surrogate.windowSize! - 1 : longestRows - 1;
    return obtain(
      this.errors,
      kind,
      () => new PredictionErrors(scale, steps, areStepsInput(surrogate.physicalParameters)),
    );
  }

  #keep(block: TracerBlock, { starts }: ScoredBlock, sums: readonly Errors[]): void {
    const { kept, knowledge, reader } = this.#tools;
    const { physical } = reader.columns;
    addParameters(this.parameters, block.physical);
    for (const [k, place] of block.places.entries()) {
      if (kept.histories.has(place)) this.histories.push(keptHistory(block, k));
      const scored_rows = starts[k + 1]! - starts[k]!;
      if (scored_rows === 0) continue;
      const vector = tracerVector(block, k, knowledge.components, physical);
      this.tracers.push({
        id: place.id,
        rows: block.rows,
        scored_rows,
        final_density: finalDensity(block, k, physical),
        errors: sums[k]!,
        pca: meanScores(vector.features, knowledge.components.count).slice(0, 3),
      });
      if (kept.vectors.has(place)) this.vectors.push(vector);
    }
  }
}

/** The scored rows of a block, tracer by tracer. */
interface ScoredBlock extends ChosenSteps, MappedRows {
  /** The tracers'. */
  readonly ids: readonly number[];
  /** Counted through the block's tracers. */
  readonly rows: Int32Array;
  readonly truth: TrueRows;
  /** The tracers' first rows, which all start from, [tracers, species]. */
  readonly first: Float32Array;
  readonly times: Float64Array;
}

/** Those of tracer k. */
function scoredTracer(
  { ids, truth, steps, times, starts }: ScoredBlock,
  k: number,
): ScoredRows & { steps: Int32Array } {
  const [from, to] = [starts[k]!, starts[k + 1]!];
  return {
    truth: someRows(truth, from, to, steps.length),
    steps: steps.subarray(from, to),
    times: times.subarray(from, to),
    tracer: ids[k]!,
  };
}

type Errors = Partial<Record<PredictionKind, readonly [number, number]>>;

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
