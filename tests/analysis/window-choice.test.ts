import { describe, expect, it } from "vitest";
import { chooseWindows } from "../../src/analysis/window-choice.ts";

const places = [10, 3, 25].map((rows, id) => ({ id, start: 100 * id, rows }));
const all = (most: number | null, seed = 0) => {
  const choice = chooseWindows(places, 5, most, seed);
  return { choice, firsts: places.map((place) => choice.of(place)) };
};

describe("the windows to evaluate", () => {
  it("are all there are, and none of a tracer that is too short", () => {
    const { choice, firsts } = all(null);
    expect([choice.all, choice.evaluated]).toEqual([6 + 21, 27]);
    expect(firsts.map((list) => list.length)).toEqual([6, 0, 21]);
    expect(firsts[0]).toEqual([0, 1, 2, 3, 4, 5]);
    expect(all(27).firsts).toEqual(firsts);
  });

  it("are otherwise a seeded sample, spread over the tracers, each once and inside of its tracer", () => {
    const { choice, firsts } = all(9);
    expect([choice.all, choice.evaluated]).toEqual([27, 9]);
    expect(firsts.map((list) => list.length)).toEqual([2, 0, 7]);
    for (const [k, list] of firsts.entries()) {
      expect(new Set(list).size).toBe(list.length);
      expect(list.every((first) => first >= 0 && first + 5 <= places[k]!.rows)).toBe(true);
    }
    expect(all(9).firsts).toEqual(firsts);
    expect(all(9, 1).firsts).not.toEqual(firsts);
  });

  it("are none where every tracer is too short", () => {
    const choice = chooseWindows(places, 26, null, 0);
    expect([choice.all, choice.evaluated]).toEqual([0, 0]);
  });
});
