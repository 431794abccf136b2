import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { chooseEngine } from "../../src/backend/choose-engine.ts";
import { EagerEngine } from "../../src/backend/eager-engine.ts";
import type { Engine, HostTensors, StepFunction } from "../../src/backend/engine.ts";
import { hostTensor } from "../../src/backend/engine.ts";
import { translations } from "../../src/backend/onnx-kernels.ts";
import { type TensorMap, tf } from "../../src/backend/tf.ts";
import { expectClose, useWasm } from "../helpers/tensors.ts";

let compiled: Engine;
const eager = new EagerEngine("wasm");
const tested = new Set<string>();

beforeAll(async () => {
  await useWasm();
  const { engine, choice } = await chooseEngine({ engine: "compiled", threads: 1 });
  expect(choice.engine).toBe("compiled");
  compiled = engine;
});

/** Runs a function of tensors on both engines and compares; notes the kernels that the case is about. */
async function agree(
  kernels: string | string[],
  f: (inputs: TensorMap) => tf.Tensor,
  inputs: HostTensors,
  reference: Engine = eager,
): Promise<void> {
  for (const kernel of [kernels].flat()) tested.add(kernel);
  const step: StepFunction = (_, tensors) => ({ outputs: { y: tf.cast(f(tensors), "float32") } });
  const results = await Promise.all(
    [reference, compiled].map(async (engine) => {
      const [state, program] = [engine.state({}), engine.program(`${kernels}`, step)];
      const { y } = await program.run(state, inputs);
      program.dispose();
      state.dispose();
      return y!;
    }),
  );
  expect(results[1]!.shape).toEqual(results[0]!.shape);
  expectClose(results[1]!.data, results[0]!.data, { relative: 1e-6, absolute: 1e-6, what: `${kernels}` });
}

/** An array of that shape with values of both signs, no two alike. */
function values(shape: readonly number[], seed: number, positive = false): ReturnType<typeof hostTensor> {
  const size = shape.reduce((a, b) => a * b, 1);
  const data = Float32Array.from({ length: size }, (_, i) => 2 * Math.sin(1 + seed + 1.7 * i));
  return hostTensor(positive ? data.map((x) => Math.abs(x) + 0.1) : data, shape);
}

const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 });
const seeds = fc.integer({ min: 0, max: 1000 });

/** Two shapes that broadcast: some dimensions of each are 1, leading ones may be absent. */
const broadcasting = fc
  .tuple(shapes, fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }), fc.nat(2))
  .map(([shape, ones, drop]) => {
    const a = shape.map((length, i) => (ones[i] ? 1 : length));
    const b = shape.map((length, i) => (ones[3 + i] ? 1 : length)).slice(Math.min(drop, shape.length - 1));
    return [a, b] as const;
  });

const runs = { numRuns: 12 };

