import { closeSync, existsSync, openSync, statSync } from "node:fs";
import type { Metadata } from "h5wasm/node";
import { DataError, nearest } from "../errors.ts";
import { hasHdf5Signature } from "../formats/signatures.ts";
import { Hdf5Dataset } from "./hdf5-dataset.ts";
import { callHdf5, complaintsOf, type Hdf5Library, loadHdf5, transferBuffer } from "./hdf5-library.ts";
import { decodeText, dtypeOf, viewAs, type WritableType, writeMetadata } from "./hdf5-types.ts";

export type { Hdf5Dataset } from "./hdf5-dataset.ts";

/** What a new dataset is made of. */
export interface DatasetLayout {
  shape: readonly number[];
  dtype: WritableType;
  /** Rows and columns that are stored together; contiguous without. */
  chunks?: number[];
  /** gzip level 1 to 9; needs `chunks`. */
  compression?: number;
}

/**
 * Opens an HDF5 file for reading.
 * @throws DataError naming the path where it is missing, not readable, empty, not HDF5 or cut off
 */
export async function openHdf5(path: string): Promise<Hdf5File> {
  checkReadable(path);
  const library = await loadHdf5();
  const id = openedId(library, path, library.H5F_ACC_RDONLY);
  if (typeof id === "bigint") return new Hdf5File(path, id);
  throw unreadable(path, id);
}

/**
 * Creates an HDF5 file, or replaces one. Pass the `temporaryPath` of a `PendingFile`.
 * @throws DataError naming the path where it cannot be created
 */
export async function createHdf5(path: string): Promise<Hdf5File> {
  const library = await loadHdf5();
  const id = openedId(library, path, library.H5F_ACC_TRUNC);
  if (typeof id === "bigint") return new Hdf5File(path, id);
  throw new DataError(`cannot create the file: ${id}`, { where: path, fix: "check the folder and its permissions" });
}

/** An open HDF5 file. Paths inside are given with or without the leading `/`. Calls block: HDF5 is synchronous. */
export class Hdf5File {
  readonly path: string;
  #id: bigint | undefined;

  /** Made by `openHdf5` and `createHdf5` only. */
  constructor(path: string, id: bigint) {
    this.path = path;
    this.#id = id;
  }

