import { readFileSync } from "node:fs";
import { CheckpointError } from "../errors.ts";
import { writeFileAtomic } from "./atomic-file.ts";
import { type HalfType, widenHalves } from "./half-floats.ts";
import { readSafetensorsHeader } from "./safetensors-header.ts";
import { elementCount } from "./strided.ts";

/** The array types that this reader and writer know, by safetensors' names. */
const arrayTypes = {
  F64: Float64Array,
  F32: Float32Array,
  I64: BigInt64Array,
  I32: Int32Array,
  I16: Int16Array,
  I8: Int8Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const;
export type SafetensorsType = keyof typeof arrayTypes;
/** Types that are read as F32, without loss. */
const halfTypes: ReadonlySet<string> = new Set<HalfType>(["F16", "BF16"]);
export type TensorData = InstanceType<(typeof arrayTypes)[SafetensorsType]>;

/** One array of a file. Row-major; `data` is of the typed array that belongs to `dtype`. */
export interface NamedTensor {
  readonly dtype: SafetensorsType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** What a file holds: the arrays in the order of their names, and its `__metadata__`. */
export interface SafetensorsContent {
  readonly tensors: Map<string, NamedTensor>;
  readonly metadata: Record<string, string>;
}

/** What to do with weights that another program saved. */
export const foreignWeightsFix =
  "weights of other programs (.pth, safetensors, an index of shards) come in with: astrochem import-weights";

/** NumPy has no more axes, and error messages show shapes whole. */
const mostAxes = 64;

/** @throws CheckpointError where the file is absent, cut off or not well-formed, naming the array */
export function readSafetensors(path: string): SafetensorsContent {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw new CheckpointError(
      missing ? `there is no weights file ${path}` : `cannot read ${path}: ${(cause as Error).message}`,
      {
        where: path,
        fix: missing
          ? "train it (astrochem train-autoencoder, astrochem train-emulator) or correct the path"
          : "give a safetensors file that can be read",
        cause,
      },
    );
  }
  return decodeSafetensors(bytes, path);
}

/**
 * Decodes a file held in memory. Nothing in it is trusted: lengths, offsets, shapes and types are checked against each other.
 * @param where  names the file in errors
 * @throws CheckpointError
 */
export function decodeSafetensors(bytes: Uint8Array, where: string): SafetensorsContent {
  const { entries, start } = readSafetensorsHeader(bytes, (what, cause) => damaged(where, what, cause));
  const metadata: Record<string, string> = {};
  const tensors = new Map<string, NamedTensor>();
  const spans: { name: string; from: number; to: number }[] = [];
  for (const [name, entry] of Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (name === "__metadata__") {
      for (const [key, value] of Object.entries(plainObject(entry, where, name))) {
        if (typeof value !== "string") throw damaged(where, `the metadata entry ${key} is not a string`);
        Object.defineProperty(metadata, key, { value, enumerable: true, configurable: true, writable: true });
      }
      continue;
    }
    const { tensor, from, to } = readTensor(bytes, start, name, plainObject(entry, where, name), where);
    tensors.set(name, tensor);
    spans.push({ name, from, to });
  }
  checkSpans(spans, bytes.byteLength - start, where);
  return { tensors, metadata };
}

/**
 * The parts of a file, to be written one after the other: arrays in the order of their names, so that equal content
 * makes equal bytes. They are views of the arrays, not copies.
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, NamedTensor>,
  metadata: Record<string, string> = {},
): Uint8Array[] {
  // Without a prototype, or an array named __proto__ would be lost.
  const header: Record<string, unknown> = Object.create(null);
  header.__metadata__ = metadata;
  const parts: Uint8Array[] = [];
  let offset = 0;
  // Widest types first, as Python's writer does: every array is aligned then.
  const width = ({ data }: NamedTensor): number => data.BYTES_PER_ELEMENT;
  const ordered = [...tensors].sort(([a, x], [b, y]) => width(y) - width(x) || (a < b ? -1 : 1));
  for (const [name, tensor] of ordered) {
    checkWritable(name, tensor);
    const { dtype, shape, data } = tensor;
    header[name] = { dtype, shape, data_offsets: [offset, offset + data.byteLength] };
    parts.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    offset += data.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.alloc(Math.ceil(json.length / 8) * 8, " ");
  json.copy(padded);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return [length, padded, ...parts];
}

/** Writes a file whole: temporary name, sync, rename. @throws DataError where it cannot be written */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, NamedTensor>,
  metadata: Record<string, string> = {},
): void {
  writeFileAtomic(path, encodeSafetensors(tensors, metadata));
}

