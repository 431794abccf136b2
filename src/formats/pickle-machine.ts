import type { Failure, PickleReader } from "./pickle-reader.ts";

/** Stands in for a Python function or class: makes what a call with `args` gives. Throws to refuse. */
export type PickleFactory = (args: readonly unknown[], fail: (what: string) => Error) => unknown;

/** What a factory may return where Python would then call `__setstate__`. */
export abstract class PickledObject {
  abstract setState(state: unknown, fail: (what: string) => Error): void;
}

/** A function or class that a pickle names, as a value: classes are passed about as arguments. */
export class PickledGlobal {
  /** `module name`, the key in the list of what may be loaded. */
  readonly key: string;
  readonly factory: PickleFactory;
  constructor(key: string, factory: PickleFactory) {
    this.key = key;
    this.factory = factory;
  }
}

/** Stands for an object of a class, or the result of a function, that is not loaded: known by its name (`module name`). */
export class PickledUnknown extends PickledObject {
  readonly key: string;
  /** The names of its attributes, where the pickle tells them. */
  attributes: readonly unknown[] = [];
  constructor(key: string) {
    super();
    this.key = key;
  }
  override setState(state: unknown): void {
    if (state instanceof Map) this.attributes = [...state.keys()];
  }
}

export interface UnpickleOptions {
  /** All that may be loaded, by `module name`. */
  readonly globals: ReadonlyMap<string, PickleFactory>;
  /** Whatever else a pickle asks for becomes a `PickledUnknown`; without this it is refused. Nothing is run either way. */
  readonly keepsUnknown?: boolean;
  /** Gives the object that was stored outside the pickle. */
  readonly persistentLoad?: (id: unknown, fail: (what: string) => Error) => unknown;
  /** The file, and the place in it, for error messages. */
  readonly where: string;
  /** The class of the errors: a CheckpointError unless told otherwise. */
  readonly failure?: Failure;
}

/** What is wrong with a pickle that asks for `key`. */
export const askedFor = (key: string): string =>
  `the pickle asks for ${key.replace(" ", ".")}, which is not on the list of what may be loaded`;
export const unknownFix =
  "pickles can run any program, so only plain arrays are loaded: use a file that holds nothing else, " +
  "and do not trust this one unless you know its writer";

const mostNestedMarks = 1000;
/** Bounds the memory: a container takes one byte in the pickle, but a hundred here. A Map has at most 2^24 entries. */
const mostContainers = 2 ** 23;
const mostEntries = 2 ** 23;

/**
 * What one call is given, another can be given again through the memo, and each may go through all of it. Of real
 * pickles every argument stands in the bytes, so together they are not much longer.
 */
const mostArguments = (bytes: number): number => 1_000_000 + 4 * bytes;

/**
 * The stack machine that a pickle is a program for. It has no loops, and calls are bounded by what they are given:
 * its time is linear in the pickle's length.
 */
export class PickleMachine {
  readonly #in: PickleReader;
  readonly #options: UnpickleOptions;
  readonly #fail: (what: string) => Error;
  readonly #stack: unknown[] = [];
  readonly #marks: number[] = [];
  readonly #memo: unknown[] = [];
  #memoized = 0;
  #containers = 0;
  #entries = 0;
  #argumentsLeft: number;

  constructor(reader: PickleReader, options: UnpickleOptions) {
    this.#in = reader;
    this.#argumentsLeft = mostArguments(reader.length);
    this.#options = options;
    this.#fail = (what) => reader.fail(what);
  }

