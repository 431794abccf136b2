import type { OnnxConstant, OnnxGraph, OnnxNode, OnnxPort } from "./onnx-model.ts";

/** A recorded graph in which something depends on the batch that cannot be computed when the graph runs. */
export class DynamicBatchError extends Error {
  constructor(graph: string, what: string) {
    super(`the graph "${graph}" cannot take batches of any size: ${what}`);
    this.name = new.target.name;
  }
}

/** Large primes: no other length of a model is likely to be a multiple. The third proves what the first two suggest. */
const batchSizes = [1009, 1013, 2003] as const;
const [reference, second, third] = batchSizes;

/** A length or bound as a function of the batch: factor · batch + offset. */
interface Affine {
  readonly factor: number;
  readonly offset: number;
}

/**
 * A graph for batches of any size. tfjs records shapes as numbers; recording at several batch sizes shows which of the numbers
 * depend on the batch, and how. They become −1 where ONNX infers them, and are computed from an input's shape elsewhere.
 * @param record     records the same step at a batch size
 * @param dimension  the name of the batch's dimension in the graph's inputs and outputs
 * @throws DynamicBatchError naming what cannot be made dynamic
 */
export function dynamicBatch(record: (batch: number) => OnnxGraph, dimension = "batch"): OnnxGraph {
  return new Rewriter(batchSizes.map(record), dimension).graph();
}

class Rewriter {
  /** One recording for each batch size; the first is the one that is rewritten. */
  readonly #graphs: readonly OnnxGraph[];
  readonly #dimension: string;
  readonly #constants: readonly ReadonlyMap<string, OnnxConstant>[];
  /** What a value of the first recording is called in each: constants that happen to be equal shift the numbering. */
  readonly #names = new Map<string, readonly string[]>();
  readonly #nodes: OnnxNode[] = [];
  readonly #added = new Map<string, OnnxConstant>();
  #inputs: readonly OnnxPort[] = [];
  #batch: string | undefined;
  #count = 0;

  constructor(graphs: readonly OnnxGraph[], dimension: string) {
    this.#graphs = graphs;
    this.#dimension = dimension;
    this.#constants = graphs.map(({ constants }) => new Map(constants.map((each) => [each.name, each])));
  }

