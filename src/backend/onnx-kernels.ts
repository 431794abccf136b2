import { sizeOf } from "./engine.ts";
import type { GraphBuilder, Value, ValueType } from "./graph-builder.ts";
import { tf } from "./tf.ts";

/** What a kernel was asked for: its inputs by name (lists for n-ary kernels) and its attributes. */
export interface KernelCall {
  readonly inputs: Readonly<Record<string, Value>>;
  /** The inputs in order: for kernels that take a list. */
  readonly list: readonly Value[];
  // biome-ignore lint/suspicious/noExplicitAny: each kernel knows its own attributes; tfjs types them as unknown
  readonly attrs: any;
}

/** One tfjs kernel as ONNX nodes; gives the outputs with their shapes, null where it cannot with these attributes. */
export type Translation = (g: GraphBuilder, call: KernelCall) => Value | Value[] | null;

/**
 * tfjs kernel → ONNX. What is not here cannot be compiled, and the engine says so by name.
 * Broadcasting, types and the meaning of every attribute are tfjs'; tests compare each entry with eager execution.
 */
export const translations: Readonly<Record<string, Translation>> = {
  Add: binary("Add"),
  Sub: binary("Sub"),
  Multiply: multiply,
  RealDiv: binary("Div"),
  Maximum: binary("Max"),
  Minimum: binary("Min"),
  Pow: binary("Pow"),
  Greater: binary("Greater", "bool"),
  GreaterEqual: binary("GreaterOrEqual", "bool"),
  Less: binary("Less", "bool"),
  LessEqual: binary("LessOrEqual", "bool"),
  Equal: binary("Equal", "bool"),
  LogicalAnd: binary("And", "bool"),
  LogicalOr: binary("Or", "bool"),
  LogicalNot: unary("Not"),
  AddN: (g, { list }) => sum(g, list),
  Abs: unary("Abs"),
  Exp: unary("Exp"),
  Log: unary("Log"),
  Neg: unary("Neg"),
  Sign: sign,
  Sqrt: unary("Sqrt"),
  Erf: unary("Erf"),
  Relu: unary("Relu"),
  Sigmoid: unary("Sigmoid"),
  Tanh: unary("Tanh"),
  Softplus: unary("Softplus"),
  Elu: unary("Elu"),
  EluGrad: eluGradient,
  LeakyRelu: (g, { inputs: { x }, attrs }) =>
    g.node("LeakyRelu", [x!], x!.shape, x!.dtype, { alpha: { float: attrs.alpha } }),
  ClipByValue: (g, { inputs: { x }, attrs }) => {
    const [low, high] = [attrs.clipValueMin, attrs.clipValueMax].map((bound) => g.constant([bound], [], x!.dtype));
    return g.node("Clip", [x!, low!, high!], x!.shape, x!.dtype);
  },
  Softmax: (g, { inputs: { logits }, attrs }) =>
    g.node("Softmax", [logits!], logits!.shape, logits!.dtype, { axis: attrs.dim }),
  Square: (g, { inputs: { x } }) => g.node("Mul", [x!, x!], x!.shape, x!.dtype),
  Rsqrt: (g, { inputs: { x } }) => reciprocal(g, g.node("Sqrt", [x!], x!.shape, x!.dtype)),
  Reciprocal: (g, { inputs: { x } }) => reciprocal(g, x!),
  Step: step,
  Sum: reduction("ReduceSum"),
  Mean: reduction("ReduceMean"),
  Max: reduction("ReduceMax"),
  ArgMax: argMax,
  OneHot: oneHot,
  Cast: (g, { inputs: { x }, attrs }) =>
    attrs.dtype === x!.dtype ? x! : g.node("Cast", [x!], x!.shape, attrs.dtype, { to: onnxTypeOf(attrs.dtype) }),
  Identity: (_, { inputs: { x } }) => x!,
  Reshape: (g, { inputs: { x }, attrs }) => reshape(g, x!, resolved(x!, attrs.shape)),
  ExpandDims: (g, { inputs: { input }, attrs }) => {
    return reshape(g, input!, input!.shape.toSpliced(positive(attrs.dim, input!.shape.length + 1), 0, 1));
  },
  Transpose: (g, { inputs: { x }, attrs }) => transpose(g, x!, attrs.perm),
  BatchMatMul: product,
  Slice: (g, { inputs: { x }, attrs }) => slice(g, x!, attrs.begin, attrs.size),
  Concat: (g, { list, attrs }) => concat(g, list, positive(attrs.axis, list[0]!.shape.length)),
  Pack: (g, { list, attrs }) => {
    const axis = positive(attrs.axis, list[0]!.shape.length + 1);
    const thick = list[0]!.shape.toSpliced(axis, 0, 1);
    return concat(
      g,
      list.map((x) => reshape(g, x, thick)),
      axis,
    );
  },
  Unpack: (g, { inputs: { value }, attrs }) => {
    const axis = positive(attrs.axis, value!.shape.length);
    const thick = value!.shape.with(axis, 1);
    const parts = split(g, value!, axis, new Array(value!.shape[axis]!).fill(thick));
    return parts.map((part) => reshape(g, part, value!.shape.toSpliced(axis, 1)));
  },
  SplitV: (g, { inputs: { x }, attrs }) => {
    const axis = positive(attrs.axis, x!.shape.length);
    const sizes = splitSizes(x!.shape[axis]!, attrs.numOrSizeSplits);
    return split(
      g,
      x!,
      axis,
      sizes.map((size) => x!.shape.with(axis, size)),
    );
  },
  PadV2: (g, { inputs: { x }, attrs }) => {
    const paddings: [number, number][] = attrs.paddings;
    const shape = x!.shape.map((length, axis) => length + paddings[axis]![0] + paddings[axis]![1]);
    const amounts = g.integers([...paddings.map(([before]) => before), ...paddings.map(([, after]) => after)]);
    return g.node("Pad", [x!, amounts, g.constant([attrs.constantValue], [], x!.dtype)], shape, x!.dtype);
  },
  Tile: (g, { inputs: { x }, attrs }) =>
    g.node(
      "Tile",
      [x!, g.integers(attrs.reps)],
      x!.shape.map((length, axis) => length * attrs.reps[axis]),
      x!.dtype,
    ),
  Fill: (g, { attrs }) => {
    const dtype: ValueType = attrs.dtype ?? "float32";
    const size = attrs.shape.reduce((a: number, b: number) => a * b, 1);
    return g.constant(new Float32Array(size).fill(attrs.value), attrs.shape, dtype);
  },
  ZerosLike: (g, { inputs: { x } }) => filledLike(g, x!, 0),
  OnesLike: (g, { inputs: { x } }) => filledLike(g, x!, 1),
  GatherV2: gather,
  UnsortedSegmentSum: segmentSum,
  Select: (g, { inputs: { condition, t, e } }) => g.node("Where", [condition!, t!, e!], t!.shape, t!.dtype),
};

