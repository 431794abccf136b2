import { beforeAll, describe, expect, it } from "vitest";
import { tf } from "../../src/backend/tf.ts";
import { orthogonalized, updateScale } from "../../src/training/muon.ts";
import { expectClose, useWasm, withoutLeak } from "../helpers/tensors.ts";

beforeAll(useWasm);

/** What the iteration makes of one singular value that begins as a share of the norm, in plain arithmetic. */
function iterated(share: number): number {
  let x = share;
  for (let round = 0; round < 5; round++) x = 3.4445 * x - 4.775 * x ** 3 + 2.0315 * x ** 5;
  return x;
}

describe("orthogonalized", () => {
  it.each([
    ["wide", [2, 3]],
    ["tall", [3, 2]],
  ] as const)("turns the singular values of a %s matrix as the polynomial does", (_, shape) => {
    // A diagonal 3 and 4 has the norm 5: the shares 0.6 and 0.8.
    const data = new Float32Array(6);
    [data[0], data[shape[1] + 1]] = [3, 4];
    const made = withoutLeak(() => [...orthogonalized(tf.tensor2d(data, [shape[0], shape[1]])).dataSync()]);
    const expected = new Float32Array(6);
    [expected[0], expected[shape[1] + 1]] = [iterated(0.6), iterated(0.8)];
    expectClose(made, expected, { absolute: 1e-4 });
  });

  it("brings unequal singular values near 1 and keeps the directions", () => {
    // Rotations by 0.3 and 1.1 around diag(1, 0.05).
    const rotation = (a: number): number[] => [Math.cos(a), -Math.sin(a), Math.sin(a), Math.cos(a)];
    const product = ([a, b, c, d]: number[], [e, f, g, h]: number[]): number[] => [
      a! * e! + b! * g!,
      a! * f! + b! * h!,
      c! * e! + d! * g!,
      c! * f! + d! * h!,
    ];
    const [left, right] = [rotation(0.3), rotation(1.1)];
    const matrix = product(product(left, [1, 0, 0, 0.05]), right);
    const norm = Math.hypot(1, 0.05);
    const expected = product(product(left, [iterated(1 / norm), 0, 0, iterated(0.05 / norm)]), right);
    const made = withoutLeak(() => [...orthogonalized(tf.tensor2d(matrix, [2, 2])).dataSync()]);
    expectClose(made, expected, { absolute: 1e-4 });
    expect(iterated(0.05 / norm)).toBeGreaterThan(0.6);
  });

  it("leaves zeros zeros", () => {
    expect(withoutLeak(() => [...orthogonalized(tf.zeros([2, 2])).dataSync()])).toEqual([0, 0, 0, 0]);
  });
});

it("an orthogonalised update has the size of AdamW's: 0.2 a parameter", () => {
  // An orthogonal 4 × 9 matrix has the squares' sum 4: 36 parameters of root mean square 1/3, times 0.2 · 3.
  expect(updateScale([4, 9]) * Math.sqrt(4 / 36)).toBeCloseTo(0.2, 12);
});
