import { CheckpointError, DataError } from "../errors.ts";
import {
  PickledGlobal,
  PickledObject,
  type PickleFactory,
  PickleMachine,
  type UnpickleOptions,
} from "./pickle-machine.ts";
import { type Failure, PickleReader } from "./pickle-reader.ts";
import { elementCount } from "./strided.ts";

/**
 * Reads a Python pickle of protocol 0 to 5. Nothing of it is executed: functions and classes come from the list
 * `globals` and from nowhere else. Lists and tuples become arrays, dictionaries Maps, bytes Uint8Arrays (views),
 * None null, whole numbers number or bigint.
 * @throws CheckpointError (or what `failure` makes) where the pickle is damaged or asks for what is not on the list
 */
export function unpickle(bytes: Uint8Array, options: UnpickleOptions): unknown {
  const failure: Failure = options.failure ?? ((what, hint) => new CheckpointError(what, hint));
  return new PickleMachine(new PickleReader(bytes, options.where, failure), options).run();
}

/** Python 3 writes bytes so for protocols 0 to 2. */
export const encodeBytes: PickleFactory = ([text, encoding], fail) => {
  if (typeof text !== "string" || encoding !== "latin1") throw fail("the pickle's bytes are damaged");
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
};

/** NumPy's element type, of which only the code counts: `O8` for objects. Its state is about byte order and padding. */
class PickledDtype extends PickledObject {
  readonly code: string;
  constructor(code: string) {
    super();
    this.code = code;
  }
  override setState(): void {}
}

/** A NumPy array of texts as Python objects. */
class PickledTexts extends PickledObject {
  /** In row-major order, whatever order the array had in memory. */
  items: readonly unknown[] = [];
  override setState(state: unknown, fail: (what: string) => Error): void {
    if (!Array.isArray(state) || state.length !== 5) throw fail("the pickled array is damaged");
    const [, shape, dtype, , content] = state as unknown[];
    if (!Array.isArray(shape) || !shape.every((n) => Number.isSafeInteger(n) && n >= 0) || shape.length > 64) {
      throw fail("the pickled array's shape is damaged");
    }
    if (!(dtype instanceof PickledDtype)) throw fail("the pickled array's type is damaged");
    if (!/^\|?O\d*$/.test(dtype.code)) throw fail(`the pickled array is of type ${dtype.code}, not of texts`);
    const count = elementCount(shape as number[]);
    if (!Array.isArray(content) || content.length !== count) {
      throw fail(`the pickled array does not hold the ${count} texts of its shape`);
    }
    this.items = content;
  }
}

const ndarrayClass: PickleFactory = (_, fail) => {
  throw fail("the pickled array is damaged");
};
const reconstruct: PickleFactory = ([type], fail) => {
  if (!(type instanceof PickledGlobal && type.factory === ndarrayClass)) throw fail("the pickled array is damaged");
  return new PickledTexts();
};
const dtypeClass: PickleFactory = ([code], fail) => {
  if (typeof code !== "string") throw fail("the pickled array's type is damaged");
  return new PickledDtype(code);
};
const textGlobals: ReadonlyMap<string, PickleFactory> = new Map([
  ["numpy.core.multiarray _reconstruct", reconstruct],
  ["numpy._core.multiarray _reconstruct", reconstruct],
  ["numpy ndarray", ndarrayClass],
  ["numpy dtype", dtypeClass],
  ["_codecs encode", encodeBytes],
]);

/**
 * The texts of a pickle as pandas and PyTables put it into HDF5 files: a list of strings, or a NumPy array of strings
 * as objects, in row-major order.
 * @throws DataError where it is damaged, holds anything else, or asks for anything but NumPy's arrays
 */
export function decodePickledStrings(bytes: Uint8Array, where: string): string[] {
  const value = unpickle(bytes, {
    globals: textGlobals,
    where,
    failure: (what, hint) => new DataError(what, hint),
  });
  const items = value instanceof PickledTexts ? value.items : value;
  if (!Array.isArray(items)) {
    throw new DataError("the pickle holds neither a list nor an array of texts", {
      where,
      fix: "write the column as text",
    });
  }
  for (let i = 0; i < items.length; i++) {
    if (typeof items[i] === "string") continue;
    throw new DataError(`entry ${i} of the pickled texts is ${items[i] === null ? "missing (None)" : "not a text"}`, {
      where,
      fix: "fill it, or turn the column into text: frame[column].astype(str)",
    });
  }
  return items as string[];
}
