import { beforeAll, describe, expect, it } from "vitest";
import { absolute, lossAndGradients, rowMax } from "../../src/backend/gradients.ts";
import { tf } from "../../src/backend/tf.ts";
import { useWasm, withoutLeak } from "../helpers/tensors.ts";

beforeAll(useWasm);

describe("absolute", () => {
  it("has the gradient of the sign, 0 at 0", () => {
    const gradient = withoutLeak(() =>
      tf
        .grad((x) => tf.sum(absolute(x)))(tf.tensor1d([-2, 0, 3]))
        .arraySync(),
    );
    expect(gradient).toEqual([-1, 0, 1]);
  });
});

describe("rowMax", () => {
  it("gives the largest entry of each row", () => {
    expect(
      withoutLeak(() =>
        rowMax(
          tf.tensor2d([
            [1, 3, 2],
            [-4, -5, -6],
          ]),
        ).arraySync(),
      ),
    ).toEqual([3, -4]);
  });

  it("sends the gradient to the first of equal entries only", () => {
    const gradient = withoutLeak(() =>
      tf
        .grad((x) => tf.sum(tf.mul(rowMax(x as tf.Tensor2D), [2, 5])))(
          tf.tensor2d([
            [7, 7, 1],
            [0, 1, 1],
          ]),
        )
        .arraySync(),
    );
    expect(gradient).toEqual([
      [2, 0, 0],
      [0, 5, 0],
    ]);
  });
});

describe("lossAndGradients", () => {
  it("gives value, gradients and what was computed aside, and leaves nothing behind", () => {
    const made = withoutLeak(() => {
      const { loss, gradients, aside } = lossAndGradients({ a: tf.scalar(3), b: tf.scalar(4) }, ({ a, b }) => {
        const product = tf.mul(a!, b!);
        return { loss: tf.add(product, tf.square(a!)) as tf.Scalar, aside: { product } };
      });
      return [loss, gradients.a!, gradients.b!, aside.product!].map((tensor) => tensor.dataSync()[0]);
    });
    expect(made).toEqual([21, 10, 3, 12]);
  });
});
