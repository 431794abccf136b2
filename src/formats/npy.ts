import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { endianness } from "node:os";
import { DataError } from "../errors.ts";
import { writeFileAtomic } from "./atomic-file.ts";
import { parseNpyHeader } from "./npy-header.ts";
import { npySignature } from "./signatures.ts";
import { type AnyNumberArray, columnMajorStrides, elementCount, gather, swapBytes } from "./strided.ts";

/** The element types that are read, by NumPy's letter and width. Booleans become 0 and 1 in a Uint8Array. */
const arrayTypes = {
  f8: Float64Array,
  f4: Float32Array,
  i8: BigInt64Array,
  i4: Int32Array,
  i2: Int16Array,
  i1: Int8Array,
  u8: BigUint64Array,
  u4: Uint32Array,
  u2: Uint16Array,
  u1: Uint8Array,
  b1: Uint8Array,
} as const;

export type NpyType = keyof typeof arrayTypes;

/** An array of a file, in row-major order and the machine's byte order whatever the file's were. */
export interface NpyArray {
  readonly shape: number[];
  readonly data: AnyNumberArray;
  readonly dtype: NpyType;
}

const longestHeader = 65_536;
const machineOrder = endianness() === "LE" ? "<" : ">";
/** Node reads and writes at most 2 GiB in one call. */
const chunkBytes = 2 ** 30;
/** What `forNpyBlocks` holds at once. */
const blockBytes = 2 ** 23;

/**
 * Reads an array that NumPy wrote (`numpy.save`), format versions 1 to 3.
 * @throws DataError naming the file where it is absent, cut off, not well-formed or of a type that is not read
 */
export function readNpy(path: string): NpyArray {
  return reading(path, () => {
    const descriptor = openSync(path, "r");
    try {
      return readFrom(descriptor, path);
    } finally {
      closeSync(descriptor);
    }
  });
}

/** What the head of a .npy file says, and where the numbers are. */
export interface NpyHeader {
  readonly shape: number[];
  readonly dtype: NpyType;
  readonly isBigEndian: boolean;
  readonly fortranOrder: boolean;
  /** Numbers in the array. */
  readonly count: number;
  /** Offset of the first one. */
  readonly dataStart: number;
}

/** Reads the head alone, checked against the file's size. @throws DataError as `readNpy` */
export function readNpyHeader(path: string): NpyHeader {
  return reading(path, () => {
    const descriptor = openSync(path, "r");
    try {
      return headerOf(descriptor, path);
    } finally {
      closeSync(descriptor);
    }
  });
}

/**
 * Passes the numbers on in the file's order, in blocks, for arrays of any size.
 * @param each gets views that are valid until it returns
 */
export function forNpyBlocks(path: string, header: NpyHeader, each: (values: AnyNumberArray) => void): void {
  const { dtype, count, dataStart, isBigEndian } = header;
  const Type = arrayTypes[dtype];
  const size = Type.BYTES_PER_ELEMENT;
  reading(path, () => {
    const descriptor = openSync(path, "r");
    try {
      const block = new Type(Math.min(count, blockBytes / size));
      for (let done = 0; done < count; done += block.length) {
        const values = block.subarray(0, Math.min(block.length, count - done));
        const bytes = new Uint8Array(values.buffer, 0, values.length * size);
        fill(descriptor, dataStart + done * size, bytes, path);
        if (isBigEndian !== (machineOrder === ">")) swapBytes(bytes, size);
        each(values);
      }
    } finally {
      closeSync(descriptor);
    }
  });
}

function readFrom(descriptor: number, path: string): NpyArray {
  const { shape, dtype, isBigEndian, fortranOrder, count, dataStart } = headerOf(descriptor, path);
  const Type = arrayTypes[dtype];
  const data = allocate(Type, count, path);
  const bytes = new Uint8Array(data.buffer);
  fill(descriptor, dataStart, bytes, path);
  if (isBigEndian !== (machineOrder === ">")) swapBytes(bytes, Type.BYTES_PER_ELEMENT);
  const fortran = fortranOrder && shape.length > 1;
  return { shape, dtype, data: fortran ? gather(data, shape, columnMajorStrides(shape)) : data };
}

