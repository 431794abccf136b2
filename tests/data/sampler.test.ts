import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ChunkedShuffleSampler } from "../../src/data/sampler.ts";

const idsOf = (size: number, chunk: number, epoch: number, seed?: number): number[] =>
  [...new ChunkedShuffleSampler(size, chunk, seed).chunks(epoch)].flatMap(({ order }) => [...order]);

describe("ChunkedShuffleSampler", () => {
  // The original's own order, by torch 2.
  it.each([
    [20, 0, "18 13 0 5 10 16 14 4 8 9 17 6 3 7 11 12 2 19 1 15"],
    [20, 1, "6 9 8 1 15 13 3 17 12 11 10 5 19 14 4 0 7 2 16 18"],
    [6, 0, "16 15 12 17 14 13 3 4 2 5 0 1 6 11 8 9 7 10 19 18"],
    [6, 1, "18 19 6 8 7 11 9 10 14 17 16 13 12 15 2 0 3 5 1 4"],
  ])("orders 20 ids in chunks of %d in epoch %d as the original does", (chunk, epoch, expected) => {
    expect(idsOf(20, chunk, epoch).join(" ")).toBe(expected);
  });

  it("visits every id once, chunk by chunk", () => {
    fc.assert(
      fc.property(fc.nat(200), fc.integer({ min: 1, max: 250 }), fc.nat(5), fc.nat(), (size, chunk, epoch, seed) => {
        expect(idsOf(size, chunk, epoch, seed).sort((a, b) => a - b)).toEqual(Array.from({ length: size }, (_, i) => i));
        for (const { start, length, order } of new ChunkedShuffleSampler(size, chunk, seed).chunks(epoch)) {
          expect(start % chunk).toBe(0);
          expect(order.length).toBe(length);
          expect(order.every((id) => id >= start && id < start + length)).toBe(true);
        }
      }),
    );
  });

  it("has no chunks of nothing", () => {
    expect(idsOf(0, 5, 0)).toEqual([]);
  });
});
