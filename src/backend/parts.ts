import { sizeOf } from "./engine.ts";
import { totalOp } from "./graph-passes.ts";
import type { OnnxConstant, OnnxGraph, OnnxNode } from "./onnx-model.ts";
import type { Recording } from "./recorder.ts";

/** How much a part of a batch is. */
export interface PartSize {
  /** Numbers that the nodes of a step may make for it: more, and they leave the cores' caches. */
  readonly numbers: number;
  /** Its items at least: the products of a rollout with fewer windows give a second core nothing to do. */
  readonly items: number;
}

/** Measured (docs/performance.md); the same everywhere, because the bits of a training depend on it. */
const bestSize: PartSize = { numbers: 2 ** 27, items: 64 };

/** A part of a batch. */
export interface Part {
  readonly start: number;
  readonly count: number;
}

/** A part, and the step recorded of it; parts of one size share a recording. */
export interface RecordedPart extends Part {
  readonly recording: Recording;
}

/** Nodes of a graph that holds several parts: the time to prepare it grows with their square. */
const nodesAtOnce = 10_000;

/**
 * The parts that a step is best done in.
 * @param whole   recorded of all of its batch, of so many items
 * @param record  records it of a part
 */
export function partsOf(
  whole: Recording,
  items: number,
  record: (count: number) => Recording,
  { numbers, items: fewest }: PartSize = bestSize,
): RecordedPart[] {
  const made = whole.graph.nodes.flatMap(({ outputs }) => outputs).map((name) => sizeOf(whole.shapes.get(name) ?? []));
  const wanted = Math.ceil(made.reduce((sum, size) => sum + size, 0) / numbers);
  const recordings = new Map([[items, whole]]);
  const recorded = (parts: readonly Part[]): RecordedPart[] =>
    parts.map((part) => {
      const recording = recordings.get(part.count) ?? record(part.count);
      recordings.set(part.count, recording);
      return { ...part, recording };
    });
  let parts = recorded(cutBatch(items, Math.max(1, Math.min(wanted, Math.floor(items / fewest)))));
  const { graph } = parts[0]!.recording;
  const fewer = Math.max(1, Math.floor(nodesAtOnce / graph.nodes.length));
  if (hasSumsOfSums(graph) && parts.length > fewer) parts = recorded(cutBatch(items, fewer));
  const [first, last] = [parts[0]!.recording, parts.at(-1)!.recording];
  // Arrays of a few numbers are recorded in another way than large ones.
  return operationsOf(first) === operationsOf(last) ? parts : recorded(cutBatch(items, 1));
}

function operationsOf({ graph }: Recording): string {
  return graph.nodes.map(({ op }) => op).join();
}

/** So many parts; a few more, where those have all the same size. */
export function cutBatch(items: number, parts: number): Part[] {
  const least = Math.min(parts, items);
  const even = Array.from({ length: least }, (_, k) => least + k).find((count) => items % count === 0);
  const size = Math.ceil(items / (even ?? least));
  return Array.from({ length: Math.ceil(items / size) }, (_, k) => {
    return { start: k * size, count: Math.min(size, items - k * size) };
  });
}

/** Whether sums over the parts come after other sums over them, as the statistics of batch norms do. */
export function hasSumsOfSums({ nodes }: OnnxGraph): boolean {
  const after = new Set<string>();
  for (const { op, inputs, outputs } of nodes) {
    const isAfter = inputs.some((name) => after.has(name));
    if (op === totalOp && isAfter) return true;
    if (op === totalOp || isAfter) for (const name of outputs) after.add(name);
  }
  return false;
}

/** A step without sums of sums: what each part goes through, and what follows once for all. */
export interface CutStep {
  /** Makes what is summed, for one part. */
  readonly each: OnnxGraph;
  /** Takes the sums, by the names that `each` makes them by, and makes the outputs of the step. */
  readonly last: OnnxGraph;
}

/** @param ofPart  the inputs that differ from part to part. @throws Error where an output does: the step has not summed it */
export function cutStep({ graph, shapes }: Recording, ofPart: ReadonlySet<string>): CutStep {
  const totals = graph.nodes.filter(({ op }) => op === totalOp);
  const summed = new Map(totals.map(({ inputs, outputs }) => [outputs[0]!, inputs[0]!]));
  const nodes = graph.nodes.filter(({ op }) => op !== totalOp);
  const sums = [...new Set(summed.values())].map((name) => {
    return { name, type: "float32", shape: shapes.get(name)! } as const;
  });
  const each = subgraph(graph, nodes, sums, []);
  const renamed = nodes.map((node) => ({ ...node, inputs: node.inputs.map((name) => summed.get(name) ?? name) }));
  const last = subgraph(graph, renamed, graph.outputs, sums);
  refuseUnsummed(
    graph.name,
    last.inputs.find(({ name }) => ofPart.has(name)),
  );
  return { each, last };
}

function refuseUnsummed(step: string, found: { readonly name: string } | undefined): void {
  if (found) throw new Error(`${step}: an output is of a part of the batch, not summed over all ("${found.name}")`);
}

