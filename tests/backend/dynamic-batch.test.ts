import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { DynamicBatchError, dynamicBatch } from "../../src/backend/dynamic-batch.ts";
import { EagerEngine } from "../../src/backend/eager-engine.ts";
import { type HostTensor, hostTensor, type StepFunction } from "../../src/backend/engine.ts";
import { encodeOnnx, type OnnxGraph } from "../../src/backend/onnx-model.ts";
import { loadOnnxRuntime, type OnnxRuntime } from "../../src/backend/onnx-runtime.ts";
import { recordStep } from "../../src/backend/recorder.ts";
import { type TensorMap, tf } from "../../src/backend/tf.ts";
import { expectClose, useWasm } from "../helpers/tensors.ts";

let ort: OnnxRuntime;

beforeAll(async () => {
  await useWasm();
  ort = (await loadOnnxRuntime()) as OnnxRuntime;
});

type OfBatch = (x: tf.Tensor, batch: number) => tf.Tensor;

/** A step on an input [batch, width], as tfjs sees it: with the batch as a number. */
function stepOf(f: OfBatch): StepFunction {
  return (_, { x }) => ({ outputs: { y: f(x!, x!.shape[0]!) } });
}

function graphOf(f: OfBatch, shape: (batch: number) => number[] = (batch) => [batch, 6]): OnnxGraph {
  return dynamicBatch((batch) => recordStep("step", stepOf(f), {}, { x: shape(batch) }).graph);
}

/** Runs one file at several batches and compares with eager execution. */
async function agrees(f: OfBatch): Promise<void> {
  const session = await ort.InferenceSession.create(encodeOnnx(graphOf(f), "0"));
  const eager = new EagerEngine("wasm");
  for (const batch of [1, 2, 7]) {
    const data = Float32Array.from({ length: batch * 6 }, (_, i) => Math.sin(1 + 1.7 * i));
    const { y } = await eager.program("eager", stepOf(f)).run(eager.state({}), { x: hostTensor(data, [batch, 6]) });
    const found = (await session.run({ "input:x": new ort.Tensor("float32", data, [batch, 6]) }))["output:y"]!;
    expect([...found.dims]).toEqual(y!.shape);
    expectClose(found.data as Float32Array, (y as HostTensor).data, { absolute: 1e-6 });
  }
  await session.release();
}

const constantsOf = (graph: OnnxGraph): number[][] =>
  graph.constants.filter(({ type }) => type === "int64").map(({ data }) => [...data].map(Number));