/** Without int64 by comparison: WebGPU has no Cast of it, and to compute one node on the CPU is to wait for the device half way. */
function argMax(g: GraphBuilder, { inputs: { x }, attrs }: KernelCall): Value {
  const axis: number = attrs.axis;
  const shape = x!.shape.toSpliced(axis, 1);
  let index: Value;
  if (g.limits.int64)
    index = g.node("ArgMax", [x!], shape, "int32", { axis, keepdims: 0 }); // int64 in ONNX
  else {
    const length = x!.shape[axis]!;
    const along = x!.shape.map((_, k) => (k === axis ? length : 1));
    const positions = g.constant([...Array(length).keys()], along, "float32");
    const largest = g.node("ReduceMax", [x!, g.integers([axis])], x!.shape.with(axis, 1), x!.dtype, { keepdims: 1 });
    const hit = g.node("Equal", [x!, largest], x!.shape, "bool");
    const found = g.node("Where", [hit, positions, g.constant([length], [], "float32")], x!.shape, "float32");
    index = g.node("ReduceMin", [found, g.integers([axis])], shape, "float32", { keepdims: 0 });
  }
  return g.node("Cast", [index], shape, "int32", { to: onnxTypeOf("int32") });
}

/** By comparison: ONNX Runtime's own OneHot takes few types of indices. */
function oneHot(g: GraphBuilder, { inputs: { indices }, attrs }: KernelCall): Value {
  const shape = [...indices!.shape, attrs.depth];
  const positions = g.constant([...Array(attrs.depth).keys()], [attrs.depth], "int32");
  const hit = g.node("Equal", [reshape(g, indices!, [...indices!.shape, 1]), positions], shape, "bool");
  if (attrs.onValue === 1 && attrs.offValue === 0) {
    return g.node("Cast", [hit], shape, attrs.dtype, { to: onnxTypeOf(attrs.dtype) }); // a fifth of the time of Where
  }
  const [on, off] = [g.constant([attrs.onValue], [], attrs.dtype), g.constant([attrs.offValue], [], attrs.dtype)];
  return g.node("Where", [hit, on, off], shape, attrs.dtype);
}

