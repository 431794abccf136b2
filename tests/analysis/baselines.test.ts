import { describe, expect, it } from "vitest";
import { MeanTrajectory, persistence } from "../../src/analysis/baselines.ts";
import { expectClose } from "../helpers/tensors.ts";

const tracer = (rows: number, ...abundances: number[]) => ({ rows, abundances: Float32Array.from(abundances) });

describe("persistence", () => {
  it("repeats the first row for every later one", () => {
    expect(persistence(tracer(4, 1, 2, 3, 4, 5, 6, 7, 8))).toEqual(Float32Array.of(1, 2, 1, 2, 1, 2));
  });

  it("says nothing of a tracer of one row", () => {
    expect(persistence(tracer(1, 1, 2))).toEqual(new Float32Array(0));
  });
});

describe("the mean trajectory", () => {
  it("is the geometric mean of the tracers, row by row since the start", () => {
    const mean = new MeanTrajectory(2);
    mean.add(tracer(3, 1, 1, 1e-2, 1e-6, 1e-4, 1e-1));
    mean.add(tracer(3, 1, 1, 1e-4, 1e-8, 1e-8, 1e-1));
    // The first row is given, not predicted: √(1e-2 · 1e-4) = 1e-3.
    expectClose(mean.predict(3).map(Math.log10), [-3, -7, -6, -1], { absolute: 1e-6 });
  });

  it("counts in each row only the tracers that have it, and holds its last row past the longest", () => {
    const mean = new MeanTrajectory(1);
    mean.add(tracer(2, 1, 1e-2));
    mean.add(tracer(3, 1, 1e-4, 1e-9));
    expectClose(mean.predict(5).map(Math.log10), [-3, -9, -9, -9], { absolute: 1e-6 });
    expectClose(mean.predict(2).map(Math.log10), [-3], { absolute: 1e-6 });
    expect(mean.predict(1)).toEqual(new Float32Array(0));
  });

  it("of tracers of one row is that row", () => {
    const mean = new MeanTrajectory(1);
    mean.add(tracer(1, 1e-2));
    expectClose(mean.predict(3).map(Math.log10), [-2, -2], { absolute: 1e-6 });
  });
});
