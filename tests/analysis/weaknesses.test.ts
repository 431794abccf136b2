import { describe, expect, it } from "vitest";
import type { PredictionMetrics } from "../../src/analysis/error-types.ts";
import type { Metrics, TracerSummary } from "../../src/analysis/evaluation-types.ts";
import type { Weakness } from "../../src/analysis/verdict-types.ts";
import { headlineOf } from "../../src/analysis/verdicts.ts";
import { intervalsOf, weaknessesOf } from "../../src/analysis/weaknesses.ts";

/** An emulation with these mean errors by step, each of two rows 100 yr apart. */
function emulation(steps: readonly number[], change: object = {}): PredictionMetrics {
  const mean = steps.reduce((sum, dex) => sum + dex, 0) / steps.length;
  return {
    kind: "emulation",
    overall: { all: { dex: { mean } }, above_floor: { relative: { mean: 0.071, median: 0.02 } } },
    steps: steps.map((dex, at) => ({ step: at + 1, time_yr: 100 * (at + 1), rows: 2, dex: { mean: dex } })),
    species: [
      { species: "CO", all: { dex: { mean: 0.01 } }, above_floor: { relative: { mean: 0.02 } } },
      { species: "HS", all: { dex: { mean: 0.3 } }, above_floor: null },
      { species: "#NS", all: { dex: { mean: 0.2 } }, above_floor: { relative: { mean: 25 } } },
    ],
    conservation: [],
    ...change,
  } as unknown as PredictionMetrics;
}

const tracer = (id: number, dex: number, rows = 2): TracerSummary =>
  ({ id, rows: rows + 1, scored_rows: rows, errors: { emulation: [dex, dex] } }) as unknown as TracerSummary;

function found(
  errors: PredictionMetrics,
  others: Partial<Pick<Metrics, "tracers" | "failure_maps" | "physical_parameters">> = {},
): ReadonlyMap<Weakness["about"], Weakness> {
  const nothing = { tracers: [], failure_maps: {}, physical_parameters: [], floor: 1e-12 };
  const list = weaknessesOf({ ...nothing, predictions: { emulation: errors }, ...others });
  return new Map(list.map((each) => [each.about, each]));
}

