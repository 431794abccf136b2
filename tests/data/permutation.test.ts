import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { invert, permute } from "../../src/data/permutation.ts";

const permutation = fc
  .integer({ min: 0, max: 30 })
  .chain((n) => fc.shuffledSubarray([...Array(n).keys()], { minLength: n, maxLength: n }));

describe("a permutation in place", () => {
  it("puts each value where the order wants it, and leaves the order as it was", () => {
    fc.assert(
      fc.property(permutation, (list) => {
        const order = Int32Array.from(list);
        const values = Float64Array.from(list, (_, i) => 10 * i);
        permute(values, order);
        expect([...values]).toEqual(list.map((from) => 10 * from));
        expect([...order]).toEqual(list);
      }),
    );
  });

  it("is inverted in its own array", () => {
    fc.assert(
      fc.property(permutation, (list) => {
        const order = Int32Array.from(list);
        const inverse = invert(order);
        expect(inverse).toBe(order);
        expect(list.map((from) => inverse[from])).toEqual([...list.keys()]);
      }),
    );
  });
});
