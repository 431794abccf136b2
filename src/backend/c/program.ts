import { ConfigError } from "../../errors.ts";
import { type HostTensors, sizeOf } from "../engine.ts";
import type { OnnxConstant, OnnxGraph, OnnxNode } from "../onnx-model.ts";
import { broadcastIndex, commonShape, expanded, type Items, movements, transposed } from "./arrays.ts";
import { elementwise } from "./elementwise.ts";
import type { Buffer, CopyPart, Operand, Statement } from "./statements.ts";

/** The computation of one cell. */
export interface CellProgram {
  readonly inputs: readonly Buffer[];
  readonly outputs: readonly Buffer[];
  readonly statements: readonly Statement[];
}

/** An operation that has no translation to C. */
class UntranslatedError extends ConfigError {
  constructor(op: string, kind: string) {
    super(`the operation ${op}, which the ${kind} of this model needs, has no translation to C`, {
      fix: "export it with `astrochem export onnx`; src/backend/c/elementwise.ts lists the operations that have one",
    });
  }
}

/** An array that goes in or out: what it is called in the graph, and as a parameter. */
export interface CellPort {
  readonly key: string;
  readonly name: string;
  readonly shape: readonly number[];
}

/**
 * The computation of one cell by a recorded graph: what depends on constants alone is computed here.
 * @param kind   what it is, for the error
 * @param state  arrays that are constants beside the graph's own, by their name in the graph
 * @throws ConfigError for an operation that has no translation
 */
export function cellProgram(
  kind: string,
  graph: OnnxGraph,
  state: HostTensors,
  inputs: readonly CellPort[],
  outputs: readonly Omit<CellPort, "shape">[],
): CellProgram {
  const maker = new ProgramMaker(kind);
  for (const [name, { data, shape }] of Object.entries(state)) maker.constant(name, data, shape);
  for (const { name, data, shape } of graph.constants) maker.constant(name, data, shape);
  const given = inputs.map(({ key, name, shape }) => maker.input(key, name, shape));
  for (const node of graph.nodes) maker.node(node);
  const made = outputs.map(({ key, name }) => maker.output(key, name));
  return { inputs: given, outputs: made, statements: maker.statements };
}

/** What a value of the graph is: numbers, or references; those are counted over all buffers, and negative ones lead to numbers. */
interface Value extends Items {
  readonly known: boolean;
}

const reductions: Readonly<Record<string, string>> = {
  ReduceSum: "sum",
  ReduceMean: "mean",
  ReduceMax: "max",
  ReduceMin: "min",
};

class ProgramMaker {
  readonly statements: Statement[] = [];
  readonly #kind: string;
  readonly #values = new Map<string, Value>();
  readonly #buffers: { readonly buffer: Buffer; readonly start: number }[] = [];
  readonly #numbers: number[] = [];
  #next = 0;

  constructor(kind: string) {
    this.#kind = kind;
  }

  constant(name: string, data: OnnxConstant["data"], shape: readonly number[]): void {
    this.#values.set(name, { shape, data: Float64Array.from(data as Float32Array, Number), known: true });
  }

  input(key: string, name: string, shape: readonly number[]): Buffer {
    const buffer: Buffer = { size: sizeOf(shape), parameter: name };
    this.#values.set(key, this.#valueOf(buffer, shape));
    return buffer;
  }

