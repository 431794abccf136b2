import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cappedDex, ErrorGroups, relativeOfDex } from "../../src/analysis/error-groups.ts";
import { sketchBin, sketchBins } from "../../src/analysis/error-sketch.ts";

/** The value of the nearest rank, by sorting. */
function exactQuantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(share * sorted.length - 1e-9) - 1]!;
}

function addDex(groups: ErrorGroups, group: number, dex: number): void {
  const capped = cappedDex(dex);
  groups.add(group, capped, relativeOfDex(capped), sketchBin(capped));
}

const error = fc.oneof(
  fc.double({ min: -19.9, max: 19.9, noNaN: true }),
  fc.double({ min: -0.01, max: 0.01, noNaN: true }),
  fc.constantFrom(0, 1, -1, 0.999_999_99, 2 ** -17, -(2 ** -17)),
);

describe("the error sketch", () => {
  it("keeps mean and largest exact and every quantile within its bound, whatever the errors", () => {
    fc.assert(
      fc.property(fc.array(error, { minLength: 1, maxLength: 300 }), (errors) => {
        const groups = new ErrorGroups(1);
        for (const each of errors) addDex(groups, 0, each);
        const { dex, relative, count } = groups.stats([0])!;
        const [sizes, relatives] = [errors.map(Math.abs), errors.map(relativeOfDex)];
        expect(count).toBe(errors.length);
        expect(dex.max).toBe(Math.max(...sizes));
        expect(relative.max).toBe(Math.max(...relatives));
        expect(dex.mean).toBeCloseTo(sizes.reduce((a, b) => a + b) / count, 9);
        for (const [name, share] of [
          ["median", 0.5],
          ["p90", 0.9],
          ["p99", 0.99],
        ] as const) {
          const [wantedDex, wantedRelative] = [exactQuantile(sizes, share), exactQuantile(relatives, share)];
          expect(Math.abs(dex[name] - wantedDex)).toBeLessThanOrEqual(0.008 * wantedDex + 4e-6);
          expect(Math.abs(relative[name] - wantedRelative)).toBeLessThanOrEqual(0.0203 * wantedRelative + 1e-5);
        }
      }),
    );
  });

  it("puts every size in one of its bins, in order, the largest and infinite ones too", () => {
    const sizes = [0, 1e-300, 2 ** -17, 1e-3, 0.5, 1 - 1e-12, 1, 1.02, 5, 19.999, 20, 1e9, Number.POSITIVE_INFINITY];
    const bins = sizes.map(sketchBin);
    expect(bins).toEqual(bins.toSorted((a, b) => a - b));
    expect(Math.max(...bins)).toBe(sketchBins / 2 - 1);
    expect(sizes.slice(1).map((size) => sketchBin(-size))).toEqual(bins.slice(1).map((bin) => bin + sketchBins / 2));
  });

  it("counts what is no number as the largest error", () => {
    const groups = new ErrorGroups(1);
    for (const each of [Number.NaN, Number.NEGATIVE_INFINITY, 0, 0]) addDex(groups, 0, each);
    const { dex, relative } = groups.stats([0])!;
    expect([dex.max, dex.mean, dex.p99]).toEqual([1000, 500, 1000]);
    expect(relative.max).toBe(1e30);
    expect(dex.median).toBeCloseTo(0, 5);
  });

  it("tells a too high prediction's relative error from that of one as much too low", () => {
    const groups = new ErrorGroups(2);
    addDex(groups, 0, 1);
    addDex(groups, 1, -1);
    expect(groups.stats([0])!.relative.max).toBeCloseTo(9);
    expect(groups.stats([1])!.relative.max).toBeCloseTo(0.9);
    // Of both together: half of the values are within 0.9.
    expect(groups.stats([0, 1])!.relative.median).toBeCloseTo(0.9, 1);
  });

  it("says that an empty group has no errors", () => {
    expect(new ErrorGroups(1).stats([0])).toBeNull();
  });
});