describe("compiled kernels equal eager ones", () => {
  const binary: [string, (a: tf.Tensor, b: tf.Tensor) => tf.Tensor, boolean?][] = [
    ["Add", tf.add],
    ["Sub", tf.sub],
    ["Multiply", tf.mul],
    ["RealDiv", tf.div, true],
    ["Maximum", tf.maximum],
    ["Minimum", tf.minimum],
    ["Pow", tf.pow, true],
    ["Greater", tf.greater],
    ["GreaterEqual", tf.greaterEqual],
    ["Less", tf.less],
    ["LessEqual", tf.lessEqual],
    ["Equal", tf.equal],
  ];
  it.each(binary)("%s, with broadcasting", async (kernel, f, positive) => {
    await fc.assert(
      fc.asyncProperty(broadcasting, seeds, async ([a, b], seed) => {
        await agree(kernel, ({ a, b }) => f(a!, b!), {
          a: values(a, seed, positive),
          b: values(b, seed + 1, positive),
        });
      }),
      runs,
    );
  });

  it("Multiply by ones, which costs nothing or a broadcast", async () => {
    await agree("OnesLike", ({ x }) => tf.mul(x!, tf.onesLike(x!)), { x: values([2, 3], 1) });
    await agree(["Fill", "ExpandDims"], ({ x }) => tf.mul(tf.expandDims(x!, 1), tf.ones([2, 200])), {
      x: values([2], 1),
    });
    await agree("Fill", ({ x }) => tf.add(tf.mul(x!, tf.fill([3, 50], 2.5)), tf.zeros([3, 50])), {
      x: values([3, 50], 1),
    });
  });

  const unary: [string, (x: tf.Tensor) => tf.Tensor, boolean?][] = [
    ["Abs", tf.abs],
    ["Exp", tf.exp],
    ["Log", tf.log, true],
    ["Neg", tf.neg],
    ["Sign", tf.sign],
    ["Sqrt", tf.sqrt, true],
    ["Rsqrt", tf.rsqrt, true],
    ["Reciprocal", tf.reciprocal, true],
    ["Erf", tf.erf],
    ["Relu", tf.relu],
    ["Sigmoid", tf.sigmoid],
    ["Tanh", tf.tanh],
    ["Softplus", tf.softplus],
    ["Elu", tf.elu],
    ["LeakyRelu", (x) => tf.leakyRelu(x, 0.3)],
    ["ClipByValue", (x) => tf.clipByValue(x, -0.7, 1.2)],
    ["Softmax", (x) => tf.softmax(x)],
    ["LogicalNot", (x) => tf.logicalNot(tf.greater(x, 0))],
    ["LogicalAnd", (x) => tf.logicalAnd(tf.greater(x, -1), tf.less(x, 1))],
    ["LogicalOr", (x) => tf.logicalOr(tf.greater(x, 1), tf.less(x, -1))],
    ["GatherV2", (x) => tf.gather(x, tf.tensor1d([0, 0, 0], "int32"), -1)],
    ["Square", tf.square],
    ["ZerosLike", tf.zerosLike],
    ["Identity", tf.clone],
  ];
  it.each(unary)("%s", async (kernel, f, positive) => {
    await fc.assert(
      fc.asyncProperty(shapes, seeds, async (shape, seed) => {
        await agree(kernel, ({ x }) => f(x!), { x: values(shape, seed, positive) });
      }),
      runs,
    );
  });

  it("Sign of 0 and of the smallest numbers that count", async () => {
    // By its definition: the eager engine takes the last of these for 0.
    const x = hostTensor(Float32Array.of(0, 3e38, -3e38, 2e-38, -2e-38), [5]);
    const program = compiled.program("sign", (_, inputs) => ({ outputs: { y: tf.sign(inputs.x!) } }));
    const { y } = await program.run(compiled.state({}), { x });
    program.dispose();
    expect([...y!.data]).toEqual([0, 1, -1, 1, -1]);
  });

  it("Step, with its alpha, at 0 too", async () => {
    const x = hostTensor(Float32Array.of(-2, 0, 3), [3]);
    await agree("Step", ({ x }) => tf.add(tf.step(x!, -1), tf.mul(10, tf.step(x!, 0.25))), { x });
    await agree("Step", ({ x }) => tf.step(x!), { x });
  });

  const reductions: [string, (x: tf.Tensor, axis?: number | number[], keep?: boolean) => tf.Tensor][] = [
    ["Sum", tf.sum],
    ["Mean", tf.mean],
    ["Max", tf.max],
  ];
  it.each(reductions)("%s, over any axes, kept or not", async (kernel, f) => {
    const axes = shapes.chain((shape) =>
      fc.tuple(fc.constant(shape), fc.subarray([...shape.keys()]), fc.boolean(), seeds),
    );
    await fc.assert(
      fc.asyncProperty(axes, async ([shape, axis, keep, seed]) => {
        await agree(kernel, ({ x }) => f(x!, axis.length ? axis : undefined, keep), { x: values(shape, seed) });
      }),
      runs,
    );
  });

  it("ArgMax, OneHot and Cast: the first of equal entries", async () => {
    const x = hostTensor(Float32Array.of(1, 5, 5, 2, 2, 1), [2, 3]);
    await agree(["ArgMax", "Cast"], ({ x }) => tf.argMax(x!, 1), { x });
    await agree("OneHot", ({ x }) => tf.oneHot(tf.argMax(x!, 1) as tf.Tensor1D, 3), { x });
    await agree(["OneHot", "Cast"], ({ x }) => tf.oneHot(tf.argMax(x!, 1) as tf.Tensor1D, 3, 2, -1), { x });
  });

  it("BatchMatMul, transposed in any way, of one matrix or a batch", async () => {
    const length = fc.integer({ min: 1, max: 5 });
    const cases = fc.tuple(length, length, length, fc.boolean(), fc.boolean(), fc.constantFrom([], [1], [3]), seeds);
    await fc.assert(
      fc.asyncProperty(cases, async ([n, k, m, ta, tb, batch, seed]) => {
        const a = values([...batch, ...(ta ? [k, n] : [n, k])], seed);
        const b = values([...batch, ...(tb ? [m, k] : [k, m])], seed + 1);
        await agree("BatchMatMul", ({ a, b }) => tf.matMul(a!, b!, ta, tb), { a, b });
      }),
      runs,
    );
  });

  it("Transpose, by any permutation", async () => {
    const cases = shapes.chain((shape) =>
      fc.tuple(fc.constant(shape), fc.shuffledSubarray([...shape.keys()], { minLength: shape.length }), seeds),
    );
    await fc.assert(
      fc.asyncProperty(cases, async ([shape, perm, seed]) => {
        await agree("Transpose", ({ x }) => tf.transpose(x!, perm), { x: values(shape, seed) });
      }),
      runs,
    );
  });

  it("Reshape, Slice, Concat, Pack, Unpack, SplitV, PadV2, Tile, AddN, Select", async () => {
    const x = values([4, 6], 3);
    const y = values([4, 6], 9);
    await agree("Reshape", ({ x }) => tf.reshape(x!, [2, -1, 3]), { x });
    await agree("Slice", ({ x }) => tf.slice(x!, [1, 2], [2, -1]), { x });
    await agree("Concat", ({ x, y }) => tf.concat([x!, y!, x!], 1), { x, y });
    await agree("Concat", ({ x }) => tf.concat([x!], 0), { x });
    await agree("Pack", ({ x, y }) => tf.stack([x!, y!], 1), { x, y });
    await agree("Pack", ({ x, y }) => tf.stack([x!, y!], -1), { x, y });
    await agree("Unpack", ({ x }) => tf.add(tf.unstack(x!, 1)[4]!, tf.unstack(x!, 1)[0]!), { x });
    await agree("Unpack", ({ x }) => tf.unstack(tf.slice(x!, [0, 0], [1, 6]))[0]!, { x });
    await agree("SplitV", ({ x }) => tf.split(x!, 3, 1)[2]!, { x });
    await agree("SplitV", ({ x }) => tf.split(x!, [1, -1, 2], -1)[1]!, { x });
    await agree(
      "PadV2",
      ({ x }) =>
        tf.pad(
          x!,
          [
            [1, 0],
            [0, 2],
          ],
          7,
        ),
      { x },
    );
    await agree("Tile", ({ x }) => tf.tile(x!, [2, 3]), { x });
    await agree("AddN", ({ x, y }) => tf.addN([x!, y!, x!]), { x, y });
    await agree("Select", ({ x, y }) => tf.where(tf.greater(x!, y!), x!, y!), { x, y });
  });

  const differentiable: [string | string[], (x: tf.Tensor) => tf.Tensor][] = [
    ["Tanh", tf.tanh],
    ["Softplus", tf.softplus],
    [["Elu", "EluGrad"], tf.elu],
    ["LeakyRelu", (x) => tf.leakyRelu(x, 0.3)],
    ["Softmax", (x) => tf.softmax(x)],
    [["ClipByValue", "LogicalAnd"], (x) => tf.clipByValue(x, -0.7, 1.2)],
    [["Maximum", "GreaterEqual", "Less"], (x) => tf.maximum(x, 0.4)],
    [["Minimum", "LessEqual"], (x) => tf.minimum(x, tf.square(x))],
    [
      ["Select", "LogicalNot"],
      (x) => tf.where(tf.greater(tf.tile(tf.tensor2d([[-1], [0], [1]]), [1, 5]), 0), tf.square(x), tf.neg(x)),
    ],
    [["GatherV2", "UnsortedSegmentSum"], (x) => tf.gather(x, tf.tensor1d([3, 0, 3, 1, 3], "int32"), 1)],
    [
      ["GatherV2", "UnsortedSegmentSum"],
      (x) =>
        tf.gather(
          x,
          tf.tensor2d(
            [
              [1, 1],
              [0, 1],
            ],
            undefined,
            "int32",
          ),
          0,
        ),
    ],
  ];
  it.each(differentiable)("the gradient of %s", async (kernels, f) => {
    // The weights tell the entries of the gradient apart.
    const weighted = (x: tf.Tensor): tf.Scalar => {
      const y = f(x);
      const weights = Array.from({ length: y.size }, (_, i) => Math.cos(1 + 1.3 * i));
      return tf.sum(tf.mul(y, tf.tensor(weights, y.shape)));
    };
    // WASM has no kernel for the gradient of Gather.
    const reference = kernels.includes("UnsortedSegmentSum") ? new EagerEngine("cpu") : eager;
    await agree(kernels, ({ x }) => tf.grad(weighted)(x!), { x: values([3, 5], 4) }, reference);
  });

  it("and every entry of the table was compared", () => {
    expect(Object.keys(translations).filter((kernel) => !tested.has(kernel))).toEqual([]);
  });
});

