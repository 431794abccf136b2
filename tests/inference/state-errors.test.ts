import { expect, it } from "vitest";
import { meanErrors } from "../../src/inference/state-errors.ts";

it("the error of a state is the mean over the species above 1e-12, in dex", () => {
  const surrogate = { species: ["CO", "CS", "SO"], abundancesClipping: { lower: 1e-20, upper: 1 } };
  const truth = Float32Array.of(1e-4, 1e-6, 1e-13, 1e-15, 1e-15, 1e-15, 1e-4, 1e-20, 1e-20);
  const emulated = Float32Array.of(1e-3, 1e-6, 1, 1, 1, 1, Number.NaN, 1, 1);
  // (1 + 0) / 2; none is above; 1e-4 beside nothing, which is 1e-20
  expect([...meanErrors(emulated, truth, surrogate)].map((e) => e.toFixed(3))).toEqual(["0.500", "0.000", "16.000"]);
});