  graph(): OnnxGraph {
    const [{ name, nodes }, ...others] = this.#graphs as [OnnxGraph, ...OnnxGraph[]];
    if (others.some((other) => other.nodes.length !== nodes.length)) this.#fail("its operations depend on the batch");
    this.#inputs = this.#ports("inputs");
    for (const { name } of this.#inputs) this.#names.set(name, [name, name, name]);
    for (const [node, ...others] of transposed(this.#graphs.map(({ nodes }) => nodes))) this.#rewrite(node!, others);
    const outputs = this.#ports("outputs");
    const used = new Set(this.#nodes.flatMap(({ inputs }) => inputs));
    const constants = [...this.#constants[0]!.values(), ...this.#added.values()].filter((each) => used.has(each.name));
    return { name, nodes: this.#nodes, constants, inputs: this.#inputs, outputs };
  }

  #rewrite(node: OnnxNode, others: readonly OnnxNode[]): void {
    for (const other of others) {
      const alike = other.op === node.op && other.outputs.length === node.outputs.length;
      if (!alike || other.inputs.length !== node.inputs.length) this.#fail("its operations depend on the batch");
      if (JSON.stringify(other.attributes) !== JSON.stringify(node.attributes)) {
        this.#fail(`an attribute of ${node.op} depends on the batch`);
      }
    }
    const inputs = transposed([node, ...others].map((each) => each.inputs)).map((names, k) =>
      this.#input(node, k, names),
    );
    for (const names of transposed([node, ...others].map(({ outputs }) => outputs))) this.#names.set(names[0]!, names);
    this.#nodes.push({ ...node, inputs });
  }

  /** The input of a node, by name: as it was, or in its place something that holds for every batch. */
  #input({ op }: OnnxNode, position: number, names: readonly string[]): string {
    const found = names.map((name, k) => this.#constants[k]!.get(name));
    if (found.every((constant) => constant === undefined)) {
      if (names[0] === "" ? names.some(Boolean) : `${this.#names.get(names[0]!)}` !== `${names}`) {
        this.#fail(`the inputs of ${op} depend on the batch`);
      }
      return names[0]!;
    }
    const constants = found.map((constant) => constant ?? this.#fail(`the inputs of ${op} depend on the batch`));
    if (constants.every((each) => equal(each, constants[0]!))) return names[0]!;
    const integers = constants.every(({ type, data }) => type === "int64" && data.length === constants[0]!.data.length);
    if (!integers) this.#fail(`an array that ${op} takes depends on the batch, [${constants[0]!.shape}]`);
    const entries = transposed(constants.map(({ data }) => [...data])).map((values) =>
      this.#affine(values.map(Number)),
    );
    const moving = entries.filter(({ factor }) => factor !== 0).length;
    // A shape with one unknown length is the one thing that ONNX works out by itself.
    if (op === "Reshape" && position === 1 && moving === 1) {
      return this.#integers(entries.map(({ factor, offset }) => (factor === 0 ? offset : -1)));
    }
    return this.#computed(entries);
  }

  /** A list of int64 that is computed when the graph runs. */
  #computed(entries: readonly Affine[]): string {
    const parts: string[] = [];
    let fixed: number[] = [];
    const flush = (): void => {
      if (fixed.length > 0) parts.push(this.#integers(fixed));
      fixed = [];
    };
    for (const { factor, offset } of entries) {
      if (factor === 0) {
        fixed.push(offset);
        continue;
      }
      flush();
      const product =
        factor === 1 ? this.#batchSize() : this.#node("Mul", [this.#batchSize(), this.#integers([factor])]);
      parts.push(offset === 0 ? product : this.#node("Add", [product, this.#integers([offset])]));
    }
    flush();
    return parts.length === 1 ? parts[0]! : this.#node("Concat", parts, { axis: 0 });
  }

  /** The batch's size, [1], read off the first input that has it. */
  #batchSize(): string {
    if (this.#batch !== undefined) return this.#batch;
    const port = this.#inputs.find(({ shape }) => shape.includes(this.#dimension));
    if (!port) return this.#fail("no input has the batch as a dimension");
    const start = port.shape.indexOf(this.#dimension);
    this.#batch = this.#node("Shape", [port.name], { start, end: start + 1 });
    return this.#batch;
  }

  #ports(kind: "inputs" | "outputs"): OnnxPort[] {
    return transposed(this.#graphs.map((graph) => graph[kind])).map(([port, ...others]) => {
      const alike = others.every(({ name, shape }) => name === port!.name && shape.length === port!.shape.length);
      if (!alike) this.#fail(`its ${kind} depend on the batch`);
      const shape = transposed([port!, ...others].map((each) => each.shape)).map((lengths) => {
        const { factor, offset } = this.#affine(lengths.map(Number));
        if (factor === 0) return offset;
        if (factor === 1 && offset === 0) return this.#dimension;
        return this.#fail(`a dimension of "${port!.name}" is ${factor} · batch + ${offset}`);
      });
      return { ...port!, shape };
    });
  }

  #affine(values: readonly number[]): Affine {
    const factor = (values[1]! - values[0]!) / (second - reference);
    const offset = values[0]! - factor * reference;
    if (Number.isInteger(factor) && values[2] === factor * third + offset) return { factor, offset };
    return this.#fail(`a length is ${values.join(", ")} at batches of ${batchSizes.join(", ")}`);
  }

  #integers(values: readonly number[]): string {
    const name = `batch:[${values}]`;
    this.#added.set(name, { name, type: "int64", shape: [values.length], data: BigInt64Array.from(values, BigInt) });
    return name;
  }

  #node(op: string, inputs: readonly string[], attributes: OnnxNode["attributes"] = {}): string {
    this.#count += 1;
    const name = `batch:${this.#count}`;
    this.#nodes.push({ op, inputs, outputs: [name], attributes });
    return name;
  }

  #fail(what: string): never {
    throw new DynamicBatchError(this.#graphs[0]!.name, what);
  }
}

function equal(a: OnnxConstant, b: OnnxConstant): boolean {
  if (a.type !== b.type || `${a.shape}` !== `${b.shape}`) return false;
  for (let i = 0; i < a.data.length; i++) if (a.data[i] !== b.data[i]) return false;
  return true;
}

/** Rows ↔ columns; the rows may differ in length, and every column is as long as there are rows. */
function transposed<T>(rows: readonly (readonly T[])[]): T[][] {
  return rows[0]!.map((_, k) => rows.map((row) => row[k] as T));
}
