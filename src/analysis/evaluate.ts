import { hasRole, unitOfParameter } from "../chemistry/physical-parameters.ts";
import { PhysicalScaling } from "../chemistry/scaling.ts";
import { counted } from "../counted.ts";
import type { CleanData, CleanSplit } from "../data/clean-data.ts";
import { splitWords } from "../data/splits.ts";
import { areStepsInput } from "../data/time-steps.ts";
import { DataError } from "../errors.ts";
import type { Inference } from "../inference/inference.ts";
import { trainedRanges } from "../inference/training-facts.ts";
import type { BaselineChoices } from "./baseline-choices.ts";
import { errorScale } from "./error-scale.ts";
import type { PredictionKind } from "./error-types.ts";
import {
  type FileReference,
  type Metrics,
  metricsFormat,
  metricsFormatVersion,
  type TracerSummary,
} from "./evaluation-types.ts";
import { EvenChoice } from "./even-choice.ts";
import type { ConditionAxis, PlaneAxes } from "./failure-maps.ts";
import { predictionMetrics } from "./prediction-metrics.ts";
import { reliabilityOf } from "./reliability.ts";
import { errorGrowth, longRollout, type RolloutStudy, sensitivity } from "./rollout-studies.ts";
import type { EvaluationSamples, TracerFeatures } from "./sample-types.ts";
import { type Columns, longest, spread, type TracerPlace, TracerReader, tracerPlaces } from "./tracer-blocks.ts";
import { shownTracers, tracerSamples } from "./tracer-samples.ts";
import { meanErrors, TrainingErrors } from "./training-check.ts";
import { type TrainingKnowledge, trainingPass } from "./training-pass.ts";
import { ValidationPass } from "./validation-pass.ts";
import { conclusionsOf, verdictsOf } from "./verdicts.ts";
import { intervalsOf, weaknessesOf } from "./weaknesses.ts";
import { chooseWindows } from "./window-choice.ts";

/** True abundances above count as present. */
export const floor = 1e-12;
/** Tracers of the long rollouts and of the perturbed ones. */
const studiedTracers = 32;
/** Training tracers that are emulated, to compare with the validation tracers. */
const emulatedTraining = 16;
/** Tracers described by a vector in each split, and whose physical histories are kept. */
const [describedTracers, keptHistories] = [1000, 60];

/** What is evaluated, and how. */
export interface EvaluationRequest {
  readonly surrogate: Inference;
  readonly clean: CleanData;
  /** Tracers to score instead of the validation tracers. */
  readonly test?: CleanSplit | null;
  /** Physical parameters of the data, for a surrogate without emulator. */
  readonly physical: readonly string[];
  readonly physicalRanges: Readonly<Record<string, readonly [number, number]>>;
  /** Species shown in figures in any case. */
  readonly chosen: readonly string[];
  /** Tracers to score at most, spread evenly over the ids; null for all. */
  readonly maxTracers: number | null;
  /** Rows at most that are scored, and as many of windows, spread evenly over tracers and steps; null for all. */
  readonly maxRows: number | null;
  /** Windows at most; null for all. */
  readonly maxWindows: number | null;
  readonly seed: number;
  /** Emulated rows have the totals of the elements and the charge of their start. Default: true. */
  readonly conserve?: boolean | undefined;
  /** Refuse conditions outside the trained ranges, instead of telling them. */
  readonly strict?: boolean | undefined;
  readonly files: { readonly autoencoder: FileReference; readonly emulator: FileReference | null };
  readonly version: string;
}

/** The effects of an evaluation. */
export interface EvaluationTools {
  readonly log: (message: string) => void;
  readonly signal: AbortSignal;
  readonly now: () => Date;
}

/** What an evaluation finds: all but the training logs, which are files beside the weights. */
export interface Evaluation {
  readonly metrics: Metrics;
  readonly samples: Omit<EvaluationSamples, "training">;
}

/**
 * Evaluates a surrogate, with or without emulator, and the baselines on the same rows of validation or test tracers. Both splits are streamed.
 * @throws DataError where no tracer has two rows, or a value has no logarithm
 */
