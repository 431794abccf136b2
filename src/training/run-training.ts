import type { CacheMode } from "../data/cache.ts";
import type { SafetensorsContent } from "../formats/safetensors.ts";
import { readTraining } from "../models/weights-file.ts";
import { type CheckpointOrigin, encodeCheckpoint } from "./checkpoint.ts";
import { checkpointPaths } from "./checkpoint-keeper.ts";
import { epochLogPath, loggingObserver } from "./epoch-log.ts";
import { type Recipe, type TrainingModel, trainerSettings } from "./recipe-settings.ts";
import {
  isFinished,
  keeperOf,
  type RunTools,
  reportOf,
  resumedState,
  type TrainingReport,
  withWeightsLock,
} from "./run-tools.ts";
import type { Trainer, TrainerOptions, TrainingOutcome } from "./trainer.ts";
import { bestOf, type Snapshot } from "./training-state.ts";

/** What every kind of training is told, all paths absolute. */
export interface TrainingJob {
  readonly model: TrainingModel & { readonly save_model: boolean };
  readonly recipe: Recipe;
  /** Where the weights go; the epoch log beside. */
  readonly weights: string;
  readonly mode: CacheMode;
  readonly seed: number;
}

/** A training with its data open: what differs from kind to kind. */
export interface OpenTraining<Batch> {
  /** What it is made from: a checkpoint goes on with this only. */
  readonly origin: CheckpointOrigin;
  readonly phases: TrainerOptions<Batch>["phases"];
  readonly validation: TrainerOptions<Batch>["validation"];
  trainer(options: TrainerOptions<Batch>): Promise<Trainer<Batch>>;
  /** Measures what only the best weights tell, before they are written. @param forGood  whether they go to their place */
  measure?(best: Snapshot, forGood: boolean): Promise<void>;
  /** Writes weights. @param training  the state of the training, to be kept with them */
  write(path: string, best: Snapshot, training?: SafetensorsContent): void;
  /** Called once the weights are in their place. */
  written?(): void;
  close(): Promise<void>;
}

/**
 * Runs a training from its open data to its weights: checkpoints, resumption, the epoch log, the report.
 * @param open  opens its data; null in mode `preprocess`, which makes the caches only
 */
export function runTraining<Batch>(
  job: TrainingJob,
  tools: RunTools,
  open: () => Promise<OpenTraining<Batch> | null>,
): Promise<TrainingReport | null> {
  return withWeightsLock(job, async () => {
    const training = await open();
    if (training === null) return null;
    try {
      return await train(job, tools, training);
    } finally {
      await training.close();
    }
  });
}

async function train<Batch>(job: TrainingJob, tools: RunTools, training: OpenTraining<Batch>): Promise<TrainingReport> {
  const { origin, phases, validation } = training;
  const { engine, chooseEngine, now, signal, maxSteps, pauseAfter } = tools;
  const weights = job.model.save_model ? job.weights : null;
  const checkpoint = checkpointPaths(tools.checkpoints.folder).best;
  const resumed = resumedState(tools, origin);
  if (resumed) tools.done?.(resumed.values.log);
  const trainer = await training.trainer({
    engine,
    chooseEngine,
    phases,
    validation,
    settings: trainerSettings(job.model, job.recipe),
    seed: job.seed,
    observer: loggingObserver(weights && epochLogPath(weights), tools.observer, resumed?.values.log),
    now,
    signal,
    keeper: keeperOf(tools, origin, (path, made) => training.write(path, bestOf(made.state), encodeCheckpoint(made))),
    resumed,
    maxSteps,
    pauseAfter,
  });
  let outcome: TrainingOutcome;
  try {
    outcome = await trainer.run();
  } finally {
    await trainer.dispose();
  }
  const { best } = outcome;
  if (best) {
    await training.measure?.(best, isFinished(outcome));
    // Of a training that goes on later its state is kept beside the weights, which can be used meanwhile.
    training.write(checkpoint, best, isFinished(outcome) ? undefined : readTraining(checkpoint));
    if (weights !== null && isFinished(outcome)) {
      training.write(weights, best);
      training.written?.();
    }
  }
  return reportOf(outcome, job.recipe.metric, { weights, checkpoint }, trainer.parameterCount);
}
