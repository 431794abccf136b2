import { sizeOf } from "./engine.ts";
import { fuseProductsWithSums, totalOp, type ValueShapes, withOutputsInPlace, withoutUnused } from "./graph-passes.ts";
import type {
  AttributeValue,
  FloatAttribute,
  OnnxConstant,
  OnnxGraph,
  OnnxNode,
  OnnxPort,
  OnnxType,
} from "./onnx-model.ts";

/** The element types of tfjs that a graph can hold. */
export type ValueType = "float32" | "int32" | "bool";

/** A value of the graph while it is built. */
export interface Value {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: ValueType;
  /** The one number that every entry equals, where that is known. */
  readonly uniform?: number;
}

/** What the nodes of a graph have to keep to, for the sake of what runs it. */
export interface GraphLimits {
  /** Arrays that a node may take or make at most: wider Splits, Concats and Sums become trees. */
  readonly widest: number;
  /** Whether int64 is computed with, as ArgMax makes it. */
  readonly int64: boolean;
}

const noLimits: GraphLimits = { widest: Number.POSITIVE_INFINITY, int64: true };

/** Collects the nodes and constants of one ONNX graph. */
export class GraphBuilder {
  readonly #nodes: OnnxNode[] = [];
  readonly #constants = new Map<string, OnnxConstant>();
  readonly #inputs: OnnxPort[] = [];
  readonly #shapes = new Map<string, readonly number[]>();
  readonly #totals = new Map<string, Value>();
  #count = 0;
  readonly limits: GraphLimits;

  constructor(limits = noLimits) {
    this.limits = limits;
  }

  input(name: string, shape: readonly number[]): Value {
    this.#inputs.push({ name, type: "float32", shape });
    this.#shapes.set(name, shape);
    return { name, shape, dtype: "float32" };
  }

  /** Adds a node with one output. */
  node(
    op: string,
    inputs: readonly (Value | string)[],
    shape: readonly number[],
    dtype: ValueType,
    attributes: Record<string, AttributeValue | FloatAttribute> = {},
  ): Value {
    return this.nodes(op, inputs, [shape], dtype, attributes)[0]!;
  }

  /** Adds a node with several outputs. */
  nodes(
    op: string,
    inputs: readonly (Value | string)[],
    shapes: readonly (readonly number[])[],
    dtype: ValueType,
    attributes: Record<string, AttributeValue | FloatAttribute> = {},
  ): Value[] {
    const outputs = shapes.map((shape) => ({ name: this.#name(), shape, dtype }));
    for (const { name, shape } of outputs) this.#shapes.set(name, shape);
    const names = inputs.map((input) => (typeof input === "string" ? input : input.name));
    this.#nodes.push({ op, inputs: names, outputs: outputs.map(({ name }) => name), attributes });
    return outputs;
  }

  /** The sum over all parts of a batch of what each makes: no operation of ONNX's (`parts.ts`). */
  total(ofPart: Value): Value {
    const known = this.#totals.get(ofPart.name) ?? this.node(totalOp, [ofPart], ofPart.shape, ofPart.dtype);
    this.#totals.set(ofPart.name, known);
    return known;
  }

  /** A constant array; equal ones are stored once. */
  constant(data: ArrayLike<number>, shape: readonly number[], dtype: ValueType): Value {
    const uniform = data.length > 0 && allEqual(data) ? data[0]! : undefined;
    if (uniform !== undefined && data.length > 64) {
      // A filled array is made when the graph runs: the backward pass asks for ones as large as the data.
      const scalar = this.constant([uniform], [], dtype);
      return { ...this.node("Expand", [scalar, this.integers(shape)], shape, dtype), uniform };
    }
    const name = this.#store(typedArray(data, dtype), shape, dtype);
    this.#shapes.set(name, shape);
    return uniform === undefined ? { name, shape, dtype } : { name, shape, dtype, uniform };
  }

  /** A list of int64, as ONNX wants axes, shapes and bounds. @returns its name */
  integers(values: readonly number[]): string {
    return this.#store(BigInt64Array.from(values, BigInt), [values.length], "int64");
  }

  /** @param outputs by the names that callers will ask for */
  finish(name: string, outputs: Record<string, Value>): OnnxGraph {
    const nodes = [...this.#nodes];
    const ports: OnnxPort[] = [];
    for (const [port, value] of Object.entries(outputs)) {
      // A node of its own, so that an output can be an input or another output as well.
      nodes.push({ op: "Identity", inputs: [value.name], outputs: [port], attributes: {} });
      ports.push({ name: port, type: value.dtype, shape: value.shape });
    }
    const fused = fuseProductsWithSums(withoutUnused(nodes, Object.keys(outputs)), this.#shapes);
    const needed = withOutputsInPlace(fused, new Set(Object.keys(outputs)));
    const used = new Set(needed.flatMap(({ inputs }) => inputs));
    return {
      name,
      nodes: needed,
      constants: [...this.#constants.values()].filter((constant) => used.has(constant.name)),
      inputs: this.#inputs,
      outputs: ports,
    };
  }

  /** Shapes of all inputs, constants and values so far. */
  get shapes(): ValueShapes {
    return this.#shapes;
  }

  /** Multiplications of the largest matrix product so far. */
  largestProduct(): number {
    let largest = 0;
    for (const { op, inputs, outputs, attributes } of this.#nodes) {
      if (op !== "MatMul" && op !== "Gemm") continue;
      const inner = this.#shapes.get(inputs[0]!)?.at(attributes.transA ? -2 : -1) ?? 1;
      const size = sizeOf(this.#shapes.get(outputs[0]!)!);
      largest = Math.max(largest, size * inner);
    }
    return largest;
  }

  #store(data: OnnxConstant["data"], shape: readonly number[], type: OnnxType): string {
    const key = data.length <= 64 ? `${type} [${shape}] ${data.join()}` : this.#name();
    const known = this.#constants.get(key);
    if (known) return known.name;
    const name = this.#name();
    this.#constants.set(key, { name, type, shape, data });
    return name;
  }

  #name(): string {
    this.#count += 1;
    return `v${this.#count}`;
  }
}

function typedArray(data: ArrayLike<number>, dtype: ValueType): OnnxConstant["data"] {
  if (dtype === "int32") return Int32Array.from(data);
  if (dtype === "bool") return Uint8Array.from(data);
  return Float32Array.from(data);
}

function allEqual(data: ArrayLike<number>): boolean {
  for (let i = 1; i < data.length; i++) if (data[i] !== data[0]) return false;
  return true;
}