export async function evaluateSurrogate(request: EvaluationRequest, tools: EvaluationTools): Promise<Evaluation> {
  const started = tools.now().getTime();
  const setup = prepare(request, tools);
  const { reader, validation, surrogate } = setup;
  await checkConditions(setup);
  tools.log(`reading ${setup.training.length} training tracers for the baselines, and scoring some of their rows`);
  const trainingErrors = new TrainingErrors({
    surrogate,
    conserve: setup.conserve,
    choice: setup.trainingChoice,
    emulated: new Set(spread(setup.training, emulatedTraining)),
    log10_lower: setup.scale.log10_lower,
    log10_upper: setup.scale.log10_upper,
  });
  const knowledge = await trainingPass(setup.trainingReader, setup.training, {
    components: surrogate.latentDim,
    longestRows: setup.longestRows,
    physical: setup.physical,
    vectors: describedTracers,
    visit: (block) => trainingErrors.add(block),
    checkpoint: setup.checkpoint,
  });
  tools.log(`evaluating ${counted(validation.length, `${splitWords[setup.split]} tracer`)}`);
  const kept = {
    histories: new Set(spread(validation, keptHistories)),
    vectors: new Set(spread(validation, describedTracers)),
  };
  const pass = new ValidationPass({ ...setup, knowledge, kept, now: () => tools.now().getTime() });
  await pass.run(validation);
  // Of all rows, and of which of them were scored.
  const { all, chosen } = setup.choice;
  const rows_hash = reader.hash(chosen === all ? [] : ["scored", chosen, request.seed]);
  tools.log("rolling out further than trained, and looking at single tracers");
  const facts = { rows_hash, started };
  const metrics = await metricsOf(setup, pass, { knowledge, trainingErrors }, facts);
  return { metrics, samples: await samplesOf(setup, pass, knowledge) };
}

/** Tells which conditions are outside the trained ranges, or refuses them: before anything is computed. */
async function checkConditions({ request, tools, surrogate, scored, validation, checkpoint }: Setup): Promise<void> {
  const names = surrogate.physicalParameters.map(({ name }) => name);
  if (names.length === 0) return;
  const ranges = trainedRanges(surrogate);
  for (const { id, start, rows } of validation) {
    // The last row's conditions lead nowhere.
    const physical = new Float32Array((rows - 1) * names.length);
    scored.read(start, rows - 1, names, physical);
    for (let row = 0; row < rows - 1; row++) {
      ranges.add(physical, row * names.length, () => `tracer ${id}, row ${row}`);
    }
    await checkpoint();
  }
  ranges.tell(tools.log, request.strict === true, `${scored.path}, key ${scored.key}`);
}

type Setup = ReturnType<typeof prepare>;

function prepare(request: EvaluationRequest, tools: EvaluationTools) {
  const { surrogate, clean, seed } = request;
  const emulated = surrogate.physicalParameters;
  const names = emulated.length > 0 ? emulated.map(({ name }) => name) : request.physical;
  const ranges = { ...request.physicalRanges, ...Object.fromEntries(emulated.map(({ name, range }) => [name, range])) };
  const columns: Columns = { species: surrogate.species, physical: names, clipping: surrogate.abundancesClipping };
  const training = tracerPlaces(clean.train);
  const split: "val" | "test" = request.test ? "test" : "val";
  const scored = request.test?.frame ?? clean.val;
  const usable = tracerPlaces(scored).filter(({ rows }) => rows > 1);
  if (usable.length === 0) {
    throw new DataError(`no ${splitWords[split]} tracer has a second row: there is nothing to predict`, {
      where: `${scored.path}, key ${split}`,
      fix: "preprocess again with longer tracers, or a smaller train_split",
    });
  }
  const validation = spread(usable, request.maxTracers);
  const longestRows = Math.max(longest(training), longest(validation));
  const windows =
    surrogate.windowSize === null ? null : chooseWindows(validation, surrogate.windowSize, request.maxWindows, seed);
  const chosenSteps = <List>(counts: readonly (readonly [List, number])[]) =>
    new EvenChoice(counts, request.maxRows, seed, "scored rows");
  // Half as many: they are there to be compared with the validation rows.
  const trainingRows = request.maxRows === null ? null : Math.ceil(request.maxRows / 2);
  const windowSteps = (surrogate.windowSize ?? 1) - 1;
  return {
    request,
    tools,
    surrogate,
    conserve: request.conserve ?? true,
    choice: chosenSteps(validation.map((place) => [place, place.rows - 1])),
    trainingChoice: new EvenChoice(
      training.map((place) => [place, place.rows - 1] as const),
      trainingRows,
      seed,
      "training rows",
    ),
    windowChoice: chosenSteps(Array.from({ length: windows?.evaluated ?? 0 }, (_, index) => [index, windowSteps])),
    split,
    scored,
    reader: new TracerReader(scored, columns, true),
    trainingReader: new TracerReader(clean.train, columns),
    training,
    validation,
    longestRows,
    scale: errorScale(surrogate.species, columns.clipping, floor, surrogate.elementTable),
    physical: new PhysicalScaling(names, ranges),
    ...conditionAxes(names, ranges),
    windows: windows !== null && windows.evaluated > 0 ? windows : null,
    checkpoint: async (): Promise<void> => {
      // Lets a signal be heard between two blocks.
      await new Promise((resolve) => setImmediate(resolve));
      tools.signal.throwIfAborted();
    },
  };
}

