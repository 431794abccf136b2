import { expect, it } from "vitest";
import { severalHistories } from "../../src/data/file-order.ts";

/** @param tracers the times of each, in the order of the file */
function doubt(...tracers: number[][]): string | null {
  const times = Float64Array.from(tracers.flat());
  const starts = Int32Array.from([0, ...tracers.map((_, i) => tracers.slice(0, i + 1).flat().length)]);
  return severalHistories({ tracers: [...tracers.keys()], order: Int32Array.from(times.keys()), starts }, times);
}

it("rows in the order of time, in reverse, or in pieces that do not overlap are one history", () => {
  expect(doubt([1, 2, 3], [5, 4, 3], [4, 5, 6, 1, 2, 3])).toBeNull();
});

it("one history after another under one id is doubtful", () => {
  expect(doubt([1, 2, 3], [100, 200, 300, 150, 250, 350], [1, 3, 2, 4, 1.5, 5])).toBe(
    "the rows of tracer 1 go back in time once, first from 300 to 150 (rows 5 and 6); 1 other tracer likewise: " +
      "they are sorted by time into one history. If an id stands for several, give each its own",
  );
});

it("histories in turns are doubtful", () => {
  expect(doubt([1, 10, 2, 11, 3, 12])).toContain(
    "tracer 0 go back in time 2 times, first from 10 to 2 (rows 1 and 2):",
  );
});
