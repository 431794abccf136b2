import { readFileSync } from "node:fs";
import { CheckpointError } from "../errors.ts";
import { type HalfType, widenHalves } from "./half-floats.ts";
import { unpickle } from "./pickle.ts";
import { PickledGlobal, PickledUnknown, type PickleFactory } from "./pickle-machine.ts";
import { notTensors, refusePrograms } from "./pytorch-refusals.ts";
import type { NamedTensor } from "./safetensors.ts";
import { elementCount, gather, type NumberArray, swapBytes } from "./strided.ts";
import { readZip, type ZipEntry } from "./zip.ts";

type Fail = (what: string) => Error;

/** PyTorch's names for storages and the types they become. */
const storageTypes = {
  FloatStorage: ["F32", Float32Array],
  DoubleStorage: ["F64", Float64Array],
  LongStorage: ["I64", BigInt64Array],
  IntStorage: ["I32", Int32Array],
  ShortStorage: ["I16", Int16Array],
  CharStorage: ["I8", Int8Array],
  ByteStorage: ["U8", Uint8Array],
  BoolStorage: ["BOOL", Uint8Array],
  HalfStorage: ["F16", Uint16Array],
  BFloat16Storage: ["BF16", Uint16Array],
} as const satisfies Record<string, readonly [NamedTensor["dtype"] | "F16" | "BF16", unknown]>;

const refusedStorages: Record<string, string> = {
  ComplexFloatStorage: "complex64",
  ComplexDoubleStorage: "complex128",
};

/** The bytes behind one or more tensors, as numbers. */
class Storage {
  /** PyTorch's name. */
  readonly type: string;
  readonly dtype: NamedTensor["dtype"];
  readonly data: NumberArray;
  constructor(type: string, dtype: NamedTensor["dtype"], data: NumberArray) {
    this.type = type;
    this.dtype = dtype;
    this.data = data;
  }
}

class Tensor implements NamedTensor {
  readonly dtype: NamedTensor["dtype"];
  readonly shape: readonly number[];
  readonly data: NumberArray;
  constructor(dtype: NamedTensor["dtype"], shape: readonly number[], data: NumberArray) {
    this.dtype = dtype;
    this.shape = shape;
    this.data = data;
  }
}

/** An expanded tensor (stride 0) can be any number of times greater than the file; a real one is not. */
const greatestExpansion = 16;

/** The state_dicts in a file by the place where they stand: "" for the file itself, `state_dict`, `model.encoder`. Those of the least depth are first. */
export type StateDicts = ReadonlyMap<string, Map<string, NamedTensor>>;

/**
 * Reads the one `state_dict` that PyTorch saved (`torch.save`, the zip format of version 1.6 and later), or the one in a checkpoint,
 * every tensor row-major, half precision widened. No code from the file is run: see `unpickle`.
 * @throws CheckpointError where the file is absent, damaged, of another format, or holds none or several
 */
export function readPth(path: string): Map<string, NamedTensor> {
  return decodePth(readBytes(path), path);
}

/** The bytes of a file of weights. @throws CheckpointError where it is absent or cannot be read */
export function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw new CheckpointError(
      missing ? `there is no file ${path}` : `cannot read ${path}: ${(cause as Error).message}`,
      { where: path, fix: missing ? "correct the path" : "give a file that can be read", cause },
    );
  }
}

/** `readPth` for a file in memory; `where` names it in errors. */
export function decodePth(bytes: Uint8Array, where: string): Map<string, NamedTensor> {
  const dicts = decodeStateDicts(bytes, where);
  const depth = (place: string): number => (place === "" ? 0 : place.split(".").length);
  const [[first, tensors], second] = [...dicts] as [[string, Map<string, NamedTensor>], [string, unknown]?];
  if (second === undefined || depth(first) < depth(second[0])) return tensors;
  throw severalStateDicts([...dicts.keys()], where);
}

/** @param places  of those that may be meant */
export function severalStateDicts(places: readonly string[], where: string): CheckpointError {
  const keys = places[0]!.split(".").map((key) => `[${JSON.stringify(key)}]`);
  return new CheckpointError(`the file holds several state_dicts: ${places.join(", ")}`, {
    where,
    fix: `in Python, save the one that is meant: torch.save(torch.load(${JSON.stringify(where)}, map_location="cpu")${keys.join("")}, "weights.pth")`,
  });
}