/** The logarithmic axis of each parameter that has one, and of the plane of density and temperature where there are both. */
function conditionAxes(
  names: readonly string[],
  ranges: Readonly<Record<string, readonly [number, number]>>,
): { conditions: readonly ConditionAxis[]; axes: PlaneAxes | null } {
  const conditions = names.flatMap((name, column) => {
    const [low, high] = (ranges[name] ?? [1, 10]).map(Math.log10) as [number, number];
    return Number.isFinite(low) ? [{ name, column, low, high }] : [];
  });
  const [density, temperature] = (["density", "gas_temperature"] as const).map((role) =>
    conditions.find(({ name }) => hasRole(name, role)),
  );
  return { conditions, axes: density && temperature ? { density, temperature } : null };
}

async function metricsOf(
  setup: Setup,
  pass: ValidationPass,
  { knowledge, trainingErrors }: { knowledge: TrainingKnowledge; trainingErrors: TrainingErrors },
  { rows_hash, started }: { rows_hash: string; started: number },
): Promise<Metrics> {
  const { request, surrogate, validation, scale, windows, tools } = setup;
  const trainedSteps = surrogate.windowSize === null ? null : surrogate.windowSize - 1;
  const predictions: Metrics["predictions"] = Object.fromEntries(
    [...pass.errors].map(([kind, errors]) => {
      const tracers =
        kind === "windows" ? validation.filter((place) => windows!.of(place).length > 0).length : pass.tracers.length;
      return [kind, predictionMetrics(errors, { kind, tracers, trainedSteps })];
    }),
  );
  // A surrogate whose steps vary has none; one that does not know its own was trained on such data, for all that is known.
  const time_step_yr = areStepsInput(surrogate.physicalParameters)
    ? null
    : (surrogate.timeStepYears ?? timeStep(setup));
  const study = trainedSteps === null ? null : studyOf(setup, knowledge, trainedSteps, time_step_yr);
  const long_rollouts = study ? [await longRollout(study, "held"), await longRollout(study, "repeated")] : [];
  const verdicts = verdictsOf(predictions);
  const failure_maps = Object.fromEntries([...pass.maps].map(([kind, maps]) => [kind, maps.maps()]));
  const physical_parameters = setup.reader.columns.physical.map((name, i) => ({
    name,
    unit: unitOfParameter(name),
    range: [pass.parameters[i]!.least, pass.parameters[i]!.largest] as const,
  }));
  const intervals = intervalsOf(pass.tracers, predictions, request.seed);
  const { tracers } = pass;
  const conservation_check = pass.conservation.check();
  const training_check = trainingErrors.check(meanErrors(predictions));
  const reliability = study && (await reliabilityOf(surrogate, setup.scored, validation, setup.checkpoint));
  return {
    format: metricsFormat,
    format_version: metricsFormatVersion,
    provenance: {
      version: request.version,
      created_at: tools.now().toISOString(),
      ...request.files,
      dataset: { path: request.clean.path, hash: request.clean.hash },
      split: setup.split,
      ...testDataset(request),
      rows_hash,
      seed: request.seed,
      backend: `${surrogate.compute.engine}, ${surrogate.compute.device}`,
      seconds: (tools.now().getTime() - started) / 1000,
      emulation_seconds: trainedSteps === null ? null : pass.emulationSeconds,
    },
    latent_dim: surrogate.latentDim,
    window_size: surrogate.windowSize,
    time_step_yr,
    species: scale.species.map(({ atoms, ...species }) => ({ ...species, atoms: Object.fromEntries(atoms) })),
    physical_parameters,
    abundances_clipping: surrogate.abundancesClipping,
    floor: scale.floor,
    train: {
      tracers: knowledge.tracers,
      rows: knowledge.rows,
      fitted_rows: knowledge.fittedRows,
      averaged_rows: knowledge.averagedRows,
    },
    baselines: baselineChoices(setup, knowledge),
    ...(training_check && { training_check }),
    ...(conservation_check && { conservation_check }),
    validation: { tracers: validation.length, rows: validation.reduce((sum, { rows }) => sum + rows, 0) },
    scored: { all: setup.choice.all, rows: setup.choice.chosen },
    windows: windows && { all: windows.all, evaluated: windows.evaluated },
    pca_explained: knowledge.components.explained,
    predictions,
    failure_maps,
    error_growth: trainedSteps === null ? null : errorGrowth(predictions.emulation!.steps, trainedSteps),
    long_rollouts,
    sensitivity: study && (await sensitivity(study, request.seed)),
    tracers,
    verdicts,
    conclusions: [...conclusionsOf(verdicts, predictions), ...knownTracers(pass.tracers)],
    ...(intervals && { intervals }),
    ...(reliability && { reliability }),
    weaknesses: weaknessesOf({ predictions, failure_maps, physical_parameters, tracers, floor: scale.floor }),
  };
}

