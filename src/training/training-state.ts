import { RandomStream } from "../data/random.ts";
import type { EpochRecord } from "./observer.ts";
import type { ScheduleState } from "./schedule.ts";

export type StopReason = "no improvement" | "max_epochs" | "max_minutes" | "interrupted";

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
  /** `state/<name>` is what lives in the engine, `best/<name>` the best weights, `validation/errors` the running sums. */
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
  readonly schedule: ScheduleState;
  readonly best: Pick<Snapshot, "steps" | "epoch" | "metric"> | null;
  readonly log: readonly EpochRecord[];
  /** Why the training is over; null while it is not. */
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
  secondsTraining: number;
  secondsValidation: number;
  isTrained: boolean;
  validated: number;
  /** Validation errors summed over the items, [species]. */
  errors: Float64Array | null;

  /** The beginning of an epoch. @param seed of its stream of dropout and noise */
  static begin(epoch: number, seed: number): EpochProgress {
    const random = new RandomStream(seed).state();
    const zero = { batch: 0, items: 0, seconds_training: 0, seconds_validation: 0, validated: 0 };
    return new EpochProgress(epoch, { ...zero, random, sums: {}, is_trained: false }, null);
  }

  constructor(epoch: number, position: EpochPosition, errors: Float64Array | null) {
    this.epoch = epoch;
    this.random = RandomStream.from(position.random);
    this.sums = { ...position.sums };
    this.batch = position.batch;
    this.items = position.items;
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
    this.batch += 1;
  }

  /** Adds the summed validation errors of a batch. */
  addErrors(errors: ArrayLike<number>): void {
    this.errors ??= new Float64Array(errors.length);
    for (let s = 0; s < errors.length; s++) this.errors[s]! += errors[s]!;
    this.validated += 1;
  }
}

/** The best weights in a state that has some. */
export function bestOf({ arrays, values }: TrainingState): Snapshot {
  const entries = Object.entries(arrays).filter(([name]) => name.startsWith("best/"));
  const weights = entries.map(([name, data]) => [name.slice("best/".length), data as Float32Array] as const);
  return { ...values.best!, arrays: Object.fromEntries(weights) };
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
