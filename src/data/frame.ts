import { createHash, type Hash } from "node:crypto";
import { DataError } from "../errors.ts";
import { checkVersion, type FileFormat, latestVersion } from "../formats/format-version.ts";
import { type Frame, HdfFrame } from "./frame-reader.ts";
import { type Hdf5Dataset, type Hdf5File, openHdf5 } from "./hdf5.ts";

export type { Labels } from "./frame-labels.ts";
export type { Frame } from "./frame-reader.ts";

/**
 * Opens the frame that pandas wrote at `key`, in fixed or table format.
 * @throws DataError where the file is missing or damaged, or (with the keys there are) the key is absent
 */
export async function openFrame(path: string, key: string): Promise<Frame> {
  const file = await openHdf5(path);
  try {
    const frame = new HdfFrame(file, key);
    checkFrameVersion(frame);
    return frame;
  } catch (error) {
    file.close();
    throw error;
  }
}

/** The columns of a frame to write. */
export interface FrameColumns {
  float32: readonly string[];
  int64: readonly string[];
  /** Besides; a third block where there are any. */
  float64?: readonly string[];
  /** All of them, in the frame's order. */
  order: readonly string[];
}

/** Frames that this program writes; their version is in the attribute `astrochem_format_version`, which other programs' lack. */
const frameFormat: FileFormat = { name: "clean data format", migrations: [] };

function checkFrameVersion(frame: Frame): void {
  const found = frame.attribute("astrochem_format_version");
  if (found === undefined) return;
  const version = /^\d{1,15}$/.test(found) ? Number(found) : found;
  checkVersion(frameFormat, version, frame.path, (what, hint) => new DataError(what, hint));
}

/** After so many bytes the file is flushed: a killed process loses what came later. */
const FLUSH_BYTES = 64 * 2 ** 20;

/**
 * Writes a frame that `pandas.read_hdf(path, key)` reads: fixed format, one block of float32 and one of int64, and one of float64
 * where it is asked for, all contiguous. Rows are appended in blocks; the file's size is known, and claimed, at once.
 */
export class FrameWriter {
  readonly rows: number;
  readonly #file: Hdf5File;
  readonly #key: string;
  readonly #columns: FrameColumns;
  readonly #floats: Hdf5Dataset;
  readonly #integers: Hdf5Dataset;
  readonly #doubles: Hdf5Dataset | null;
  readonly #floatHash: Hash = createHash("sha256");
  readonly #integerHash: Hash = createHash("sha256");
  readonly #doubleHash: Hash = createHash("sha256");
  #written = 0;
  #unflushed = 0;

  constructor(file: Hdf5File, key: string, columns: FrameColumns, rows: number) {
    this.rows = rows;
    this.#file = file;
    this.#key = key;
    this.#columns = columns;
    file.createGroup(key);
    this.#writeNames("axis0", columns.order);
    this.#floats = this.#createBlock(0, columns.float32, "<f4");
    this.#integers = this.#createBlock(1, columns.int64, "<i8");
    this.#doubles = columns.float64?.length ? this.#createBlock(2, columns.float64, "<f8") : null;
  }

  /**
   * @param floats   [count, columns.float32.length], row-major
   * @param integers [count, columns.int64.length], row-major
   * @param doubles  [count, columns.float64.length], row-major
   */
  append(
    floats: Float32Array,
    integers: BigInt64Array,
    count: number,
    doubles: Float64Array = new Float64Array(0),
  ): void {
    if (this.#written + count > this.rows) throw new RangeError(`more rows than the ${this.rows} announced`);
    if (count === 0) return;
    const ownFloats = floats.subarray(0, count * this.#columns.float32.length);
    const ownIntegers = integers.subarray(0, count * this.#columns.int64.length);
    this.#floats.writeRows(this.#written, count, ownFloats);
    this.#integers.writeRows(this.#written, count, ownIntegers);
    this.#floatHash.update(ownFloats);
    this.#integerHash.update(ownIntegers);
    if (this.#doubles !== null) {
      const ownDoubles = doubles.subarray(0, count * this.#columns.float64!.length);
      this.#doubles.writeRows(this.#written, count, ownDoubles);
      this.#doubleHash.update(ownDoubles);
    }
    this.#written += count;
    this.#unflushed += ownFloats.byteLength + ownIntegers.byteLength;
    if (this.#unflushed < FLUSH_BYTES) return;
    this.#file.flush();
    this.#unflushed = 0;
  }

  /**
   * Completes the frame: the row index, pandas' attributes, `astrochem_format_version`, `astrochem_hash` and those given.
   * @returns the hash: sha256 of the column names and of the values as written, whatever blocks they came in
   */
  finish(attributes: Record<string, string> = {}): string {
    if (this.#written !== this.rows)
      throw new RangeError(`${this.#written} rows written of the ${this.rows} announced`);
    this.#writeIndex();
    const all = createHash("sha256")
      .update(JSON.stringify(this.#columns))
      .update(this.#floatHash.digest())
      .update(this.#integerHash.digest());
    if (this.#doubles !== null) all.update(this.#doubleHash.digest());
    const hash = all.digest("hex");
    for (const [name, value] of Object.entries({
      ...PANDAS_ATTRIBUTES,
      ...(this.#doubles === null ? {} : { nblocks: 3n, block2_items_variety: "regular" }),
      ...attributes,
      astrochem_format_version: String(latestVersion(frameFormat)),
      astrochem_hash: hash,
    })) {
      this.#file.setAttribute(this.#key, name, value);
    }
    this.#file.flush();
    return hash;
  }

  #createBlock(index: number, columns: readonly string[], dtype: "<f4" | "<i8" | "<f8"): Hdf5Dataset {
    this.#writeNames(`block${index}_items`, columns);
    const path = `${this.#key}/block${index}_values`;
    const dataset = this.#file.createDataset(path, { shape: [this.rows, columns.length], dtype });
    this.#file.setAttribute(path, "transposed", 1n);
    return dataset;
  }

  #writeNames(name: string, values: readonly string[]): void {
    const path = `${this.#key}/${name}`;
    this.#file.writeStrings(path, values);
    this.#file.setAttribute(path, "kind", "string");
    this.#file.setAttribute(path, "name", NONE);
  }

  #writeIndex(): void {
    const path = `${this.#key}/axis1`;
    const dataset = this.#file.createDataset(path, { shape: [this.rows], dtype: "<i8" });
    const block = new BigInt64Array(Math.min(this.rows, 65_536));
    for (let start = 0; start < this.rows; start += block.length) {
      const count = Math.min(block.length, this.rows - start);
      for (let i = 0; i < count; i++) block[i] = BigInt(start + i);
      dataset.writeRows(start, count, block);
    }
    this.#file.setAttribute(path, "kind", "integer");
    this.#file.setAttribute(path, "name", NONE);
  }
}

/** Python's None, pickled: the axes have no names. */
const NONE = Buffer.from("N.");

/** What pandas' reader asks of the group of a frame in fixed format. */
const PANDAS_ATTRIBUTES: Record<string, string | bigint> = {
  pandas_type: "frame",
  pandas_version: "0.15.2",
  encoding: "UTF-8",
  errors: "strict",
  ndim: 2n,
  nblocks: 2n,
  axis0_variety: "regular",
  axis1_variety: "regular",
  block0_items_variety: "regular",
  block1_items_variety: "regular",
};
