import { describe, expect, it } from "vitest";
import { AbundanceHistograms, DensityPlotSums, LogHistogram } from "../../src/analysis/histograms.ts";

describe("histograms", () => {
  it("take any number of bins between the extremes", () => {
    const sums = new LogHistogram();
    for (let i = 0; i <= 1000; i++) sums.add(10 ** (4 + i / 1000));
    const { from, to, counts } = sums.histogram(10);
    expect([from, to]).toEqual([4, 5]);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(1001);
    for (const count of counts) expect(Math.abs(count - 100)).toBeLessThanOrEqual(6);
  });

  it("of equal values are one bin without width", () => {
    const sums = new LogHistogram();
    for (let i = 0; i < 3; i++) sums.add(100);
    expect(sums.histogram(50)).toEqual({ from: 2, to: 2, counts: [3] });
  });

  it("of abundances are one a species", () => {
    const sums = new AbundanceHistograms(2, 4);
    sums.add(Float32Array.of(0, 0.3, 1, 0.3, -0.1, 0.9));
    expect(sums.histogram(0)).toEqual({ from: 0, to: 1, counts: [2, 0, 0, 1] });
    expect(sums.histogram(1).counts).toEqual([0, 2, 0, 1]);
  });

  it("of predicted against true values count what is outside in the outermost bins", () => {
    const sums = new DensityPlotSums(2);
    sums.add(Float32Array.of(0.9, -5, 7, Number.NaN), Float32Array.of(0.1, 0.1, 0.9, 0.9));
    expect(sums.plot(-20, 0)).toEqual({ from: -20, to: 0, bins: 2, counts: [1, 1, 1, 1] });
  });
});
