import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { blocks, powersOfTwo } from "../../src/backend/blocks.ts";

const counts = (n: number, largest: number): number[] => [...powersOfTwo(n, largest)].map(({ count }) => count);

describe("blocks", () => {
  it("in powers of two cut into the largest and falling ones for the rest", () => {
    expect(counts(1000, 4096)).toEqual([512, 256, 128, 64, 32, 8]);
    expect(counts(130, 64)).toEqual([64, 64, 2]);
    expect(counts(64, 64)).toEqual([64]);
    expect(counts(1, 64)).toEqual([1]);
  });

  it("of a largest that is no power of two are powers of two below it", () => {
    expect(counts(47, 20)).toEqual([16, 16, 8, 4, 2, 1]);
  });

  it("of any size leave one part", () => {
    expect([...blocks(130, 64)]).toEqual([
      { start: 0, count: 64 },
      { start: 64, count: 64 },
      { start: 128, count: 2 },
    ]);
    expect([...blocks(37, 64)]).toEqual([{ start: 0, count: 37 }]);
    expect([...blocks(0, 64)]).toEqual([]);
  });

  it("of nothing are none", () => {
    expect(counts(0, 64)).toEqual([]);
  });

  const sizes = [fc.nat(20_000), fc.integer({ min: 1, max: 5000 })] as const;

  it("cover 0 to n once, in order", () => {
    fc.assert(
      fc.property(...sizes, (n, largest) => {
        let covered = 0;
        for (const { start, count } of powersOfTwo(n, largest)) {
          expect(start).toBe(covered);
          expect(count).toBeGreaterThan(0);
          expect(count).toBeLessThanOrEqual(largest);
          covered += count;
        }
        expect(covered).toBe(n);
      }),
    );
  });

  it("have few distinct sizes, whatever n: the largest and the powers of two below it", () => {
    fc.assert(
      fc.property(fc.array(sizes[0], { minLength: 1, maxLength: 20 }), sizes[1], (ns, largest) => {
        const distinct = new Set(ns.flatMap((n) => counts(n, largest)));
        expect(distinct.size).toBeLessThanOrEqual(1 + Math.floor(Math.log2(largest)));
        for (const size of distinct) expect(Number.isInteger(Math.log2(size))).toBe(true);
      }),
    );
  });
});
