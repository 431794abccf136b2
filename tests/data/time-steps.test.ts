import { describe, expect, it } from "vitest";
import { checkEvenSteps, isOneStep, MedianStep, StepWatch } from "../../src/data/time-steps.ts";

const told = (times: readonly number[], step: number, before?: number): string => {
  const watch = new StepWatch(step);
  watch.add("a", times, before);
  try {
    checkEvenSteps(watch, false, "raw.h5, key df", () => {});
    return "even";
  } catch (error) {
    return (error as Error).message.split("\n")[0]!;
  }
};

describe("one step", () => {
  it("is within 1 %, and within what float32 can tell of a late time", () => {
    expect([100, 101, 99, 101.01, 98.9].map((step) => isOneStep(step, 100, 1000))).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
    // At 1e8 years neighbouring float32 are 8 years apart.
    expect(isOneStep(92, 100, 1e8)).toBe(true);
    expect(isOneStep(70, 100, 1e8)).toBe(false);
  });

  it.each([
    ["even rows", [100, 200, 300], undefined, "even"],
    ["one that is missing", [100, 200, 400], undefined, "row 2 comes 200 yr after the row before it"],
    ["a start row that is elsewhere", [500, 600], 0, "its first row comes 500 yr after the start row at Time 0"],
    ["a start row one step before", [100, 200], 0, "even"],
  ])("is asked of %s", (_, times, before, expected) => {
    expect(told(times, 100, before)).toContain(expected);
  });

  it("goes on where uneven steps are allowed, with a line", () => {
    const watch = new StepWatch(10);
    watch.add(3, [0, 10, 40]);
    const lines: string[] = [];
    checkEvenSteps(watch, true, "", (line) => lines.push(line));
    expect(lines).toEqual([
      "warning: rows are not one step apart: in tracer 3, row 2 comes 30 yr after the row before it; the median step is 10 yr; the surrogate will take each row for one step of 10 yr",
    ]);
  });
});

describe("the median step", () => {
  it("is that of all steps, and of a sample of very many", () => {
    const median = new MedianStep();
    expect(median.value).toBeNull();
    for (const step of [5, 1, 3]) median.add(step);
    expect([median.value, median.least, median.largest]).toEqual([3, 1, 5]);
    const many = new MedianStep();
    for (let i = 0; i < 3_000_000; i++) many.add(i % 10 === 0 ? 1000 : 7);
    expect([many.value, many.largest]).toEqual([7, 1000]);
  });
});
