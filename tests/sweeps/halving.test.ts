import { describe, expect, it } from "vitest";
import { bestOf, epochsOfRung, paretoFront, rungCount, successiveHalving } from "../../src/sweeps/halving.ts";
import { drawTrials } from "../../src/sweeps/space.ts";

describe("successive halving", () => {
  it("trains a third of the trials three times as long in each rung", async () => {
    // Trial i comes to i at its end, and is off by 10 (10 - i) before: 9 looks best until all epochs are done.
    const trials = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    const rungs = rungCount(9, 9);
    const seen: [readonly number[], number][] = [];
    const last = await successiveHalving(trials, rungs, async (alive, rung) => {
      const epochs = epochsOfRung(9, rung, rungs);
      seen.push([alive, epochs]);
      return new Map(alive.map((i) => [i, [epochs < 9 ? i + 10 * (10 - i) : i]]));
    });
    expect(seen).toEqual([
      [trials, 1],
      [[9, 8, 7], 3],
      [[9], 9],
    ]);
    expect(last).toEqual([9]);
  });

  it("is decided by scores alone, whatever the order they come in, and goes on without what failed", async () => {
    const scores = [1, 2, 3, 4, 5, 6].map((i): [number, number[]] => [i, [i % 3]]);
    const run = (order: [number, number[]][]) => {
      const seen: (readonly number[])[] = [];
      return successiveHalving([1, 2, 3, 4, 5, 6], 2, async (alive) => {
        seen.push(alive);
        return new Map(order.filter(([i]) => alive.includes(i)));
      }).then(() => seen);
    };
    expect(await run(scores)).toEqual([
      [1, 2, 3, 4, 5, 6],
      [3, 6],
    ]);
    expect(await run(scores.toReversed())).toEqual(await run(scores));
    expect((await run(scores.filter(([i]) => i === 4)))[1]).toEqual([4]);
  });

  it.each([
    [27, 12, [2, 4, 12]],
    [27, 27, [1, 3, 9, 27]],
    [8, 100, [34, 100]],
    [2, 12, [12]],
    [27, 1, [1]],
  ])("of %i trials of %i epochs has rungs of %j", (trials, epochs, expected) => {
    const rungs = rungCount(trials, epochs);
    expect(Array.from({ length: rungs }, (_, rung) => epochsOfRung(epochs, rung, rungs))).toEqual(expected);
  });

  it("with two objectives keeps front after front", () => {
    const scores = new Map([
      [1, [1, 9]],
      [2, [2, 5]],
      [3, [3, 6]], // 2 beats it
      [4, [4, 1]],
      [5, [4, 1]],
    ]);
    expect(paretoFront(scores)).toEqual([1, 2, 4, 5]);
    expect(bestOf(scores, 5)).toEqual([1, 2, 4, 5, 3]);
  });
});

describe("the trials", () => {
  const draw = (overrides: string[], seed = 0, count = 200) =>
    drawTrials(overrides, (key) => (key === "model" ? ["emulator", "latent_rnn"] : []), { count, seed });
  const valuesOf = (override: string): string[] =>
    draw([override])
      .slice(1)
      .map(({ values }) => values.a!);

  it("begin with the default and follow from the seed, each key by itself", () => {
    const one = draw(["dataset=sample", "+a=interval(0,1)"], 3, 4);
    expect(one[0]).toEqual({ overrides: ["dataset=sample"], values: {} });
    expect(one[1]!.overrides).toEqual(["dataset=sample", `+a=${one[1]!.values.a}`]);
    expect(draw(["+a=interval(0,1)"], 4, 4)[1]!.values).not.toEqual(one[1]!.values);
    const more = draw(["model=glob(*)", "+a=interval(0,1)"], 3, 9);
    expect(more.slice(1, 5).map(({ values }) => values.a)).toEqual(one.slice(1).map(({ values }) => values.a));
  });

  it("spread as asked for", () => {
    const logs = valuesOf("a=tag(log, interval(1e-4, 1e-2))").map(Number);
    expect(logs.every((value) => value >= 1e-4 && value <= 1e-2)).toBe(true);
    expect(logs.filter((value) => value < 1e-3).length).toBeGreaterThan(70);
    expect(logs.filter((value) => value < 1e-3).length).toBeLessThan(130);
    const even = valuesOf("a=interval(1e-4, 1e-2)").map(Number);
    expect(even.filter((value) => value < 1e-3).length).toBeLessThan(40);
  });

  it("are all of a small space, each once", () => {
    expect(valuesOf("a=int(interval(2, 4))").sort()).toEqual(["2", "3", "4"]);
    expect(valuesOf("a=tag(log, int(interval(2, 4)))").sort()).toEqual(["2", "3", "4"]);
    expect(valuesOf("a=choice(x,[1,2])").sort()).toEqual(["[1,2]", "x"]);
    expect(valuesOf("a=range(64,129,32)").sort()).toEqual(["128", "64", "96"]);
  });

  it.each([
    ["a=interval(1)", "this is no interval"],
    ["a=interval(1,2)x", "this is no interval"],
    ["a=int(interval(1,2)", "this is no interval"],
    ["a=interval(x,2)", "this is no interval"],
    ["a=interval(2,1)", "to a greater one"],
    ["a=tag(log,interval(0,1))", "begins above 0"],
    ["a=int(interval(0,1.5))", "wants whole numbers"],
    ["a=1", "nothing to tune"],
  ])("%s is refused: %s", (override, text) => {
    expect(() => draw([override])).toThrow(text);
  });

  it("a key that is drawn twice is refused", () => {
    expect(() => draw(["a=1,2", "a=interval(0,1)"])).toThrow("drawn twice");
  });
});
