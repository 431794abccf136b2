import { describe, expect, it } from "vitest";
import type { ErrorGroups } from "../../src/analysis/error-groups.ts";
import { errorScale } from "../../src/analysis/error-scale.ts";
import { PredictionErrors } from "../../src/analysis/prediction-errors.ts";
import { someRows, trueRows } from "../../src/analysis/true-rows.ts";
import { RandomStream } from "../../src/data/random.ts";
import { PlainErrors } from "./plain-errors.ts";

const species = ["H2", "#CO", "E-", "HCO+", "@H2O", "HE", "SIO"];
const scale = errorScale(species, { lower: 1e-20, upper: 1 }, 1e-12);
const steps = 300;

/** Truth and predictions of `rows` rows: wandering abundances, errors of all sizes, some exactly 0, some out of range, some no numbers. */
function made(rows: number, seed: number): { truth: Float32Array; predicted: Float32Array } {
  const random = new RandomStream(seed);
  const size = rows * species.length;
  const [truth, noise, kind] = [new Float32Array(size), new Float32Array(size), new Float32Array(size)];
  random.fillUniform(truth, -0.02, 1.02);
  random.fillNormal(noise, 1);
  random.fillUniform(kind, 0, 100);
  // Abundances that stay within a level for some rows.
  for (let at = species.length; at < size; at++) if (kind[at]! < 80) truth[at] = truth[at - species.length]!;
  const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3, -2, 60];
  const predicted = truth.map((value, at) => {
    if (kind[at]! > 99) return odd[at % odd.length]!;
    return kind[at]! < 5 ? value : value + noise[at]! * 10 ** -(at % 6);
  });
  return { truth, predicted };
}

function expectSame(found: ErrorGroups, wanted: ErrorGroups, what: string): void {
  expect(found.counts, what).toEqual(wanted.counts);
  expect(found.sketches, what).toEqual(wanted.sketches);
  for (const name of ["dex", "relative", "largestDex", "largestRelative"] as const) {
    for (const [group, value] of wanted[name].entries()) {
      const error = Math.abs(found[name][group]! - value);
      expect(error, `${what} ${name} ${group}`).toBeLessThanOrEqual(
        1e-9 * Math.abs(value) + 1e-12 * wanted.counts[group]!,
      );
    }
  }
}

describe("the errors of predictions", () => {
  it("are those of the plain sums, over tracers and windows of any length", () => {
    const [fast, plain] = [new PredictionErrors(scale, steps), new PlainErrors(scale, steps)];
    // In all more rows than are kept before they are counted.
    for (const [i, rows] of [1, 31, 32, 33, 64, ...Array<number>(12).fill(299)].entries()) {
      const { truth, predicted } = made(rows, i);
      const firstStep = i % 2 === 0 && rows < steps ? 2 : 1;
      const all = trueRows(truth, scale);
      const times = Array.from({ length: rows }, (_, row) => row);
      const from = (first: number): number[] => times.map((row) => first + row);
      const sums = fast.add(predicted, { truth: all, steps: from(firstStep), times });
      plain.add(predicted, truth, firstStep);
      expect(sums.values).toBe(truth.length);
      if (rows < 10) continue;
      const width = species.length;
      const part = predicted.subarray(3 * width, 9 * width);
      fast.add(part, { truth: someRows(all, 3, 9, rows), steps: from(1), times });
      plain.add(part, truth.subarray(3 * width, 9 * width), 1);
    }
    expect(fast.nonFinite).toBe(plain.nonFinite);
    expect(plain.nonFinite).toBeGreaterThan(0);
    expectSame(fast.bySpecies, plain.bySpecies, "species");
    expectSame(fast.bySteps, plain.bySteps, "steps");
    expectSame(fast.byLevel, plain.byLevel, "levels");
    for (const s of species.keys()) {
      expect(fast.truthSum[s]! / plain.truthSum[s]!).toBeCloseTo(1, 10);
      expect(fast.truthSquares[s]! / plain.truthSquares[s]!).toBeCloseTo(1, 10);
    }
    for (const [total, count] of plain.conservation.counts.entries()) {
      expect(fast.conservation.counts[total]).toBe(count);
      expect(fast.conservation.relative[total]! / plain.conservation.relative[total]!).toBeCloseTo(1, 6);
      expect(fast.conservation.largestRelative[total]! / plain.conservation.largestRelative[total]!).toBeCloseTo(1, 6);
    }
  });

  it("count no error of a total that float32 cannot tell: a copied row conserves the charge, however few charges are left", () => {
    const [from, to] = [-20, 0];
    const row = (electrons: number, ions: number): number[] => {
      const abundances = [0.5, 1e-5, electrons, ions, 1e-6, 0.1, 1e-9];
      return abundances.map((x) => (Math.log10(x) - from) / (to - from));
    };
    const charge = scale.totals.names.indexOf("charge");
    const errorOf = (predicted: number[]): number => {
      const errors = new PredictionErrors(scale, 1);
      const truth = trueRows(Float32Array.from(row(1e-9, 1e-9)), scale);
      errors.add(Float32Array.from(predicted), { truth, steps: [1], times: [0] });
      return errors.conservation.relative[charge]!;
    };
    // Neutral to float32, but 3e5 times as many charges: what their rounding leaves is 0.1 of the true ones.
    expect(errorOf(row(3.1e-4, 3.1e-4 * (1 + 1e-6)))).toBe(0);
    expect(errorOf(row(3.1e-4, 3.1e-4 * 1.01)) / (3.1e-6 / 2e-9)).toBeCloseTo(1, 1);
    expect(errorOf(row(1e-9, 1.1e-9))).toBeCloseTo(0.05, 3);
  });

  it("can be read between additions", () => {
    const errors = new PredictionErrors(scale, steps);
    const { truth, predicted } = made(10, 1);
    const scored = { truth: trueRows(truth, scale), steps: new Array(10).fill(1), times: new Array(10).fill(0) };
    errors.add(predicted, scored);
    const count = (): number => errors.byLevel.sketches.reduce((sum, each) => sum + each, 0);
    expect([count(), count()]).toEqual([70, 70]);
    errors.add(predicted, scored);
    expect(count()).toBe(140);
  });
});
