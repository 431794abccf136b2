import { describe, expect, it } from "vitest";
import type { PredictionMetrics } from "../../src/analysis/error-types.ts";
import type { Metrics } from "../../src/analysis/evaluation-types.ts";
import { conclusionsOf, verdictsOf } from "../../src/analysis/verdicts.ts";

/** Mean errors in dex: overall, of gas and of ice; above the floor a tenth of them, but for what is given. */
function errors(kind: string, [all, gas, bulk]: readonly number[], above?: number, non_finite = 0): PredictionMetrics {
  const group = (dex: number, floor = dex / 10) => ({
    all: { dex: { mean: dex }, relative: { mean: dex } },
    above_floor: { dex: { mean: floor }, relative: { mean: floor } },
  });
  const phases = [
    { phase: "gas", ...group(gas!) },
    { phase: "bulk", ...group(bulk!) },
  ];
  const overall = group(all!, above);
  return { kind, non_finite, overall, phases, conservation: [] } as unknown as PredictionMetrics;
}

const predictions: Metrics["predictions"] = {
  reconstruction: errors("reconstruction", [0.2, 0.2, 0.2]),
  emulation: errors("emulation", [0.5, 0.3, 0.9], 0.05, 7),
  persistence: errors("persistence", [7, 7, 7]),
  mean_trajectory: errors("mean_trajectory", [0.4, 0.5, 0.2], 0.1),
  pca_reconstruction: errors("pca_reconstruction", [0.2, 0.3, 0.1]),
};

describe("the verdicts", () => {
  const verdicts = verdictsOf(predictions);

  it("hold the emulation against what predicts, the reconstruction against what compresses, phase by phase", () => {
    expect(verdicts).toHaveLength(3 * 3 * 2);
    expect(verdicts[2]).toEqual({
      subject: "emulation",
      baseline: "persistence",
      phase: "gas",
      above_floor: false,
      subject_dex: 0.3,
      baseline_dex: 7,
      beats: true,
      subject_relative: 0.3,
      baseline_relative: 7,
      beats_relative: true,
    });
    expect(verdicts.filter(({ subject }) => subject === "reconstruction").map(({ baseline }) => baseline)).toEqual(
      Array(6).fill("pca_reconstruction"),
    );
  });

  it("count an equal error as no win", () => {
    const equal = verdicts.find(({ baseline, phase }) => baseline === "pca_reconstruction" && phase === "all");
    expect(equal!.beats).toBe(false);
  });

  it("are told in sentences that name the exceptions, and what is not finite", () => {
    expect(conclusionsOf(verdicts, predictions)).toEqual([
      "The surrogate beats persistence (nothing changes): 0.500 against 7.00 dex.",
      "The surrogate loses to the mean trajectory of the training tracers: 0.500 against 0.400 dex, but wins for all phases above the floor, gas, gas above the floor and in the mean relative error above the floor (5 % against 10 %).",
      "The autoencoder loses to the reconstruction by principal components: 0.200 against 0.200 dex, but wins for gas, gas above the floor.",
      "emulation: 7 predicted values are not finite; they count with the largest errors.",
    ]);
  });

  it("look at the relative error above the floor and at the elements' totals, too", () => {
    const with_ = (kind: string, dex: number, relative: number, kept: number): PredictionMetrics => {
      const made = errors(kind, [dex, dex, dex]);
      const overall = { ...made.overall, above_floor: { dex: { mean: dex }, relative: { mean: relative } } };
      const conservation = [
        { element: "C", mean: kept },
        { element: "charge", mean: 1 },
      ];
      return { ...made, overall, conservation } as unknown as PredictionMetrics;
    };
    const told = (...persistence: [number, number, number]): string => {
      const both = { emulation: with_("emulation", 0.5, 0.2, 0.02), persistence: with_("persistence", ...persistence) };
      return conclusionsOf(verdictsOf(both), both)[0]!;
    };
    expect(told(7, 0.1, 0.01)).toBe(
      "The surrogate beats persistence (nothing changes): 0.500 against 7.00 dex, but loses in the mean relative error above the floor (20 % against 10 %) and in the elements' totals (2 % off against 1 %).",
    );
    // What copies rows conserves by construction.
    expect(told(7, 0.3, 0)).toBe("The surrogate beats persistence (nothing changes): 0.500 against 7.00 dex.");
    expect(told(0.1, 0.3, 0.03)).toMatch(/, but wins in the mean relative error .* and in the elements' totals/);
  });
});
