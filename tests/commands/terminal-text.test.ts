import { expect, it } from "vitest";
import { drawBar, formatDuration } from "../../src/commands/terminal-text.ts";

it.each([
  [0, "00:00"],
  [59_499, "00:59"],
  [59_500, "01:00"],
  [3_599_000, "59:59"],
  [3_600_000, "1:00:00"],
  [360_061_000, "100:01:01"],
])("writes %d ms as %s", (milliseconds, text) => {
  expect(formatDuration(milliseconds)).toBe(text);
});

it.each([
  [0, "    "],
  [1, "████"],
  [0.5, "██  "],
  [9 / 32, "█▏  "],
  [31 / 32, "███▉"],
])("draws a share of %d as %j", (share, bar) => {
  expect(drawBar(share, 4)).toBe(bar);
});
