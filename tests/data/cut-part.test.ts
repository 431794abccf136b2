import { describe, expect, it } from "vitest";
import { cuts } from "../../src/data/files/cut-part.ts";

describe("a file is cut", () => {
  it.each([
    ["between tracers, as evenly as they allow", [0, 0, 0, 1, 1, 2, 2, 2], 2, [0, 5, 8]],
    ["into parts of which some are empty, where there are fewer tracers", [1, 1, 0], 4, [0, 2, 2, 3, 3]],
    ["nowhere, where rows of all tracers alternate", [0, 1, 0, 1], 2, [0, 4, 4]],
    ["around tracers that alternate", [0, 0, 1, 2, 1, 2, 3, 3], 4, [0, 2, 6, 6, 8]],
  ])("%s", (_, tracerOf, count, expected) => {
    expect(cuts(Int32Array.from(tracerOf), Math.max(...tracerOf) + 1, count)).toEqual(expected);
  });
});
