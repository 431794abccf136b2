import { readFileSync } from "node:fs";
import { CheckpointError } from "../errors.ts";
import { unpickle } from "./pickle.ts";
import { PickledGlobal, type PickleFactory } from "./pickle-machine.ts";
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
} as const satisfies Record<string, readonly [NamedTensor["dtype"], unknown]>;

const refusedStorages: Record<string, string> = {
  HalfStorage: "float16",
  BFloat16Storage: "bfloat16",
  ComplexFloatStorage: "complex64",
  ComplexDoubleStorage: "complex128",
};

/** The bytes behind one or more tensors, as numbers. */
class Storage {
  readonly dtype: NamedTensor["dtype"];
  readonly data: NumberArray;
  constructor(dtype: NamedTensor["dtype"], data: NumberArray) {
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

/**
 * Reads a `state_dict` that PyTorch saved (`torch.save`, the zip format of version 1.6 and later), every tensor
 * row-major. No code from the file is run: see `unpickle`.
 * @throws CheckpointError where the file is absent, damaged, of another format, or asks for anything but tensors
 */
export function readPth(path: string): Map<string, NamedTensor> {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw new CheckpointError(
      missing ? `there is no file ${path}` : `cannot read ${path}: ${(cause as Error).message}`,
      { where: path, fix: missing ? "correct the path" : "give a file that can be read", cause },
    );
  }
  return decodePth(bytes, path);
}

/** `readPth` for a file in memory; `where` names it in errors. */
export function decodePth(bytes: Uint8Array, where: string): Map<string, NamedTensor> {
  checkMagic(bytes, where);
  const entries = readZip(bytes, where);
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
    persistentLoad: storageLoader(entries, folder, order !== undefined && Buffer.from(order).toString() === "big"),
    where: `${where}, ${program}`,
  });
  return stateDict(value, where);
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
      if (seen.dtype !== dtype) throw fail(`the storage ${key} has two types`);
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
    const storage = new Storage(dtype, new Type(bytes.buffer));
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

/** What was pickled must be tensors by name; anything else is more than a state_dict. */
function stateDict(value: unknown, where: string): Map<string, NamedTensor> {
  const fix = "save the weights alone: torch.save(model.state_dict(), path)";
  if (!(value instanceof Map)) throw new CheckpointError("the file does not hold a state_dict", { where, fix });
  const tensors = new Map<string, NamedTensor>();
  for (const [name, tensor] of value as Map<unknown, unknown>) {
    if (typeof name !== "string" || !(tensor instanceof Tensor)) {
      throw new CheckpointError(
        `the file holds more than a state_dict: ${typeof name === "string" ? name : "a key"} is not a tensor`,
        { where, fix },
      );
    }
    tensors.set(name, { dtype: tensor.dtype, shape: tensor.shape, data: tensor.data });
  }
  return tensors;
}
