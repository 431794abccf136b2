import { describe, expect, it } from "vitest";
import { compareRuns } from "../../src/analysis/compare.ts";
import type { Metrics, TracerSummary } from "../../src/analysis/evaluation-types.ts";
import { RandomStream } from "../../src/data/random.ts";

type Errors = readonly (readonly [dex: number, relative: number])[];

/** The parts of an evaluation that a comparison looks at: one tracer an error, of 1 + 10 · (k + 1) rows where lengths vary. */
function run(name: string, errors: Errors, { rows_hash = "same", equal = true } = {}) {
  const tracers: TracerSummary[] = errors.map((error, k) => ({
    id: 7 * k,
    rows: 1 + 10 * (equal ? 1 : k + 1),
    final_density: null,
    errors: { reconstruction: error },
    pca: [],
  }));
  const predictions = { reconstruction: { phases: [{ phase: "gas", all: { dex: { mean: 0.5 } } }] } };
  const validation = { tracers: errors.length, rows: 0 };
  const provenance = { rows_hash, dataset: { path: `${name}.h5` } };
  return { name, metrics: { tracers, predictions, validation, provenance } as unknown as Metrics };
}

const options = { resamples: 400, seed: 3 };

describe("a comparison", () => {
  it("weights tracers by their rows", () => {
    const errors: Errors = [
      [1, 10],
      [4, 40],
    ];
    const { kinds } = compareRuns([run("a", errors, { equal: false }), run("b", errors, { equal: false })], options);
    expect(kinds[0]!.runs[0]!.mean_dex.value).toBeCloseTo((1 * 10 + 4 * 20) / 30, 12);
    expect(kinds[0]!.runs[1]!.mean_relative.value).toBeCloseTo((10 * 10 + 40 * 20) / 30, 12);
  });

  it("reads evaluations of earlier versions, and leaves out baselines that only these have", () => {
    const now = run("now", [[1, 10]]);
    const then = run("then", [[2, 10]]);
    const old = { ...then.metrics.tracers[0]!.errors, nearest_history: [3, 3], pca_dynamics: [4, 4] };
    const metrics = { ...then.metrics, tracers: [{ ...then.metrics.tracers[0]!, errors: old }] } as Metrics;
    const { kinds } = compareRuns([now, { name: "then", metrics }], options);
    expect(kinds.map(({ kind }) => kind)).toEqual(["reconstruction"]);
  });

  it("finds a difference that every tracer has, however far the tracers are apart", () => {
    const spread = [0.1, 1, 5, 20];
    const a = run(
      "a",
      spread.map((dex) => [dex, 1]),
    );
    const b = run(
      "b",
      spread.map((dex) => [dex - 0.05, 1]),
    );
    const [first, second] = compareRuns([a, b], options).kinds[0]!.runs;
    expect(first).toMatchObject({ difference_dex: null, differs: false, phases_dex: { gas: 0.5 } });
    expect(second!.differs).toBe(true);
    const { value, low, high } = second!.difference_dex!;
    for (const each of [value, low, high]) expect(each).toBeCloseTo(-0.05, 9);
    expect(second!.difference_relative).toEqual({ value: 0, low: 0, high: 0 });
  });

  it("gives the interval that the spread of the mean asks for, and sees no difference within it", () => {
    const noise = new Float32Array(200);
    new RandomStream(1).fillNormal(noise, 1);
    const a = run(
      "a",
      Array.from(noise, () => [3, 1]),
    );
    const b = run(
      "b",
      Array.from(noise, (each) => [3 + each, 1]),
    );
    const { difference_dex, differs } = compareRuns([a, b], { resamples: 4000, seed: 0 }).kinds[0]!.runs[1]!;
    // The mean of 200 normal numbers: ± 1.96 / √200.
    const width = (difference_dex!.high - difference_dex!.low) / ((2 * 1.96) / Math.sqrt(200));
    expect(Math.abs(width - 1)).toBeLessThan(0.15);
    expect(differs).toBe(difference_dex!.low > 0 || difference_dex!.high < 0);
  });

  it("is the same for the same seed, and another for another", () => {
    const runs = [
      run("a", [
        [1, 1],
        [2, 1],
        [4, 1],
      ]),
      run("b", [
        [2, 1],
        [1, 1],
        [3, 1],
      ]),
    ];
    const once = compareRuns(runs, options);
    expect(compareRuns(runs, options)).toEqual(once);
    expect(compareRuns(runs, { ...options, seed: 4 }).kinds[0]!.runs[0]!.mean_dex.value).toBe(
      once.kinds[0]!.runs[0]!.mean_dex.value,
    );
  });

  it("works with one tracer, whose interval has no width", () => {
    const { kinds } = compareRuns([run("a", [[1, 1]]), run("b", [[2, 1]])], options);
    expect(kinds[0]!.runs[1]!.difference_dex).toEqual({ value: 1, low: 1, high: 1 });
  });

  it("refuses runs of different rows, and one run alone", () => {
    expect(() => compareRuns([run("a", [[1, 1]]), run("b", [[1, 1]], { rows_hash: "other" })], options)).toThrow(
      "b was evaluated on other rows than a: 10 rows of 1 validation tracer of b.h5, not 10 rows of 1 validation tracer of a.h5",
    );
    expect(() => compareRuns([run("a", [[1, 1]])], options)).toThrow("needs two runs or more");
  });
});
