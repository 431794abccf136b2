import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { CheckpointError } from "../errors.ts";
import { readSafetensorsHeader } from "./safetensors-header.ts";

/** An array of a file, of any type that the format knows, without its values. */
export interface IndexedTensor {
  readonly name: string;
  /** By safetensors' name: F32, BF16, I64 … */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Bytes [from, to) of the file. */
  readonly from: number;
  readonly to: number;
}

/** What the head of a safetensors file says. */
export interface SafetensorsIndex {
  /** By name. */
  readonly tensors: readonly IndexedTensor[];
  readonly metadata: Readonly<Record<string, string>>;
}

const longestHeader = 100_000_000;
const blockBytes = 2 ** 23;

/**
 * Reads the head of a safetensors file of any size.
 * @throws CheckpointError where it is absent, damaged, or names bytes that the file does not have
 */
export function readSafetensorsIndex(path: string): SafetensorsIndex {
  return withFile(path, (descriptor) => {
    const { size } = fstatSync(descriptor);
    const length = size < 8 ? 0 : Number(readBytes(descriptor, 0, 8).readBigUInt64LE(0));
    // The header's reader compares what it claims with what follows.
    const head = readBytes(descriptor, 0, Math.min(size, 8 + Math.min(length, longestHeader)));
    const { entries, start } = readSafetensorsHeader(head, (what, cause) => damaged(path, what, cause));
    const metadata: Record<string, string> = {};
    const tensors: IndexedTensor[] = [];
    for (const [name, entry] of Object.entries(entries)) {
      if (typeof entry !== "object" || entry === null) throw damaged(path, `${name} is not an object`);
      if (name !== "__metadata__") tensors.push(indexed(name, entry as Record<string, unknown>, start, size, path));
      else for (const [key, value] of Object.entries(entry)) define(metadata, key, String(value));
    }
    checkOverlaps(tensors, path);
    return { tensors: tensors.sort((a, b) => (a.name < b.name ? -1 : 1)), metadata };
  });
}

/** Passes the numbers of an array on in blocks. @returns false where its type is none that JavaScript has an array for */
export function forTensorBlocks(
  path: string,
  { dtype, from, to }: IndexedTensor,
  each: (values: Float32Array | Float64Array) => void,
): boolean {
  const Type = dtype === "F32" ? Float32Array : dtype === "F64" ? Float64Array : null;
  if (Type === null) return false;
  withFile(path, (descriptor) => {
    for (let at = from; at < to; at += blockBytes) {
      const bytes = new Uint8Array(readBytes(descriptor, at, Math.min(blockBytes, to - at)));
      each(new Type(bytes.buffer));
    }
  });
  return true;
}

function indexed(
  name: string,
  { dtype, shape, data_offsets: offsets }: Record<string, unknown>,
  start: number,
  size: number,
  path: string,
): IndexedTensor {
  if (typeof dtype !== "string") throw damaged(path, `array ${name} has no type`);
  if (!isCounts(shape) || shape.length > 64) throw damaged(path, `array ${name} has no proper shape`);
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) {
    throw damaged(path, `array ${name} has no proper data_offsets`);
  }
  const [from, to] = [start + offsets[0]!, start + offsets[1]!];
  if (to > size) throw damaged(path, `array ${name} ends beyond the file: it is cut off`);
  const width = { F64: 8, F32: 4 }[dtype];
  const count = shape.reduce((a, b) => a * b, 1);
  if (width !== undefined && to - from !== width * count) {
    throw damaged(path, `array ${name} of shape [${shape.join(", ")}] needs ${width * count} bytes, not ${to - from}`);
  }
  return { name, dtype, shape, from, to };
}

/** Arrays that share their bytes could make a small file endless to read. */
function checkOverlaps(tensors: readonly IndexedTensor[], path: string): void {
  let end = 0;
  for (const { name, from, to } of [...tensors].sort((a, b) => a.from - b.from || a.to - b.to)) {
    if (from < end) throw damaged(path, `array ${name} overlaps the one before it`);
    end = to;
  }
}

function withFile<T>(path: string, use: (descriptor: number) => T): T {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, "r");
    return use(descriptor);
  } catch (error) {
    if (error instanceof CheckpointError || (error as NodeJS.ErrnoException).code === undefined) throw error;
    throw new CheckpointError(`cannot read ${path}: ${(error as Error).message}`, { where: path, cause: error });
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** @returns as many bytes as there are, `length` at the most */
function readBytes(descriptor: number, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const read = readSync(descriptor, bytes, done, length - done, at + done);
    if (read === 0) break;
    done += read;
  }
  return bytes.subarray(0, done);
}

/** Metadata may be named __proto__. */
function define(target: Record<string, string>, key: string, value: string): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((count) => Number.isSafeInteger(count) && count >= 0);
}

function damaged(where: string, what: string, cause?: unknown): CheckpointError {
  return new CheckpointError(`${where} is not a whole safetensors file: ${what}`, {
    where,
    fix: "copy or make the file again",
    cause,
  });
}
