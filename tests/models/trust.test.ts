import { describe, expect, it } from "vitest";
import { chooseEngine } from "../../src/backend/choose-engine.ts";
import { hostTensor } from "../../src/backend/engine.ts";
import { expectedErrors, startDistance, type Trust, trustFlags } from "../../src/models/trust.ts";
import { distanceArrays, distanceStep } from "../../src/models/trust-distance.ts";
import { engineRequest, engines } from "../helpers/tensors.ts";

const trust: Trust = {
  level: 0.9,
  intercept: 0.02,
  slope: 0.1,
  reference: { distance: 4, start: 0.1, correction: 0.05, spread: 0.03 },
  ignorance: 1.5,
  change: 0.01,
  steps: 4,
  tracers: 2,
  rows: 8,
  left_out: null,
  matrix: Float32Array.of(2, 0, 0, 1),
  offset: Float32Array.of(-1, 3),
  sample: Float32Array.of(0, 0, 3, 4),
  starts: Float32Array.of(-4, -5, -4.5, -5.5),
};

const quiet = { batch: 1, steps: 3, start: [0], outside: [0, 0, 0], distance: [0, 0, 0] };

describe("the expected error", () => {
  it("grows with the distance up to its reference, and by the ignorance beyond", () => {
    const { expectedError, flags } = expectedErrors(trust, { ...quiet, distance: [2, 4, 6] });
    // 0.02 + 0.1 · ½; 0.02 + 0.1; that and 1.5 · (6/4 − 1)
    expect([...expectedError].map((e) => e.toFixed(4))).toEqual(["0.0700", "0.1200", "0.8700"]);
    expect([...flags]).toEqual([0, 0, trustFlags.distance]);
  });

  it("never falls along a trajectory, and begins anew with the next", () => {
    const two = { ...quiet, batch: 2, start: [0, 0], outside: Array(6).fill(0), distance: [6, 0, 0, 0, 0, 0] };
    const { expectedError, flags } = expectedErrors(trust, two);
    expect([...expectedError].map((e) => e.toFixed(2))).toEqual(["0.87", "0.87", "0.87", "0.02", "0.02", "0.02"]);
    expect([...flags]).toEqual([2, 2, 2, 0, 0, 0]);
  });

  it.each([
    ["start", { start: [0.3] }, [0.42, 0.42, 0.42], trustFlags.start], // 0.02 + 2 · (0.3 − 0.1)
    ["correction", { correction: [0, 0.15, 0] }, [0.02, 0.12, 0.12], trustFlags.correction],
    ["spread", { spread: [0.03, 0.08, 0] }, [0.02, 0.12, 0.12], trustFlags.spread],
    ["conditions", { outside: [0, 1, 0] }, [0.02, 0.02, 0.02], trustFlags.conditions],
    // Two steps of half the trained length: 0.5, then 1 step behind; one of double length brings it back, but what was stays.
    ["time_step", { stretch: [0.5, 0.5, 2] }, [0.025, 0.03, 0.03], trustFlags.time_step],
  ])("counts the signal %s", (_, signal, errors, bit) => {
    const { expectedError, flags } = expectedErrors(trust, { ...quiet, ...signal });
    expect([...expectedError].map((e) => e.toFixed(4))).toEqual(errors.map((e) => e.toFixed(4)));
    expect(flags.at(-1)).toBe(bit);
  });

  it("grows with the steps beyond those of the calibration", () => {
    const long = { ...quiet, steps: 8, outside: Array(8).fill(0), distance: Array(8).fill(4) };
    const { expectedError, flags } = expectedErrors(trust, long);
    expect([3, 5, 7].map((t) => expectedError[t]!.toFixed(3))).toEqual(["0.120", "0.180", "0.240"]);
    expect([3, 4].map((t) => flags[t])).toEqual([0, trustFlags.length]);
  });

  it("takes a state that is no number, and one that cannot have its totals, for the worst", () => {
    const far = expectedErrors(trust, { ...quiet, distance: [0, Number.NaN, 0] }).expectedError;
    const unmet = expectedErrors(trust, { ...quiet, correction: [0, Number.POSITIVE_INFINITY, 0] }).expectedError;
    expect([far[1], far[2], unmet[1]]).toEqual([20, 20, 20]);
  });

  it("has a bit of its own for every signal", () => {
    const bits = Object.values(trustFlags);
    expect(bits.reduce((a, b) => a | b, 0)).toBe(bits.reduce((a, b) => a + b, 0));
  });
});

describe("the distance", () => {
  it("of a start is the largest difference of any total from the nearest trained start", () => {
    expect(startDistance(trust, [-4.1, -5.05])).toBeCloseTo(0.1, 5);
    expect(startDistance(trust, [-4.5, -5.2])).toBeCloseTo(0.3, 5);
    expect(startDistance(trust, [])).toBe(0);
  });

  it.each(engines)("of a row is that of the whitened row to the nearest of the sample: %s", async (name) => {
    const { engine } = await chooseEngine(engineRequest(name), () => {});
    const { step, ...options } = distanceStep();
    const program = engine.program("distance", step, { frozen: true, ...options });
    const state = engine.state(distanceArrays(trust));
    // [2x − 1, y + 3]: (0.5, −3) → (0, 0); (0.5, −2) → (0, 1); (2, 2) → (3, 5), 1 from (3, 4)
    const seen = hostTensor(Float32Array.of(0.5, -3, 0.5, -2, 2, 2), [3, 2]);
    const { distance } = await program.run(state, { seen });
    expect([...distance!.data].map((d) => d.toFixed(3))).toEqual(["0.000", "1.000", "1.000"]);
    await program.dispose();
    state.dispose();
  });
});
