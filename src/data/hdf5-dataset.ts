import { statSync } from "node:fs";
import type { Metadata } from "h5wasm/node";
import { DataError } from "../errors.ts";
import { ContiguousBytes } from "./hdf5-contiguous.ts";
import { callHdf5, MOST_TRANSFER_BYTES, TRANSFER_BYTES, transferBuffer } from "./hdf5-library.ts";
import {
  copyConverted,
  decodeText,
  dtypeOf,
  type Hdf5Member,
  isOfType,
  membersOf,
  type NumericArray,
  viewAs,
} from "./hdf5-types.ts";

/** So many texts are read together: column names, not data. A damaged file may claim any number. */
const MOST_STRINGS = 2 ** 22;
const MOST_STRING_BYTES = 2 ** 28;
/** Deflate shrinks to a thousandth at most; what is never written takes no room, but nobody means to read that. */
const greatestRatio = 1100;
/** Reading past the library has to be prepared once, which takes as long as reading so many bytes. */
const LEAST_DIRECT_BYTES = 2 ** 20;
/** Small files are not worth a refusal. */
const alwaysReadable = 2 ** 20;

/** One dataset of an open file. Reads and writes whole rows (along the first dimension) only. */
export class Hdf5Dataset {
  readonly shape: number[];
  /** NumPy's name of the element type: `<f4`, `<i8`, `|S8`; `compound`, `vlen`, `string` (variable length) or `unsupported`. */
  readonly dtype: string;
  /** The fields of a compound dataset. */
  readonly members: readonly Hdf5Member[] | undefined;
  /** Bytes of one row. */
  readonly rowBytes: number;
  /** Rows that HDF5 stores, and decompresses, together; 1 where the data are contiguous. */
  readonly chunkRows: number;
  readonly #file: bigint;
  readonly #path: string;
  readonly #filePath: string;
  readonly #where: string;
  readonly #rowItems: number;
  /** Bytes of a chunk once it is decompressed, which HDF5 does whole whatever is read of it; 0 where the data are contiguous. */
  readonly #chunkBytes: number;
  /** Whether the rows can lie in the file as they are in memory. */
  readonly #isPlain: boolean;
  /** How to read past the library; null where that is not possible, undefined until it is asked for. */
  #contiguous: ContiguousBytes | null | undefined;

