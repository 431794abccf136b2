import { describe, expect, it } from "vitest";
import { errorScale } from "../../src/analysis/error-scale.ts";
import { PredictionErrors } from "../../src/analysis/prediction-errors.ts";
import { median, predictionMetrics } from "../../src/analysis/prediction-metrics.ts";
import { trueRows } from "../../src/analysis/true-rows.ts";
import { readSpeciesList } from "../../src/chemistry/species.ts";
import { golden } from "../helpers/fixtures.ts";

const clipping = { lower: 1e-20, upper: 1 };

/** Errors of these log10 abundances, each row of each tracer given as one list over the species. */
function errorsOf(species: string[], tracers: readonly { truth: number[][]; predicted: number[][] }[]) {
  const scale = errorScale(species, clipping, 1e-12);
  const errors = new PredictionErrors(scale, 10);
  const scaled = (rows: number[][]): Float32Array => Float32Array.from(rows.flat(), (log10) => (log10 + 20) / 20);
  const sums = tracers.map(({ truth, predicted }) => {
    const values = scaled(truth);
    const times = truth.map((_, row) => 100 * (row + 1));
    const steps = truth.map((_, row) => row + 1);
    return errors.add(scaled(predicted), { truth: trueRows(values, scale), steps, times });
  });
  return {
    errors,
    sums,
    metrics: predictionMetrics(errors, { kind: "emulation", tracers: tracers.length, trainedSteps: 1 }),
  };
}

