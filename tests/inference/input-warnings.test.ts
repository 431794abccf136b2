import { afterEach, expect, it, vi } from "vitest";
import { InputWarnings } from "../../src/inference/input-warnings.ts";

const species = ["H", "H2", "CO"];
const matrix = (...rows: number[][]) => ({ data: rows.flat(), shape: [rows.length, species.length] });

afterEach(() => {
  vi.restoreAllMocks();
});

it("each kind is told once, with the first place and how many there are", () => {
  const told: [string, string][] = [];
  const warnings = new InputWarnings((message, kind) => told.push([kind, message]));
  const doubtful = matrix([0, 0.5, 1e-4], [0, 1, 1e-4], [0, 1, -1e-30], [-1e-21, 1, 0]);
  for (let call = 0; call < 3; call++) warnings.checkAbundances("abundances", doubtful, species, 1e-20);
  expect(told).toEqual([
    [
      "units",
      "hydrogen nuclei sum to 2 instead of 1 in abundances[1] (the first of 3 such rows): abundances relative to H2? " +
        "Divide each row by its number of hydrogen nuclei (H + 2 H2 + …)",
    ],
    [
      "rounding",
      "raised 2 negative abundances (a solver's rounding, less than 1e-20 in size) to 1e-20, first in abundances[2, 2]",
    ],
  ]);
});

it("sound input is not told", () => {
  const listener = vi.fn();
  new InputWarnings(listener).checkAbundances("abundances", matrix([0, 0.5, 0]), species, 1e-20);
  expect(listener).not.toHaveBeenCalled();
});

it("without a listener the process warns", () => {
  const emit = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  new InputWarnings().checkAbundances("abundances", matrix([0, 5e3, 0]), species, 1e-20);
  expect(emit).toHaveBeenCalledExactlyOnceWith(expect.stringContaining("number densities (per cm^3)?"), {
    type: "AstrochemWarning",
  });
});
