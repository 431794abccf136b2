import { describe, expect, it } from "vitest";
import { RandomStream } from "../../src/data/random.ts";
import {
  farthest,
  largestDifference,
  quantile,
  quantileLine,
  whitened,
  whitening,
} from "../../src/inference/calibration-fit.ts";

describe("whitening", () => {
  it("makes columns of any size and correlation comparable", () => {
    const random = new RandomStream(1);
    const data = new Float32Array(3000);
    for (let row = 0; row < 1000; row++) {
      const [a, b, c] = [random.uniform(), random.uniform(), random.uniform()];
      data.set([100 * a + 7, 100 * a + 10 * b, 0.001 * c], row * 3);
    }
    const rows = { data, width: 3 };
    const { data: out } = whitened(rows, whitening(rows, [3]));
    const column = (k: number) => Array.from({ length: 1000 }, (_, row) => out[row * 3 + k]!);
    const mean = (values: number[]) => values.reduce((sum, x) => sum + x, 0) / 1000;
    const product = (i: number, j: number) => mean(column(i).map((x, row) => x * column(j)[row]!));
    for (const k of [0, 1, 2]) expect(mean(column(k))).toBeCloseTo(0, 3);
    // Without the ridge of 0.05 these would be 1 and 0.
    expect(product(0, 0)).toBeCloseTo(1 / 1.05, 2);
    expect(Math.abs(product(0, 1))).toBeLessThan(0.25);
    // A column that hardly varies beside the others of its kind counts by a floor: less than the others.
    expect(product(2, 2)).toBeLessThan(0.01);
  });

  it("measures a departure of a constant column", () => {
    const rows = { data: Float32Array.of(0, 5, 1, 5, 2, 5), width: 2 };
    const transform = whitening(rows, [1, 1]);
    const { data } = whitened({ data: Float32Array.of(1, 5, 1, 6), width: 2 }, transform);
    expect(Math.abs(data[3]! - data[1]!)).toBeGreaterThan(1);
  });
});

describe("the sample", () => {
  it("covers what is rare", () => {
    const data = Float32Array.of(0, 0.1, 0.2, 0.3, 9, 0.4);
    expect([...farthest({ data, width: 1 }, 3)].map((x) => x.toFixed(1))).toEqual(["0.0", "9.0", "0.4"]);
  });

  it("takes no row twice", () => {
    const data = Float32Array.of(1, 2, 1, 2, 1, 2.5);
    expect([...farthest({ data, width: 2 }, 3, largestDifference, 1e-4)]).toEqual([1, 2, 1, 2.5]);
  });
});

describe("the line below which a part of the errors lie", () => {
  it("is a quantile where nothing tells them apart", () => {
    const errors = Array.from({ length: 100 }, (_, i) => (i + 1) / 100);
    const { intercept, slope } = quantileLine(Array(100).fill(0), errors, 0.9);
    expect([intercept, slope * 0]).toEqual([0.9, 0]);
  });

  it("covers that part on other data of the same kind, and is near where the signal is small", () => {
    const draw = (seed: number) => {
      const random = new RandomStream(seed);
      const x = Array.from({ length: 4000 }, () => random.uniform());
      return { x, errors: x.map((value) => (0.02 + 0.2 * value) * random.uniform()) };
    };
    const { x, errors } = draw(1);
    const { intercept, slope } = quantileLine(x, errors, 0.9);
    expect(intercept).toBeCloseTo(0.018, 2);
    expect(slope).toBeCloseTo(0.18, 2);
    const other = draw(2);
    const covered = other.errors.filter((error, i) => error <= intercept + slope * other.x[i]!).length / 4000;
    expect(covered).toBeGreaterThan(0.88);
    expect(covered).toBeLessThan(0.92);
  });

  it("does not fall with the signal, whatever the errors do", () => {
    const x = Array.from({ length: 50 }, (_, i) => i / 50);
    const { slope, intercept } = quantileLine(
      x,
      x.map((value) => 1 - value),
      0.9,
    );
    expect(slope).toBeGreaterThanOrEqual(0);
    expect(x.filter((value) => 1 - value <= intercept + slope * value).length).toBeGreaterThanOrEqual(45);
  });
});

it("a quantile is the least value that a part does not exceed", () => {
  expect([quantile([3, 1, 2], 0.5), quantile([5], 0.99), quantile([1, 2, 3, 4], 0.75)]).toEqual([2, 5, 3]);
});