/** What makes the outputs. @param given  values that come in */
function subgraph(
  { name, constants, inputs }: OnnxGraph,
  nodes: readonly OnnxNode[],
  outputs: OnnxGraph["outputs"],
  given: OnnxGraph["inputs"],
): OnnxGraph {
  const there = new Set(given.map((port) => port.name));
  const needed = new Set(outputs.map((port) => port.name));
  const kept: OnnxNode[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((output) => needed.has(output) && !there.has(output))) continue;
    for (const input of node.inputs) needed.add(input);
    kept.push(node);
  }
  const isNeeded = (port: { readonly name: string }): boolean => needed.has(port.name);
  return {
    name,
    nodes: kept.reverse(),
    constants: constants.filter(isNeeded),
    inputs: [...inputs, ...given].filter(isNeeded),
    outputs,
  };
}

/**
 * A step in one graph that takes its parts one after another between two sums over them; what is the same for all is computed once.
 * @param dimensions  which dimension of each input of the step is the batch
 */
export function mergedParts(
  parts: readonly RecordedPart[],
  whole: OnnxGraph,
  dimensions: Readonly<Record<string, number>>,
): OnnxGraph {
  return new Merger(parts, whole, dimensions).graph();
}

class Merger {
  readonly #parts: readonly RecordedPart[];
  readonly #whole: OnnxGraph;
  readonly #nodes: OnnxNode[] = [];
  readonly #constants = new Map<string, OnnxConstant>();
  /** What the values of each part are called here. */
  readonly #names: readonly Map<string, string>[];
  /** Values that are the same for all parts. */
  readonly #common = new Set<string>();

  constructor(parts: readonly RecordedPart[], whole: OnnxGraph, dimensions: Readonly<Record<string, number>>) {
    [this.#parts, this.#whole, this.#names] = [parts, whole, parts.map(() => new Map<string, string>())];
    const firsts = new Map(parts.toReversed().map((part) => [part.recording, parts.indexOf(part)]));
    for (const [p, part] of parts.entries()) {
      this.#takeConstants(p, firsts.get(part.recording)!);
      for (const { name } of whole.inputs) this.#takeInput(name, dimensions[name.slice("input:".length)], p);
    }
  }

  graph(): OnnxGraph {
    const { name, inputs, outputs } = this.#whole;
    for (const k of this.#parts[0]!.recording.graph.nodes.keys()) this.#takeNode(k);
    refuseUnsummed(
      name,
      outputs.find((output) => !this.#common.has(output.name)),
    );
    return { name, nodes: this.#nodes, constants: [...this.#constants.values()], inputs, outputs };
  }

  /** @param first  the first part of the same recording */
  #takeConstants(p: number, first: number): void {
    for (const constant of this.#parts[p]!.recording.graph.constants) {
      const { name: own, type, shape, data } = constant;
      // Equal ones are one, so that what parts of two sizes compute alike is the same.
      const name = data.length <= 64 ? `${type} [${shape}] ${data.join()}` : `${own}@${first}`;
      this.#constants.set(name, { ...constant, name });
      this.#names[p]!.set(constant.name, name);
    }
  }

  #takeInput(name: string, dimension: number | undefined, p: number): void {
    if (dimension === undefined) {
      this.#common.add(name);
      this.#names[p]!.set(name, name);
      return;
    }
    const { start, count } = this.#parts[p]!;
    const bounds = [start, start + count, dimension].map((value) => this.#integer(value));
    const part = `${name}@${p}`;
    this.#nodes.push({ op: "Slice", inputs: [name, ...bounds], outputs: [part], attributes: {} });
    this.#names[p]!.set(name, part);
  }

  #integer(value: number): string {
    const name = `integer:${value}`;
    this.#constants.set(name, { name, type: "int64", shape: [1], data: BigInt64Array.of(BigInt(value)) });
    return name;
  }

  /** The node at that place of each recording: they do the same on different sizes. */
  #takeNode(place: number): void {
    const nodes = this.#parts.map(({ recording }) => recording.graph.nodes[place]!);
    const [{ op, outputs }] = nodes as [OnnxNode];
    const inputs = nodes.map((node, p) => node.inputs.map((name) => this.#names[p]!.get(name) ?? name));
    const isTotal = op === totalOp;
    const isCommon =
      isTotal || inputs[0]!.every((name, i) => this.#isCommon(name) && inputs.every((all) => all[i] === name));
    if (isTotal) this.#nodes.push({ op: "Sum", inputs: inputs.map(([name]) => name!), outputs, attributes: {} });
    for (const [p, node] of nodes.entries()) {
      const made = isCommon ? outputs : node.outputs.map((name) => `${name}@${p}`);
      for (const [i, name] of node.outputs.entries()) this.#names[p]!.set(name, made[i]!);
      if (!isTotal && (p === 0 || !isCommon)) this.#nodes.push({ ...node, inputs: inputs[p]!, outputs: made });
    }
    if (isCommon) for (const name of outputs) this.#common.add(name);
  }

  #isCommon(name: string): boolean {
    return name === "" || this.#common.has(name) || this.#constants.has(name);
  }
}