  /** Names in a group, in alphabetical order; none where it is no group. */
  keys(group = "/"): string[] {
    const path = absolute(group);
    if (this.#typeOf(path) !== "group") return [];
    return callHdf5("list", this.#where(path), (h5) => h5.get_names(this.#open(), path, false));
  }

  /** Whether a group or dataset of that name exists. */
  has(path: string): boolean {
    return this.#typeOf(absolute(path)) !== undefined;
  }

  /** What stands at a path; undefined where nothing does, or nothing that is read. */
  typeOf(path: string): "group" | "dataset" | undefined {
    return this.#typeOf(absolute(path));
  }

  /** The value of a scalar attribute; undefined where the object or the attribute is absent, empty or an array. */
  attribute(path: string, name: string): string | number | bigint | undefined {
    const found = this.#attributeMetadata(path, name);
    if (found?.vlen) {
      return callHdf5("read", this.#where(absolute(path)), (_, { Group }) =>
        String(new Group(this.#open(), absolute(path)).get_attribute(name, true)),
      );
    }
    const bytes = this.attributeBytes(path, name);
    if (found === undefined || bytes === undefined) return undefined;
    const dtype = dtypeOf(found);
    return dtype.startsWith("|S") ? decodeText(bytes) : viewAs(dtype, bytes.buffer, 0, 1)?.[0];
  }

  /** The bytes of a scalar attribute (a copy): PyTables keeps lists as pickles in text attributes. */
  attributeBytes(path: string, name: string): Uint8Array | undefined {
    const object = absolute(path);
    const metadata = this.#attributeMetadata(object, name);
    if (metadata === undefined || metadata.vlen) return undefined;
    return callHdf5("read", `${this.#where(object)}, attribute ${name}`, (h5) => {
      const pointer = transferBuffer(metadata.size, this.#where(object));
      h5.get_attribute_data(this.#open(), object, name, BigInt(pointer));
      return h5.HEAPU8.slice(pointer, pointer + metadata.size);
    });
  }

  /**
   * Sets an attribute: text as UTF-8, a number as float64, a bigint as int64, bytes as text marked as ASCII (as PyTables
   * keeps pickles).
   * @throws DataError beyond 64 kB
   */
  setAttribute(path: string, name: string, value: string | number | bigint | Uint8Array): void {
    const object = absolute(path);
    const where = `${this.#where(object)}, attribute ${name}`;
    const { bytes, dtype } = encodeAttribute(value);
    const id = this.#open();
    callHdf5("write", where, (h5) => {
      if (h5.get_attribute_names(id, object).includes(name)) h5.delete_attribute(id, object, name);
      const pointer = transferBuffer(bytes.length, where);
      h5.HEAPU8.set(bytes, pointer);
      const metadata = { ...writeMetadata(dtype, []), cset: typeof value === "string" ? 1 : 0 };
      return h5.create_attribute(id, object, name, BigInt(pointer), metadata);
    });
  }

  /** Creates a group; its parents must exist. */
  createGroup(path: string): void {
    const object = absolute(path);
    callHdf5("create the group", this.#where(object), (h5) => h5.create_group(this.#open(), object, false));
  }

  /** @throws DataError that lists what is there where `path` is no dataset */
  dataset(path: string): Hdf5Dataset {
    const object = absolute(path);
    if (this.#typeOf(object) === "dataset") return new Hdf5Dataset(this.#open(), object, this.path);
    const wanted = object.slice(0, object.lastIndexOf("/"));
    const parent = this.#typeOf(wanted || "/") === "group" ? wanted || "/" : "/";
    const present = this.keys(parent);
    const guess = nearest(object.slice(object.lastIndexOf("/") + 1), present);
    const list = present.length > 0 ? `there are: ${present.join(", ")}` : "there is nothing";
    throw new DataError(`no dataset ${object}`, {
      where: this.path,
      fix: `${guess === undefined ? "" : `did you mean \`${guess}\`? `}in ${parent} ${list}`,
    });
  }

  /** Creates a dataset whose values are zero until written. Contiguous ones take disk space only as they are written. */
  createDataset(path: string, layout: DatasetLayout): Hdf5Dataset {
    const object = absolute(path);
    const where = this.#where(object);
    const id = this.#open();
    if (this.has(object)) throw new DataError(`dataset ${object} exists already`, { where: this.path });
    const metadata = writeMetadata(layout.dtype, layout.shape, layout.chunks, layout.compression);
    // The library can only create and write in one; without data the writing fails, harmlessly, and the rest is done.
    const complaint = complaintsOf((h5) => h5.create_dataset(id, object, 0n, metadata));
    if (this.#typeOf(object) !== "dataset") throw new DataError(`cannot create the dataset: ${complaint}`, { where });
    return new Hdf5Dataset(id, object, this.path);
  }

  /** Creates a one-dimensional dataset of fixed-length strings, UTF-8 padded with NULs, as pandas keeps column names. */
  writeStrings(path: string, values: readonly string[]): void {
    const encoded = values.map((value) => Buffer.from(value, "utf8"));
    const size = encoded.reduce((longest, bytes) => Math.max(longest, bytes.length), 1);
    const object = absolute(path);
    const data = new Uint8Array(size * values.length);
    for (const [i, bytes] of encoded.entries()) data.set(bytes, i * size);
    callHdf5("write", this.#where(object), (h5) => {
      const pointer = transferBuffer(data.length, this.#where(object));
      h5.HEAPU8.set(data, pointer);
      return h5.create_dataset(this.#open(), object, BigInt(pointer), writeMetadata(`S${size}`, [values.length]));
    });
  }

  /** Hands what was written to the operating system: after it a killed process leaves a file that opens. */
  flush(): void {
    callHdf5("write", this.path, (h5) => h5.flush(this.#open()));
  }

  /**
   * Closes the file; harmless when closed already.
   * @throws DataError where the last data cannot be written (full disk)
   */
  close(): void {
    const id = this.#id;
    if (id === undefined) return;
    this.#id = undefined;
    callHdf5("close the file", this.path, (h5) => h5.close_file(id));
  }

  #attributeMetadata(path: string, name: string): Metadata | undefined {
    const object = absolute(path);
    if (!this.has(object)) return undefined;
    const id = this.#open();
    const metadata = callHdf5("read attributes", this.#where(object), (h5) =>
      h5.get_attribute_names(id, object).includes(name) ? h5.get_attribute_metadata(id, object, name) : undefined,
    );
    return metadata?.shape !== null && metadata?.total_size === 1 ? metadata : undefined;
  }

  #open(): bigint {
    if (this.#id === undefined) throw new Error(`${this.path} is closed`);
    return this.#id;
  }

  #where(object: string): string {
    return `${this.path}, ${object}`;
  }

  #typeOf(object: string): "group" | "dataset" | undefined {
    return callHdf5("look up", this.#where(object), (h5) => {
      const type = h5.get_type(this.#open(), object);
      return type === h5.H5G_GROUP ? "group" : type === h5.H5G_DATASET ? "dataset" : undefined;
    });
  }
}

function absolute(path: string): string {
  return `/${path.split("/").filter(Boolean).join("/")}`;
}

function encodeAttribute(value: string | number | bigint | Uint8Array): { bytes: Uint8Array; dtype: WritableType } {
  if (typeof value === "bigint") return { bytes: new Uint8Array(BigInt64Array.of(value).buffer), dtype: "<i8" };
  if (typeof value === "number") return { bytes: new Uint8Array(Float64Array.of(value).buffer), dtype: "<f8" };
  // HDF5 has no strings of length 0: an empty one is a NUL.
  const bytes = typeof value === "string" ? Buffer.from(value === "" ? "\0" : value, "utf8") : value;
  return { bytes, dtype: `S${bytes.length}` };
}

/** @param complaint HDF5's, for instance `truncated file: eof = 90, sblock->base_addr = 0, stored_eof = 100` */
function unreadable(path: string, complaint: string): DataError {
  const [, present, wanted] = /truncated file: eof = (\d+),.* stored_eof = (\d+)/.exec(complaint) ?? [];
  if (present !== undefined) {
    const fix = "copy or make it again: its end is missing";
    return new DataError(`the file is cut off: ${present} of ${wanted} bytes are there`, { where: path, fix });
  }
  const fix = "check that it is a complete HDF5 file";
  return new DataError(`cannot open the file: ${complaint}`, { where: path, fix });
}

/** The file's id, or HDF5's complaint. */
function openedId(library: Hdf5Library, path: string, mode: number): bigint | string {
  let id = -1n;
  const complaint = complaintsOf(() => {
    id = library.open(path, mode, false, -1, -1);
  });
  return id < 0n ? complaint : id;
}

/** Tells the plain mistakes apart before HDF5 does with its own words. */
function checkReadable(path: string): void {
  if (!existsSync(path)) throw new DataError(`no such file: ${path}`, { fix: "check the path" });
  const status = statSync(path);
  if (status.isDirectory()) throw new DataError(`a folder, not a file: ${path}`, { fix: "give the HDF5 file's path" });
  if (status.size === 0) throw new DataError(`the file is empty: ${path}`, { fix: "make or copy it again" });
  if (hasSignature(path, status.size)) return;
  throw new DataError(`not an HDF5 file: ${path}`, {
    fix: "give a file in HDF5 format (for instance one that pandas' to_hdf wrote)",
  });
}

function hasSignature(path: string, size: number): boolean {
  const descriptor = openForReading(path);
  try {
    return hasHdf5Signature(descriptor, size);
  } finally {
    closeSync(descriptor);
  }
}

function openForReading(path: string): number {
  try {
    return openSync(path, "r");
  } catch (error) {
    throw new DataError(`cannot read the file: ${path}`, { fix: "check its permissions", cause: error });
  }
}
