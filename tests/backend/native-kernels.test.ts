import fc from "fast-check";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { tf } from "../../src/backend/tf.ts";
import { engineNamed, engines, expectClose, withoutLeak } from "../helpers/tensors.ts";

const isInstalled = engines.includes("native");
if (!isInstalled) process.stderr.write("skipped: ASTROCHEM_TEST_CACHE names no native TensorFlow\n");

type Matrix = number[][];
const transposed = (m: Matrix): Matrix => m[0]!.map((_, j) => m.map((row) => row[j]!));

/** The product by its definition, in double precision. */
const product = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((sum, value, k) => sum + value * b[k]![j]!, 0)));

function fill(rows: number, columns: number, seed: number): Matrix {
  return Array.from({ length: rows }, (_, i) =>
    Array.from({ length: columns }, (__, j) => Math.sin(seed + 7 * i + 3 * j)),
  );
}

describe.skipIf(!isInstalled)("the matrix product of native TensorFlow", () => {
  beforeAll(async () => {
    await engineNamed("native");
    await tf.setBackend("tensorflow");
  });

  it("equals the product by hand for every transposition and shape, with its gradients, and leaves nothing behind", () => {
    const length = fc.integer({ min: 1, max: 9 });
    fc.assert(
      fc.property(length, length, length, fc.boolean(), fc.boolean(), fc.integer(), (n, k, m, ta, tb, seed) => {
        const [a, b, weights] = [fill(n, k, seed), fill(k, m, seed + 1), fill(n, m, seed + 2)];
        const [value, byA, byB] = withoutLeak(() => {
          const f = (x: tf.Tensor, y: tf.Tensor): tf.Scalar =>
            tf.sum(tf.mul(tf.matMul(x, y, ta, tb), tf.tensor(weights)));
          const given = [tf.tensor(ta ? transposed(a) : a), tf.tensor(tb ? transposed(b) : b)] as const;
          const gradients = tf.grads(f)([...given]);
          return [tf.matMul(...given, ta, tb), ...gradients].map((x) => x.dataSync().slice());
        });
        // ∂/∂a Σ w·(a b) = w bᵀ and ∂/∂b = aᵀ w, each stored as its operand is.
        const [ofA, ofB] = [product(weights, transposed(b)), product(transposed(a), weights)];
        expectClose(value!, product(a, b).flat(), { absolute: 1e-5 });
        expectClose(byA!, (ta ? transposed(ofA) : ofA).flat(), { absolute: 1e-5 });
        expectClose(byB!, (tb ? transposed(ofB) : ofB).flat(), { absolute: 1e-5 });
      }),
      { numRuns: 100 },
    );
  });

  it.each([
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ])("multiplies each matrix of a batch, transposed: %s, %s", (ta, tb) => {
    const [a, b] = [
      [fill(3, 2, 1), fill(3, 2, 2)],
      [fill(2, 4, 3), fill(2, 4, 4)],
    ] as const;
    const made = withoutLeak(() =>
      tf
        .matMul(tf.tensor(ta ? a.map(transposed) : [...a]), tf.tensor(tb ? b.map(transposed) : [...b]), ta, tb)
        .dataSync()
        .slice(),
    );
    expectClose(
      made,
      a.flatMap((matrix, i) => product(matrix, b[i]!).flat()),
      { absolute: 1e-6 },
    );
  });

  it("is TensorFlow's MatMul for two matrices, of integers too", () => {
    const backend = tf.backend() as unknown as { executeSingleOutput(name: string): unknown };
    const asked = vi.spyOn(backend, "executeSingleOutput");
    const [a, b] = [tf.tensor([[1, 2]], undefined, "int32"), tf.tensor([[3], [4]], undefined, "int32")];
    expect(withoutLeak(() => [...tf.matMul(a, b).dataSync(), ...tf.matMul(a, a, false, true).dataSync()])).toEqual([
      11, 5,
    ]);
    expect(asked.mock.calls.map(([name]) => name)).toEqual(["MatMul", "MatMul"]);
    asked.mockRestore();
  });

  it("keeps to the other kernel's rules: a matrix against a batch, and the shapes that do not fit", () => {
    const made = withoutLeak(() => tf.matMul(tf.tensor([[[1, 2]], [[3, 4]]]), tf.tensor([[5], [6]])).arraySync());
    expect(made).toEqual([[[17]], [[39]]]);
    expect(() => withoutLeak(() => tf.matMul(tf.ones([2, 3]), tf.ones([2, 3])).dataSync())).toThrow();
  });
});
