import type { PredictionKind } from "../analysis/evaluation-types.ts";

/** What tables call the kinds of prediction. */
export const predictionTitles: Record<PredictionKind, string> = {
  reconstruction: "autoencoder alone (encode, decode)",
  emulation: "surrogate, whole trajectory",
  windows: "surrogate, windows as trained for",
  persistence: "persistence (nothing changes)",
  mean_trajectory: "mean trajectory of the training tracers",
  nearest_history: "training tracer with the nearest history",
  pca_dynamics: "principal components, linear dynamics",
  pca_reconstruction: "principal components, reconstruction",
};
