import { describe, expect, it } from "vitest";
import { borrowed, MeanTrajectory, NearestHistory, persistence } from "../../src/analysis/baselines.ts";

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

describe("the nearest history", () => {
  it("is the one with the least mean squared difference over the rows that both have", () => {
    const nearest = new NearestHistory(2, 3);
    nearest.add(Float32Array.of(0, 0, 1, 1, 2, 2));
    nearest.add(Float32Array.of(0, 0, 1, 1)); // shorter, as near where it has rows
    nearest.add(Float32Array.of(5, 5, 5, 5, 5, 5));
    expect(nearest.find(Float32Array.of(0, 0, 1, 1, 2, 2.5))).toBe(1);
    expect(nearest.find(Float32Array.of(4, 5, 5, 4, 5, 5))).toBe(2);
    expect(nearest.find(Float32Array.of(0, 0, 1, 1))).toBe(0);
  });

  it("compares long histories at rows spread over their length", () => {
    const nearest = new NearestHistory(1, 1000);
    const ramp = (slope: number): Float32Array => Float32Array.from({ length: 1000 }, (_, row) => slope * row);
    for (const slope of [0, 1, 2]) nearest.add(ramp(slope));
    expect([ramp(0.4), ramp(0.6), ramp(9)].map((history) => nearest.find(history))).toEqual([0, 1, 2]);
  });

  it("lends its rows, the last one held", () => {
    expect([...borrowed(Float32Array.of(1, 2, 3, 4), 2, 4)]).toEqual([3, 4, 3, 4, 3, 4]);
  });
});