/** Scored tracers whose every row the nearest training tracer has. */
function knownTracers(tracers: readonly TracerSummary[]): string[] {
  const known = tracers.filter(({ errors }) => errors.nearest_tracer?.[0] === 0).length;
  if (known === 0) return [];
  return [`${known} of the ${tracers.length} scored tracers are training tracers, too: all errors look too small.`];
}

/** The file of the scored tracers, where it is another than the one of the training tracers. */
function testDataset({ clean, test }: EvaluationRequest): { test_dataset?: FileReference } {
  return !test || test.path === clean.path ? {} : { test_dataset: { path: test.path, hash: test.hash } };
}

function baselineChoices({ reader }: Setup, knowledge: TrainingKnowledge): BaselineChoices {
  const { linear, nearestBy, fittedTracers, places, tracers } = knowledge;
  return {
    fitted_tracers: fittedTracers,
    nearest_tracer: {
      parameters: nearestBy.columns.map((column) => reader.columns.physical[column]!),
      ...(places.length < tracers && { known_tracers: places.length }),
      left_out_dex: nearestBy.dex,
      left_out_dex_by_all: nearestBy.dex_by_all,
    },
    linear_history: { sources: linear.sources, ridge: linear.ridge },
  };
}

/** Median step between the rows of the first scored tracer. */
function timeStep({ reader, validation }: Setup): number {
  const { times } = reader.read([validation[0]!]);
  const steps = Array.from(times.subarray(1), (time, row) => time - times[row]!).sort((a, b) => a - b);
  return steps[steps.length >> 1]!;
}

function studyOf(
  { surrogate, reader, validation, scale }: Setup,
  { low, high }: TrainingKnowledge,
  trainedSteps: number,
  stepYr: number | null,
): RolloutStudy {
  const places = spread(validation, studiedTracers);
  const width = surrogate.species.length;
  const first = new Float32Array(places.length * width);
  const histories = places.map((place, k) => {
    const block = reader.read([place]);
    first.set(block.scaledRows([0]), k * width);
    // The last row's conditions lead nowhere.
    return block.physical.subarray(0, (block.rows - 1) * reader.columns.physical.length);
  });
  return { surrogate, histories, first, trainedSteps, stepYr, span: scale.log10_upper - scale.log10_lower, low, high };
}

async function samplesOf(
  setup: Setup,
  pass: ValidationPass,
  knowledge: TrainingKnowledge,
): Promise<Evaluation["samples"]> {
  const { request, surrogate, reader, validation, scale } = setup;
  const kind: PredictionKind = surrogate.windowSize === null ? "reconstruction" : "emulation";
  const errorOf = new Map(pass.tracers.map(({ id, errors }) => [id, errors[kind]![0]]));
  const candidates = validation.flatMap((place: TracerPlace) => {
    const mean_dex = errorOf.get(place.id);
    return mean_dex === undefined ? [] : [{ place, mean_dex }];
  });
  const { log10_lower, log10_upper } = scale;
  return {
    tracers: await tracerSamples(shownTracers(candidates), {
      surrogate,
      conserve: setup.conserve,
      reader,
      chosen: request.chosen,
      units: unitOfParameter,
      log10_lower,
      log10_upper,
    }),
    density_plots: Object.fromEntries(
      [...pass.densities].map(([name, sums]) => [name, sums.plot(log10_lower, log10_upper)]),
    ),
    histories: pass.histories,
    parameter_histograms: reader.columns.physical.map((name, i) => ({
      name,
      unit: unitOfParameter(name),
      train: knowledge.parameters[i]!.histogram(50),
      val: pass.parameters[i]!.histogram(50),
    })),
    abundance_histograms: surrogate.species.map((species, s) => ({
      species,
      histogram: knowledge.abundances.histogram(s),
    })),
    features: [
      ...knowledge.vectors.map((vector) => featuresOf(vector, "train", null)),
      ...pass.vectors.map((vector) => featuresOf(vector, "val", errorOf.get(vector.id)!)),
    ],
  };
}

function featuresOf(
  { id, density, features }: TrainingKnowledge["vectors"][number],
  split: TracerFeatures["split"],
  mean_dex: number | null,
): TracerFeatures {
  return { id, split, final_density: density, mean_dex, features };
}
