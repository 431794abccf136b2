import { describe, expect, it } from "vitest";
import { borrowed, MeanTrajectory, persistence } from "../../src/analysis/baselines.ts";

describe("persistence", () => {
  it("repeats the first row", () => {
    expect([...persistence(Float32Array.of(1, 2, 3, 4, 5, 6), 3)]).toEqual([1, 2, 1, 2]);
  });

  it("predicts nothing of one row", () => {
    expect(persistence(Float32Array.of(1, 2), 1)).toHaveLength(0);
  });
});

describe("the mean trajectory", () => {
  it("is the mean over the tracers that reach a row, and holds its last row", () => {
    const mean = new MeanTrajectory(1);
    mean.add(Float32Array.of(0, 0.25, 0.5), 3);
    mean.add(Float32Array.of(0, 0.75), 2);
    expect([...mean.predict(5)]).toEqual([0.5, 0.5, 0.5, 0.5]);
    expect([...mean.predict(3)]).toEqual([0.5, 0.5]);
    expect(mean.predict(1)).toHaveLength(0);
  });
});

describe("another tracer", () => {
  it("lends its rows, the last one held", () => {
    expect([...borrowed(Float32Array.of(1, 2, 3, 4), 2, 4)]).toEqual([3, 4, 3, 4, 3, 4]);
  });
});
