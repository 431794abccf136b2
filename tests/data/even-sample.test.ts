import { describe, expect, it } from "vitest";
import { MemoryRows } from "../../src/data/chunk-source.ts";
import { evenRows, evenWindows } from "../../src/data/even-sample.ts";
import { edgedStarts } from "../../src/data/windows.ts";

/** Rows that hold their own number. */
const numbered = (rows: number): MemoryRows =>
  new MemoryRows(
    Float32Array.from({ length: rows }, (_, i) => i),
    1,
  );

describe("evenRows", () => {
  it("takes blocks from the first row to the last", async () => {
    const sample = await evenRows(numbered(1000), 128);
    const values = [...(await sample.load(0, sample.rows))];
    expect(values).toEqual([
      ...Array.from({ length: 64 }, (_, i) => i),
      ...Array.from({ length: 64 }, (_, i) => 936 + i),
    ]);
  });

  it("is the source itself where that has no more", async () => {
    const source = numbered(10);
    expect(await evenRows(source, 10)).toBe(source);
    expect([...(await (await evenRows(source, 3)).load(0, 3))]).toEqual([0, 1, 2]);
  });
});

describe("evenWindows", () => {
  it("takes windows from the first start to the last", async () => {
    const { source, starts } = await evenWindows(numbered(20), Int32Array.of(0, 1, 2, 10, 16), 4, 3);
    expect([...starts]).toEqual([0, 4, 8]);
    expect([...(await source.load(0, 12))]).toEqual([0, 1, 2, 3, 2, 3, 4, 5, 16, 17, 18, 19]);
  });

  it("takes all where there are no more", async () => {
    const all = { source: numbered(20), starts: Int32Array.of(3, 5) };
    expect(await evenWindows(all.source, all.starts, 4, 2)).toEqual(all);
  });
});

describe("edgedStarts", () => {
  const runs = [
    { start: 0, rows: 6 },
    { start: 6, rows: 3 },
    { start: 9, rows: 4 },
  ];

  it("without edges gives each window once, in order, none of a tracer that is too short", () => {
    expect([...edgedStarts(runs, 4, 0)]).toEqual([0, 1, 2, 9]);
  });

  it("repeats the windows at both ends", () => {
    // A window of four has three steps; half of the two that an end lies behind the middle by is one.
    expect([...edgedStarts(runs, 4, 0.5)]).toEqual([0, 0, 1, 2, 2, 9, 9, 9]);
  });

  it("covers the rows near the ends about as often as the middle", () => {
    const counted = (edges: number): number[] => {
      const counts = new Array<number>(60).fill(0);
      for (const start of edgedStarts([{ start: 0, rows: 60 }], 11, edges)) {
        for (let row = start; row < start + 11; row++) counts[row]! += 1;
      }
      return counts;
    };
    expect(counted(0)[0]).toBe(1);
    expect(counted(0)[30]).toBe(11);
    // 4.5 rounds to 5 more at each end.
    expect(counted(0.5)[0]).toBe(6);
    expect(counted(0.5)[5]).toBe(11);
  });
});
