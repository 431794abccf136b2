import { join } from "node:path";
import { type Checkpoint, type CheckpointOrigin, writeCheckpoint } from "./checkpoint.ts";
import type { StateKeeper, TrainingState } from "./training-state.ts";

/** The files of a run's checkpoints. */
export function checkpointPaths(folder: string): { readonly last: string; readonly best: string } {
  return { last: join(folder, "last.safetensors"), best: join(folder, "best.safetensors") };
}

/** What a keeper works with. All effects but the writing come in here. */
export interface KeeperOptions {
  /** Where `last` and `best` go. */
  readonly folder: string;
  readonly origin: CheckpointOrigin;
  readonly config: unknown;
  /** From one checkpoint to the next within an epoch. */
  readonly minutes: number;
  /** Whether somebody asked for a checkpoint since this was last called. */
  readonly isWanted: () => boolean;
  /** Milliseconds. */
  readonly now: () => number;
  /** Writes `best`: the weights with the checkpoint beside them. */
  readonly writeBest: (path: string, checkpoint: Checkpoint) => void;
  readonly log: (message: string) => void;
}

/** Writes `last` whenever it is given a state, and `best` with each that is the best so far. */
export class CheckpointKeeper implements StateKeeper {
  readonly #options: KeeperOptions;
  #written: number;
  #isAnnounced = false;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#written = options.now();
  }

  isDue(): boolean {
    const { isWanted, now, minutes } = this.#options;
    if (isWanted()) this.#isAnnounced = true;
    return this.#isAnnounced || now() - this.#written >= minutes * 60_000;
  }

  keep(state: TrainingState, improved: boolean): void {
    const { folder, origin, config, now, writeBest, log } = this.#options;
    const { last, best } = checkpointPaths(folder);
    const checkpoint = { origin, config, state };
    writeCheckpoint(last, checkpoint);
    if (improved) writeBest(best, checkpoint);
    if (this.#isAnnounced) log(`checkpoint as asked for: ${last}`);
    this.#isAnnounced = false;
    this.#written = now();
  }
}