describe("a graph for any batch", () => {
  it("has the batch as a named dimension of its inputs and outputs", () => {
    const graph = dynamicBatch(
      (batch) => recordStep("pair", (_, { x }) => ({ outputs: { y: tf.transpose(x!) } }), {}, { x: [batch, 6] }).graph,
      "rows",
    );
    expect(graph.inputs).toEqual([{ name: "input:x", type: "float32", shape: ["rows", 6] }]);
    expect(graph.outputs).toEqual([{ name: "output:y", type: "float32", shape: [6, "rows"] }]);
  });

  it("leaves the one length of a reshape that depends on it to ONNX", async () => {
    const f: OfBatch = (x, batch) => tf.reshape(tf.reshape(x, [3 * batch, 2]), [batch, 3, 2]);
    expect(constantsOf(graphOf(f))).toEqual([
      [-1, 2],
      [-1, 3, 2],
    ]);
    await agrees(f);
  });

  it("computes the lengths of a reshape where two depend on it", async () => {
    const square: OfBatch = (x, batch) => {
      const gram = tf.matMul(x as tf.Tensor2D, x as tf.Tensor2D, false, true);
      return tf.reshape(tf.transpose(tf.reshape(gram, [batch, 1, batch]), [0, 2, 1]), [1, batch, batch]);
    };
    expect(graphOf(square).nodes.filter(({ op }) => op === "Shape")).toHaveLength(1);
    await agrees(square);
  });

  const cases: [string, OfBatch][] = [
    ["arrays filled with one value", (x, batch) => tf.add(x, tf.mul(tf.fill([batch, 6], 2.5), tf.zerosLike(x)))],
    ["products with ones", (x, batch) => tf.mul(tf.slice(x, [0, 0], [batch, 1]), tf.ones([batch, 6]))],
    ["slices to the end", (x) => tf.slice(x, [0, 2], [-1, 3])],
    ["slices from within the batch", (x, batch) => tf.slice(tf.concat([x, x], 0), [batch - 1, 0], [batch, 6])],
    ["tiles", (x, batch) => tf.tile(tf.sum(x, 0, true), [batch, 1])],
    ["splits", (x, batch) => tf.split(tf.concat([x, tf.neg(x)], 0), [batch, batch], 0)[1]!],
    [
      "padding",
      (x, batch) =>
        tf.slice(
          tf.pad(x, [
            [batch, 1],
            [0, 0],
          ]),
          [batch, 0],
          [batch, 6],
        ),
    ],
    ["steps in front of the batch", (x, batch) => tf.stack(tf.unstack(tf.reshape(x, [batch, 2, 3]), 1).reverse(), 1)],
  ];
  it.each(cases)("computes %s", async (_, f) => agrees(f));

  it("keeps equal numbers apart where only some of them are the batch", async () => {
    // At a batch of 6 the lengths coincide; the recordings' do not, and neither may the file's.
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 12 }), async (width) => {
        const f: OfBatch = (x, batch) => tf.mul(tf.reshape(x, [batch, 6, 1]), tf.ones([1, 1, width]));
        await agrees(f);
      }),
      { numRuns: 5 },
    );
  });
});

describe("what cannot take any batch is an error", () => {
  const refused = (f: OfBatch, shape?: (batch: number) => number[]): string => {
    try {
      graphOf(f, shape);
    } catch (error) {
      expect(error).toBeInstanceOf(DynamicBatchError);
      return (error as Error).message;
    }
    throw new Error("nothing was thrown");
  };

  it("a number that depends on it", () => {
    expect(refused((x, batch) => tf.div(x, batch))).toBe(
      'the graph "step" cannot take batches of any size: an array that Div takes depends on the batch, []',
    );
  });

  it("operations, attributes or their inputs that depend on it", () => {
    expect(refused((x, batch) => (batch === 1013 ? tf.exp(x) : tf.abs(x)))).toMatch("operations depend on the batch");
    expect(refused((x, batch) => (batch === 1013 ? tf.exp(tf.exp(x)) : tf.exp(x)))).toMatch("operations depend");
    expect(refused((x, batch) => tf.transpose(x, batch === 2003 ? [1, 0] : [0, 1]))).toMatch(
      "an attribute of Transpose depends on the batch",
    );
    const either = (x: tf.Tensor, batch: number): tf.Tensor => {
      const [a, b] = [tf.exp(x), tf.abs(x)];
      return batch === 1013 ? tf.sub(a, b) : tf.sub(b, a);
    };
    expect(refused(either)).toMatch("the inputs of Sub depend on the batch");
  });

  it("a length that is no multiple of it", () => {
    expect(refused((x, batch) => tf.sum(tf.fill([batch * batch, 1], 2)).add(x))).toMatch(
      "a length is 1018081, 1026169, 4012009 at batches of 1009, 1013, 2003",
    );
  });

  it("a dimension of an input or output that is not the batch itself", () => {
    expect(refused((x) => tf.concat([x, x], 0))).toMatch('a dimension of "output:y" is 2 · batch + 0');
    expect(refused(tf.exp, (batch) => [batch + 1, 6])).toMatch('a dimension of "input:x" is 1 · batch + 1');
  });

  it("the batch where no input has it", () => {
    const record = (batch: number): OnnxGraph =>
      recordStep(
        "made",
        (_, { x }) => ({ outputs: { y: tf.add(tf.zeros([batch, 90]), x!) } }) as { outputs: TensorMap },
        {},
        { x: [90] },
      ).graph;
    expect(() => dynamicBatch(record)).toThrow("no input has the batch as a dimension");
  });
});
