import { unitOfParameter } from "../chemistry/physical-parameters.ts";
import { counted } from "../counted.ts";
import { splitWords } from "../data/splits.ts";
import { areStepsInput } from "../data/time-steps.ts";
import type { BaselineChoices } from "./baseline-choices.ts";
import type { PredictionKind } from "./error-types.ts";
import {
  checkConditions,
  type EvaluationRequest,
  type EvaluationTools,
  prepare,
  type Setup,
  scoredPart,
} from "./evaluation-setup.ts";
import {
  type FileReference,
  type Metrics,
  metricsFormat,
  metricsFormatVersion,
  type TracerSummary,
} from "./evaluation-types.ts";
import type { Findings } from "./findings.ts";
import { predictionMetrics } from "./prediction-metrics.ts";
import { type Reliability, reliabilityOf, reliabilityPart } from "./reliability.ts";
import { errorGrowth, longRollout, type RolloutStudy, sensitivity } from "./rollout-studies.ts";
import type { EvaluationSamples, TracerFeatures } from "./sample-types.ts";
import { spread, type TracerPlace } from "./tracer-blocks.ts";
import { shownTracers, tracerSamples } from "./tracer-samples.ts";
import { meanErrors } from "./training-check.ts";
import { describedTracers, type TrainingKnowledge, trainingPass } from "./training-pass.ts";
import { ValidationPass } from "./validation-pass.ts";
import { conclusionsOf, verdictsOf } from "./verdicts.ts";
import { intervalsOf, weaknessesOf } from "./weaknesses.ts";

/** Tracers of the long rollouts and of the perturbed ones. */
const studiedTracers = 32;
/** Scored tracers whose physical histories are kept. */
const keptHistories = 60;

/** What an evaluation finds: all but the training logs, which are files beside the weights. */
export interface Evaluation {
  readonly metrics: Metrics;
  readonly samples: Omit<EvaluationSamples, "training">;
}

/**
 * Evaluates a surrogate, with or without emulator, and the baselines on the same rows of validation or test tracers. Both splits are streamed.
 * @param findings of shards that have looked at the tracers; null: they are looked at now. The figures are the same, bit for bit.
 * @throws DataError where no tracer has two rows, or a value has no logarithm
 */
export async function evaluateSurrogate(
  request: EvaluationRequest,
  tools: EvaluationTools,
  findings: Findings | null = null,
): Promise<Evaluation> {
  const started = tools.now().getTime();
  const setup = prepare(request, tools);
  const { validation, surrogate } = setup;
  await checkConditions(setup, validation);
  tools.log(`reading ${setup.training.length} training tracers for the baselines, and scoring some of their rows`);
  const knowledge = await trainingPass(setup.trainingReader, setup.training, {
    components: surrogate.latentDim,
    longestRows: setup.longestRows,
    physical: setup.physical,
    errors: setup.trainingErrors,
    findings,
    checkpoint: setup.checkpoint,
  });
  tools.log(`evaluating ${counted(validation.length, `${splitWords[setup.split]} tracer`)}`);
  const kept = {
    histories: new Set(spread(validation, keptHistories)),
    vectors: new Set(spread(validation, describedTracers)),
  };
  const pass = new ValidationPass({ ...setup, part: scoredPart(setup), findings, knowledge, kept });
  await pass.run();
  // Of all rows, and of which of them were scored.
  const { all, chosen } = setup.choice;
  const rows_hash = pass.hash(chosen === all ? [] : ["scored", chosen, request.seed]);
  tools.log("rolling out further than trained, and looking at single tracers");
  const reliability = await reliabilityOf(
    reliabilityPart(surrogate, setup.scored, validation),
    findings,
    surrogate.trustLevel,
    setup.checkpoint,
  );
  const metrics = await metricsOf(setup, pass, { knowledge, reliability }, { rows_hash, started });
  return { metrics, samples: await samplesOf(setup, pass, knowledge) };
}

async function metricsOf(
  setup: Setup,
  pass: ValidationPass,
  { knowledge, reliability }: { knowledge: TrainingKnowledge; reliability: Reliability | null },
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
  const training_check = setup.trainingErrors.check(meanErrors(predictions));
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
