import { describe, expect, it } from "vitest";
import { LinearDynamicsFit } from "../../src/analysis/linear-dynamics.ts";
import { CovarianceSums, PrincipalComponents } from "../../src/analysis/principal-components.ts";
import { RandomStream } from "../../src/data/random.ts";
import { expectClose } from "../helpers/tensors.ts";

function normal(count: number, seed: number): Float32Array {
  const values = new Float32Array(count);
  new RandomStream(seed).fillNormal(values, 1);
  return values;
}

describe("principal components", () => {
  /** 200 rows in [0, 1] on a plane in five dimensions, more along the first direction than the second. */
  const directions = [
    [0.6, 0.8, 0, 0, 0],
    [0, 0, 0, 1, 0],
  ];
  const factors = normal(400, 1);
  const rows = Float32Array.from({ length: 1000 }, (_, at) => {
    const [r, i] = [Math.floor(at / 5), at % 5];
    return 0.5 + 0.05 * factors[2 * r]! * directions[0]![i]! + 0.01 * factors[2 * r + 1]! * directions[1]![i]!;
  });
  const sums = new CovarianceSums(5);
  sums.add(rows.subarray(0, 300));
  sums.add(rows.subarray(300));

  it("find the directions and their shares of the variance, whatever the blocks", () => {
    const components = new PrincipalComponents(sums, 2);
    expect(components.explained[0]! + components.explained[1]!).toBeCloseTo(1, 6);
    expect(components.explained[0]!).toBeGreaterThan(0.9);
    // Scores of the directions themselves, from the mean.
    const mean = Float32Array.from(sums.mean());
    const moved = mean.map((value, i) => value + 0.1 * directions[0]![i]!);
    const scores = components.project(moved);
    expect(Math.abs(scores[0]!)).toBeCloseTo(0.1, 3);
    expect(scores[1]!).toBeCloseTo(0, 2);
  });

  it("give rows of a plane back", () => {
    const components = new PrincipalComponents(sums, 2);
    expectClose(components.restore(components.project(rows)), rows, { absolute: 1e-6 });
  });

  it("keep what they give back within [0, 1]", () => {
    const one = new PrincipalComponents(sums, 1);
    const restored = one.restore(Float64Array.of(100, -100));
    expect(Math.min(...restored)).toBe(0);
    expect(Math.max(...restored)).toBe(1);
  });

  it("are no more than there are columns, and explain nothing of constant rows", () => {
    const constant = new CovarianceSums(3);
    constant.add(new Float32Array(12).fill(0.3));
    const components = new PrincipalComponents(constant, 14);
    expect(components.count).toBe(3);
    expect(components.explained).toEqual([0, 0, 0]);
    expectClose(components.restore(components.project(Float32Array.of(0.3, 0.3, 0.3))), [0.3, 0.3, 0.3], {
      absolute: 1e-7,
    });
  });
});

describe("linear dynamics", () => {
  const [a, b, c] = [
    [
      [0.9, 0.05],
      [-0.1, 0.8],
    ],
    [[0.3], [-0.2]],
    [0.01, 0.05],
  ] as const;

  /** A trajectory of z' = A z + B u + c. */
  function trajectory(start: readonly number[], inputs: ArrayLike<number>, rows: number): Float64Array {
    const out = new Float64Array(rows * 2);
    out.set(start);
    for (let t = 0; t + 1 < rows; t++) {
      for (let i = 0; i < 2; i++) {
        out[(t + 1) * 2 + i] = a[i]![0] * out[t * 2]! + a[i]![1] * out[t * 2 + 1]! + b[i]![0] * inputs[t]! + c[i]!;
      }
    }
    return out;
  }

  it("recovers a linear system exactly, and follows a history that it has not seen", () => {
    const fit = new LinearDynamicsFit(2, 1);
    for (let tracer = 0; tracer < 5; tracer++) {
      const inputs = normal(20, tracer);
      fit.add(trajectory([tracer, 1 - tracer], inputs, 20), inputs);
    }
    const inputs = normal(50, 99);
    const wanted = trajectory([2, -1], inputs, 50);
    expectClose(fit.solve().rollout([2, -1], inputs, 49), wanted.subarray(2), { absolute: 1e-9 });
  });

  it("stays within the range of what it was fitted to, where the fit grows without bound", () => {
    const fit = new LinearDynamicsFit(1, 1);
    fit.add(Float64Array.of(1, 2, 4, 8), [0, 0, 0, 0]); // doubles each step
    expectClose(fit.solve().rollout([1], [0, 0, 0, 0, 0], 5), [2, 4, 8, 8, 8], { absolute: 1e-9 });
  });

  it("gives no weight to an input that never changes", () => {
    const fit = new LinearDynamicsFit(2, 2);
    for (let tracer = 0; tracer < 5; tracer++) {
      const inputs = normal(20, tracer);
      const both = Float64Array.from({ length: 40 }, (_, i) => (i % 2 ? 0.5 : inputs[i / 2]!));
      fit.add(trajectory([tracer, 1], inputs, 20), both);
    }
    const inputs = normal(10, 99);
    const both = Float64Array.from({ length: 20 }, (_, i) => (i % 2 ? 0.5 : inputs[i / 2]!));
    expectClose(fit.solve().rollout([2, -1], both, 9), trajectory([2, -1], inputs, 10).subarray(2), { absolute: 1e-6 });
  });

  it("stays where it is where no tracer has a step", () => {
    const fit = new LinearDynamicsFit(1, 1);
    fit.add(Float64Array.of(3), [1]);
    expect([...fit.solve().rollout([3], [1, 1], 2)]).toEqual([3, 3]);
  });
});
