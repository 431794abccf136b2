import type { InspectionOptions, InspectionSettings } from "../../../src/analysis/inspection/settings.ts";

/** A small dataset's configuration. */
export const settings: InspectionSettings = {
  metadata: ["Index", "Model", "Time"],
  phys: ["Density", "Av"],
  ranges: { Density: [1, 100], Av: [0.1, 10] },
  clipping: { lower: 1e-20, upper: 1 },
  naming: {},
  allowsNoFormula: true,
  species: ["H", "H2", "CO"],
  columnsToDrop: ["zeta"],
  inputKey: "df",
  minRadfield: 1e-4,
  window: 4,
};

export const options: InspectionOptions = { settings, isQuick: false, progress: () => {} };
