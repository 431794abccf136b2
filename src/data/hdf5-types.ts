import type { Metadata } from "h5wasm/node";

/** Every typed array a numeric dataset can be seen as. */
export type NumericArray =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

/** The element types this project writes; `S<n>` are fixed strings of n bytes. */
export type WritableType = "<f4" | "<f8" | "<i4" | "<i8" | `S${number}`;

/** A field of a compound dataset (a PyTables table). */
export interface Hdf5Member {
  name: string;
  /** Byte offset within the row. */
  offset: number;
  /** Bytes of the whole field. */
  size: number;
  /** NumPy's name of the element type: `<f4`, `|S8`, `unsupported`. */
  dtype: string;
  /** Elements in the field: 1, or the length of an array field. */
  length: number;
}

/** HDF5's type classes (H5T_class_t). */
const INTEGER = 0;
const FLOAT = 1;
const STRING = 3;
/** What PyTables makes of booleans: one byte, 0 or 1. */
const BITFIELD = 4;
const COMPOUND = 6;
const ENUM = 8;
const VLEN = 9;
const ARRAY = 10;

/** NumPy's name of an HDF5 type; `vlen`, `compound` and `unsupported` where there is none. */
export function dtypeOf(metadata: Metadata): string {
  const order = metadata.size === 1 ? "|" : metadata.littleEndian ? "<" : ">";
  switch (metadata.type) {
    case FLOAT:
      return metadata.size === 4 || metadata.size === 8 ? `${order}f${metadata.size}` : "unsupported";
    case INTEGER:
    case ENUM:
      return `${order}${metadata.signed ? "i" : "u"}${metadata.size}`;
    case BITFIELD:
      return `${order}b${metadata.size}`;
    case STRING:
      return metadata.vlen ? "string" : `|S${metadata.size}`;
    case COMPOUND:
      return "compound";
    case VLEN:
      return "vlen";
    default:
      return "unsupported";
  }
}

/** The fields of a compound type, in file order; undefined for every other type. */
export function membersOf(metadata: Metadata): Hdf5Member[] | undefined {
  return metadata.compound_type?.members.map((member) => {
    const element = member.type === ARRAY && member.array_type !== undefined ? member.array_type : member;
    const length = (member.type === ARRAY ? (member.array_type?.shape ?? []) : []).reduce((a, b) => a * b, 1);
    return { name: member.name, offset: member.offset, size: member.size, dtype: dtypeOf(element), length };
  });
}

/** What the library wants to know to create a dataset or attribute. `shape` is fixed: no dimension can grow. */
export function writeMetadata(dtype: WritableType, shape: readonly number[], chunks?: number[], compression = 0) {
  const dimensions = shape.map(BigInt);
  return {
    type: dtype.startsWith("S") ? STRING : dtype.startsWith("<f") ? FLOAT : INTEGER,
    size: Number(dtype.replace(/^\D+/, "")),
    signed: dtype.startsWith("<i"),
    littleEndian: true,
    vlen: false,
    // PyTables knows only strings marked as ASCII; the bytes are UTF-8 all the same, as pandas writes them.
    cset: 0,
    shape: dimensions,
    maxshape: dimensions,
    total_size: shape.reduce((a, b) => a * b, 1),
    chunks: chunks ?? null,
    compression: compression > 0 ? 1 : 0,
    compression_opts: compression > 0 ? [compression] : [],
    track_order: false,
  };
}

/** The elements of a numeric type as a typed array over `buffer`; undefined for a type that is not numeric. */
export function viewAs(
  dtype: string,
  buffer: ArrayBufferLike,
  byteOffset: number,
  length: number,
): NumericArray | undefined {
  switch (dtype.slice(1)) {
    case "f4":
      return new Float32Array(buffer, byteOffset, length);
    case "f8":
      return new Float64Array(buffer, byteOffset, length);
    case "i8":
      return new BigInt64Array(buffer, byteOffset, length);
    case "u8":
      return new BigUint64Array(buffer, byteOffset, length);
    case "i4":
      return new Int32Array(buffer, byteOffset, length);
    case "u4":
      return new Uint32Array(buffer, byteOffset, length);
    case "i2":
      return new Int16Array(buffer, byteOffset, length);
    case "u2":
      return new Uint16Array(buffer, byteOffset, length);
    case "i1":
      return new Int8Array(buffer, byteOffset, length);
    case "u1":
      return new Uint8Array(buffer, byteOffset, length);
    default:
      return undefined;
  }
}

/** Whether an array's elements are of a numeric type, given by NumPy's name; the order of the bytes aside. */
export function isOfType(array: NumericArray, dtype: string): boolean {
  return viewAs(dtype, new ArrayBuffer(0), 0, 0)?.constructor === array.constructor;
}

/**
 * Copies numbers into `target` with the conversion its type asks for: rounding to float32, integers to floats.
 * Integers beyond 2^53 lose their last digits in a float.
 */
export function copyConverted(source: NumericArray, target: NumericArray, targetOffset: number): void {
  const sourceIsBig = source instanceof BigInt64Array || source instanceof BigUint64Array;
  const targetIsBig = target instanceof BigInt64Array || target instanceof BigUint64Array;
  if (sourceIsBig && targetIsBig) target.set(source, targetOffset);
  else if (!sourceIsBig && !targetIsBig) target.set(source, targetOffset);
  else if (targetIsBig) for (let i = 0; i < source.length; i++) target[targetOffset + i] = BigInt(source[i]!);
  else for (let i = 0; i < source.length; i++) target[targetOffset + i] = Number(source[i]);
}

/** Text of a fixed-length string field: UTF-8 up to the first NUL. */
export function decodeText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString("utf8");
}