describe("a step with a kernel that has no translation", () => {
  it("runs eagerly, and the kernel is named", async () => {
    const notes: string[] = [];
    const { engine } = await chooseEngine({ engine: "compiled", threads: 1 }, (message) => notes.push(message));
    const state = engine.state({ count: hostTensor(Float32Array.of(1, 2), [2]) });
    const program = engine.program("odd step", ({ count }, { x }) => ({
      state: { count: tf.add(count!, 1) },
      outputs: { y: tf.cumsum(tf.add(x!, count!)) },
    }));
    const { y } = await program.run(state, { x: hostTensor(Float32Array.of(10, 20), [2]) });
    expect([...y!.data]).toEqual([11, 33]);
    expect([...(await state.read("count")).data]).toEqual([2, 3]);
    expect(notes).toEqual([
      "warning: odd step runs eagerly, at a tenth of the speed or less: the kernel Cumsum has no translation to ONNX",
    ]);
  });

  it("also where only these attributes have none", async () => {
    const notes: string[] = [];
    const { engine } = await chooseEngine({ engine: "compiled", threads: 1 }, (message) => notes.push(message));
    const program = engine.program("rows of each", (_, { x }) => ({
      // A batch of one: with more, the kernel of WebAssembly reads beyond its arrays.
      outputs: { y: tf.gather(x!, tf.tensor2d([[3, 0]], [1, 2], "int32"), 1, 1) },
    }));
    await program.run(engine.state({}), { x: hostTensor(Float32Array.of(1, 2, 3, 4), [1, 4]) });
    expect(notes[0]).toContain("the kernel GatherV2 has no translation");
  });
});

describe("a step that is recorded", () => {
  it("must not read values", async () => {
    const program = compiled.program("reading", (_, { x }) => ({ outputs: { y: tf.mul(x!, x!.dataSync()[0]!) } }));
    await expect(program.run(compiled.state({}), { x: values([2], 1) })).rejects.toThrow("must not read values");
  });

  it("must not use tensors from outside", async () => {
    const outside = tf.scalar(3);
    const program = compiled.program("outside", (_, { x }) => ({ outputs: { y: tf.mul(x!, outside) } }));
    await expect(program.run(compiled.state({}), { x: values([2], 1) })).rejects.toThrow("a tensor from outside");
    outside.dispose();
  });

  it("leaves the current backend and its tensors as they were", async () => {
    const before = tf.memory().numTensors;
    const program = compiled.program("sum", (_, { x }) => ({ outputs: { y: tf.sum(x!) } }));
    await program.run(compiled.state({}), { x: values([2], 1) });
    program.dispose();
    expect([tf.getBackend(), tf.memory().numTensors]).toEqual(["wasm", before]);
  });
});
