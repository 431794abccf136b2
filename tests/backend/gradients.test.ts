import { beforeAll, describe, expect, it } from "vitest";
import { lossAndGradients } from "../../src/backend/gradients.ts";
import { tf } from "../../src/backend/tf.ts";
import { useWasm, withoutLeak } from "../helpers/tensors.ts";

beforeAll(useWasm);

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
