import { describe, expect, it } from "vitest";
import { FittedTracers } from "../../src/analysis/fitted-tracers.ts";
import { LinearHistory } from "../../src/analysis/linear-history.ts";
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

describe("the linear history", () => {
  /** Two species' abundances follow from one history and the first row by maps of each step; the second parameter means nothing. */
  const rows = 6;
  function tracer(seed: number, noise = 0): { history: Float32Array; state: Float32Array } {
    const [draws, start] = [normal(2 * rows, seed), 0.4 + 0.1 * normal(1, seed + 1000)[0]!];
    const history = Float32Array.from(draws, (value) => 0.5 + 0.2 * value);
    const state = Float32Array.from({ length: 2 * rows }, (_, at) => {
      const [row, s] = [Math.floor(at / 2), at % 2];
      const past = row === 0 ? 0.5 : history[2 * (row - 1)]!;
      const error = noise * normal(1, seed + 77 * at)[0]!;
      return s === 0 ? start + 0.02 * row + error : 0.5 + 0.3 * (past - 0.5) + error;
    });
    return { history, state };
  }

  function fitted(tracers: readonly ReturnType<typeof tracer>[]): LinearHistory {
    const known = new FittedTracers(2, 2, rows);
    const sums = new CovarianceSums(2);
    for (const { history, state } of tracers) {
      known.add(state, history);
      sums.add(state);
    }
    return new LinearHistory(known, new PrincipalComponents(sums, 2), ["Density", "Noise"]);
  }

  const steps = Int32Array.of(1, 2, 3, 4, 5);
  const meanDistance = (a: Float32Array, b: Float32Array): number =>
    a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / a.length;

  it("finds out what the abundances depend on, and predicts tracers that it has not seen", () => {
    const linear = fitted(Array.from({ length: 40 }, (_, k) => tracer(k)));
    expect(linear.sources).toEqual(["Density", "start"]);
    const { history, state } = tracer(500);
    expect(meanDistance(linear.predict(history, state.subarray(0, 2), steps), state.subarray(2))).toBeLessThan(2e-3);
  });

  it("takes a stronger ridge where the training tracers are noisier", () => {
    const [clear, noisy] = [0, 0.05].map((noise) => fitted(Array.from({ length: 40 }, (_, k) => tracer(k, noise))));
    expect(noisy!.ridge!).toBeGreaterThan(clear!.ridge!);
  });

  it("is the mean trajectory where nothing tells more, of any number of tracers, the last row held", () => {
    const history = Float32Array.of(0.1, 0.2, 0.3, 0.4);
    const one = (low: number, high: number) => ({ history, state: Float32Array.of(low, low, high, high) });
    const linear = fitted([one(0.25, 0.5), one(0.75, 1)]);
    expect([linear.sources, linear.ridge]).toEqual([[], null]);
    const predicted = linear.predict(history, Float32Array.of(0.9, 0.1), Int32Array.of(1, 9));
    expectClose(predicted, [0.75, 0.75, 0.75, 0.75], { absolute: 1e-6 });
  });

  it("stays within [0, 1]", () => {
    const linear = fitted(Array.from({ length: 40 }, (_, k) => tracer(k)));
    const far = new Float32Array(2 * rows).fill(50);
    const predicted = linear.predict(far, Float32Array.of(9, 0.5), steps);
    expect([Math.min(...predicted) >= 0, Math.max(...predicted)]).toEqual([true, 1]);
  });
});
