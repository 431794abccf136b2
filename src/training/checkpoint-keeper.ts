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

/** Of the time at most one part in this many goes into checkpoints that may wait: epochs can be shorter than a disk is quick. */
const leastPause = 50;

/** Writes `last` when it is given a state, and `best` with each that is the best so far. */
export class CheckpointKeeper implements StateKeeper {
  readonly #options: KeeperOptions;
  #written: number;
  /** How long the last writing took, ms. */
  #cost = 0;
  #isAnnounced = false;
  /** The best that waits to be written. */
  #best: Checkpoint | null = null;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#written = options.now();
  }

  isDue(): boolean {
    const { isWanted, now, minutes } = this.#options;
    if (isWanted()) this.#isAnnounced = true;
    return this.#isAnnounced || now() - this.#written >= minutes * 60_000;
  }

  keep(state: TrainingState, { improved, mayWait }: { improved: boolean; mayWait: boolean }): void {
    const { folder, origin, config, now, writeBest, log } = this.#options;
    const { last, best } = checkpointPaths(folder);
    const checkpoint = { origin, config, state };
    if (improved) this.#best = checkpoint;
    const started = now();
    if (mayWait && !this.isDue() && started - this.#written < leastPause * this.#cost) return;
    writeCheckpoint(last, checkpoint);
    if (this.#best) writeBest(best, this.#best);
    this.#best = null;
    if (this.#isAnnounced) log(`checkpoint as asked for: ${last}`);
    this.#isAnnounced = false;
    this.#written = now();
    this.#cost = this.#written - started;
  }
}
