import { beforeAll, describe, expect, it } from "vitest";
import { tf } from "../../src/backend/tf.ts";
import { logScale } from "../../src/chemistry/scaling.ts";
import { type LossSettings, trainingLoss, validationSum } from "../../src/models/losses.ts";
import { unscaledTensor } from "../../src/models/scale-tensors.ts";
import { absolute, rowMax } from "../helpers/plain-gradients.ts";
import { expectClose, useWasm, withoutLeak } from "../helpers/tensors.ts";

beforeAll(useWasm);

const settings = { power_weight: 20, worst_weight: 2, conservation_weight: 100, log10_lower: -20, log10_upper: 0 };

/** The loss as it is defined, by automatic differentiation: the reference of the closed form. */
function plainLoss(
  o: tf.Tensor2D,
  t: tf.Tensor2D,
  m: tf.Tensor2D,
  { power_weight, worst_weight, conservation_weight, ...range }: LossSettings,
): tf.Scalar {
  const rows = o.shape[0];
  const errors = tf.sub<tf.Tensor2D>(tf.exp(tf.mul(absolute(tf.sub(o, t)), power_weight * Math.LN10)), 1);
  const totals = (x: tf.Tensor2D): tf.Tensor => tf.log(tf.matMul(unscaledTensor(x, logScale(range)), m));
  const conservation = tf.div(tf.sum(absolute(tf.sub(totals(t), totals(o)))), rows * Math.LN10);
  const worst = tf.mul(tf.mean(rowMax(errors)), worst_weight);
  const parts = tf.add(tf.add(tf.div(tf.sum(errors), rows), worst), tf.mul(conservation, conservation_weight));
  return tf.mul(parts, 1e-3);
}

/** Scaled abundances of some rows and species, and a matrix of atoms. */
function example(rows: number, species: number): { o: tf.Tensor2D; t: tf.Tensor2D; m: tf.Tensor2D } {
  const values = (shift: number): number[] =>
    Array.from({ length: rows * species }, (_, i) => 0.5 + 0.3 * Math.sin(shift + 1.3 * i));
  const atoms = Array.from({ length: species * 3 }, (_, i) => [1, 0, 2, 0, 1][i % 5]!);
  return {
    o: tf.tensor2d(values(0), [rows, species]),
    t: tf.tensor2d(values(0.05), [rows, species]),
    m: tf.tensor2d(atoms, [species, 3]),
  };
}

describe("trainingLoss", () => {
  it("is the worked example: (.5, .25, .9) against (.51, .25, .85)", () => {
    const parts = withoutLeak(() => {
      const none = { ...settings, conservation_weight: 0 };
      const made = trainingLoss(
        tf.tensor2d([[0.5, 0.25, 0.9]]),
        tf.tensor2d([[0.51, 0.25, 0.85]]),
        tf.ones([3, 1]),
        none,
      );
      return [made.total, made.reconstruction, made.worst].map((part) => part.dataSync()[0]!);
    });
    expect(parts[0]).toBeCloseTo(0.0275848, 6);
    expect(parts[1]).toBeCloseTo(0.5848932 + 9, 4);
    expect(parts[2]).toBeCloseTo(18, 4);
  });

  it("has value and gradient of the plain definition", () => {
    const made = withoutLeak(() => {
      const { o, t, m } = example(5, 7);
      const plain = tf.valueAndGrad((x) => plainLoss(x as tf.Tensor2D, t, m, settings))(o);
      const closed = tf.valueAndGrad((x) => trainingLoss(x as tf.Tensor2D, t, m, settings).total)(o);
      return [plain, closed].map(({ value, grad }) => ({ value: value.dataSync()[0]!, grad: grad.dataSync().slice() }));
    });
    expect(made[1]!.value / made[0]!.value).toBeCloseTo(1, 5);
    expectClose(made[1]!.grad, made[0]!.grad, { relative: 1e-5 });
  });

  it("has the value and gradient of the plain definition over a range that float32 holds only shifted", () => {
    const wide = { ...settings, log10_lower: -25, log10_upper: 10 };
    const [plain, closed] = withoutLeak(() => {
      const { o, t, m } = example(3, 4);
      return [plainLoss, (...args: Parameters<typeof trainingLoss>) => trainingLoss(...args).total].map((f) => {
        const { value, grad } = tf.valueAndGrad((x) => f(x as tf.Tensor2D, t, m, wide))(o);
        return { value: value.dataSync()[0]!, grad: grad.dataSync().slice() };
      });
    });
    expect(closed!.value / plain!.value).toBeCloseTo(1, 5);
    expectClose(closed!.grad, plain!.grad, { relative: 1e-5 });
  });

  it("has the gradient of each part alone", () => {
    for (const part of ["reconstruction", "worst", "conservation"] as const) {
      const alone = {
        ...settings,
        worst_weight: part === "worst" ? 2 : 0,
        conservation_weight: part === "conservation" ? 100 : 0,
      };
      const [plain, closed] = withoutLeak(() => {
        const { o, t, m } = example(3, 4);
        const errors = (x: tf.Tensor): tf.Tensor => tf.exp(tf.mul(absolute(tf.sub(x, t)), 20 * Math.LN10));
        const reconstruction = (x: tf.Tensor): tf.Tensor => tf.div(tf.sum(errors(x)), 3e3);
        const others = (x: tf.Tensor): tf.Scalar => tf.sub(plainLoss(x as tf.Tensor2D, t, m, alone), reconstruction(x));
        const reference = part === "reconstruction" ? reconstruction : others;
        return [
          tf
            .grad((x) => reference(x))(o)
            .dataSync()
            .slice(),
          tf
            .grad((x) => tf.mul(trainingLoss(x as tf.Tensor2D, t, m, alone)[part], 1e-3))(o)
            .dataSync()
            .slice(),
        ];
      });
      expectClose(closed!, plain!, { relative: 1e-4, absolute: 1e-6, what: part });
    }
  });

  it("has no gradient where prediction and truth agree", () => {
    const gradient = withoutLeak(() => {
      const t = tf.tensor2d([[0.2, 0.4]]);
      return tf
        .grad((x) => trainingLoss(x as tf.Tensor2D, t, tf.ones([2, 1]), settings).total)(t)
        .arraySync();
    });
    expect(gradient).toEqual([[0, 0]]);
  });
});

describe("validationSum", () => {
  it("sums |t − o| / t in linear abundances over rows", () => {
    // 20 dex a unit: 0.05 is a factor of 10.
    const errors = withoutLeak(() =>
      validationSum(
        tf.tensor2d([
          [0.55, 0.5],
          [0.45, 0.5],
        ]),
        tf.tensor2d([
          [0.5, 0.5],
          [0.5, 0.5],
        ]),
        settings,
      ).arraySync(),
    );
    expect(errors[0]).toBeCloseTo(9 + 0.9, 3);
    expect(errors[1]).toBe(0);
  });
});