function unary(op: string): Translation {
  return (g, { inputs: { x } }) => g.node(op, [x!], x!.shape, x!.dtype);
}

function binary(op: string, dtype?: ValueType): Translation {
  return (g, { inputs: { a, b } }) => g.node(op, [a!, b!], broadcast(a!, b!), dtype ?? a!.dtype);
}

/** Products with ones, which sums' gradients are full of, cost nothing or a broadcast. */
function multiply(g: GraphBuilder, { inputs: { a, b } }: KernelCall): Value {
  const shape = broadcast(a!, b!);
  for (const [one, other] of [
    [a!, b!],
    [b!, a!],
  ] as const) {
    if (one.uniform !== 1) continue;
    if (`${other.shape}` === `${shape}`) return other;
    return g.node("Expand", [other, g.integers(shape)], shape, other.dtype);
  }
  return g.node("Mul", [a!, b!], shape, a!.dtype);
}

function reciprocal(g: GraphBuilder, x: Value): Value {
  return g.node("Reciprocal", [x], x.shape, x.dtype);
}

/**
 * −1, 0 or 1, by clipping: both nodes use vector instructions, and take a third of the time of ONNX Runtime's own Sign. Exact down to
 * 3e-39, the denormal numbers.
 */
function sign(g: GraphBuilder, { inputs: { x } }: KernelCall): Value {
  const large = g.node("Mul", [x!, g.constant([3e38], [], "float32")], x!.shape, "float32");
  const [low, high] = [g.constant([-1], [], "float32"), g.constant([1], [], "float32")];
  return g.node("Clip", [large, low, high], x!.shape, "float32");
}

/** 1 above 0, `alpha` elsewhere; NaN stays NaN in tfjs and becomes `alpha` here. */
function step(g: GraphBuilder, { inputs: { x }, attrs }: KernelCall): Value {
  const above = g.node("Greater", [x!, g.constant([0], [], "float32")], x!.shape, "bool");
  if (!attrs.alpha) return g.node("Cast", [above], x!.shape, "float32", { to: onnxTypeOf("float32") });
  const [one, alpha] = [g.constant([1], [], "float32"), g.constant([attrs.alpha ?? 0], [], "float32")];
  return g.node("Where", [above, one, alpha], x!.shape, "float32");
}

/** dy · (y + 1) below 0, dy elsewhere. */
function eluGradient(g: GraphBuilder, { inputs: { dy, y } }: KernelCall): Value {
  const [zero, one] = [0, 1].map((value) => g.constant([value], [], "float32"));
  const below = g.node("Min", [y!, zero!], y!.shape, "float32");
  return g.node("Mul", [dy!, g.node("Add", [below, one!], y!.shape, "float32")], dy!.shape, "float32");
}

