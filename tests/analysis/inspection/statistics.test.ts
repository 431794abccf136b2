import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DecimatedSample } from "../../../src/analysis/inspection/decimated-sample.ts";
import { shellWord } from "../../../src/analysis/inspection/shell-word.ts";
import { TracerStatistics } from "../../../src/analysis/inspection/tracer-statistics.ts";

describe("an even sample", () => {
  it("gives the exact spread while everything fits", () => {
    const sample = new DecimatedSample(8);
    for (const value of [5, 1, Number.NaN, 4, 2]) sample.add(value);
    expect(sample.spread()).toEqual({ min: 1, median: 3, max: 5 });
    expect(new DecimatedSample().spread()).toBeNull();
  });

  it("keeps to its size, with the exact limits and nearly the median", () => {
    const sample = new DecimatedSample(1024);
    const count = 1_000_000;
    // 7 and the count have no common divisor: every value once, in an order of jumps.
    for (let i = 0; i < count; i++) sample.add((7 * i) % count);
    const { min, median, max } = sample.spread()!;
    expect([min, max]).toEqual([0, count - 1]);
    expect(Math.abs(median / count - 0.5)).toBeLessThan(0.01);
  });
});

describe("tracers", () => {
  const row = fc.record({ id: fc.nat(3), time: fc.nat(5) });

  it("are counted as their sorted rows are, in any order", () => {
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 40 }), (rows) => {
        const statistics = new TracerStatistics(rows.length);
        for (const { id, time } of rows) statistics.add(id, time);
        const found = statistics.summary("Tracer")!;
        const distinct = new Set(rows.map(({ id, time }) => `${id} ${time}`));
        expect(found.count).toBe(new Set(rows.map(({ id }) => id)).size);
        expect(found.duplicate_rows).toBe(rows.length - distinct.size);
        expect(found.duplicates_are_exact).toBe(true);
      }),
    );
  });

  it("of frames too long to keep are compared with their neighbours only, and that is said", () => {
    const statistics = new TracerStatistics(2 ** 24 + 1);
    for (const time of [1, 2, 2, 1]) statistics.add(5, time);
    expect(statistics.summary("Tracer")).toMatchObject({
      duplicate_rows: 1,
      duplicates_are_exact: false,
      unsorted_rows: 1,
    });
  });

  it("without an id are counted apart", () => {
    const statistics = new TracerStatistics(3);
    for (const id of [Number.NaN, 2 ** 60, 1]) statistics.add(id, 0);
    expect(statistics.summary("Tracer")).toMatchObject({ count: 1, rows_without_id: 2 });
    expect(new TracerStatistics(0).summary("Tracer")).toBeNull();
  });
});

describe("words of a command", () => {
  it("are quoted where a shell would read them", () => {
    expect(["a=b/c.h5", "a=[1,2]", "it's here", "#CO"].map(shellWord)).toEqual([
      "a=b/c.h5",
      "'a=[1,2]'",
      "'it'\\''s here'",
      "'#CO'",
    ]);
  });
});
