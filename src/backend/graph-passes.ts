import type { OnnxNode } from "./onnx-model.ts";

/** The shapes of the values of a graph, by name. */
export type ValueShapes = ReadonlyMap<string, readonly number[]>;

/** What `GraphBuilder.total` is called among the nodes. */
export const totalOp = "TotalOverParts";

/**
 * Product and sum in one node: Add(MatMul(a, b), c) and Add(Gemm(a, b), c) become Gemm(a, b, c) where nobody else wants the product.
 * ONNX Runtime does this for constant biases only; the rollout adds another row of conditions at every step.
 */
export function fuseProductsWithSums(nodes: readonly OnnxNode[], shapes: ValueShapes): OnnxNode[] {
  const producers = new Map<string, OnnxNode>();
  const uses = new Map<string, number>();
  const position = new Map<string, number>();
  for (const [index, node] of nodes.entries()) {
    for (const output of node.outputs) {
      producers.set(output, node);
      position.set(output, index);
    }
    for (const input of node.inputs) uses.set(input, (uses.get(input) ?? 0) + 1);
  }
  const absorbed = new Set<OnnxNode>();
  const fused = nodes.map((node) => {
    if (node.op !== "Add") return node;
    for (const [k, name] of node.inputs.entries()) {
      const product = producers.get(name);
      const addend = node.inputs[1 - k]!;
      if (!product || uses.get(name) !== 1 || absorbed.has(product) || !isPlainProduct(product, shapes)) continue;
      if (!isBroadcastTo(shapes.get(addend), shapes.get(node.outputs[0]!), shapes.get(name))) continue;
      absorbed.add(product);
      return { op: "Gemm", inputs: [...product.inputs, addend], outputs: node.outputs, attributes: product.attributes };
    }
    return node;
  });
  return fused.filter((node) => !absorbed.has(node));
}

/**
 * Without what nobody asks for: a gradient's preparations where no gradient is taken.
 * @param nodes   in order of execution
 * @param wanted  names of the graph's outputs
 */
export function withoutUnused(nodes: readonly OnnxNode[], wanted: Iterable<string>): OnnxNode[] {
  const needed = new Set(wanted);
  const kept: OnnxNode[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((name) => needed.has(name))) continue;
    for (const input of node.inputs) needed.add(input);
    kept.push(node);
  }
  return kept.reverse();
}

/**
 * Outputs under their own names, without an Identity behind the node that makes them: ONNX Runtime 1.30 loses a value that such an Identity
 * and a product with a transposed matrix take ("Node input is not … output of a previous node"), as a stacked recurrent cell's state.
 * @param outputs  names of the graph's outputs; an Identity stays where one is an input, a constant, a total over parts or a second output
 */
export function withOutputsInPlace(nodes: readonly OnnxNode[], outputs: ReadonlySet<string>): OnnxNode[] {
  const made = new Set(nodes.flatMap(({ op, outputs }) => (op === totalOp ? [] : outputs)));
  const names = new Map<string, string>();
  const kept = nodes.filter(({ op, inputs: [value], outputs: [port] }) => {
    const isCopy = op === "Identity" && outputs.has(port!) && made.has(value!) && !names.has(value!);
    if (isCopy) names.set(value!, port!);
    return !isCopy;
  });
  const renamed = (values: readonly string[]): string[] => values.map((name) => names.get(name) ?? name);
  return kept.map((node) => ({ ...node, inputs: renamed(node.inputs), outputs: renamed(node.outputs) }));
}

/** A product of two matrices to which nothing is added yet. */
function isPlainProduct({ op, inputs }: OnnxNode, shapes: ValueShapes): boolean {
  if (op === "Gemm") return inputs.length === 2;
  return op === "MatMul" && inputs.every((name) => shapes.get(name)?.length === 2);
}

/** Whether Gemm takes it as its addend, and the sum is no larger than the product. */
function isBroadcastTo(
  addend: readonly number[] | undefined,
  sum: readonly number[] | undefined,
  product: readonly number[] | undefined,
): boolean {
  if (!addend || !sum || !product || `${sum}` !== `${product}` || addend.length > 2) return false;
  return addend.every((length, axis) => length === 1 || length === sum[axis + 2 - addend.length]);
}
