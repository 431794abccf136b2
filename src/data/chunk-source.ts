import { Worker } from "node:worker_threads";
import { DataError } from "../errors.ts";
import { openHdf5 } from "./hdf5.ts";
import { firstLine, type ReadReply, type ReadRequest } from "./read-messages.ts";

/** Rows of a float32 matrix, from memory or from a file. */
export interface RowSource {
  readonly rows: number;
  readonly columns: number;
  /** Rows [start, start + count), [count, columns]; valid until the next `load`. */
  load(start: number, count: number): Promise<Float32Array>;
  /** Says what the next `load` will ask for. */
  prefetch(start: number, count: number): void;
  close(): Promise<void>;
}

/** The whole matrix in memory. */
export class MemoryRows implements RowSource {
  readonly rows: number;
  readonly columns: number;
  readonly #data: Float32Array;

  constructor(data: Float32Array, columns: number) {
    this.#data = data;
    this.columns = columns;
    this.rows = data.length / columns;
  }

  async load(start: number, count: number): Promise<Float32Array> {
    return this.#data.subarray(start * this.columns, (start + count) * this.columns);
  }

  prefetch(): void {}

  async close(): Promise<void> {}
}

/** Someone who waits for the reader's answer. */
interface Waiting {
  readonly resolve: (buffer: ArrayBuffer) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A matrix read from HDF5 by a worker: while one chunk is used the next one is read. HDF5 is synchronous and would block
 * the training otherwise. Two buffers travel to and fro.
 */
export class StreamedRows implements RowSource {
  readonly rows: number;
  readonly columns: number;
  readonly #worker: Worker;
  readonly #path: string;
  readonly #spare: ArrayBuffer[] = [];
  /** In the order of the requests, which is the order of the replies. */
  readonly #waiting: Waiting[] = [];
  /** Why no more can be read. */
  #ended: Error | null = null;
  #current: Float32Array | null = null;
  #ahead: { start: number; count: number; rows: Promise<Float32Array> } | null = null;

  constructor(path: string, dataset: string, shape: readonly [number, number]) {
    [this.rows, this.columns] = shape;
    this.#path = path;
    // The flags of this process (a loader, `--input-type`) are not for the worker, which is plain built JavaScript.
    this.#worker = new Worker(workerUrl(), { workerData: { path, dataset }, execArgv: [] });
    // Heard at all times: an error that comes between two reads would end the process, and a read after it would never end.
    this.#worker.on("message", (reply: ReadReply) => this.#settle(reply));
    this.#worker.on("error", (error) => this.#end(this.#failure(firstLine(error))));
    this.#worker.on("exit", (code) => this.#end(this.#failure(`the reader ended with code ${code}`)));
    this.#worker.unref();
  }

  async load(start: number, count: number): Promise<Float32Array> {
    if (this.#current) this.#spare.push(this.#current.buffer as ArrayBuffer);
    this.#current = null;
    const ahead = this.#ahead;
    this.#ahead = null;
    const isWanted = ahead?.start === start && ahead.count === count;
    if (ahead && !isWanted) {
      // Nobody asked for these rows after all: their buffer is of use, their error of none.
      await ahead.rows.then(
        ({ buffer }) => this.#spare.push(buffer as ArrayBuffer),
        () => {},
      );
    }
    this.#current = await (isWanted ? ahead.rows : this.#read(start, count));
    return this.#current;
  }

  prefetch(start: number, count: number): void {
    if (this.#ahead) return;
    const rows = this.#read(start, count);
    // The error is for whoever awaits it; unheard until then it must not end the process.
    rows.catch(() => {});
    this.#ahead = { start, count, rows };
  }

  async close(): Promise<void> {
    this.#end(new Error(`${this.#path} is closed`));
    await this.#worker.terminate();
  }

  async #read(start: number, count: number): Promise<Float32Array> {
    if (this.#ended) throw this.#ended;
    const values = count * this.columns;
    const request: ReadRequest = { start, count, buffer: this.#bufferOf(values * 4) };
    const reply = new Promise<ArrayBuffer>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    this.#worker.ref();
    this.#worker.postMessage(request, [request.buffer]);
    return new Float32Array(await reply, 0, values);
  }

  /** A spare buffer that is large enough, or a new one; never keeps more than one besides. */
  #bufferOf(bytes: number): ArrayBuffer {
    const at = this.#spare.findIndex((buffer) => buffer.byteLength >= bytes);
    if (at < 0) {
      this.#spare.length = 0;
      return new ArrayBuffer(bytes);
    }
    const [found] = this.#spare.splice(at, 1);
    this.#spare.length = Math.min(this.#spare.length, 1);
    return found!;
  }

  #settle(reply: ReadReply): void {
    const waiting = this.#waiting.shift();
    // While nobody waits, the worker must not keep the process alive.
    if (this.#waiting.length === 0) this.#worker.unref();
    if ("problem" in reply) waiting?.reject(this.#failure(reply.problem, "make the file again, or check the disk"));
    else waiting?.resolve(reply.buffer);
  }

  #end(reason: Error): void {
    this.#ended ??= reason;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#ended);
  }

  #failure(problem: string, fix?: string): DataError {
    return new DataError(`cannot read ${this.#path}: ${problem}`, { where: this.#path, fix });
  }
}

/** How a dataset is going to be read, and why. */
export interface OpenedRows {
  readonly source: RowSource;
  /** Rows that are shuffled together. */
  readonly chunkRows: number;
  readonly reason: string;
}

/**
 * Opens a [rows, columns] float32 dataset: in memory where it fits and is shuffled as a whole, else streamed.
 * @param shuffleChunkSize  share of the rows that is shuffled together, 1 for all
 * @throws DataError where the file cannot be read
 */
export async function openRows(
  path: string,
  dataset: string,
  options: { readonly memoryBudgetBytes: number; readonly shuffleChunkSize: number },
): Promise<OpenedRows> {
  const file = await openHdf5(path);
  try {
    const stored = file.dataset(dataset);
    const [rows, columns] = stored.shape as [number, number];
    const bytes = rows * columns * 4;
    const { memoryBudgetBytes: budget, shuffleChunkSize } = options;
    const asked = Math.max(1, Math.floor(shuffleChunkSize * rows));
    if (bytes <= budget && shuffleChunkSize >= 1) {
      const data = new Float32Array(rows * columns);
      stored.readRows(0, rows, data);
      return { source: new MemoryRows(data, columns), chunkRows: rows, reason: `${megabytes(bytes)} held in memory` };
    }
    // Two chunks are in memory at once, and the batches made of them.
    const chunkRows = Math.max(1, Math.min(asked, Math.floor(budget / 4 / (columns * 4))));
    const why = shuffleChunkSize < 1 ? `shuffle_chunk_size is ${shuffleChunkSize}` : `more than memory_budget_mb`;
    const reason = `${megabytes(bytes)} streamed in chunks of ${chunkRows} rows: ${why}`;
    return { source: new StreamedRows(path, dataset, [rows, columns]), chunkRows, reason };
  } finally {
    file.close();
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

/** The built worker; run from source (in tests) the one in `dist`, because Node 20 cannot load TypeScript. */
function workerUrl(): URL {
  const fromSource = import.meta.url.endsWith(".ts");
  return new URL(fromSource ? "../../dist/data/reader-worker.js" : "./reader-worker.js", import.meta.url);
}