  /** Made by `Hdf5File.dataset` and `createDataset` only. */
  constructor(file: bigint, path: string, filePath: string) {
    this.#file = file;
    this.#path = path;
    this.#filePath = filePath;
    this.#where = `${filePath}, dataset ${path}`;
    const metadata: Metadata = callHdf5("read the dataset", this.#where, (h5) => h5.get_dataset_metadata(file, path));
    this.shape = metadata.shape ?? [0];
    this.dtype = dtypeOf(metadata);
    this.members = membersOf(metadata);
    this.#rowItems = this.shape.slice(1).reduce((a, b) => a * b, 1);
    this.rowBytes = this.#rowItems * metadata.size;
    this.#chunkBytes = metadata.chunks ? metadata.chunks.reduce((a, b) => a * b, metadata.size) : 0;
    this.chunkRows = Math.max(1, metadata.chunks?.[0] ?? 1);
    this.#isPlain = !metadata.chunks && !metadata.virtual_sources && /^[<|][fiu]/.test(this.dtype);
  }

  /**
   * To be called before the rows are counted on: a file of a few kilobytes can claim any number of them.
   * @throws DataError where the dataset claims more than its file can hold
   */
  checkSize(): void {
    const claimed = this.rows * this.rowBytes;
    const { size } = statSync(this.#filePath);
    if (claimed <= alwaysReadable + greatestRatio * size) return;
    throw new DataError(
      `the dataset claims ${this.shape.join(" × ")} values, more than a file of ${size} bytes holds`,
      {
        where: this.#where,
        fix: "the file is damaged or was never finished: make or copy it again",
      },
    );
  }

  /** Number of rows; a scalar counts as one. */
  get rows(): number {
    return this.shape[0] ?? 1;
  }

  /** Rows that make a good block to read: about 8 MB, whole chunks (what HDF5 decompressed is forgotten after each read). */
  get blockRows(): number {
    const rows = Math.max(1, Math.floor(TRANSFER_BYTES / Math.max(1, this.rowBytes)));
    return rows < this.chunkRows ? this.chunkRows : rows - (rows % this.chunkRows);
  }

  /**
   * The raw bytes of rows [start, start + count) in the wasm heap, without a copy.
   * Valid until the next call of anything in hdf5: use at once. The caller keeps the block small (`blockRows`).
   */
  rawRows(start: number, count: number): Uint8Array {
    this.#checkRange(start, count);
    if (this.#chunkBytes > MOST_TRANSFER_BYTES) {
      throw new DataError(`a chunk takes ${this.#chunkBytes} bytes, more than ${MOST_TRANSFER_BYTES}`, {
        where: this.#where,
        fix: "store the data with smaller chunks",
      });
    }
    const bytes = count * this.rowBytes;
    const pointer = transferBuffer(bytes, this.#where);
    if (bytes > 0) this.#transfer("read", start, count, pointer);
    return callHdf5("read", this.#where, (h5) => h5.HEAPU8.subarray(pointer, pointer + bytes));
  }

  /** Like `rawRows`, as numbers. @throws DataError where the type is not numeric */
  viewRows(start: number, count: number): NumericArray {
    const bytes = this.rawRows(start, count);
    return this.#asNumbers(bytes, count);
  }

  /**
   * Rows [start, start + count), row-major, into `target` from `targetOffset` on, converted to its type.
   * @throws DataError where the rows do not exist, the type is not numeric, or the file is damaged
   */
  readRows(start: number, count: number, target: NumericArray, targetOffset = 0): void {
    this.#checkRange(start, count);
    this.#checkRoom(count, target.length - targetOffset);
    if (this.#readDirectly(start, count, target, targetOffset)) return;
    for (let row = start; row < start + count; ) {
      // Each block but the first begins on a chunk, so that no chunk is decompressed twice.
      const end = Math.min(start + count, row - (row % this.chunkRows) + this.blockRows);
      copyConverted(this.viewRows(row, end - row), target, targetOffset + (row - start) * this.#rowItems);
      row = end;
    }
  }

  /** Writes rows [start, start + count) from the beginning of `source`, row-major, converted to the dataset's type. */
  writeRows(start: number, count: number, source: NumericArray): void {
    this.#checkRange(start, count);
    this.#checkRoom(count, source.length);
    for (let row = start; row < start + count; ) {
      const rows = Math.min(this.blockRows, start + count - row);
      const first = (row - start) * this.#rowItems;
      const pointer = transferBuffer(rows * this.rowBytes, this.#where);
      const heap = callHdf5("write", this.#where, (h5) => h5.HEAPU8.subarray(pointer, pointer + rows * this.rowBytes));
      copyConverted(source.subarray(first, first + rows * this.#rowItems), this.#asNumbers(heap, rows), 0);
      this.#transfer("write", row, rows, pointer);
      row += rows;
    }
  }

  /**
   * All strings of a dataset of fixed-length strings (UTF-8, whatever the file says) or of variable-length ones.
   * @throws DataError beyond 4 million strings or 256 MB
   */
  readStrings(): string[] {
    if (this.rows > MOST_STRINGS || this.rows * this.rowBytes > MOST_STRING_BYTES) {
      throw new DataError(`${this.rows} texts are too many to be names`, {
        where: this.#where,
        fix: "the file is damaged: copy or make it again",
      });
    }
    this.checkSize();
    if (this.dtype === "string") {
      const values = callHdf5("read", this.#where, (_, { Dataset }) => new Dataset(this.#file, this.#path).value);
      return Array.isArray(values) ? values.map(String) : [String(values)];
    }
    if (!this.dtype.startsWith("|S")) throw this.#wrongType("strings");
    const size = Number(this.dtype.slice(2));
    const values: string[] = [];
    for (let row = 0; row < this.rows; row += this.blockRows) {
      const bytes = this.rawRows(row, Math.min(this.blockRows, this.rows - row));
      for (let at = 0; at < bytes.length; at += size) values.push(decodeText(bytes.subarray(at, at + size)));
    }
    return values;
  }

  /** The bytes of entry `index` of a variable-length dataset of bytes: how PyTables keeps a pickle. */
  readVariable(index: number): Uint8Array {
    if (this.dtype !== "vlen") throw this.#wrongType("variable-length bytes");
    this.#checkRange(index, 1);
    this.checkSize();
    const entries = callHdf5("read", this.#where, (_, { Dataset }) =>
      new Dataset(this.#file, this.#path).slice([[index, index + 1]]),
    ) as unknown[];
    if (entries[0] instanceof Uint8Array) return entries[0];
    throw this.#wrongType("variable-length bytes");
  }

  /** Reads rows without the library where they lie in the file as `target` holds them. @returns false where the library must read them */
  #readDirectly(start: number, count: number, target: NumericArray, targetOffset: number): boolean {
    const bytes = count * this.rowBytes;
    if (!this.#isPlain || !isOfType(target, this.dtype)) return false;
    if (this.#contiguous === undefined) {
      if (bytes < LEAST_DIRECT_BYTES) return false;
      this.#contiguous = ContiguousBytes.find({
        rows: this.rows,
        rowBytes: this.rowBytes,
        readRow: (row) => this.rawRows(row, 1),
        where: this.#where,
      });
    }
    const at = target.byteOffset + targetOffset * target.BYTES_PER_ELEMENT;
    return this.#contiguous?.read(start * this.rowBytes, new Uint8Array(target.buffer, at, bytes)) ?? false;
  }

  #transfer(direction: "read" | "write", start: number, count: number, pointer: number): void {
    const isScalar = this.shape.length === 0;
    const counts = isScalar ? null : [count, ...this.shape.slice(1)].map(BigInt);
    const offsets = isScalar ? null : [start, ...this.shape.slice(1).map(() => 0)].map(BigInt);
    const strides = isScalar ? null : this.shape.map(() => 1n);
    const status = callHdf5(`${direction} rows ${start} to ${start + count - 1}`, this.#where, (h5) => {
      const transfer = direction === "read" ? h5.get_dataset_data : h5.set_dataset_data;
      return transfer(this.#file, this.#path, counts, offsets, strides, BigInt(pointer));
    });
    if (status < 0)
      throw new DataError(`cannot ${direction} rows ${start} to ${start + count - 1}`, { where: this.#where });
  }

  #asNumbers(bytes: Uint8Array, count: number): NumericArray {
    const view = viewAs(this.dtype, bytes.buffer, bytes.byteOffset, count * this.#rowItems);
    if (view === undefined) throw this.#wrongType("numbers");
    return view;
  }

  #checkRange(start: number, count: number): void {
    if (Number.isInteger(start) && Number.isInteger(count) && start >= 0 && count >= 0 && start + count <= this.rows)
      return;
    throw new DataError(`no rows ${start} to ${start + count - 1}: there are ${this.rows}`, { where: this.#where });
  }

  #checkRoom(count: number, room: number): void {
    if (count * this.#rowItems <= room) return;
    throw new RangeError(`${count} rows of ${this.#rowItems} do not fit in an array of ${room} (${this.#where})`);
  }

  #wrongType(wanted: string): DataError {
    return new DataError(`expected ${wanted}, found type ${this.dtype}`, { where: this.#where });
  }
}
