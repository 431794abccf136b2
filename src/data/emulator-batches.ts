import { sequentialChunks, withNext, withoutFirst } from "./autoencoder-batches.ts";
import type { BatchSource } from "./batch-source.ts";
import type { RowSource } from "./chunk-source.ts";
import { ChunkedShuffleSampler, type SampledChunk } from "./sampler.ts";

/** Windows with the time first, all scaled. */
export interface EmulatorBatch {
  readonly windows: number;
  /** Rows of a window less one. */
  readonly steps: number;
  /** [steps, windows, physical]: the conditions that lead from each row to the next. */
  readonly physical: Float32Array;
  /** [windows, latent]: the state at the first row. */
  readonly latents: Float32Array;
  /** [steps, windows, species]: the rows after the first; empty where they are not wanted. */
  readonly targets: Float32Array;
  /** [steps, windows, latent]: the states at the rows after the first; empty where they are not wanted. */
  readonly latentTargets: Float32Array;
}

/** Where a row [metadata, physical, species, latent] keeps what. */
export interface RowLayout {
  readonly metadata: number;
  readonly physical: number;
  readonly species: number;
  readonly latent: number;
}

export interface EmulatorBatchOptions {
  readonly source: RowSource;
  /** First row of each window, [windows]; in the order of the rows where the source is streamed. */
  readonly starts: Int32Array;
  readonly window: number;
  readonly layout: RowLayout;
  /** Windows that are shuffled, and whose rows are loaded, together. */
  readonly chunkWindows: number;
  readonly batchSize: number;
  /** The sampler's seed; null for the order of `starts`. */
  readonly seed: number | null;
  /** What the batches bring of the later rows; abundances where it is left out. */
  readonly targets?: "abundances" | "latents";
}

/** Windows in the sampler's order, cut into batches that may span chunks; the last one is smaller. */
export class EmulatorBatches implements BatchSource<EmulatorBatch> {
  readonly items: number;
  readonly batchSize: number;
  readonly #options: EmulatorBatchOptions;

  constructor(options: EmulatorBatchOptions) {
    this.#options = options;
    this.items = options.starts.length;
    this.batchSize = options.batchSize;
  }

  get batches(): number {
    return Math.ceil(this.items / this.batchSize);
  }

  async *epoch(epoch: number, first = 0): AsyncGenerator<EmulatorBatch> {
    const { source } = this.#options;
    const passed = first * this.batchSize;
    let [batch, filled, left] = [this.#empty(0), 0, this.items - passed];
    for (const [chunk, after] of withNext(withoutFirst(this.#chunks(epoch), passed))) {
      const span = this.#rowsOf(chunk);
      const rows = await source.load(span.start, span.count);
      const next = after && this.#rowsOf(after);
      if (next) source.prefetch(next.start, next.count);
      for (const id of chunk.order) {
        if (filled === 0) batch = this.#empty(Math.min(this.batchSize, left));
        this.#fill(batch, filled, rows, this.#options.starts[id]! - span.start);
        filled += 1;
        left -= 1;
        if (filled < batch.windows) continue;
        yield batch;
        filled = 0;
      }
    }
  }

  close(): Promise<void> {
    return this.#options.source.close();
  }

  #chunks(epoch: number): Iterable<SampledChunk> {
    const { seed, chunkWindows } = this.#options;
    return seed === null
      ? sequentialChunks(this.items, chunkWindows)
      : new ChunkedShuffleSampler(this.items, chunkWindows, seed).chunks(epoch);
  }

  /** The rows that the windows of a chunk cover, from the first to the last. */
  #rowsOf({ start, length }: SampledChunk): { start: number; count: number } {
    let [first, last] = [Number.POSITIVE_INFINITY, 0];
    for (const row of this.#options.starts.subarray(start, start + length)) {
      first = Math.min(first, row);
      last = Math.max(last, row);
    }
    return { start: first, count: last + this.#options.window - first };
  }

  #empty(windows: number): EmulatorBatch {
    const { layout, window, targets = "abundances" } = this.#options;
    const steps = window - 1;
    const [species, latent] = targets === "latents" ? [0, layout.latent] : [layout.species, 0];
    return {
      windows,
      steps,
      physical: new Float32Array(steps * windows * layout.physical),
      latents: new Float32Array(windows * layout.latent),
      targets: new Float32Array(steps * windows * species),
      latentTargets: new Float32Array(steps * windows * latent),
    };
  }

  /** Copies the window that begins at `firstRow` of `rows` into place `at` of the batch. */
  #fill(
    { windows, steps, physical, latents, targets, latentTargets }: EmulatorBatch,
    at: number,
    rows: Float32Array,
    firstRow: number,
  ): void {
    const { source, layout } = this.#options;
    const abundances = layout.metadata + layout.physical;
    const cut = (row: number, from: number, width: number): Float32Array =>
      rows.subarray((firstRow + row) * source.columns + from, (firstRow + row) * source.columns + from + width);
    latents.set(cut(0, abundances + layout.species, layout.latent), at * layout.latent);
    for (let step = 0; step < steps; step++) {
      const place = step * windows + at;
      physical.set(cut(step, layout.metadata, layout.physical), place * layout.physical);
      if (targets.length > 0) targets.set(cut(step + 1, abundances, layout.species), place * layout.species);
      else latentTargets.set(cut(step + 1, abundances + layout.species, layout.latent), place * layout.latent);
    }
  }
}

/**
 * The most windows of which any run of neighbours lies within `chunkRows` rows; at least 1. Not `chunkRows` less the window: a
 * tracer of n rows gives n − window + 1 windows only, so 58 windows of 240 rows take the 297 rows of their tracer.
 * @param starts  in the order of the rows
 */
export function windowsPerChunk(starts: Int32Array, window: number, chunkRows: number): number {
  const fits = (windows: number): boolean => {
    for (let first = 0, last = windows - 1; last < starts.length; first++, last++) {
      if (starts[last]! + window - starts[first]! > chunkRows) return false;
    }
    return true;
  };
  // What fits is found by halving: longer runs take more rows.
  let [most, tooMany] = [1, starts.length + 1];
  while (tooMany - most > 1) {
    const middle = (most + tooMany) >> 1;
    if (fits(middle)) most = middle;
    else tooMany = middle;
  }
  return most;
}