/** All the state_dicts of a file in memory, at least one. @throws CheckpointError as `readPth` */
export function decodeStateDicts(bytes: Uint8Array, where: string): StateDicts {
  checkMagic(bytes, where);
  const entries = readZip(bytes, where);
  refusePrograms(entries, where);
  const program = [...entries.keys()].find((name) => /^[^/]*\/data\.pkl$/.test(name));
  if (program === undefined) {
    throw new CheckpointError("the zip archive does not hold data.pkl, as PyTorch's files do", {
      where,
      fix: "give a file that torch.save(model.state_dict(), path) wrote",
    });
  }
  const folder = program.slice(0, -"data.pkl".length);
  const order = entries.get(`${folder}byteorder`)?.read();
  const value = unpickle(entries.get(program)!.read(), {
    globals: torchGlobals(1_000_000 + greatestExpansion * bytes.length),
    keepsUnknown: true,
    persistentLoad: storageLoader(entries, folder, order !== undefined && Buffer.from(order).toString() === "big"),
    where: `${where}, ${program}`,
  });
  return stateDicts(value, where);
}

/** PyTorch's older format is a bare sequence of pickles, the first of which is a magic number. */
function checkMagic(bytes: Uint8Array, where: string): void {
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) return; // PK
  if (bytes[0] === 0x80 && bytes[1]! <= 5) {
    throw new CheckpointError("the file is in PyTorch's old format, from before version 1.6, which is not read", {
      where,
      fix: 'save it again in Python: torch.save(torch.load("old.pth", map_location="cpu"), "new.pth")',
    });
  }
  throw new CheckpointError("the file is not one that PyTorch saved (it is not a zip archive)", {
    where,
    fix: "give a file that torch.save(model.state_dict(), path) wrote",
  });
}

/** All that a state_dict may ask for. `budget` is the number of elements that all its tensors may have together. */
function torchGlobals(budget: number): ReadonlyMap<string, PickleFactory> {
  let left = budget;
  const globals = new Map<string, PickleFactory>([
    ["collections OrderedDict", orderedDict],
    [
      "torch._utils _rebuild_tensor_v2",
      (args, fail) => {
        const tensor = rebuildTensor(args, left, fail);
        left -= tensor.data.length;
        return tensor;
      },
    ],
    [
      "torch._utils _rebuild_parameter",
      ([tensor], fail) => {
        if (!(tensor instanceof Tensor)) throw fail("a parameter is not a tensor");
        return tensor;
      },
    ],
  ]);
  for (const name of [...Object.keys(storageTypes), ...Object.keys(refusedStorages)]) {
    globals.set(`torch ${name}`, (_, fail) => {
      throw fail(`the pickle calls ${name}`);
    });
  }
  return globals;
}

const orderedDict: PickleFactory = (args, fail) => {
  const items = args[0] ?? [];
  if (!Array.isArray(items)) throw fail("an OrderedDict is damaged");
  const map = new Map<unknown, unknown>();
  for (const pair of items as unknown[]) {
    if (!Array.isArray(pair) || pair.length !== 2) throw fail("an OrderedDict is damaged");
    map.set(pair[0], pair[1]);
  }
  return map;
};

