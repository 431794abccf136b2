import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { permuted, tracerRuns, windowStarts } from "../../src/data/windows.ts";
import { thrownBy } from "../helpers/folder.ts";

/** Ids of tracers of these lengths. */
const tracersOf = (lengths: readonly number[]): number[] => lengths.flatMap((rows, i) => Array(rows).fill(i % 7));

describe("tracerRuns", () => {
  it("splits where the id changes, even back to an earlier one", () => {
    expect(tracerRuns([5, 5, 2, 5])).toEqual([
      { start: 0, rows: 2 },
      { start: 2, rows: 1 },
      { start: 3, rows: 1 },
    ]);
    expect(tracerRuns([])).toEqual([]);
    expect(tracerRuns([2n ** 60n, 2n ** 60n + 1n])).toHaveLength(2);
  });
});

describe("windowStarts", () => {
  it.each([
    [297, 240, 58],
    [298, 240, 59],
    [240, 240, 1],
  ])("gives of %d rows with a window of %d as many as the original: %d", (rows, window, expected) => {
    expect(windowStarts(tracersOf([rows]), window, "file").starts).toHaveLength(expected);
  });

  it("leaves out short tracers and counts them", () => {
    const { starts, skippedTracers, skippedRows } = windowStarts(tracersOf([2, 4, 1, 3]), 3, "file");
    expect([...starts]).toEqual([2, 3, 7]);
    expect({ skippedTracers, skippedRows }).toEqual({ skippedTracers: 2, skippedRows: 3 });
  });

  it("gives every window within a tracer, and no other", () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(lengths, fc.integer({ min: 2, max: 6 }), (rows, window) => {
        fc.pre(Math.max(...rows) >= window);
        const models = tracersOf(rows);
        const all = models.map((_, start) => start);
        const isWindow = (start: number): boolean => {
          const inside = models.slice(start, start + window);
          return inside.length === window && inside.every((model) => model === inside[0]);
        };
        expect([...windowStarts(models, window, "file").starts]).toEqual(all.filter(isWindow));
      }),
    );
  });

  it("names the longest tracer where none is long enough", async () => {
    expect(await thrownBy(() => windowStarts(tracersOf([2, 4]), 5, "clean.h5, key train"), "")).toMatchInlineSnapshot(`
      "DataError: …n…o… …t…r…a…c…e…r… …h…a…s… …t…h…e… …5… …r…o…w…s… …o…f… …a… …w…i…n…d…o…w…;… …t…h…e… …l…o…n…g…e…s…t… …h…a…s… …4…
      … … …a…t… … … …c…l…e…a…n….…h…5…,… …k…e…y… …t…r…a…i…n…
      … … …f…i…x… … …m…o…d…e…l….…w…i…n…d…o…w…_…s…i…z…e…=…4… …o…r… …l…e…s…s…"
    `);
    expect(await thrownBy(() => windowStarts(tracersOf([1]), 5, "clean.h5, key val"), "")).toMatchInlineSnapshot(`
      "DataError: …n…o… …t…r…a…c…e…r… …h…a…s… …t…h…e… …5… …r…o…w…s… …o…f… …a… …w…i…n…d…o…w…;… …t…h…e… …l…o…n…g…e…s…t… …h…a…s… …1…
      … … …a…t… … … …c…l…e…a…n….…h…5…,… …k…e…y… …v…a…l…
      … … …f…i…x… … …g…i…v…e… …t…r…a…c…e…r…s… …w…i…t…h… …a…t… …l…e…a…s…t… …t…w…o… …r…o…w…s…"
    `);
  });
});

describe("permuted", () => {
  it("keeps the starts, in an order that the seed decides", () => {
    const starts = Int32Array.from({ length: 50 }, (_, i) => 3 * i);
    expect(permuted(starts, 1)).not.toEqual(starts);
    expect(permuted(starts, 1)).not.toEqual(permuted(starts, 2));
    expect(permuted(starts, 1)).toEqual(permuted(starts, 1));
    expect(permuted(starts, 1).sort()).toEqual(starts);
  });
});
