import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { DataError } from "../errors.ts";
import { beginFile } from "../formats/atomic-file.ts";
import type { Frame } from "./frame.ts";
import { invert } from "./permutation.ts";
import { countRuns } from "./raw-index.ts";

/** The raw rows in the order of tracer and time, as float32. */
export interface SortedRows {
  /** Whether they had to be copied into a temporary file first. */
  readonly isScattered: boolean;
  /** Sorted rows [start, start + count) into `target` (row-major, `columns.length` wide) from row `targetRow` on. */
  read(start: number, count: number, target: Float32Array, targetRow: number): void;
  close(): void;
}

/** Bytes of rows that are put in order in memory before they go to the temporary file. */
const STAGING_BYTES = 128 * 2 ** 20;

/** A contiguous dataset is read in place where its sorted runs have this many rows on average: shorter ones cost a call each. */
const SHORTEST_RUN = 64;

/** How many rows pass through the temporary file: 0 or all. */
export function rowsToScatter(frame: Frame, order: Int32Array): number {
  const runs = countRuns(order);
  // Each end of a run may lie within a chunk, which is then read, and decompressed, twice.
  const isCheap = frame.chunkRows === 1 ? runs * SHORTEST_RUN <= order.length : runs * frame.chunkRows <= order.length;
  return runs === 1 || isCheap ? 0 : order.length;
}

/**
 * Opens the rows in sorted order. Where their order in the file is too mixed to be read in place, the file is read once from
 * end to end and its rows are scattered over a temporary file beside `besidePath`, which has no name any more once it is
 * open: nothing stays behind whatever happens.
 * @param order   raw rows in sorted order: taken over
 * @param advance told how many rows were scattered
 */
export async function openSortedRows(
  frame: Frame,
  columns: readonly string[],
  order: Int32Array,
  besidePath: string,
  advance: (rows: number) => void,
): Promise<SortedRows> {
  if (rowsToScatter(frame, order) === 0) return new RowsInPlace(frame, columns, order);
  return scatterRows(frame, columns, order, besidePath, advance);
}

/** Reads runs of adjacent rows from the frame itself. */
class RowsInPlace implements SortedRows {
  readonly isScattered = false;
  readonly #frame: Frame;
  readonly #columns: readonly string[];
  readonly #order: Int32Array;
  /** What was read last of a chunked file: whole chunks, so that none is decompressed for each tracer anew. */
  #window = { first: 0, count: 0, values: new Float32Array(0) };

  constructor(frame: Frame, columns: readonly string[], order: Int32Array) {
    this.#frame = frame;
    this.#columns = columns;
    this.#order = order;
  }