  output(key: string, name: string): Buffer {
    const { data } = this.#computed(this.#values.get(key)!);
    const operand = this.#operand(data);
    if (operand.kind === "each" && operand.buffer.size === data.length && operand.buffer.parameter === undefined) {
      operand.buffer.parameter = name;
      return operand.buffer;
    }
    const target: Buffer = { size: data.length, parameter: name };
    this.statements.push({ kind: "copy", target, parts: this.#stretches(data) });
    return target;
  }

  node(node: OnnxNode): void {
    const inputs = node.inputs.map((name) => this.#values.get(name)!);
    const known = inputs.every((input) => input.known);
    if (node.op in movements) this.#move(node, inputs, known);
    else if (node.op in elementwise) this.#set(node, this.#combined(node, inputs));
    else if (node.op in reductions) this.#set(node, this.#reduced(node, inputs[0]!));
    else if (node.op === "Softmax") this.#set(node, this.#softmax(node, inputs[0]!));
    else if (node.op === "Gemm" || node.op === "MatMul") this.#set(node, this.#product(node, inputs));
    else throw new UntranslatedError(node.op, this.#kind);
  }

  #set({ outputs }: OnnxNode, value: Value): void {
    this.#values.set(outputs[0]!, value);
  }

  #move(node: OnnxNode, inputs: readonly Value[], known: boolean): void {
    const integers = (k: number): number[] => {
      if (!inputs[k]!.known) throw new UntranslatedError(`${node.op} by computed positions`, this.#kind);
      return [...inputs[k]!.data];
    };
    // Only Concat and Pad join what they are given; the others' further inputs are positions.
    const joins = node.op === "Concat" || node.op === "Pad";
    const items = inputs.map((input, k) => (!known && (k === 0 || joins) ? this.#computed(input) : input));
    const made = movements[node.op]!(items, node, integers);
    for (const [k, name] of node.outputs.entries()) {
      const isKnown = joins ? known : inputs[0]!.known;
      this.#values.set(name, { ...made[k]!, known: isKnown });
    }
  }

  /** Elementwise operations. */
  #combined(node: OnnxNode, inputs: readonly Value[]): Value {
    const shape = commonShape(inputs.map((input) => input.shape));
    if (!inputs.every((input) => input.known)) return this.#loop(node, inputs, shape);
    const args = inputs.map((input) => expanded(input, shape).data);
    const { value } = elementwise[node.op]!;
    const data = new Float64Array(sizeOf(shape));
    for (let i = 0; i < data.length; i++) {
      const numbers = args.map((each) => each[i]!);
      data[i] = value(numbers, node.attributes);
    }
    return { shape, data, known: true };
  }

  #loop(given: OnnxNode, values: readonly Value[], shape: readonly number[]): Value {
    const [node, inputs] = multiplying(given, values);
    const args = inputs.map((input) => {
      const index = broadcastIndex(input.shape, shape);
      const { data } = this.#computed(input);
      return this.#gathered(Float64Array.from(index, (k) => data[k]!));
    });
    const target: Buffer = { size: sizeOf(shape) };
    this.statements.push({ kind: "loop", target, ops: [{ target, node, args }] });
    return this.#valueOf(target, shape);
  }

  #reduced({ op, inputs: [, axesName], attributes }: OnnxNode, x: Value): Value {
    const axes = [...this.#values.get(axesName!)!.data];
    const kept = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
    const outer = sizeOf(kept.map((axis) => x.shape[axis]!));
    const inner = sizeOf(x.shape) / outer;
    const rows = transposed(this.#computed(x), [...kept, ...axes]);
    const shape = x.shape.flatMap((length, axis) => (!axes.includes(axis) ? [length] : attributes.keepdims ? [1] : []));
    const target: Buffer = { size: outer };
    const from = this.#contiguous(rows.data);
    this.statements.push({ kind: "reduce", op: reductions[op]!, target, x: from, inner });
    return this.#valueOf(target, shape);
  }

  #softmax({ attributes }: OnnxNode, x: Value): Value {
    const rank = x.shape.length;
    const axis = attributes.axis as number;
    const along = axis < 0 ? axis + rank : axis;
    const step = (op: string, inputs: readonly Value[]): Value =>
      this.#loop({ op, inputs: [], outputs: [], attributes: {} }, inputs, x.shape);
    const over = (op: string, value: Value): Value => {
      this.#values.set("softmax axes", { shape: [1], data: Float64Array.of(along), known: true });
      return this.#reduced({ op, inputs: ["", "softmax axes"], outputs: [], attributes: { keepdims: 1 } }, value);
    };
    const powers = step("Exp", [step("Sub", [x, over("ReduceMax", x)])]);
    return step("Div", [powers, over("ReduceSum", powers)]);
  }

  /** Products of matrices, and of stacks of them. */
  #product({ op, attributes }: OnnxNode, [first, second, addend]: readonly Value[]): Value {
    const turned = (value: Value, isTurned: unknown): Value =>
      isTurned ? { ...transposed(value, [1, 0]), known: value.known } : value;
    const a = op === "Gemm" ? turned(first!, attributes.transA) : first!;
    const b = op === "Gemm" ? turned(second!, attributes.transB) : second!;
    const [rows, inner, columns] = [a.shape.at(-2)!, a.shape.at(-1)!, b.shape.at(-1)!];
    const leading = commonShape([a.shape.slice(0, -2), b.shape.slice(0, -2), []]);
    const shape = [...leading, rows, columns];
    const all = (value: Value, last: readonly number[]): Value => ({
      ...expanded(value, [...leading, ...last]),
      known: value.known,
    });
    const [left, right] = [all(a, [rows, inner]), all(b, [inner, columns])];
    if (left.known && right.known && addend) {
      const made = this.#product({ op: "MatMul", inputs: [], outputs: [], attributes: {} }, [left, right]);
      return this.#combined({ op: "Add", inputs: [], outputs: [], attributes: {} }, [made, addend]);
    }
    const add = addend && expanded(this.#computed(addend), shape).data;
    const stacks = Array.from({ length: sizeOf(leading) }, (_, k) => {
      const cut = (value: Value, size: number): Float64Array => value.data.subarray(k * size, (k + 1) * size);
      return this.#matrices(
        { data: cut(left, rows * inner), known: left.known },
        { data: cut(right, inner * columns), known: right.known },
        [rows, inner, columns],
        add?.subarray(k * rows * columns, (k + 1) * rows * columns),
      );
    });
    const data = new Float64Array(sizeOf(shape));
    for (const [k, part] of stacks.entries()) data.set(part, k * rows * columns);
    return { shape, data, known: left.known && right.known };
  }

  /** @returns [rows, columns]: references, or the numbers where all are known */
  #matrices(
    a: Pick<Value, "data" | "known">,
    b: Pick<Value, "data" | "known">,
    [rows, inner, columns]: readonly [number, number, number],
    add: Float64Array | undefined,
  ): Float64Array {
    if (a.known && b.known) return multiplied(a.data, b.data, [rows, inner, columns]);
    if (b.known && !a.known) {
      const target: Buffer = { size: rows * columns };
      const x = this.#contiguous(a.data);
      const from = add ? this.#added(add, columns) : null;
      this.statements.push({ kind: "dense", target, x, rows, inner, columns, weights: b.data, add: from });
      return this.#valueOf(target, [rows, columns]).data;
    }
    if (a.known && !b.known) {
      const turn = (data: Float64Array, shape: [number, number]): Float64Array =>
        transposed({ shape, data }, [1, 0]).data;
      const columnsOfB = { data: turn(b.data, [inner, columns]), known: false };
      const weights = { data: turn(a.data, [rows, inner]), known: true };
      const added = add && turn(add, [rows, columns]);
      return turn(this.#matrices(columnsOfB, weights, [columns, inner, rows], added), [columns, rows]);
    }
    const computed = ({ data, known }: Pick<Value, "data" | "known">): Operand =>
      this.#contiguous(known ? this.#computed({ shape: [data.length], data, known }).data : data);
    const target: Buffer = { size: rows * columns };
    this.statements.push({ kind: "product", target, a: computed(a), b: computed(b), rows, inner, columns });
    const shape = [rows, columns];
    const made = this.#valueOf(target, shape);
    if (!add) return made.data;
    const node: OnnxNode = { op: "Add", inputs: [], outputs: [], attributes: {} };
    return this.#loop(node, [made, { shape, data: add, known: false }], shape).data;
  }

  /** A table of one row, where all rows are that, or entries one after another. */
  #added(add: Float64Array, columns: number): Operand {
    const first = this.#operand(add.subarray(0, columns), true);
    if (first?.kind === "number" || first?.kind === "table") {
      const values = first.kind === "table" ? first.values : new Float64Array(columns).fill(first.value);
      const isEach = add.every((each, k) => each < 0 && this.#numbers[-each - 1] === values[k % columns]);
      if (isEach) return { kind: "table", values };
    }
    return this.#contiguous(add);
  }

  /** References in place of numbers. */
  #computed(value: Value): Items {
    if (!value.known) return value;
    const start = this.#numbers.length;
    for (const each of value.data) this.#numbers.push(each);
    return { shape: value.shape, data: value.data.map((_, k) => -(start + k + 1)) };
  }

  #valueOf(buffer: Buffer, shape: readonly number[]): Value {
    const start = this.#next;
    this.#buffers.push({ buffer, start });
    this.#next += buffer.size;
    return { shape, data: new Float64Array(buffer.size).map((_, k) => start + k), known: false };
  }

