import type { EngineState } from "../backend/engine.ts";
import { CheckpointError } from "../errors.ts";
import type { EpochRecord } from "./observer.ts";
import {
  arraysUnder,
  bestOf,
  type EpochProgress,
  type PhasePosition,
  progressOf,
  type Snapshot,
  type TrainingState,
} from "./training-state.ts";
import type { AverageState } from "./weight-average.ts";

/** What a training knows beside the arrays in its engine: enough to write a checkpoint, and to go on from one to the same bits. */
export class TrainerMemory {
  /** Optimizer steps. */
  steps = 0;
  /** Steps in a row without a finite gradient. */
  skippedInARow = 0;
  best: Snapshot | null = null;
  log: EpochRecord[] = [];
  /** The epoch under way; null between two. */
  epoch: EpochProgress | null = null;
  /** When the training began, less the time that it was interrupted. */
  began: number;
  readonly #state: EngineState;
  readonly #weightNames: readonly string[];

  /** @param weightNames the arrays of the state that are the weights: saved when best, loaded back by the schedule */
  constructor(state: EngineState, weightNames: readonly string[], now: number) {
    [this.#state, this.#weightNames, this.began] = [state, weightNames, now];
  }

  /** Keeps the weights as they are as the best. */
  async keepBest(epoch: number, metric: number): Promise<Snapshot> {
    const arrays: Record<string, Float32Array> = {};
    for (const name of this.#weightNames) arrays[name] = (await this.#state.read(name)).data;
    this.best = { arrays, steps: this.steps, epoch, metric };
    return this.best;
  }

  /** Puts the best weights back. @returns null where there are none */
  loadBest(): Snapshot | null {
    for (const [name, data] of Object.entries(this.best?.arrays ?? {})) {
      this.#state.write(name, { data, shape: [data.length] });
    }
    return this.best;
  }

  /** Where the training stands, as plain data. */
  async write(now: number, phase: PhasePosition, average: AverageState | undefined): Promise<TrainingState> {
    const arrays: Record<string, Float32Array | Float64Array> = {};
    const add = (prefix: string, all: Readonly<Record<string, Float32Array | Float64Array>>): void => {
      // Copies: a checkpoint may be written later, when they have changed.
      for (const [name, data] of Object.entries(all)) arrays[`${prefix}/${name}`] = data.slice();
    };
    for (const name of this.#state.names) arrays[`state/${name}`] = (await this.#state.read(name)).data;
    add("best", this.best?.arrays ?? {});
    add("mean", average?.means ?? {});
    add("aside", average?.aside ?? {});
    add("validation", this.epoch?.errors ?? {});
    return {
      arrays,
      values: {
        steps: this.steps,
        elapsed_ms: now - this.began,
        epoch: this.log.length,
        position: this.epoch?.position ?? null,
        phase,
        skipped_in_a_row: this.skippedInARow,
        best: this.best && { steps: this.best.steps, epoch: this.best.epoch, metric: this.best.metric },
        log: [...this.log],
      },
    };
  }

  /** Goes back to where a training stood. @throws CheckpointError where that is of another model */
  async read(state: TrainingState, now: number): Promise<void> {
    const { arrays, values } = state;
    for (const name of this.#state.names) {
      const { data, shape } = await this.#state.read(name);
      const kept = arrays[`state/${name}`];
      if (!(kept instanceof Float32Array) || kept.length !== data.length)
        throw unfit(`state/${name}`, data.length, kept);
      this.#state.write(name, { data: kept, shape });
    }
    this.epoch = progressOf(state);
    this.best = values.best && bestOf(state);
    this.steps = values.steps;
    this.skippedInARow = values.skipped_in_a_row;
    this.log = [...values.log];
    this.began = now - values.elapsed_ms;
  }
}

/** The running mean of the weights in a state that has one. @param steps that it holds */
export function averageOf(state: TrainingState, steps: number): AverageState {
  return { steps, means: arraysUnder<Float32Array>(state, "mean"), aside: arraysUnder<Float32Array>(state, "aside") };
}

function unfit(name: string, wanted: number, found: { readonly length: number } | undefined): CheckpointError {
  const what = found ? `has ${found.length} entries, not ${wanted}` : "is missing";
  return new CheckpointError(`the checkpoint is of another model: the array ${name} ${what}`, {
    fix: "resume with the configuration that it was made with",
  });
}
