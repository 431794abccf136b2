import { expect, it } from "vitest";
import { describeReliability, reliability } from "../../src/analysis/reliability.ts";

it("tells coverage, what is flagged and what is a false alarm", () => {
  const errors = [0.01, 0.05, 0.2, 0.4, 0.5];
  const expected = [0.02, 0.04, 0.35, 0.6, 0.25];
  const found = reliability(errors, expected, [0, 1, 1, 3, 0], 0.9);
  expect(found).toMatchObject({ coverage: 3 / 5, states: 5, large: 2, flagged: 1 / 2, false_alarms: 1 / 3 });
  expect(found.curve.find(({ expected_dex }) => expected_dex === 0.2)).toEqual({
    expected_dex: 0.2,
    flagged: 1,
    false_alarms: 1 / 3,
  });
  expect(found.bins.map(({ from_dex, states, coverage }) => [from_dex, states, coverage])).toEqual([
    [0.02, 2, 0.5],
    [0.2, 1, 0],
    [0.3, 1, 1],
    [0.5, 1, 1],
  ]);
  expect(found.flags).toMatchObject({ conditions: 0.6, distance: 0.2, start: 0 });
  expect(describeReliability(found)).toBe(
    "60 % of the states are off by no more than expected (90 % were to be). Of the 40 % that are off by more than 0.3 dex, 50 % are expected to be, and 33 % of the others.",
  );
});

it("has no part of no states", () => {
  const found = reliability([0.1], [0.2], [0], 0.9);
  expect([found.flagged, found.false_alarms]).toEqual([null, 0]);
  expect(describeReliability(found)).toContain("None is off by more than 0.3 dex.");
});