describe("where it is worst", () => {
  it("is told in time: the worst step, and the stretch where it is at least half as bad", () => {
    const time = found(emulation([0.01, 0.01, 0.15, 0.2, 0.1, 0.01])).get("time");
    expect(time).toMatchObject({ step: 4, dex: 0.2, from_step: 3, to_step: 5, from_yr: 300, to_yr: 500 });
    expect(time).toMatchObject({ stretch_dex: expect.closeTo(0.15, 9) });
    expect(time!.sentence).toBe(
      "Time: the error is largest at step 4 of 6 (400 yr), 0.200 dex against 0.0800 on average; from 300 to 500 yr it is 0.150 dex.",
    );
  });

  it("is told in time where the last step alone is bad, and where all are alike", () => {
    expect(found(emulation([0.01, 0.01, 0.01, 0.2])).get("time")!.sentence).toMatch(
      /at the last step \(400 yr\), 0\.200 dex against 0\.0575 on average; beside it the error is less than half of that\.$/,
    );
    expect(found(emulation([0.02, 0.03, 0.02])).get("time")!.sentence).toMatch(/; nowhere less than half of that\.$/);
  });

  it("does not go by steps that few rows have", () => {
    const errors = emulation([0.01, 0.02, 0.9]);
    const steps = errors.steps.map((step, at) => (at < 2 ? { ...step, rows: 20 } : step));
    expect(found({ ...errors, steps }).get("time")).toMatchObject({ step: 2 });
  });

  it("is told by conditions, in bins that hold one percent of the rows", () => {
    const conditions = [
      { name: "Av", edges_log10: [0, 1, 2, 3], rows: [500, 495, 5], mean_dex: [0.02, 0.08, 9] },
      { name: "Density", edges_log10: [4, 5, 6, 7], rows: [980, 20, 0], mean_dex: [0.03, 0.5, null] },
    ];
    const map = { gradient: [], plane: null, heat_map: { step_edges: [], mean_dex: [] }, conditions };
    const physical_parameters = [{ name: "Density", unit: "cm^-3", range: [1, 10] as const }];
    expect(
      found(emulation([0.03, 0.03]), { failure_maps: { emulation: map }, physical_parameters }).get("conditions"),
    ).toEqual({
      about: "conditions",
      parameter: "Density",
      from: 1e5,
      to: 1e6,
      dex: 0.5,
      share: 0.02,
      sentence:
        "Conditions: it is largest where Density is 1e5 to 1e6 cm^-3, 0.500 dex against 0.0300 (2 % of the rows).",
    });
  });

  it("is told by tracer and by species, of all abundances and of those above the floor", () => {
    const all = found(emulation([0.03, 0.03]), { tracers: [tracer(7, 0.02), tracer(9, 0.4), tracer(8, 0.03)] });
    expect(all.get("tracer")!.sentence).toBe("Tracers: the worst, 9, is off by 0.400 dex, the median one by 0.0300.");
    expect(all.get("species")!.sentence).toBe("Species: the worst are off by (dex) HS 0.300, #NS 0.200, CO 0.0100.");
    expect(all.get("species above the floor")!.sentence).toBe(
      "Abundances above 1e-12: the relative error is 7.1 % on average, 2 % in the median; the worst species are #NS 2,500 %, CO 2 %.",
    );
  });

  it("is told of the elements, by the row that is most times off, too much or too little", () => {
    const conservation = [
      { element: "C", mean: 0.001, worst: { error: 1.5, step: 3, tracer: 7 } },
      { element: "SI", mean: 0.003, worst: { error: -2 / 3, step: 296, tracer: 152 } },
      { element: "HE", mean: 0 },
      { element: "charge", mean: 0.005, worst: { error: 90, step: 1, tracer: 7 } },
    ];
    expect(found(emulation([0.03, 0.03], { conservation })).get("conservation")!.sentence).toBe(
      "Conservation: the elements' totals are off by 0.13 % on average, SI at worst: off by a factor of 3.0 at step 296 of tracer 152; the net charge is off by 0.5 % of all charges.",
    );
    const slight = [{ element: "C", mean: 0.001, worst: { error: -0.02, step: 3, tracer: null } }];
    expect(found(emulation([0.03, 0.03], { conservation: slight })).get("conservation")!.sentence).toMatch(
      /C at worst: 2 % off at step 3\.$/,
    );
    const gone = [{ element: "C", mean: 0.1, worst: { error: -1, step: 3, tracer: 1 } }];
    expect(found(emulation([0.03, 0.03], { conservation: gone })).get("conservation")!.sentence).not.toMatch(
      /Infinity|NaN/,
    );
  });
});

describe("the headline", () => {
  const predictions = { emulation: emulation([0.02, 0.04]) };

  it("has the interval over the tracers, the same for the same seed", () => {
    const tracers = [tracer(1, 0.02, 30), tracer(2, 0.04, 30), tracer(3, 0.03, 30)];
    const intervals = intervalsOf(tracers, predictions, 0)!;
    expect(intervals).toEqual(intervalsOf(tracers, predictions, 0));
    const { value, low, high } = intervals.dex.emulation!;
    expect(value).toBeCloseTo(0.03, 12);
    // All three draws of one tracer: 1 of 27 resamples, more than 2.5 %.
    expect([low, high]).toEqual([expect.closeTo(0.02, 9), expect.closeTo(0.04, 9)]);
    expect(headlineOf({ predictions, tracers, intervals })).toBe(
      "An abundance emulated over a whole trajectory is off by 0.0300 dex on average (95 % interval over 3 tracers: 0.0200 to 0.0400), a factor of 1.07.",
    );
  });

  it("has none of a single tracer", () => {
    const tracers = [tracer(1, 0.02)];
    expect(intervalsOf(tracers, predictions, 0)).toBeNull();
    expect(headlineOf({ predictions, tracers })).toBe(
      "An abundance emulated over a whole trajectory is off by 0.0300 dex on average, a factor of 1.07.",
    );
  });
});