describe("the metrics of predictions", () => {
  // Two tracers of one and two rows; species H2 (gas), #CO (surface), E- (gas, charged).
  const species = ["H2", "#CO", "E-"];
  const { metrics, sums } = errorsOf(species, [
    { truth: [[-1, -13, -4]], predicted: [[-1, -14, -4]] },
    {
      truth: [
        [-1, -5, -4],
        [-1, -5, -4],
      ],
      predicted: [
        [0, -5, -4],
        [-1, -5, -2],
      ],
    },
  ]);

  it("weight by rows, not by tracers", () => {
    const { all, above_floor } = metrics.overall;
    expect([all.count, metrics.rows, metrics.tracers]).toEqual([9, 3, 2]);
    // Errors in dex 1, 1 and 2 of nine values; relative 0.9, 9 and 99.
    expect(all.dex.mean).toBeCloseTo(4 / 9, 5);
    expect(all.relative.mean).toBeCloseTo((0.9 + 9 + 99) / 9, 3);
    expect(all.dex.max).toBeCloseTo(2, 5);
    expect(all.relative.max).toBeCloseTo(99, 2);
    expect(all.dex.median).toBeLessThan(1e-5);
    // 10^-13 is below the floor.
    expect(above_floor!.count).toBe(8);
    expect(above_floor!.dex.mean).toBeCloseTo(3 / 8, 5);
  });

  it("are told by phase, element, species and level of abundance", () => {
    expect(metrics.phases.map(({ phase, all }) => [phase, all.count])).toEqual([
      ["gas", 6],
      ["surface", 3],
    ]);
    expect(metrics.phases[1]!.all.dex.mean).toBeCloseTo(1 / 3, 5);
    expect(metrics.elements.map(({ element, all }) => [element, all.count])).toEqual([
      ["H", 3],
      ["C", 3],
      ["O", 3],
    ]);
    const [h2, co, electron] = metrics.species;
    expect([h2!.bias_dex, co!.bias_dex, electron!.bias_dex].map((x) => x.toFixed(4))).toEqual([
      "0.3333",
      "-0.3333",
      "0.6667",
    ]);
    expect(co!.mean_log10).toBeCloseTo(-23 / 3, 4);
    expect(co!.std_log10).toBeCloseTo(Math.sqrt(219 / 3 - (23 / 3) ** 2), 4);
    expect(co!.above_floor!.count).toBe(2);
    expect(metrics.levels.map(({ from_log10, count }) => [from_log10, count])).toEqual([
      [-13, 1],
      [-5, 2],
      [-4, 3],
      [-1, 3],
    ]);
  });

  it("are told by step, with the rows there are at each", () => {
    expect(metrics.steps.map(({ step, rows, time_yr }) => [step, rows, time_yr])).toEqual([
      [1, 2, 100],
      [2, 1, 200],
    ]);
    expect(metrics.steps[0]!.dex.mean).toBeCloseTo(2 / 6, 5);
    expect(metrics.steps[1]!.dex.mean).toBeCloseTo(2 / 3, 5);
    expect(metrics.steps[1]!.dex.p90).toBeCloseTo(2, 1);
    // Trained for one step.
    expect(metrics.as_trained!.count).toBe(6);
    expect(metrics.as_trained!.dex.mean).toBeCloseTo(2 / 6, 5);
  });

  it("say how elements and charge are conserved", () => {
    const [hydrogen, carbon, , charge] = metrics.conservation;
    expect(metrics.conservation.map(({ element }) => element)).toEqual(["H", "C", "O", "charge"]);
    // H2 is ten times too much in one row of three, CO a tenth in another.
    expect(hydrogen!.mean).toBeCloseTo(9 / 3, 3);
    expect(carbon!.mean).toBeCloseTo(0.9 / 3, 5);
    expect(charge!.mean).toBeCloseTo(99 / 3, 2);
    expect(charge!.max).toBeCloseTo(99, 2);
    expect(hydrogen!.median).toBeLessThan(1e-4);
  });

  it("hold each tracer's sums", () => {
    expect(sums[0]!.dex).toBeCloseTo(1, 5);
    expect(sums[1]!.relative).toBeCloseTo(108, 2);
    expect(sums.map(({ values }) => values)).toEqual([3, 6]);
  });

  it("count predictions that are no numbers as the largest errors, and say how many there were", () => {
    const { metrics: bad } = errorsOf(
      ["H2", "CO"],
      [
        { truth: [[-1, -5]], predicted: [[Number.NaN, -5]] },
        { truth: [[-1, -5]], predicted: [[Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]] },
      ],
    );
    expect(bad.non_finite).toBe(3);
    expect(bad.overall.all.dex).toMatchObject({ mean: 750, max: 1000 });
    expect(bad.overall.all.relative.max).toBe(1e30);
    expect(JSON.stringify(bad)).not.toContain("null,");
  });

  it("refuse arrays that are not whole rows", () => {
    const scale = errorScale(["H2", "CO"], clipping, 1e-12);
    const errors = new PredictionErrors(scale, 1);
    const scored = { truth: trueRows(new Float32Array(2), scale), steps: [1], times: [0] };
    expect(() => errors.add(new Float32Array(1), scored)).toThrow("1 predicted and 2 true values");
  });

  it("give the reference's mean relative error of each species", () => {
    // The reference autoencoder's decoded rows beside its input: the original's own validation loss, summed over rows.
    const { tensors } = golden("autoencoder");
    const [features, decoded, wanted] = ["features", "eval_decoded", "validation_loss_vector"].map(
      (name) => tensors.get(name)!.data as Float32Array,
    );
    const scale = errorScale(readSpeciesList("utils/species.txt"), clipping, 1e-12);
    const rows = features!.length / 333;
    const errors = new PredictionErrors(scale, rows);
    errors.add(decoded!, {
      truth: trueRows(features!, scale),
      steps: Array.from({ length: rows }, (_, row) => row + 1),
      times: new Array(rows).fill(0),
    });
    const { species, over_species } = predictionMetrics(errors, {
      kind: "reconstruction",
      tracers: 1,
      trainedSteps: null,
    });
    for (const [s, value] of wanted!.entries())
      expect((species[s]!.all.relative.mean * rows) / value).toBeCloseTo(1, 3);
    expect((over_species.mean * rows) / (wanted!.reduce((sum, each) => sum + each, 0) / 333)).toBeCloseTo(1, 3);
  });
});

describe("the median", () => {
  it("is the middle, or the mean of the two middle values", () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5]);
  });
});
