import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { permuted, tracerRuns, windowStarts } from "../../src/data/windows.ts";

describe("tracerRuns", () => {
  it("splits where the id changes, a repeated id included", () => {
    expect(tracerRuns([5, 5, 7, 5])).toEqual([
      { start: 0, rows: 2 },
      { start: 2, rows: 1 },
      { start: 3, rows: 1 },
    ]);
    expect(tracerRuns([])).toEqual([]);
  });

  it("tells 64-bit ids apart", () => {
    expect(tracerRuns([2n ** 60n, 2n ** 60n + 1n])).toHaveLength(2);
  });
});

describe("windowStarts", () => {
  it("takes every run of rows within a tracer: n − window + 1", () => {
    expect([...windowStarts([1, 1, 1, 1, 2, 2, 2], 3, "x").starts]).toEqual([0, 1, 4]);
    expect(windowStarts(new Int32Array(297), 240, "x").starts.length).toBe(58);
  });

  it("skips and counts shorter tracers instead of counting them negatively", () => {
    const { starts, skippedTracers, skippedRows } = windowStarts([1, 2, 2, 3, 3, 3], 3, "x");
    expect([[...starts], skippedTracers, skippedRows]).toEqual([[3], 2, 3]);
  });

  it("gives every window that lies within a tracer, and no other", () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(lengths, fc.integer({ min: 2, max: 6 }), (rows, window) => {
        fc.pre(Math.max(...rows) >= window);
        const models = rows.flatMap((count, tracer) => Array<number>(count).fill(tracer));
        const isWithin = (start: number): boolean => models[start] === models[start + window - 1];
        const expected = [...models.keys()].filter(isWithin);
        expect([...windowStarts(models, window, "x").starts]).toEqual(expected);
      }),
    );
  });

  it("does not recommend a window of one row", () => {
    expect(() => windowStarts([1, 2], 3, "x")).toThrow("fix  give tracers with at least two rows");
  });

  it("is an error where no tracer is long enough", () => {
    expect(() => windowStarts([1, 1, 2], 3, "clean.h5, key train")).toThrowErrorMatchingInlineSnapshot(`
      [DataError: no tracer has the 3 rows of a window; the longest has 2
        at   clean.h5, key train
        fix  model.window_size=2 or less]
    `);
  });
});

describe("permuted", () => {
  it("keeps every start, in another order, the same for a seed", () => {
    const starts = Int32Array.from({ length: 50 }, (_, i) => 3 * i);
    const order = permuted(starts, 1);
    expect([...order].sort((a, b) => a - b)).toEqual([...starts]);
    expect(order).not.toEqual(starts);
    expect(permuted(starts, 1)).toEqual(order);
  });
});