/** One list of indices for all; tfjs also has one for each entry of a batch. */
function gather(g: GraphBuilder, { inputs: { x, indices }, attrs }: KernelCall): Value | null {
  if (attrs.batchDims) return null;
  const axis = positive(attrs.axis, x!.shape.length);
  return g.node("Gather", [x!, indices!], x!.shape.toSpliced(axis, 1, ...indices!.shape), x!.dtype, { axis });
}

/** The gradient of Gather: a product with ones and zeros, whose order of summation is fixed. */
function segmentSum(g: GraphBuilder, { inputs: { x, segmentIds }, attrs }: KernelCall): Value | null {
  const [rows, ...inner] = x!.shape;
  if (segmentIds!.shape.length !== 1) return null;
  const hits = oneHot(g, {
    inputs: { indices: segmentIds! },
    list: [],
    attrs: { depth: attrs.numSegments, onValue: 1, offValue: 0, dtype: "float32" },
  });
  const width = sizeOf(inner);
  const summed = g.node("Gemm", [hits, reshape(g, x!, [rows!, width])], [attrs.numSegments, width], "float32", {
    transA: 1,
  });
  return reshape(g, summed, [attrs.numSegments, ...inner]);
}

function reduction(op: string): Translation {
  return (g, { inputs: { x }, attrs }) => {
    const rank = x!.shape.length;
    const given: number[] = [attrs.axis ?? attrs.reductionIndices ?? []].flat();
    const axes = given.length ? given.map((axis) => positive(axis, rank)) : [...x!.shape.keys()];
    if (axes.length === 0) return x!;
    const keepdims = attrs.keepDims ? 1 : 0;
    const shape = x!.shape.flatMap((length, axis) => (axes.includes(axis) ? (keepdims ? [1] : []) : [length]));
    // ReduceMean and ReduceMax take their axes as an attribute until opset 18, ReduceSum as an input since 13.
    return g.node(op, [x!, g.integers(axes)], shape, x!.dtype, { keepdims });
  };
}

function product(g: GraphBuilder, { inputs: { a, b }, attrs }: KernelCall): Value {
  const [transposeA, transposeB] = [Boolean(attrs.transposeA), Boolean(attrs.transposeB)];
  const rank = a!.shape.length;
  const [rows, columns] = [a!.shape[rank - (transposeA ? 1 : 2)]!, b!.shape[rank - (transposeB ? 2 : 1)]!];
  // Gemm for all plain matrices: ONNX Runtime computes an activation in the same node, which it does not do for MatMul.
  if (rank === 2) {
    return g.node("Gemm", [a!, b!], [rows, columns], "float32", { transA: +transposeA, transB: +transposeB });
  }
  const swap = [...Array(rank - 2).keys(), rank - 1, rank - 2];
  const left = transposeA ? transpose(g, a!, swap) : a!;
  const right = transposeB ? transpose(g, b!, swap) : b!;
  const leading = broadcastShapes(a!.shape.slice(0, -2), b!.shape.slice(0, -2));
  return g.node("MatMul", [left, right], [...leading, rows, columns], "float32");
}

function transpose(g: GraphBuilder, x: Value, perm: readonly number[]): Value {
  return g.node(
    "Transpose",
    [x],
    perm.map((axis) => x.shape[axis]!),
    x.dtype,
    { perm },
  );
}

function slice(g: GraphBuilder, x: Value, begin: number | number[], size: number | number[]): Value {
  const rank = x.shape.length;
  const from = [begin].flat().concat(new Array(rank).fill(0)).slice(0, rank);
  const wanted = [size].flat().concat(new Array(rank).fill(-1)).slice(0, rank);
  const shape = wanted.map((length, axis) => (length === -1 ? x.shape[axis]! - from[axis]! : length));
  const to = shape.map((length, axis) => from[axis]! + length);
  return g.node("Slice", [x, g.integers(from), g.integers(to)], shape, x.dtype);
}

