import { describe, expect, it } from "vitest";
import type { StepErrors } from "../../src/analysis/error-types.ts";
import { errorGrowth, lengthened } from "../../src/analysis/rollout-studies.ts";

function steps(means: readonly number[], yr: number): StepErrors[] {
  return means.map((mean, at) => {
    const bands = { p10: 0, p25: 0, median: 0, p75: 0, p90: 0, p99: 0, mean };
    return { step: at + 1, time_yr: yr * (at + 1), rows: 1, dex: bands, relative: bands };
  });
}

describe("a lengthened history", () => {
  it("holds its last row, or begins again", () => {
    const history = Float32Array.of(1, 10, 2, 20);
    expect([...lengthened([history], 3, 2, "held")]).toEqual([1, 10, 2, 20, 2, 20]);
    expect([...lengthened([history], 3, 2, "repeated")]).toEqual([1, 10, 2, 20, 1, 10]);
    expect([...lengthened([Float32Array.of(5), Float32Array.of(6, 7)], 2, 1, "held")]).toEqual([5, 5, 6, 7]);
  });
});

describe("the growth of the error", () => {
  it("is the slope, and the e-folding time of an exponential", () => {
    const means = Array.from({ length: 20 }, (_, at) => 0.01 * Math.exp((at + 1) / 5));
    const { within_training, beyond_training } = errorGrowth(steps(means, 100), 10);
    // exp(step / 5), and 100 yr a step.
    expect(within_training!.e_folding_yr).toBeCloseTo(500, 6);
    expect(beyond_training).toMatchObject({ from_step: 11, to_step: 20 });
    const { within_training: line } = errorGrowth(steps([0.1, 0.2, 0.3], 100), 3);
    expect(line!.dex_per_kyr).toBeCloseTo(1, 9);
  });

  it("is none where the error falls, or over too few steps", () => {
    const { within_training, beyond_training } = errorGrowth(steps([0.3, 0.2, 0.1, 0.1], 1), 3);
    expect(within_training!.e_folding_yr).toBeNull();
    expect(within_training!.dex_per_kyr).toBeCloseTo(-100, 9);
    expect(beyond_training).toBeNull();
  });
});
