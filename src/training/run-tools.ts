import type { Engine } from "../backend/engine.ts";
import type { TrainingObserver } from "./observer.ts";

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
  readonly parameters: number;
  readonly reason: string;
}