/** Reads the storages that the pickle refers to, each once. */
function storageLoader(entries: ReadonlyMap<string, ZipEntry>, folder: string, bigEndian: boolean) {
  const loaded = new Map<string, Storage>();
  return (id: unknown, fail: Fail): Storage => {
    if (!Array.isArray(id) || id[0] !== "storage" || !(id[1] instanceof PickledGlobal) || typeof id[2] !== "string") {
      throw fail("the pickle refers to something that is not a storage");
    }
    const [, type, key, , length] = id as [string, PickledGlobal, string, unknown, unknown];
    const name = type.key.replace(/^torch /, "");
    if (Object.hasOwn(refusedStorages, name)) {
      throw fail(
        `the tensors are ${refusedStorages[name]}, which is not read; ` +
          "in Python, save them as float32: {name: tensor.float() for name, tensor in state_dict.items()}",
      );
    }
    if (!Object.hasOwn(storageTypes, name)) throw fail(`${name} is not a type of storage`);
    const [dtype, Type] = storageTypes[name as keyof typeof storageTypes];
    const seen = loaded.get(key);
    if (seen !== undefined) {
      if (seen.type !== name) throw fail(`the storage ${key} has two types`);
      return seen;
    }
    const entry = entries.get(`${folder}data/${key}`);
    if (entry === undefined) throw fail(`the file lacks the storage data/${key}`);
    // A copy: in the archive the numbers need not be aligned, and they are swapped in place.
    const bytes = new Uint8Array(entry.read());
    if (!isIndex(length)) throw fail(`the length of the storage data/${key} is not a number`);
    if (bytes.length !== length * Type.BYTES_PER_ELEMENT) {
      throw fail(`the storage data/${key} holds ${bytes.length} bytes in place of ${length} numbers (${dtype})`);
    }
    if (bigEndian) swapBytes(bytes, Type.BYTES_PER_ELEMENT);
    const data = new Type(bytes.buffer);
    const storage =
      data instanceof Uint16Array
        ? new Storage(name, "F32", widenHalves(data, dtype as HalfType))
        : new Storage(name, dtype as NamedTensor["dtype"], data);
    loaded.set(key, storage);
    return storage;
  };
}

function rebuildTensor(args: readonly unknown[], budget: number, fail: Fail): Tensor {
  const [storage, offset, shape, strides] = args;
  if (!(storage instanceof Storage)) throw fail("a tensor has no storage");
  if (!isIndex(offset) || !isShape(shape) || !isShape(strides) || shape.length !== strides.length) {
    throw fail("a tensor's shape is damaged");
  }
  const count = elementCount(shape);
  if (count > budget) throw fail(`a tensor of shape [${shape.join(", ")}] is far greater than the file`);
  const last = count === 0 ? 0 : shape.reduce((at, length, axis) => at + (length - 1) * strides[axis]!, offset) + 1;
  if (!(last <= storage.data.length)) {
    throw fail(`a tensor of shape [${shape.join(", ")}] needs ${last} numbers; its storage has ${storage.data.length}`);
  }
  return new Tensor(storage.dtype, [...shape], gather(storage.data, shape, strides, count === 0 ? 0 : offset));
}

function isIndex(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isShape(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= 64 && value.every(isIndex);
}

/** How deep a checkpoint may nest its state_dicts. */
const deepestState = 4;

/** What was pickled holds tensors by name: itself, or in dictionaries of it. */
function stateDicts(value: unknown, where: string): StateDicts {
  const found = new Map<string, Map<string, NamedTensor>>();
  const seen = new Set<unknown>();
  let level: [place: string, value: unknown][] = [["", value]];
  for (let depth = 0; depth <= deepestState && level.length > 0; depth++) {
    const next: [string, unknown][] = [];
    for (const [place, dict] of level) {
      if (!(dict instanceof Map) || dict.size === 0 || seen.has(dict)) continue;
      seen.add(dict);
      const entries = [...(dict as Map<unknown, unknown>)];
      if (entries.every(([name, tensor]) => typeof name === "string" && tensor instanceof Tensor)) {
        found.set(place, new Map(entries.map(([name, tensor]) => [name as string, plain(tensor as Tensor)])));
      } else {
        for (const [name, below] of entries) {
          if (typeof name === "string") next.push([place === "" ? name : `${place}.${name}`, below]);
        }
      }
    }
    level = next;
  }
  if (found.size === 0) throw withoutStateDict(value, where);
  return found;
}

function plain({ dtype, shape, data }: Tensor): NamedTensor {
  return { dtype, shape, data };
}

/** Says what the file holds in place of a state_dict: the first thing of it that is not a tensor. */
function withoutStateDict(value: unknown, where: string): CheckpointError {
  const entries = value instanceof Map ? [...(value as Map<unknown, unknown>)] : [];
  const others = entries.filter(([name, tensor]) => typeof name !== "string" || !(tensor instanceof Tensor));
  const [name, other] = others.find(([, each]) => each instanceof PickledUnknown) ?? others[0] ?? ["", value];
  return notTensors(other, typeof name === "string" ? name : "a key", where);
}
