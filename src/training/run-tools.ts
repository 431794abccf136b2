import type { Engine } from "../backend/engine.ts";
import type { Provenance } from "../models/weights-file.ts";
import { packageVersion } from "../version.ts";
import type { TrainingObserver } from "./observer.ts";
import type { Snapshot, TrainingOutcome } from "./trainer.ts";

/** The effects of a training, handed in by whoever starts it. */
export interface RunTools {
  readonly engine: Engine;
  readonly observer: TrainingObserver;
  readonly log: (message: string, details?: Record<string, unknown>) => void;
  readonly signal: AbortSignal;
  /** Milliseconds. */
  readonly now: () => number;
  /** Where the best weights so far are kept while the training runs. */
  readonly checkpointFolder: string;
}

/** What a finished training tells. */
export interface TrainingReport {
  /** Where the weights are; null where nothing was written. */
  readonly weights: string | null;
  readonly epochs: number;
  readonly best_epoch: number | null;
  readonly best_metric: number | null;
  /** What `best_metric` is: the mean relative error, or the mean error in dex. */
  readonly metric: "relative" | "dex";
  readonly parameters: number;
  readonly reason: string;
}

/** Where the best weights of a training come from. */
export function provenanceOf(best: Snapshot, run: { readonly dataHash: string; readonly seed: number }): Provenance {
  return {
    data_hash: run.dataHash,
    seed: run.seed,
    epoch: best.epoch,
    best_metric: best.metric,
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
  const { best, log, reason } = outcome;
  const weights = isFinished(outcome) ? files.weights : null;
  return {
    weights: weights ?? (best ? files.checkpoint : null),
    epochs: log.length,
    best_epoch: best?.epoch ?? null,
    best_metric: best?.metric ?? null,
    metric,
    parameters,
    reason,
  };
}
