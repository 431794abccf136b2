import { beforeAll, describe, expect, it } from "vitest";
import { tf } from "../../src/backend/tf.ts";
import { type PointwiseLoss, pointwiseLoss } from "../../src/models/pointwise-loss.ts";
import { expectClose, useWasm, withoutLeak } from "../helpers/tensors.ts";

beforeAll(useWasm);

const differences = [-2, -0.5, -0.05, 0, 0.02, 0.3, 1.5];
/** Each error as it is defined, in plain arithmetic. */
const defined: readonly [string, PointwiseLoss, (d: number) => number][] = [
  ["l1", { name: "l1" }, (d) => Math.abs(d)],
  ["mse", { name: "mse" }, (d) => d * d],
  ["huber", { name: "huber", corner: 0.1 }, (d) => (Math.abs(d) <= 0.1 ? (d * d) / 0.2 : Math.abs(d) - 0.05)],
  ["exponential, its cap out of reach", { name: "exponential", cap: 38 }, (d) => 10 ** Math.abs(d) - 1],
  [
    "exponential with a cap",
    { name: "exponential", cap: 0.5 },
    (d) => (Math.abs(d) <= 0.5 ? 10 ** Math.abs(d) - 1 : 10 ** 0.5 - 1 + Math.LN10 * 10 ** 0.5 * (Math.abs(d) - 0.5)),
  ],
];

describe.each(defined)("%s", (_, settings, define) => {
  it("is what it is defined as", () => {
    const values = withoutLeak(() => [...pointwiseLoss(tf.tensor1d(differences), settings).dataSync()]);
    expectClose(values, differences.map(define), { relative: 1e-6 });
  });

  it("has the gradient that its finite differences say, and none at 0", () => {
    const gradient = withoutLeak(() => [
      ...tf
        .grad((d) => tf.sum(pointwiseLoss(d, settings)))(tf.tensor1d(differences))
        .dataSync(),
    ]);
    const step = 1e-6;
    const slopes = differences.map((d) => (define(d + step) - define(d - step)) / (2 * step));
    expectClose(gradient, slopes, { relative: 1e-5 });
    expect(gradient[differences.indexOf(0)]).toBe(0);
  });
});
