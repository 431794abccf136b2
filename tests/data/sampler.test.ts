import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { withNext } from "../../src/data/autoencoder-batches.ts";
import { ChunkedShuffleSampler } from "../../src/data/sampler.ts";

const order = (size: number, chunk: number, epoch: number): string =>
  [...new ChunkedShuffleSampler(size, chunk).chunks(epoch)].flatMap((c) => [...c.order]).join(" ");

describe("ChunkedShuffleSampler", () => {
  it("gives the original's order in one chunk", () => {
    expect(order(20, 20, 0)).toBe("18 13 0 5 10 16 14 4 8 9 17 6 3 7 11 12 2 19 1 15");
    expect(order(20, 20, 1)).toBe("6 9 8 1 15 13 3 17 12 11 10 5 19 14 4 0 7 2 16 18");
  });

  it("gives the original's order in chunks of 6", () => {
    expect(order(20, 6, 0)).toBe("16 15 12 17 14 13 3 4 2 5 0 1 6 11 8 9 7 10 19 18");
    expect(order(20, 6, 1)).toBe("18 19 6 8 7 11 9 10 14 17 16 13 12 15 2 0 3 5 1 4");
  });

  it("gives every id once an epoch, each chunk within its bounds", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 250 }),
        fc.nat(5),
        (size, chunk, epoch) => {
          const seen: number[] = [];
          for (const { start, length, order } of new ChunkedShuffleSampler(size, chunk).chunks(epoch)) {
            expect(order.length).toBe(length);
            expect(order.every((id) => id >= start && id < start + length)).toBe(true);
            seen.push(...order);
          }
          expect(seen.sort((a, b) => a - b)).toEqual([...Array(size).keys()]);
        },
      ),
      { numRuns: 100 },
    );
  });

  it("gives nothing of nothing", () => {
    expect(order(0, 6, 0)).toBe("");
  });
});

describe("withNext", () => {
  it("gives each chunk with the next, and makes no more ahead", () => {
    let made = 0;
    function* counted(): Generator<{ start: number; length: number; order: Int32Array }> {
      for (; made < 4; made++) yield { start: made, length: 1, order: new Int32Array(1) };
    }
    const seen: (number | null)[][] = [];
    for (const [{ start }, next] of withNext(counted())) {
      expect(made).toBeLessThanOrEqual(start + 2);
      seen.push([start, next && next.start]);
    }
    expect(seen).toEqual([
      [0, 1],
      [1, 2],
      [2, 3],
      [3, null],
    ]);
    expect([...withNext([])]).toEqual([]);
  });
});
