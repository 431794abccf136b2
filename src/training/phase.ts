import type { BatchSource } from "../data/batch-source.ts";
import type { SteeringSettings } from "./steering.ts";

/** What the training loop needs to know of a phase; keys as in a recipe's phase. */
export interface PhaseSettings extends SteeringSettings {
  /** Null: until the schedule or a limit of the training ends it. */
  readonly epochs: number | null;
  /** Optimizer steps of an epoch; null: once through the data. */
  readonly epoch_steps: number | null;
  readonly share: number;
  /** Decay of the weights' running mean; 0 for none. */
  readonly averaging: number;
}

/** One phase of a training. */
export interface TrainingPhase<Batch> {
  readonly settings: PhaseSettings;
  readonly train: BatchSource<Batch>;
}

/**
 * Batches without an end: one pass over the data after the other, each in its own order.
 * @param first  batches to pass over
 */
export async function* endless<Batch>(source: BatchSource<Batch>, first = 0): AsyncGenerator<Batch, never> {
  const begin = Math.floor(first / source.batches);
  for (let pass = begin; ; pass++) yield* source.epoch(pass, pass === begin ? first % source.batches : 0);
}

/** The next batches of a stream; the stream stays open. */
export async function* take<Batch>(stream: AsyncGenerator<Batch>, count: number): AsyncGenerator<Batch> {
  for (let taken = 0; taken < count; taken++) {
    const next = await stream.next();
    if (next.done) return;
    yield next.value;
  }
}
