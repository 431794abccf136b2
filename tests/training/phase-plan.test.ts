import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cosineRate } from "../../src/training/cosine.ts";
import { phaseDeadline, planEpochs } from "../../src/training/phase-plan.ts";

describe("planEpochs", () => {
  it("leaves the phases as they are within the limit", () => {
    expect(planEpochs([2, 4, 9], null)).toEqual([2, 4, 9]);
    expect(planEpochs([2, 4, 9], 15)).toEqual([2, 4, 9]);
    expect(planEpochs([2, 4, 9], 100)).toEqual([2, 4, 9]);
    expect(planEpochs([null], null)).toEqual([null]);
  });

  it("shortens all in proportion, the sum being the limit", () => {
    expect(planEpochs([2, 4, 9], 5)).toEqual([1, 1, 3]);
    expect(planEpochs([2, 4, 9], 2)).toEqual([0, 1, 1]);
    expect(planEpochs([5, 5], 0)).toEqual([0, 0]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), fc.nat(200), (wanted, most) => {
        const total = wanted.reduce((a, b) => a + b, 0);
        const planned = planEpochs(wanted, most) as number[];
        expect(planned.reduce((a, b) => a + b, 0)).toBe(Math.min(total, most));
        for (const [i, epochs] of planned.entries()) expect(epochs).toBeLessThanOrEqual(wanted[i]!);
      }),
    );
  });

  it("gives a phase without an end what the others leave", () => {
    expect(planEpochs([null], 7)).toEqual([7]);
    expect(planEpochs([3, null], 10)).toEqual([3, 7]);
    expect(planEpochs([3, null], 3)).toEqual([3, 0]);
  });
});

describe("phaseDeadline", () => {
  it("divides what is left by the shares of the phases to come", () => {
    expect(phaseDeadline([1, 2, 5], 1000, 9000)).toBe(2000);
    // The first ended early: the second has 2/7 of what is left.
    expect(phaseDeadline([2, 5], 2000, 9000)).toBe(4000);
    expect(phaseDeadline([5], 3000, 9000)).toBe(9000);
  });
});

describe("cosineRate", () => {
  const settings = { peak: 2, warm_up: 0.2, final_lr: 0.1 };

  it("rises in a line, falls in half a cosine, ends at its share", () => {
    expect([0, 0.1, 0.2, 0.6, 1].map((progress) => cosineRate(settings, progress))).toEqual([
      0,
      1,
      2,
      // Half way down: the mean of 2 and 0.2.
      expect.closeTo(1.1, 12),
      expect.closeTo(0.2, 12),
    ]);
  });

  it("needs no warm-up", () => {
    expect(cosineRate({ peak: 1, warm_up: 0, final_lr: 0 }, 0)).toBe(1);
  });
});