  /** What the references say in one, copied together where they say nothing in one. */
  #gathered(references: Float64Array): Operand {
    const operand = this.#operand(references, true);
    return operand ?? this.#copied(references);
  }

  #contiguous(references: Float64Array): Operand & { kind: "each" } {
    const operand = this.#operand(references, true);
    return operand?.kind === "each" ? operand : this.#copied(references);
  }

  #copied(references: Float64Array): Operand & { kind: "each" } {
    const target: Buffer = { size: references.length };
    this.statements.push({ kind: "copy", target, parts: this.#stretches(references) });
    this.#valueOf(target, [target.size]);
    return { kind: "each", buffer: target, offset: 0 };
  }

  #operand(references: Float64Array): Operand;
  #operand(references: Float64Array, orNull: true): Operand | null;
  #operand(references: Float64Array, orNull = false): Operand | null {
    const first = references[0]!;
    if (references.every((each) => each < 0)) {
      const values = references.map((each) => this.#numbers[-each - 1]!);
      return values.every((each) => each === values[0])
        ? { kind: "number", value: values[0]! }
        : { kind: "table", values };
    }
    if (first >= 0) {
      const { buffer, start } = this.#place(first);
      const offset = first - start;
      const isEach = references.every((each, k) => each === first + k);
      if (isEach && offset + references.length <= buffer.size) return { kind: "each", buffer, offset };
      if (references.every((each) => each === first)) return { kind: "same", buffer, offset };
    }
    return orNull ? null : this.#copied(references);
  }

  #stretches(references: Float64Array): CopyPart[] {
    const parts: CopyPart[] = [];
    for (let at = 0; at < references.length; ) {
      const first = references[at]!;
      let end = at + 1;
      if (first < 0) while (end < references.length && references[end]! < 0) end += 1;
      else {
        const { buffer, start } = this.#place(first);
        const limit = start + buffer.size;
        while (end < references.length && references[end] === first + end - at && references[end]! < limit) end += 1;
      }
      parts.push({ at, count: end - at, from: this.#operand(references.subarray(at, end)) });
      at = end;
    }
    return parts;
  }

  #place(reference: number): { buffer: Buffer; start: number } {
    let [low, high] = [0, this.#buffers.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#buffers[middle]!.start <= reference) low = middle;
      else high = middle - 1;
    }
    return this.#buffers[low]!;
  }
}

/** Division by what is known is a product, which costs a tenth, where the inverse is an ordinary number. */
function multiplying(node: OnnxNode, [a, b, ...others]: readonly Value[]): [OnnxNode, readonly Value[]] {
  const inverse = node.op === "Div" && b?.known ? b.data.map((each) => 1 / each) : null;
  const isOrdinary = inverse?.every((each) => Math.abs(each) > 1e-37 && Math.abs(each) < 1e37);
  if (!inverse || !isOrdinary) return [node, b ? [a!, b, ...others] : [a!]];
  return [{ ...node, op: "Mul" }, [a!, { ...b!, data: inverse }]];
}

function multiplied(
  a: Float64Array,
  b: Float64Array,
  [rows, inner, columns]: readonly [number, number, number],
): Float64Array {
  const out = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < inner; k++) {
      for (let j = 0; j < columns; j++) out[i * columns + j]! += a[i * inner + k]! * b[k * columns + j]!;
    }
  }
  return out;
}
