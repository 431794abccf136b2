import type { BatchSource } from "./batch-source.ts";
import type { RowSource } from "./chunk-source.ts";
import { ChunkedShuffleSampler, type SampledChunk } from "./sampler.ts";

/** Scaled abundances of some rows. */
export interface AutoencoderBatch {
  readonly rows: number;
  /** [rows, species] */
  readonly features: Float32Array;
}

export interface AutoencoderBatchOptions {
  readonly source: RowSource;
  /** Rows that are shuffled, and loaded, together. */
  readonly chunkRows: number;
  readonly batchSize: number;
  /** The sampler's seed; null for the order of the file. */
  readonly seed: number | null;
}

/** Rows in the sampler's order, cut into batches that may span chunks; the last one is smaller. */
export class AutoencoderBatches implements BatchSource<AutoencoderBatch> {
  readonly items: number;
  readonly batchSize: number;
  readonly #options: AutoencoderBatchOptions;
  readonly #sizes: readonly number[];

  constructor(options: AutoencoderBatchOptions) {
    this.#options = options;
    this.items = options.source.rows;
    this.batchSize = options.batchSize;
    this.#sizes = batchSizes(this.items, options.batchSize);
  }

  get batches(): number {
    return this.#sizes.length;
  }

  async *epoch(epoch: number, first = 0): AsyncGenerator<AutoencoderBatch> {
    const { source } = this.#options;
    const passed = this.#sizes.slice(0, first).reduce((sum, rows) => sum + rows, 0);
    const sizes = this.#sizes.slice(first).values();
    let [features, filled, rows] = [new Float32Array(0), 0, 0];
    for (const [{ start, length, order }, next] of withNext(withoutFirst(this.#chunks(epoch), passed))) {
      const data = await source.load(start, length);
      if (next) source.prefetch(next.start, next.length);
      for (const id of order) {
        if (rows === 0) {
          rows = sizes.next().value!;
          features = new Float32Array(rows * source.columns);
        }
        const from = (id - start) * source.columns;
        features.set(data.subarray(from, from + source.columns), filled * source.columns);
        filled += 1;
        if (filled < rows) continue;
        yield { rows, features };
        [filled, rows] = [0, 0];
      }
    }
  }

  close(): Promise<void> {
    return this.#options.source.close();
  }

  #chunks(epoch: number): Iterable<SampledChunk> {
    const { seed, chunkRows } = this.#options;
    return seed === null
      ? sequentialChunks(this.items, chunkRows)
      : new ChunkedShuffleSampler(this.items, chunkRows, seed).chunks(epoch);
  }
}

/** The chunks without the first `count` of their rows; those that have none left are not loaded. */
export function* withoutFirst(chunks: Iterable<SampledChunk>, count: number): Generator<SampledChunk> {
  let left = count;
  for (const chunk of chunks) {
    if (left < chunk.length) yield left === 0 ? chunk : { ...chunk, order: chunk.order.subarray(left) };
    left = Math.max(0, left - chunk.length);
  }
}

/** Each chunk with the one after it. No more are made ahead: the order of an epoch takes 4 bytes a row. */
export function* withNext(
  chunks: Iterable<SampledChunk>,
): Generator<readonly [chunk: SampledChunk, next: SampledChunk | null]> {
  let last: SampledChunk | null = null;
  for (const chunk of chunks) {
    if (last !== null) yield [last, chunk];
    last = chunk;
  }
  if (last !== null) yield [last, null];
}

/** Chunks in order, and rows in order within. */
export function* sequentialChunks(size: number, chunk: number): Generator<SampledChunk> {
  for (let start = 0; start < size; start += chunk) {
    const length = Math.min(chunk, size - start);
    yield { start, length, order: Int32Array.from({ length }, (_, i) => start + i) };
  }
}

/** Full batches and a last smaller one; a last one of a single row joins its neighbour, because batch norm needs two. */
function batchSizes(items: number, batchSize: number): number[] {
  const sizes = new Array<number>(Math.floor(items / batchSize)).fill(batchSize);
  const rest = items % batchSize;
  if (rest === 1 && sizes.length > 0) sizes[sizes.length - 1]! += 1;
  else if (rest > 0) sizes.push(rest);
  return sizes;
}