  read(start: number, count: number, target: Float32Array, targetRow: number): void {
    for (let at = start; at < start + count; ) {
      const row = this.#order[at]!;
      let length = 1;
      while (at + length < start + count && this.#order[at + length] === row + length) length++;
      const first = (targetRow + at - start) * this.#columns.length;
      const piece = target.subarray(first, first + length * this.#columns.length);
      if (this.#frame.chunkRows === 1) this.#frame.read(row, length, this.#columns, piece);
      else this.#readChunks(row, length, piece);
      at += length;
    }
  }

  close(): void {
    this.#window.values = new Float32Array(0);
  }

  #readChunks(row: number, count: number, target: Float32Array): void {
    const width = this.#columns.length;
    for (let done = 0; done < count; ) {
      this.#moveWindow(row + done);
      const { first, values } = this.#window;
      const from = row + done - first;
      const rows = Math.min(count - done, this.#window.count - from);
      target.set(values.subarray(from * width, (from + rows) * width), done * width);
      done += rows;
    }
  }

  /** Makes the window hold `row`. */
  #moveWindow(row: number): void {
    const { first, count } = this.#window;
    if (row >= first && row < first + count) return;
    const { chunkRows, blockRows, rows } = this.#frame;
    const width = this.#columns.length;
    const start = row - (row % chunkRows);
    const length = Math.min(blockRows, rows - start);
    if (this.#window.values.length === 0) this.#window.values = new Float32Array(Math.min(blockRows, rows) * width);
    this.#frame.read(start, length, this.#columns, this.#window.values);
    this.#window = { first: start, count: length, values: this.#window.values };
  }
}

/** Rows in a raw file of float32, in sorted order. */
class ScatteredRows implements SortedRows {
  readonly isScattered = true;
  readonly #descriptor: number;
  readonly #width: number;

  constructor(descriptor: number, width: number) {
    this.#descriptor = descriptor;
    this.#width = width;
  }

  read(start: number, count: number, target: Float32Array, targetRow: number): void {
    const first = targetRow * this.#width;
    const values = target.subarray(first, first + count * this.#width);
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const position = start * this.#width * 4;
    for (let done = 0; done < bytes.length; ) {
      const read = readSync(this.#descriptor, bytes, done, bytes.length - done, position + done);
      if (read === 0) throw new Error("the temporary file of sorted rows ends too early");
      done += read;
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

async function scatterRows(
  frame: Frame,
  columns: readonly string[],
  order: Int32Array,
  besidePath: string,
  advance: (rows: number) => void,
): Promise<SortedRows> {
  const width = columns.length;
  const pending = beginFile(`${besidePath}.rows`);
  const descriptor = openSync(pending.temporaryPath, "w+");
  try {
    pending.discard();
    const destinations = invert(order);
    const stagingRows = Math.max(1, Math.min(frame.rows, Math.floor(STAGING_BYTES / (width * 4))));
    const wholeBlocks = stagingRows - (stagingRows % frame.chunkRows) || stagingRows;
    const staging = new Float32Array(wholeBlocks * width);
    const scatterer = new Scatterer(descriptor, width, besidePath);
    for (let start = 0; start < frame.rows; start += wholeBlocks) {
      const count = Math.min(wholeBlocks, frame.rows - start);
      frame.read(start, count, columns, staging);
      scatterer.write(staging, destinations.subarray(start, start + count));
      advance(count);
      await nextTurn();
    }
    return new ScatteredRows(descriptor, width);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** Writes rows to their places, those that become neighbours in one go. */
class Scatterer {
  readonly #descriptor: number;
  readonly #width: number;
  readonly #path: string;
  readonly #run: Float32Array;
  #first = 0;
  #count = 0;

  constructor(descriptor: number, width: number, path: string) {
    this.#descriptor = descriptor;
    this.#width = width;
    this.#path = path;
    this.#run = new Float32Array(Math.max(1, Math.floor(2 ** 18 / width)) * width);
  }

  /** @param rows [destinations.length, width] */
  write(rows: Float32Array, destinations: Int32Array): void {
    const width = this.#width;
    const count = destinations.length;
    // Destination and place in one number: a plain numeric sort is several times faster than one with a comparator.
    const keys = Float64Array.from(destinations, (destination, i) => destination * count + i).sort();
    for (const key of keys) {
      const destination = Math.floor(key / count);
      const place = key - destination * count;
      const isFull = (this.#count + 1) * width > this.#run.length;
      if (isFull || destination !== this.#first + this.#count) this.#flush(destination);
      this.#run.set(rows.subarray(place * width, (place + 1) * width), this.#count * width);
      this.#count++;
    }
    this.#flush(0);
  }

  #flush(next: number): void {
    const bytes = new Uint8Array(this.#run.buffer, 0, this.#count * this.#width * 4);
    const position = this.#first * this.#width * 4;
    try {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(this.#descriptor, bytes, done, bytes.length - done, position + done);
      }
    } catch (error) {
      const what = `cannot write the temporary file of sorted rows: ${(error as Error).message}`;
      throw new DataError(what, { where: this.#path, fix: "free some disk space, or write elsewhere", cause: error });
    }
    this.#first = next;
    this.#count = 0;
  }
}
