import { RandomStream } from "../data/random.ts";
import type { EpochRecord } from "./observer.ts";
import type { SteeringState } from "./steering.ts";

export type StopReason = "no improvement" | "max_epochs" | "max_minutes" | "end of the recipe" | "interrupted";

/** The weights of one moment, by the names of the state. */
export interface Snapshot {
  readonly arrays: Readonly<Record<string, Float32Array>>;
  /** Optimizer steps taken until then. */
  readonly steps: number;
  readonly epoch: number;
  readonly metric: number;
}

/** Where a training stands, as plain data: enough to go on to the same bits. */
export interface TrainingState {
  /**
   * `state/<name>` is what lives in the engine, `best/<name>` the best weights, `mean/<name>` their running mean, `aside/<name>` the
   * weights whose place the mean has during a validation, `validation/<name>` the running sums.
   */
  readonly arrays: Readonly<Record<string, Float32Array | Float64Array>>;
  /** What JSON holds (and numbers that are not finite). */
  readonly values: TrainingValues;
}

export interface TrainingValues {
  /** Optimizer steps. */
  readonly steps: number;
  /** Of training, without the time between an interruption and its end. */
  readonly elapsed_ms: number;
  /** Epochs that are done are in the log; this one is under way, or next. */
  readonly epoch: number;
  /** Null at the beginning of an epoch. */
  readonly position: EpochPosition | null;
  readonly phase: PhasePosition;
  /** Steps in a row that were left out. */
  readonly skipped_in_a_row: number;
  readonly best: Pick<Snapshot, "steps" | "epoch" | "metric"> | null;
  readonly log: readonly EpochRecord[];
}

/** How far a phase is. */
export interface PhasePosition {
  readonly index: number;
  /** Epochs and steps that are done in it. */
  readonly epochs: number;
  readonly steps: number;
  readonly elapsed_ms: number;
  readonly steering: SteeringState;
  /** Steps that the running mean of the weights holds; null without one. */
  readonly averaged: number | null;
  /** Why it is over, and the next one to begin; null while it is not. */
  readonly ended: StopReason | null;
}

/** How far an epoch is. */
export interface EpochPosition {
  /** Batches trained on. */
  readonly batch: number;
  /** Of the stream of dropout and noise. */
  readonly random: readonly number[];
  /** Losses by name, summed over the items. */
  readonly sums: Readonly<Record<string, number>>;
  readonly items: number;
  /** Steps that were left out. */
  readonly skipped: number;
  /** Of the last step. */
  readonly learning_rate: number;
  readonly dropout: number;
  readonly seconds_training: number;
  readonly seconds_validation: number;
  /** All batches are done, or the time is up. */
  readonly is_trained: boolean;
  /** Batches validated on. */
  readonly validated: number;
}

/** The epoch under way: what the position of a checkpoint is made of, and made into again. */
export class EpochProgress {
  readonly epoch: number;
  readonly random: RandomStream;
  readonly sums: Record<string, number>;
  batch: number;
  items: number;
  skipped: number;
  learningRate: number;
  dropout: number;
  secondsTraining: number;
  secondsValidation: number;
  isTrained: boolean;
  validated: number;
  /** Validation errors by name, summed over the items, [species]. */
  readonly errors: Record<string, Float64Array>;

  /** The beginning of an epoch. @param seed of its stream of dropout and noise */
  static begin(epoch: number, seed: number): EpochProgress {
    const random = new RandomStream(seed).state();
    const zero = { batch: 0, items: 0, skipped: 0, seconds_training: 0, seconds_validation: 0, validated: 0 };
    const rates = { learning_rate: Number.NaN, dropout: Number.NaN };
    return new EpochProgress(epoch, { ...zero, ...rates, random, sums: {}, is_trained: false }, {});
  }

  constructor(epoch: number, position: EpochPosition, errors: Record<string, Float64Array>) {
    this.epoch = epoch;
    this.random = RandomStream.from(position.random);
    this.sums = { ...position.sums };
    this.batch = position.batch;
    this.items = position.items;
    this.skipped = position.skipped;
    this.learningRate = position.learning_rate;
    this.dropout = position.dropout;
    this.secondsTraining = position.seconds_training;
    this.secondsValidation = position.seconds_validation;
    this.isTrained = position.is_trained;
    this.validated = position.validated;
    this.errors = errors;
  }

  get position(): EpochPosition {
    return {
      batch: this.batch,
      random: this.random.state(),
      sums: { ...this.sums },
      items: this.items,
      skipped: this.skipped,
      learning_rate: this.learningRate,
      dropout: this.dropout,
      seconds_training: this.secondsTraining,
      seconds_validation: this.secondsValidation,
      is_trained: this.isTrained,
      validated: this.validated,
    };
  }

  /** Adds the losses of a batch, means over its items. */
  add(losses: Readonly<Record<string, number>>, items: number): void {
    for (const [name, value] of Object.entries(losses)) this.sums[name] = (this.sums[name] ?? 0) + value * items;
    this.items += items;
  }

  /** Mean of a loss over the items so far. */
  mean(name: string): number {
    return (this.sums[name] ?? 0) / this.items;
  }
}

/** The arrays of a state whose names begin with `prefix`, by the rest of their names. */
export function arraysUnder<T extends Float32Array | Float64Array>(
  { arrays }: TrainingState,
  prefix: string,
): Record<string, T> {
  const entries = Object.entries(arrays).filter(([name]) => name.startsWith(`${prefix}/`));
  return Object.fromEntries(entries.map(([name, data]) => [name.slice(prefix.length + 1), data as T]));
}

/** The epoch that was under way in a state; null between two. */
export function progressOf(state: TrainingState): EpochProgress | null {
  const { position, epoch } = state.values;
  return position && new EpochProgress(epoch, position, arraysUnder<Float64Array>(state, "validation"));
}

/** The best weights in a state that has some. */
export function bestOf(state: TrainingState): Snapshot {
  return { ...state.values.best!, arrays: arraysUnder<Float32Array>(state, "best") };
}

/** Keeps the states of a training: its checkpoints. */
export interface StateKeeper {
  /** Whether the state is wanted now, in the middle of an epoch. Asked after each step. */
  isDue(): boolean;
  /**
   * Keeps a state.
   * @param moment.improved   the epoch that has just ended is the best so far
   * @param moment.mayWait    another state follows, if nothing happens: where epochs are short not all of them need be kept
   */
  keep(state: TrainingState, moment: { readonly improved: boolean; readonly mayWait: boolean }): void;
}
