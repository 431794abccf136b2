import { describe, expect, it } from "vitest";
import { conservationError, ErrorAccumulator, median } from "../../src/analysis/metrics.ts";

describe("ErrorAccumulator", () => {
  it("weights by rows, not by batches", () => {
    const errors = new ErrorAccumulator(["A", "B"]);
    errors.add([1, 10], [1, 1]); // relative 0 and 9, dex 0 and 1
    errors.add([2, 1, 1, 1], [1, 1, 1, 1]); // relative 1, 0, 0, 0
    const summary = errors.summary();
    expect(summary.rows).toBe(3);
    expect(summary.mean_relative).toBeCloseTo((1 / 3 + 9 / 3) / 2);
    expect(summary.mean_dex).toBeCloseTo((Math.log10(2) / 3 + 1 / 3) / 2);
    expect(summary.worst.map(({ species }) => species)).toEqual(["B", "A"]);
  });

  it("refuses arrays that are not whole rows", () => {
    expect(() => new ErrorAccumulator(["A", "B"]).add([1], [1])).toThrow("1 predicted and 1 true values");
  });
});

describe("conservationError", () => {
  it("averages the relative error of the totals over rows and elements", () => {
    // H2 and CH: totals H = 2·H2 + CH, C = CH. Truth H 5, C 1; predicted H 4, C 2.
    const stoichiometry = { data: [2, 0, 1, 1], species: 2, elements: 2 };
    expect(conservationError([1, 2], [2, 1], stoichiometry)).toBeCloseTo((1 / 5 + 1) / 2);
  });
});

describe("median", () => {
  it("takes the middle, or the mean of the two middle values", () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5]);
  });
});
