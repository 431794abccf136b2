import { beforeAll, describe, expect, it } from "vitest";
import { tf } from "../../src/backend/tf.ts";
import { gelu } from "../../src/models/activations.ts";
import { batchNormalizer, runningNormalizer } from "../../src/models/normalization.ts";
import { expectClose, useWasm, withoutLeak } from "../helpers/tensors.ts";

beforeAll(useWasm);

describe("gelu", () => {
  // x·Φ(x) with Φ(1) = 0.8413447, Φ(−2) = 0.0227501; derivative Φ(x) + x·φ(x) with φ(1) = 0.2419707, φ(2) = 0.0539910.
  it("is x·Φ(x), and its slope Φ(x) + x·φ(x)", () => {
    const { value, slope } = withoutLeak(() => {
      const x = tf.tensor2d([[1, -2, 0]]);
      return {
        value: gelu(x).dataSync().slice(),
        slope: tf
          .grad((at) => tf.sum(gelu(at as tf.Tensor2D)))(x)
          .dataSync()
          .slice(),
      };
    });
    expectClose(value, [0.8413447, -0.0455003, 0], { absolute: 1e-6 });
    expectClose(slope, [1.0833155, 0.0227501 - 0.107982, 0.5], { absolute: 1e-6 });
  });
});

describe("batch norm in training", () => {
  const rows = 5;
  const values = Array.from({ length: rows * 3 }, (_, i) => Math.sin(1 + 2.1 * i) * [1, 5, 0.2][i % 3]!);
  const running = (): Record<string, tf.Tensor> => ({ "n.running_mean": tf.zeros([3]), "n.running_var": tf.ones([3]) });

  /** By its definition, for automatic differentiation. */
  function plain(x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor): tf.Tensor {
    const centred = tf.sub(x, tf.mean(x, 0, true));
    const variance = tf.mean(tf.square(centred), 0, true);
    return tf.add(tf.mul(tf.mul(centred, tf.rsqrt(tf.add(variance, 1e-5))), weight), bias);
  }

  it("has value and gradients of the plain definition", () => {
    const closed = (x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor): tf.Tensor =>
      batchNormalizer({ "n.weight": weight, "n.bias": bias }, running()).normalize(x as tf.Tensor2D, "n");
    const made = withoutLeak(() => {
      const inputs = [tf.tensor2d(values, [rows, 3]), tf.tensor1d([1, 2, -0.5]), tf.tensor1d([0, 0.3, 1])];
      // Weighted, or every gradient by x would be zero: the normalised columns sum to nothing.
      const factors = tf.tensor2d(
        values.map((value, i) => value + 0.1 * i),
        [rows, 3],
      );
      return [plain, closed].map((f) => {
        const { value, grads } = tf.valueAndGrads((x, w, b) => tf.sum(tf.mul(f(x!, w!, b!), factors)))(inputs);
        return [value, ...grads].map((tensor) => tensor.dataSync().slice());
      });
    });
    for (const [k, expected] of made[0]!.entries())
      expectClose(made[1]![k]!, expected, { relative: 1e-4, what: `${k}` });
  });

  it("takes the unbiased variance into the running one, with weight 0.1", () => {
    const updates = withoutLeak(() => {
      const norm = batchNormalizer(
        { "n.weight": tf.ones([1]), "n.bias": tf.zeros([1]) },
        {
          "n.running_mean": tf.tensor1d([10]),
          "n.running_var": tf.tensor1d([1]),
        },
      );
      norm.normalize(tf.tensor2d([[1], [3]]), "n");
      return Object.values(norm.updates).map((tensor) => tensor.dataSync()[0]!);
    });
    expect(updates[0]).toBeCloseTo(0.9 * 10 + 0.1 * 2);
    expect(updates[1]).toBeCloseTo(0.9 * 1 + 0.1 * 2); // variance of 1 and 3: biased 1, unbiased 2
  });
});

describe("batch norm in evaluation", () => {
  it.each([true, false])(
    "scales the layer as it would scale the layer's output, stored transposed: %s",
    (transposed) => {
      const made = withoutLeak(() => {
        const parts = { weight: [1, -2], bias: [0.3, 0.1], running_mean: [0.5, -1], running_var: [4, 0.2] };
        const arrays = Object.fromEntries(
          Object.entries(parts).map(([part, values]) => [`n.${part}`, tf.tensor1d(values)]),
        );
        const [x, bias] = [tf.tensor2d([1, 2, 3, -1, 0, 2], [2, 3]), tf.tensor1d([0.7, -0.4])];
        const matrix = tf.tensor2d([1, 0.5, -1, 2, 0.1, 0.3], transposed ? [2, 3] : [3, 2]);
        const output = tf.add(tf.matMul(x, matrix, false, transposed), bias);
        const centred = tf.sub(output, arrays["n.running_mean"]!);
        const normal = tf.mul(centred, tf.rsqrt(tf.add(arrays["n.running_var"]!, 1e-5)));
        const expected = tf.add(tf.mul(normal, arrays["n.weight"]!), arrays["n.bias"]!);
        const folded = runningNormalizer(arrays).layer(x, { matrix, transposed, bias }, "n");
        return [expected, folded].map((tensor) => tensor.dataSync().slice());
      });
      expectClose(made[1]!, made[0]!, { relative: 1e-6 });
    },
  );
});
