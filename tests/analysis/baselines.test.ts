import { describe, expect, it } from "vitest";
import { borrowedRows, MeanTrajectory, persistence } from "../../src/analysis/baselines.ts";

describe("persistence", () => {
  it("repeats the first row", () => {
    expect([...persistence(Float32Array.of(1, 2), 2)]).toEqual([1, 2, 1, 2]);
  });

  it("predicts nothing where nothing is asked for", () => {
    expect(persistence(Float32Array.of(1, 2), 0)).toHaveLength(0);
  });
});

describe("the mean trajectory", () => {
  it("is the mean over the tracers that reach a row, and holds its last row", () => {
    const mean = new MeanTrajectory(1);
    mean.add(Float32Array.of(0, 0.25, 0.5), 3);
    mean.add(Float32Array.of(0, 0.75), 2);
    expect([...mean.predict(Int32Array.of(0, 1, 2, 9))]).toEqual([0, 0.5, 0.5, 0.5]);
    expect(mean.predict(new Int32Array(0))).toHaveLength(0);
  });
});

describe("another tracer", () => {
  it("lends its rows, the last one held", () => {
    expect([...borrowedRows(Int32Array.of(1, 2, 4, 7), 4)]).toEqual([1, 2, 3, 3]);
  });
});