/** What the reader would refuse, or read as something else, is a bug of the caller's. */
function checkWritable(name: string, { dtype, shape, data }: NamedTensor): void {
  if (name === "__metadata__") throw new RangeError("no array can be named __metadata__");
  if (!(data instanceof arrayTypes[dtype])) throw new RangeError(`array ${name} does not hold ${dtype}`);
  if (elementCount(shape) !== data.length) {
    throw new RangeError(`array ${name} of shape [${shape.join(", ")}] does not have ${data.length} elements`);
  }
}

function readTensor(
  bytes: Uint8Array,
  start: number,
  name: string,
  entry: Record<string, unknown>,
  where: string,
): { tensor: NamedTensor; from: number; to: number } {
  const { dtype, shape, data_offsets: offsets } = entry;
  const isHalf = halfTypes.has(dtype as string);
  if (typeof dtype !== "string" || !(isHalf || Object.hasOwn(arrayTypes, dtype))) {
    throw new CheckpointError(`${where}: array ${name} has the type ${String(dtype)}, which is not supported`, {
      where: `${where}, array ${name}`,
      fix: `save it as F32; supported are ${[...Object.keys(arrayTypes), ...halfTypes].join(", ")}`,
    });
  }
  if (Array.isArray(shape) && shape.length > mostAxes) throw damaged(where, `array ${name} has ${shape.length} axes`);
  if (!isCounts(shape)) throw damaged(where, `array ${name} has the shape ${JSON.stringify(shape)}`);
  if (!isCounts(offsets) || offsets.length !== 2) throw damaged(where, `array ${name} has no proper data_offsets`);
  const [from, to] = offsets as [number, number];
  const Type = isHalf ? Uint16Array : arrayTypes[dtype as SafetensorsType];
  const count = elementCount(shape);
  const wanted = count * Type.BYTES_PER_ELEMENT;
  if (to - from !== wanted) {
    throw damaged(where, `array ${name} of shape [${shape.join(", ")}] needs ${wanted} bytes, not ${to - from}`);
  }
  if (start + to > bytes.byteLength) throw damaged(where, `array ${name} ends beyond the file: it is cut off`);
  const data = new Type(count);
  // Copied, for the offset in the file need not be aligned; and not by `slice`, which gives a view where `bytes` is a Buffer.
  new Uint8Array(data.buffer).set(bytes.subarray(start + from, start + to));
  const tensor: NamedTensor =
    data instanceof Uint16Array
      ? { dtype: "F32", shape, data: widenHalves(data, dtype as HalfType) }
      : { dtype: dtype as SafetensorsType, shape, data };
  return { tensor, from, to };
}

/** The arrays must cover the data without gap or overlap, as the specification demands. */
function checkSpans(spans: { name: string; from: number; to: number }[], length: number, where: string): void {
  let end = 0;
  for (const { name, from, to } of spans.sort((a, b) => a.from - b.from || a.to - b.to)) {
    if (from < end) throw damaged(where, `array ${name} overlaps the one before it`);
    if (from > end) throw damaged(where, `there is a gap of ${from - end} bytes before array ${name}`);
    end = to;
  }
  if (end !== length) throw damaged(where, `${length - end} bytes follow the last array`);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((count) => Number.isSafeInteger(count) && count >= 0);
}

function plainObject(value: unknown, where: string, name: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw damaged(where, `${name} is not an object`);
}

function damaged(where: string, what: string, cause?: unknown): CheckpointError {
  return new CheckpointError(`${where} is not a whole safetensors file: ${what}`, {
    where,
    fix: `copy or make the file again; ${foreignWeightsFix}`,
    cause,
  });
}
