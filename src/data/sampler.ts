import { torchRandperm } from "./random.ts";

/** The ids of one chunk in the order of the epoch. */
export interface SampledChunk {
  /** First id of the chunk. */
  readonly start: number;
  readonly length: number;
  /** [length], absolute ids. */
  readonly order: Int32Array;
}

/**
 * The order of an epoch: chunks [0, c), [c, 2c) … in random order, and a random order within each. One chunk as large as
 * the data shuffles fully; smaller ones keep reading local. With the seeds of the original: order of chunks randperm(seed + epoch),
 * within the k-th visited one randperm(seed + 10000 · epoch + k).
 */
export class ChunkedShuffleSampler {
  readonly #size: number;
  readonly #chunk: number;
  readonly #seed: number;

  constructor(size: number, chunk: number, seed = 13) {
    this.#size = size;
    this.#chunk = Math.min(Math.max(1, chunk), size);
    this.#seed = seed;
  }

  *chunks(epoch: number): Generator<SampledChunk> {
    const order = torchRandperm(Math.ceil(this.#size / this.#chunk), this.#seed + epoch);
    for (const [visited, chunk] of order.entries()) {
      const start = chunk * this.#chunk;
      const length = Math.min(this.#chunk, this.#size - start);
      const within = torchRandperm(length, this.#seed + 10_000 * epoch + visited);
      yield { start, length, order: within.map((offset) => start + offset) };
    }
  }
}
