import { describe, expect, it } from "vitest";
import { describeTraining, findingsOf } from "../../src/analysis/training-check.ts";
import type { TrainingCheck } from "../../src/analysis/verdict-types.ts";

const worst = {
  ...{ species: "@HE", values: 3, mean_relative: 20, dex: 7.85, tracer: 29, time_yr: 92.9 },
  ...{ true_log10: -18.77, predicted_log10: -10.92 },
};

/** Training rows of which three values are far off, 1 dex or more; `max` is the largest mean relative error of a species. */
function check(changes: { values?: number; max?: number; dex?: number; emulated?: number | null } = {}): TrainingCheck {
  const { values = 0, max = 0.1, dex = 0.01, emulated = 0.01 } = changes;
  const found = {
    all: 3000,
    rows: 1000,
    reconstruction: {
      mean_dex: dex,
      over_species: { mean: max / 2, max },
      far_off_values: values,
      far_off_species: values > 0 ? 1 : 0,
      worst: values > 0 ? [{ ...worst, mean_relative: max }] : [],
    },
    emulation: emulated === null ? null : { tracers: 16, rows: 500, mean_dex: emulated },
  };
  return { ...found, findings: [] };
}

describe("findings about training rows", () => {
  const fine = { reconstruction: 0.015, emulation: 0.02 };

  it("are none where training rows are met about as well as the others", () => {
    expect(findingsOf(check(), 100, fine)).toEqual([]);
  });

  it("name the values that are far off, with tracer and time", () => {
    expect(findingsOf(check({ values: 3 }), 100, fine)).toEqual([
      "Reconstruction of training rows: 3 values (0.0030 %) in 1 species off by more than 1 dex; worst: @HE by 7.8 dex in tracer 29 " +
        "at 93 yr (1.2e-11 for 1.7e-19).",
    ]);
  });

  it("say that the autoencoder gave up on them where they rule a species' mean relative error", () => {
    const findings = findingsOf(check({ values: 3, max: 6100 }), 100, fine);
    expect(findings).toHaveLength(2);
    expect(findings[1]).toContain("reaches 6.1e+3 on training rows: the autoencoder gave up on these values");
  });

  it.each([
    [0.031, 0.02, /^The reconstruction overfits: 0.0310 dex on validation tracers, 0.0100 on training tracers/],
    [0.015, 0.031, /^The emulation overfits/],
    [
      0.006,
      0.02,
      /^The reconstruction is worse on training tracers \(0.0100 dex\) than on validation tracers \(0.00600\)/,
    ],
  ])(
    "tell overfitting, and training tracers that are met worse: %d and %d dex on validation tracers",
    (reconstruction, emulation, text) => {
      const findings = findingsOf(check(), 100, { reconstruction, emulation });
      expect(findings).toHaveLength(1);
      expect(findings[0]).toMatch(text);
    },
  );

  it("stand below a sentence with the numbers, with and without an emulator", () => {
    expect(describeTraining(check(), fine)).toBe(
      "Training rows (1,000 of 3,000) reconstructed 0.0100 dex (validation 0.0150); 16 training tracers emulated 0.0100 dex (0.0200).",
    );
    expect(describeTraining(check({ emulated: null }), { reconstruction: 0.02, emulation: null })).toBe(
      "Training rows (1,000 of 3,000) reconstructed 0.0100 dex (validation 0.0200).",
    );
  });
});
