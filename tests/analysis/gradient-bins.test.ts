import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gradientBin, gradientBins, gradients } from "../../src/analysis/gradient-bins.ts";

describe("the bins of gradients", () => {
  it("are those of the logarithm, for gradients of any size", () => {
    fc.assert(
      fc.property(fc.double({ min: -50, max: 50, noNaN: true }), (log10) => {
        const at = (log10 - gradients.from) * gradients.perDecade;
        // At an end rounding decides.
        fc.pre(Math.abs(at - Math.round(at)) > 1e-9);
        expect(gradientBin(10 ** log10)).toBe(Math.min(Math.max(Math.floor(at), 0), gradientBins - 1));
      }),
    );
  });

  it("are the first where nothing changes, and the last where it does at once", () => {
    expect([0, -1, Number.NaN, 1e-320].map(gradientBin)).toEqual([0, 0, 0, 0]);
    expect([1e30, 1e300, Number.POSITIVE_INFINITY].map(gradientBin)).toEqual(Array(3).fill(gradientBins - 1));
  });
});