  /** @returns the object that the pickle builds @throws where it is damaged or asks for what may not be loaded */
  run(): unknown {
    for (;;) {
      const opcode = String.fromCharCode(this.#in.uint8());
      if (opcode === ".") {
        const value = this.#pop();
        if (this.#stack.length > 0 || this.#marks.length > 0) throw this.#fail("the pickle leaves something over");
        return value;
      }
      if (!this.#literal(opcode) && !this.#container(opcode) && !this.#object(opcode)) {
        throw this.#fail(`the pickle has the unknown instruction ${JSON.stringify(opcode)}`);
      }
    }
  }

  /** The instructions that put a plain value on the stack, and those that have no effect. */
  #literal(opcode: string): boolean {
    const input = this.#in;
    const push = (value: unknown): true => {
      this.#stack.push(value);
      return true;
    };
    switch (opcode) {
      case "\x80": {
        const protocol = input.uint8();
        if (protocol > 5) {
          throw input.fail(
            `the pickle has protocol ${protocol}; 0 to 5 are read`,
            "pickle it with protocol 5 or lower",
          );
        }
        return true;
      }
      case "\x95": // FRAME: how much the writer buffered
        input.length64();
        return true;
      case "N":
        return push(null);
      case "\x88":
        return push(true);
      case "\x89":
        return push(false);
      case "I": {
        const value = input.line();
        if (value === "00" || value === "01") return push(value === "01");
        return push(input.decimal(value));
      }
      case "J":
        return push(input.int32());
      case "K":
        return push(input.uint8());
      case "M":
        return push(input.uint16());
      case "L":
        return push(input.decimal());
      case "\x8a":
        return push(input.integer(input.uint8()));
      case "\x8b":
        return push(input.integer(input.uint32()));
      case "F":
        return push(input.float());
      case "G":
        return push(input.float64());
      case "S":
        return push(input.quoted());
      case "T":
        return push(input.latin1(input.uint32()));
      case "U":
        return push(input.latin1(input.uint8()));
      case "V":
        return push(input.rawUnicode());
      case "X":
        return push(input.utf8(input.uint32()));
      case "\x8c":
        return push(input.utf8(input.uint8()));
      case "\x8d":
        return push(input.utf8(input.length64()));
      case "B":
        return push(input.bytes(input.uint32()));
      case "C":
        return push(input.bytes(input.uint8()));
      case "\x8e":
      case "\x96": // a bytearray
        return push(input.bytes(input.length64()));
      default:
        return false;
    }
  }

  /** Tuples, lists, dictionaries, sets, and the stack itself. */
  #container(opcode: string): boolean {
    const stack = this.#stack;
    switch (opcode) {
      case "(":
        if (this.#marks.push(stack.length) > mostNestedMarks) throw this.#fail("the pickle is nested too deeply");
        return true;
      case ")":
      case "]":
        return this.#made([]);
      case "\x85":
      case "\x86":
      case "\x87": {
        const length = opcode.charCodeAt(0) - 0x84;
        if (stack.length - this.#floor() < length) throw this.#fail("the pickle takes more than there is");
        return this.#made(stack.splice(stack.length - length));
      }
      case "t":
      case "l":
        return this.#made(this.#toMark());
      case "}":
        return this.#made(new Map());
      case "d": {
        const items = this.#toMark();
        const map = new Map<unknown, unknown>();
        this.#setItems(map, items);
        return this.#made(map);
      }
      case "\x8f":
        return this.#made(new Set());
      case "\x91":
        return this.#made(new Set(this.#counted(this.#toMark())));
      case "a":
        this.#append([this.#pop()]);
        return true;
      case "e":
        this.#append(this.#toMark());
        return true;
      case "s": {
        const value = this.#pop();
        const key = this.#pop();
        this.#setItems(this.#stackTop(), [key, value]);
        return true;
      }
      case "u": {
        const items = this.#toMark();
        this.#setItems(this.#stackTop(), items);
        return true;
      }
      case "\x90": {
        const items = this.#counted(this.#toMark());
        const target = this.#stackTop();
        if (target instanceof Set) for (const item of items) target.add(item);
        else if (!(target instanceof PickledUnknown)) throw this.#fail("the pickle adds to what is not a set");
        return true;
      }
      case "0":
        // Python's POP also removes a mark that lies on top.
        if (this.#marks.at(-1) === stack.length) this.#marks.pop();
        else this.#pop();
        return true;
      case "1":
        this.#toMark();
        return true;
      case "2":
        stack.push(this.#stackTop());
        return true;
      default:
        return false;
    }
  }

  /** The memo, and all that calls for something outside the pickle. */
  #object(opcode: string): boolean {
    const input = this.#in;
    switch (opcode) {
      case "p":
        return this.#store(Number(input.decimal()));
      case "q":
        return this.#store(input.uint8());
      case "r":
        return this.#store(input.uint32());
      case "\x94":
        return this.#store(this.#memoized);
      case "g":
        return this.#fetch(Number(input.decimal()));
      case "h":
        return this.#fetch(input.uint8());
      case "j":
        return this.#fetch(input.uint32());
      case "c":
        return this.#global(input.line("utf8"), input.line("utf8"));
      case "\x93": {
        const name = this.#pop();
        const module = this.#pop();
        if (typeof name !== "string" || typeof module !== "string") throw this.#fail("the pickle's name is not a text");
        return this.#global(module, name);
      }
      case "R":
      case "\x81": {
        const args = this.#pop();
        return this.#call(this.#pop(), args);
      }
      case "\x92": {
        const keywords = this.#pop();
        const args = this.#pop();
        if (!(keywords instanceof Map) || (keywords.size > 0 && !this.#isUnknown(this.#stackTop()))) {
          throw this.#fail("the pickle calls with keyword arguments, which is not supported");
        }
        return this.#call(this.#pop(), args);
      }
      case "b": {
        const state = this.#pop();
        const target = this.#stackTop();
        if (target instanceof PickledObject) target.setState(state, this.#fail);
        // The attributes of an OrderedDict, such as a state_dict's _metadata, are not part of its content.
        else if (!(target instanceof Map)) throw this.#fail("the pickle sets the state of what has none");
        return true;
      }
      case "P":
        return this.#persistent(input.line("utf8"));
      case "Q":
        return this.#persistent(this.#pop());
      default:
        return false;
    }
  }

  /** Below this the stack belongs to an outer, unfinished container. */
  #floor(): number {
    return this.#marks.at(-1) ?? 0;
  }

  #pop(): unknown {
    if (this.#stack.length <= this.#floor()) throw this.#fail("the pickle takes more than there is");
    return this.#stack.pop();
  }

  #stackTop(): unknown {
    if (this.#stack.length <= this.#floor()) throw this.#fail("the pickle takes more than there is");
    return this.#stack.at(-1);
  }

  #toMark(): unknown[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw this.#fail("the pickle takes more than there is");
    return this.#stack.splice(mark);
  }

  #made(container: unknown): true {
    if (++this.#containers > mostContainers) throw this.#fail("the pickle holds too many lists and dictionaries");
    this.#stack.push(container);
    return true;
  }

  #append(items: readonly unknown[]): void {
    const target = this.#stackTop();
    if (target instanceof PickledUnknown) return;
    if (!Array.isArray(target)) throw this.#fail("the pickle appends to what is not a list");
    for (const item of items) target.push(item);
  }

  #counted(items: unknown[]): unknown[] {
    this.#entries += items.length;
    if (this.#entries > mostEntries) throw this.#fail("the pickle's dictionaries hold too many entries");
    return items;
  }

  #setItems(target: unknown, items: unknown[]): void {
    if (target instanceof PickledUnknown) return;
    if (!(target instanceof Map)) throw this.#fail("the pickle sets an entry of what is not a dictionary");
    if (items.length % 2 !== 0) throw this.#fail("the pickle has a key without a value");
    this.#counted(items);
    for (let i = 0; i < items.length; i += 2) target.set(items[i], items[i + 1]);
  }

  #store(index: number): true {
    // Writers count up from 0, so an index beyond the bytes read so far is damage (or an attack on the memory).
    if (!(index >= 0 && index <= this.#in.at)) throw this.#fail(`the pickle's memo has no place ${index}`);
    if (!(index in this.#memo)) this.#memoized++;
    this.#memo[index] = this.#stackTop();
    return true;
  }

  #fetch(index: number): true {
    if (!(index >= 0 && index in this.#memo)) throw this.#fail(`the pickle's memo has no entry ${index}`);
    this.#stack.push(this.#memo[index]);
    return true;
  }

  #global(module: string, name: string): true {
    const key = `${module} ${name}`;
    const factory =
      this.#options.globals.get(key) ?? (this.#options.keepsUnknown ? () => new PickledUnknown(key) : undefined);
    if (factory === undefined) throw this.#in.fail(askedFor(key), unknownFix);
    this.#stack.push(new PickledGlobal(key, factory));
    return true;
  }

  /** Whether a call of `callee` makes something of which only the name is kept. */
  #isUnknown(callee: unknown): boolean {
    return (
      callee instanceof PickledUnknown || (callee instanceof PickledGlobal && !this.#options.globals.has(callee.key))
    );
  }

  #call(callee: unknown, args: unknown): true {
    if (callee instanceof PickledUnknown) return this.#made(new PickledUnknown(callee.key));
    if (!(callee instanceof PickledGlobal) || !Array.isArray(args)) throw this.#fail("the pickle's call is damaged");
    for (const item of args as readonly unknown[]) {
      if (typeof item === "string" || Array.isArray(item)) this.#argumentsLeft -= item.length;
    }
    if (this.#argumentsLeft < 0) throw this.#fail("the pickle gives the same long arguments to many calls");
    return this.#made(callee.factory(args, this.#fail));
  }

  #persistent(id: unknown): true {
    const load = this.#options.persistentLoad;
    if (load === undefined) throw this.#fail("the pickle refers to something outside itself");
    return this.#made(load(id, this.#fail));
  }
}