function sum(g: GraphBuilder, parts: readonly Value[]): Value {
  if (parts.length === 1) return parts[0]!;
  if (parts.length > g.limits.widest) parts = branches(g, parts, (branch) => sum(g, branch));
  return g.node("Sum", parts, parts[0]!.shape, parts[0]!.dtype);
}

function concat(g: GraphBuilder, parts: readonly Value[], axis: number): Value {
  if (parts.length === 1) return parts[0]!;
  if (parts.length > g.limits.widest) parts = branches(g, parts, (branch) => concat(g, branch, axis));
  const shapes = parts.map(({ shape }) => shape);
  return g.node("Concat", parts, joined(shapes, axis), parts[0]!.dtype, { axis });
}

function split(g: GraphBuilder, x: Value, axis: number, shapes: readonly (readonly number[])[]): Value[] {
  if (shapes.length === 1) return [x];
  if (shapes.length > g.limits.widest) {
    const groups = branches(g, shapes, (branch) => branch);
    const wholes = groups.map((group) => joined(group, axis));
    const parts = split(g, x, axis, wholes);
    return groups.flatMap((group, k) => split(g, parts[k]!, axis, group));
  }
  return g.nodes("Split", [x, g.integers(shapes.map((shape) => shape[axis]!))], shapes, x.dtype, { axis });
}

/** What becomes of each group of neighbours, at most `widest` groups. */
function branches<T, R>(
  { limits: { widest } }: GraphBuilder,
  list: readonly T[],
  make: (branch: readonly T[]) => R,
): R[] {
  const size = Math.ceil(list.length / widest);
  const starts = Array.from({ length: Math.ceil(list.length / size) }, (_, k) => k * size);
  return starts.map((start) => make(list.slice(start, start + size)));
}

/** The shape of arrays one after another. */
function joined(shapes: readonly (readonly number[])[], axis: number): readonly number[] {
  return shapes[0]!.with(
    axis,
    shapes.reduce((length, shape) => length + shape[axis]!, 0),
  );
}

function splitSizes(length: number, numOrSizes: number | readonly number[]): number[] {
  if (typeof numOrSizes === "number") return new Array(numOrSizes).fill(length / numOrSizes);
  const known = numOrSizes.reduce((sum, size) => sum + Math.max(size, 0), 0);
  return numOrSizes.map((size) => (size === -1 ? length - known : size));
}

function reshape(g: GraphBuilder, x: Value, shape: readonly number[]): Value {
  if (`${x.shape}` === `${shape}`) return x;
  const reshaped = g.node("Reshape", [x, g.integers(shape)], shape, x.dtype);
  return x.uniform === undefined ? reshaped : { ...reshaped, uniform: x.uniform };
}

/** An axis counted from the front. */
function positive(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** A shape with its −1 replaced. */
function resolved(x: Value, shape: readonly number[]): number[] {
  const size = sizeOf(x.shape);
  const known = shape.reduce((product, length) => (length === -1 ? product : product * length), 1);
  return shape.map((length) => (length === -1 ? size / known : length));
}

function filledLike(g: GraphBuilder, { shape, dtype }: Value, value: number): Value {
  return g.constant(new Float32Array(sizeOf(shape)).fill(value), shape, dtype);
}

function broadcast(a: Value, b: Value): number[] {
  return broadcastShapes(a.shape, b.shape);
}

function broadcastShapes(a: readonly number[], b: readonly number[]): number[] {
  return tf.broadcast_util.assertAndGetBroadcastShape([...a], [...b]);
}

function onnxTypeOf(dtype: string): number {
  return { float32: 1, int32: 6, bool: 9 }[dtype] ?? 1;
}
