import { fstatSync, readSync } from "node:fs";
import { DataError } from "../errors.ts";
import { type FileStream, isOpen, isReadOnly, readsOf } from "./hdf5-library.ts";

/** One system call reads at most 2 GiB. */
const MOST_BYTES_A_CALL = 2 ** 30;

/** The rows of a dataset that lie in its file one behind the other, as they are in memory. */
export interface StoredRows {
  readonly rows: number;
  readonly rowBytes: number;
  /** The library's own reading of one row; valid until the next. */
  readonly readRow: (row: number) => Uint8Array;
  /** For messages. */
  readonly where: string;
}

/**
 * A contiguous dataset read past the library: from the file straight into the caller's array. The library itself needs a second
 * copy, out of the wasm heap, which takes as long as the reading.
 *
 * The library does not tell where a dataset lies, but it can be watched: it reads a row of a contiguous dataset where the row is.
 */
export class ContiguousBytes {
  /** The library's own, so that both read one file whatever becomes of its name. */
  readonly #stream: FileStream;
  /** Of the first row, from the beginning of the file: behind a user block, if there is one. */
  readonly #offset: number;
  readonly #where: string;

  private constructor(stream: FileStream, offset: number, where: string) {
    this.#stream = stream;
    this.#offset = offset;
    this.#where = where;
  }

  /**
   * Watches the library read the first row, one in the middle and the last.
   * @returns null unless each was read where a contiguous dataset has it, from a file that is open for reading only and holds
   *   all rows, and its bytes there are the library's
   */
  static find(stored: StoredRows): ContiguousBytes | null {
    if (stored.rows < 2 || stored.rowBytes === 0) return null;
    try {
      const found = ContiguousBytes.#ofFirstRow(stored);
      const rows = [0, stored.rows >> 1, stored.rows - 1];
      return found !== null && rows.every((row) => found.#agrees(stored, row)) ? found : null;
    } catch (error) {
      // The library, asked for the rows that are wanted, has its own words for what is wrong, if anything is wrong with these.
      if (error instanceof DataError) return null;
      throw error;
    }
  }

  static #ofFirstRow({ rows, rowBytes, readRow, where }: StoredRows): ContiguousBytes | null {
    const read = readsOf(() => readRow(0)).reads.at(-1);
    if (read === undefined) return null;
    const { stream, position } = read;
    // A dataset can refer to other files: the library closes those after each reading.
    const isUsable = isReadOnly(stream) && isOpen(stream) && fstatSync(stream.nfd).size >= position + rows * rowBytes;
    return isUsable ? new ContiguousBytes(stream, position, where) : null;
  }

  /** Whether the library reads a row where a contiguous dataset has it, and what is found there. */
  #agrees({ rowBytes, readRow }: StoredRows, row: number): boolean {
    const { result: expected, reads } = readsOf(() => readRow(row));
    const read = reads.at(-1);
    if (read?.stream !== this.#stream || read.position !== this.#offset + row * rowBytes) return false;
    const bytes = new Uint8Array(rowBytes);
    return this.read(row * rowBytes, bytes) && Buffer.compare(bytes, expected) === 0;
  }

  /**
   * Fills `target` with the bytes from `start` on, counted from the first row's.
   * @returns false, with nothing read, where the library has closed the file
   * @throws DataError where the file has become shorter, or the disk fails
   */
  read(start: number, target: Uint8Array): boolean {
    if (!isOpen(this.#stream)) return false;
    for (let done = 0; done < target.length; ) {
      const wanted = Math.min(MOST_BYTES_A_CALL, target.length - done);
      const got = this.#readSome(target, done, wanted, this.#offset + start + done);
      if (got === 0) {
        throw new DataError("the file was cut off while it was open", {
          where: this.#where,
          fix: "copy or make it again: its end is missing",
        });
      }
      done += got;
    }
    return true;
  }

  #readSome(target: Uint8Array, at: number, bytes: number, position: number): number {
    try {
      return readSync(this.#stream.nfd, target, at, bytes, position);
    } catch (cause) {
      const { message } = cause as Error;
      throw new DataError(`cannot read the file: ${message}`, { where: this.#where, fix: "check the disk", cause });
    }
  }
}
