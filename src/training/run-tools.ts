import type { Engine } from "../backend/engine.ts";
import type { ProbePreparation } from "../backend/probe.ts";
import type { CacheMode } from "../data/cache.ts";
import { whileWriting } from "../formats/lock.ts";
import type { Trust } from "../models/trust.ts";
import type { EmulatorWeights, Provenance } from "../models/weights-file.ts";
import { packageVersion } from "../version.ts";
import { type Checkpoint, type CheckpointOrigin, checkOrigin } from "./checkpoint.ts";
import { CheckpointKeeper } from "./checkpoint-keeper.ts";
import type { EpochRecord, TrainingObserver } from "./observer.ts";
import type { TrainingOutcome } from "./trainer.ts";
import type { Snapshot, TrainingState } from "./training-state.ts";

/** The effects of a training, handed in by whoever starts it. */
export interface RunTools {
  readonly engine: Engine;
  /** Chooses the engine of the training steps by their time, once a job; absent: `engine`. */
  readonly chooseEngine?: ((prepare: ProbePreparation) => Promise<Engine>) | undefined;
  readonly observer: TrainingObserver;
  readonly log: (message: string, details?: Record<string, unknown>) => void;
  readonly signal: AbortSignal;
  /** Refuse conditions outside the configured ranges, instead of telling them. */
  readonly strict?: boolean;
  /** Milliseconds. */
  readonly now: () => number;
  readonly checkpoints: CheckpointTools;
  /** Told the epochs of a resumed training that were done before. */
  readonly done?: (epochs: readonly EpochRecord[]) => void;
  /** Told what the training is made from. */
  readonly describe?: (origin: CheckpointOrigin) => void;
  /** What it has to be made from; null where anything will do. */
  readonly expected?: CheckpointOrigin | null;
  /** Optimizer steps at most, to repeat a training that its time limit ended; absent: no limit. */
  readonly maxSteps?: number | undefined;
  /** Epochs after which it pauses; absent: it does not. */
  readonly pauseAfter?: number | undefined;
  /** Run folders of the members of an ensemble, which are joined; undefined: they are trained. */
  readonly joined?: readonly string[] | undefined;
  /** Finds how far to believe a finished emulator, before its weights are written for good; undefined: they are written without. */
  readonly calibrate?: ((weights: EmulatorWeights) => Promise<Trust | undefined>) | undefined;
}

/** Where a training's state is kept, and where it goes on from. */
export interface CheckpointTools {
  readonly folder: string;
  /** From one checkpoint to the next within an epoch. */
  readonly minutes: number;
  /** The run's configuration, kept with the state. */
  readonly config: unknown;
  /** Whether somebody asked for a checkpoint since this was last called. */
  readonly isWanted: () => boolean;
  /** The checkpoint to go on from; null to begin. */
  readonly resumed: { readonly path: string; readonly checkpoint: Checkpoint } | null;
}

/**
 * Tells what a training is made from, and gives the state to go on from.
 * @throws CheckpointError where that does not belong to this training
 */
export function resumedState(
  { checkpoints: { resumed }, describe, expected }: RunTools,
  origin: CheckpointOrigin,
): TrainingState | undefined {
  if (expected) checkOrigin("the earlier run", expected, origin);
  describe?.(origin);
  if (resumed === null) return undefined;
  checkOrigin(resumed.path, resumed.checkpoint.origin, origin);
  return resumed.checkpoint.state;
}

/** Runs a training while no other writes the same weights. @throws ConfigError naming the one that does */
export async function withWeightsLock<T>(
  job: { readonly weights: string; readonly mode: CacheMode; readonly model: { readonly save_model: boolean } },
  train: () => Promise<T>,
): Promise<T> {
  if (job.mode === "preprocess" || !job.model.save_model) return train();
  return whileWriting(job.weights, train);
}

/** What writes the checkpoints of a training. */
export function keeperOf(
  tools: RunTools,
  origin: CheckpointOrigin,
  writeBest: (path: string, checkpoint: Checkpoint) => void,
): CheckpointKeeper {
  const { log, now } = tools;
  return new CheckpointKeeper({ ...tools.checkpoints, origin, writeBest, log, now });
}

/** What a finished training tells. */
export interface TrainingReport {
  /** Where the weights are; null where nothing was written. */
  readonly weights: string | null;
  readonly epochs: number;
  /** Optimizer steps. */
  readonly steps: number;
  readonly best_epoch: number | null;
  readonly best_metric: number | null;
  /** What `best_metric` is: the mean relative error, or the mean error in dex. */
  readonly metric: "relative" | "dex";
  readonly parameters: number;
  readonly reason: string;
  /** Of an ensemble, each member's, in order: sums and the reasons stand above, `best_epoch` and `best_metric` are null there. */
  readonly members?: readonly Omit<TrainingReport, "weights" | "metric" | "parameters" | "members">[];
}

/** Where the best weights of a training come from. */
export function provenanceOf(
  best: Snapshot,
  run: { readonly dataHash: string; readonly seed: number; readonly metric: "relative" | "dex" },
): Provenance {
  return {
    data_hash: run.dataHash,
    seed: run.seed,
    epoch: best.epoch,
    best_metric: best.metric,
    metric: run.metric,
    versions: { astrochem: packageVersion, node: process.versions.node },
  };
}

/** Whether a training's weights go to their final place: an interrupted one leaves what is there alone. */
export function isFinished({ best, reason }: TrainingOutcome): boolean {
  return best !== null && reason !== "interrupted";
}

/** @param files where the finished weights are, null where they are not to be written, and where the best so far are */
export function reportOf(
  outcome: TrainingOutcome,
  metric: "relative" | "dex",
  files: { readonly weights: string | null; readonly checkpoint: string },
  parameters: number,
): TrainingReport {
  const { best, log, steps, reason } = outcome;
  const weights = isFinished(outcome) ? files.weights : null;
  return {
    weights: weights ?? (best ? files.checkpoint : null),
    epochs: log.length,
    steps,
    best_epoch: best?.epoch ?? null,
    best_metric: best?.metric ?? null,
    metric,
    parameters,
    reason,
  };
}
