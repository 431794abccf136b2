import { createHash, type Hash } from "node:crypto";
import { AbundanceScaling, type PhysicalScaling } from "../chemistry/scaling.ts";
import { areStepsInput } from "../data/time-steps.ts";
import type { Inference } from "../inference/inference.ts";
import { borrowedRows, persistence } from "./baselines.ts";
import { type ChosenSteps, gathered } from "./chosen-steps.ts";
import { ConservationSums } from "./conservation-check.ts";
import type { ErrorScale } from "./error-scale.ts";
import type { PredictionKind } from "./error-types.ts";
import type { TracerSummary } from "./evaluation-types.ts";
import type { EvenChoice } from "./even-choice.ts";
import { type ConditionAxis, FailureMapSums, type MappedRows, type PlaneAxes } from "./failure-maps.ts";
import { arrayOf, type Findings, type Found, foundIn, restored } from "./findings.ts";
import { gradientBinsOf } from "./gradient-bins.ts";
import { DensityPlotSums, LogHistogram } from "./histograms.ts";
import { PredictionErrors, type ScoredRows } from "./prediction-errors.ts";
import { firstRows, type ScoredPart, scoredSteps } from "./scored-part.ts";
import { partOf, type TracerPlace, type TracerReader, type TracerRows } from "./tracer-blocks.ts";
import {
  addParameters,
  finalDensity,
  scaledPhysical,
  type TracerVector,
  type TrainingKnowledge,
  tracerVector,
} from "./training-pass.ts";
import { someRows, type TrueRows, trueRows } from "./true-rows.ts";

const [densityBins, historyRows] = [120, 300];

/** What the validation pass needs. */
export interface ValidationTools {
  readonly part: ScoredPart;
  /** Null where the tracers are looked at now. */
  readonly findings: Findings | null;
  readonly surrogate: Inference;
  readonly reader: TracerReader;
  /** Reads training tracers, for the nearest history. */
  readonly trainingReader: TracerReader;
  readonly knowledge: TrainingKnowledge;
  readonly scale: ErrorScale;
  readonly physical: PhysicalScaling;
  readonly axes: PlaneAxes | null;
  /** Of each physical parameter. */
  readonly conditions: readonly ConditionAxis[];
  /** The steps to score, counted from 0. */
  readonly choice: EvenChoice<TracerPlace>;
  readonly longestRows: number;
  /** Tracers whose physical histories and vectors are kept. */
  readonly kept: { readonly histories: ReadonlySet<TracerPlace>; readonly vectors: ReadonlySet<TracerPlace> };
  readonly checkpoint: () => Promise<void>;
}

/** A tracer's physical history, thinned. */
export interface KeptHistory {
  readonly id: number;
  readonly times_yr: readonly number[];
  readonly physical: readonly (readonly number[])[];
}

/** Sums up what is asked of each prediction of the scored tracers, block by block, and holds baselines beside them. */
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
  readonly #hash: Hash;

  constructor(tools: ValidationTools) {
    this.#tools = tools;
    this.conservation = new ConservationSums(tools.surrogate);
    const { species, physical } = tools.reader.columns;
    this.parameters = physical.map(() => new LogHistogram());
    this.#hash = createHash("sha256").update(JSON.stringify([species, physical]));
  }

  async run(): Promise<void> {
    const { part, findings, checkpoint } = this.#tools;
    for await (const [at, found] of foundIn(part, findings, checkpoint)) {
      if (found.windows) this.#windows(found);
      else this.#block(restored(part.plan[at]!, found), found);
    }
  }

  /** sha256 of the columns, and of the sha256 of each tracer's id, length and values in their order; and of what else is given. */
  hash(others: readonly (string | number)[]): string {
    const all = this.#hash.copy();
    if (others.length > 0) all.update(JSON.stringify(others));
    return all.digest("hex");
  }

  #block(block: TracerRows, found: Found): void {
    this.#hash.update(arrayOf(found, "digests", Int32Array));
    const scored = this.#scoredRows(block);
    const sums: Errors[] = block.places.map(() => ({}));
    if (scored.rows.length > 0) {
      for (const kind of ["reconstruction", "emulation"] as const)
        if (found[kind]) this.#score(kind, arrayOf(found, kind, Float32Array), scored, sums);
      if (found.correction) this.#checkConservation(scored, found);
      this.emulationSeconds += arrayOf(found, "emulation_seconds", Float64Array)[0] ?? 0;
      this.#baselines(block, scored, sums);
    }
    this.#keep(block, scored, sums);
  }

  /** The rows of a block that are scored. */
  #scoredRows(block: TracerRows): ScoredBlock {
    const { scale, choice } = this.#tools;
    const chosen = scoredSteps(block, choice);
    const { rows } = chosen;
    const truth = trueRows(block.scaledRows(rows), scale);
    const parameters = block.physical.length / block.times.length;
    return {
      ...chosen,
      ids: block.places.map(({ id }) => id),
      truth,
      times: Float64Array.from(rows, (row) => block.times[row]!),
      first: block.scaledRows(firstRows(block)),
      conditions: gathered(
        block.physical,
        rows.map((row) => row - 1),
        parameters,
      ),
      gradient: gradientBinsOf(block, rows, truth.scaled, scale),
    };
  }

  /** Tracer by tracer, beside what was decoded. */
  #checkConservation({ first, starts, truth }: ScoredBlock, found: Found): void {
    const { surrogate } = this.#tools;
    const width = surrogate.species.length;
    const [before, after] = [arrayOf(found, "before", Float32Array), arrayOf(found, "after", Float32Array)];
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
        correction: arrayOf(found, "correction", Float32Array).subarray(from, to),
      });
    }
  }

  #windows(found: Found): void {
    this.#errorsOf("windows").add(arrayOf(found, "windows", Float32Array), {
      truth: trueRows(arrayOf(found, "truth", Float32Array), this.#tools.scale),
      steps: arrayOf(found, "steps", Int32Array),
      times: arrayOf(found, "times", Float64Array),
    });
  }

  #baselines(block: TracerRows, scored: ScoredBlock, sums: readonly Errors[]): void {
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

  #keep(block: TracerRows, { starts }: ScoredBlock, sums: readonly Errors[]): void {
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

function keptHistory(block: TracerRows, k: number): KeptHistory {
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
