import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { tf } from "../../src/backend/tf.ts";
import { expectClose, useWasm, withoutLeak } from "../helpers/tensors.ts";

beforeAll(useWasm);

/** The product by its definition, in double precision. */
function productByHand(a: number[][], b: number[][]): number[] {
  return a.flatMap((row) => b[0]!.map((_, j) => row.reduce((sum, value, k) => sum + value * b[k]![j]!, 0)));
}

const transposed = (m: number[][]): number[][] => m[0]!.map((_, j) => m.map((row) => row[j]!));

describe("the matrix product", () => {
  it("equals the product by hand for every transposition and shape, and leaves nothing behind", () => {
    const length = fc.integer({ min: 1, max: 9 });
    const matrices = fc
      .tuple(length, length, length, fc.boolean(), fc.boolean(), fc.integer())
      .map(([n, k, m, ta, tb, seed]) => {
        const entry = (i: number, j: number): number => Math.sin(seed + 7 * i + 3 * j);
        const fill = (rows: number, columns: number, shift: number): number[][] =>
          Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (__, j) => entry(i + shift, j)));
        return { a: fill(n, k, 0), b: fill(k, m, 50), ta, tb };
      });
    fc.assert(
      fc.property(matrices, ({ a, b, ta, tb }) => {
        const actual = withoutLeak(() =>
          tf
            .matMul(tf.tensor2d(ta ? transposed(a) : a), tf.tensor2d(tb ? transposed(b) : b), ta, tb)
            .dataSync()
            .slice(),
        );
        expectClose(actual, productByHand(a, b), { absolute: 1e-5 });
      }),
      { numRuns: 100 },
    );
  });

  it("transposes each matrix of a batch", () => {
    const product = withoutLeak(() =>
      tf.matMul(tf.tensor3d([[[1, 2]], [[3, 4]]]), tf.tensor3d([[[5, 6]], [[7, 8]]]), false, true).arraySync(),
    );
    expect(product).toEqual([[[17]], [[53]]]);
  });

  it("leaves no data in the backend that no tensor owns", () => {
    const before = tf.memory().numBytes;
    const buffers = tf.engine().memory().numDataBuffers;
    withoutLeak(() => tf.matMul(tf.ones([4, 3]), tf.ones([4, 5]), true, false).dataSync()[0]);
    expect(tf.memory().numBytes).toBe(before);
    expect(tf.engine().memory().numDataBuffers).toBe(buffers);
  });
});