function headerOf(descriptor: number, path: string): NpyHeader {
  const { size } = fstatSync(descriptor);
  const start = readExactly(descriptor, 0, Math.min(12, size));
  if (start.length < 10 || !start.subarray(0, 6).equals(npySignature)) {
    throw new DataError(`${path} is not a NumPy array file (its first bytes are not those of .npy)`, {
      where: path,
      fix: "give a file that numpy.save wrote",
    });
  }
  const version = start[6]!;
  if (version < 1 || version > 3 || start[7] !== 0) {
    throw new DataError(`${path} has version ${version}.${start[7]} of the .npy format; versions 1.0 to 3.0 are read`, {
      where: path,
      fix: again,
    });
  }
  if (version > 1 && start.length < 12) throw cutOff(path, "the length of its header", size);
  const headerStart = version === 1 ? 10 : 12;
  const headerLength = version === 1 ? start.readUInt16LE(8) : start.readUInt32LE(8);
  if (headerStart + headerLength > size) {
    throw cutOff(path, `its header (${headerLength} bytes)`, size);
  }
  if (headerLength > longestHeader) {
    throw new DataError(
      `${path} says that its header is ${headerLength} bytes long; more than ${longestHeader} is damage`,
      {
        where: path,
        fix: again,
      },
    );
  }
  const text = readExactly(descriptor, headerStart, headerLength).toString(version === 3 ? "utf8" : "latin1");
  const { descr, fortranOrder, shape } = parseNpyHeader(text, path);
  const dtype = elementType(descr, path);
  const dataStart = headerStart + headerLength;
  const Type = arrayTypes[dtype];
  const count = elementCount(shape);
  const expected = count * Type.BYTES_PER_ELEMENT;
  if (expected !== size - dataStart) {
    throw new DataError(
      `${path} should hold ${expected} bytes of numbers (shape [${shape.join(", ")}], type ${descr}), ` +
        `but holds ${size - dataStart}`,
      { where: path, fix: `the file is cut off or damaged: ${again}` },
    );
  }
  const isBigEndian = descr.startsWith(">") || (machineOrder === ">" && /^[=|]/.test(descr));
  return { shape, dtype, isBigEndian, fortranOrder, count, dataStart };
}

/** The allocation itself can fail: a file of many gigabytes fits the disk, not the memory. */
function allocate(Type: new (count: number) => AnyNumberArray, count: number, path: string): AnyNumberArray {
  try {
    return new Type(count);
  } catch (cause) {
    throw new DataError(`${path} holds ${count} numbers, more than fit into memory`, {
      where: path,
      fix: "split the array into several files, or save it with a narrower type",
      cause,
    });
  }
}

/** The element type of NumPy's descriptor, such as `<f4`. */
function elementType(descr: string, path: string): NpyType {
  const type = descr.slice(1);
  if (/^[<>|=]/.test(descr) && Object.hasOwn(arrayTypes, type)) return type as NpyType;
  throw new DataError(`${path} holds numbers of type ${JSON.stringify(descr)}, which is not read`, {
    where: path,
    fix: `save it as one of ${Object.keys(arrayTypes).join(", ")}: numpy.save(path, array.astype("f8"))`,
  });
}

/** An array to write, row-major. */
export interface NpyContent {
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array | Int32Array;
}

/**
 * Writes an array as `numpy.save` does (format version 1, row-major); the file appears whole or not at all.
 * @throws DataError where the file cannot be written
 */
export function writeNpy(path: string, content: NpyContent): void {
  writeFileAtomic(path, encodeNpy(content));
}

/** The parts of a .npy file, to be written one after the other: views of the array, not copies. */
export function encodeNpy({ shape, data }: NpyContent): Uint8Array[] {
  if (elementCount(shape) !== data.length) {
    throw new RangeError(`an array of shape [${shape.join(", ")}] does not have ${data.length} elements`);
  }
  const type = data instanceof Int32Array ? "i4" : data instanceof Float32Array ? "f4" : "f8";
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const dictionary = `{'descr': '${machineOrder}${type}', 'fortran_order': False, 'shape': ${tuple}, }`;
  // The numbers begin at a multiple of 64 bytes, so that they can be mapped into memory.
  const length = Math.ceil((10 + dictionary.length + 1) / 64) * 64 - 10;
  const header = Buffer.alloc(10 + length, " ");
  npySignature.copy(header);
  header[6] = 1;
  header[7] = 0;
  header.writeUInt16LE(length, 8);
  header.write(dictionary, 10, "latin1");
  header[header.length - 1] = 0x0a;
  const parts: Uint8Array[] = [header];
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  for (let from = 0; from < bytes.length; from += chunkBytes) parts.push(bytes.subarray(from, from + chunkBytes));
  return parts;
}

const again = "save the array again with numpy.save, or copy the file anew";

function cutOff(path: string, part: string, size: number): DataError {
  return new DataError(`${path} ends (after ${size} bytes) before the end of ${part}`, { where: path, fix: again });
}

function readExactly(descriptor: number, from: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  const read = length === 0 ? 0 : readSync(descriptor, bytes, 0, length, from);
  return bytes.subarray(0, read);
}

function fill(descriptor: number, from: number, bytes: Uint8Array, path: string): void {
  for (let done = 0; done < bytes.length; ) {
    const read = readSync(descriptor, bytes, done, Math.min(chunkBytes, bytes.length - done), from + done);
    // The size was right a moment ago: somebody is writing to the file.
    if (read === 0) throw cutOff(path, "its numbers", from + done);
    done += read;
  }
}

/** Turns an error of the file system into a DataError. */
function reading<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (error instanceof DataError || code === undefined) throw error;
    throw new DataError(
      code === "ENOENT" ? `there is no file ${path}` : `cannot read ${path}: ${(error as Error).message}`,
      {
        where: path,
        fix: code === "ENOENT" ? "correct the path, or create the file first" : undefined,
        cause: error,
      },
    );
  }
}
