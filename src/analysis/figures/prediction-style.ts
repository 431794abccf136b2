import { splitWords } from "../../data/splits.ts";
import type { PredictionKind } from "../error-types.ts";
import type { Metrics } from "../evaluation-types.ts";
import { colours, palette, type VegaLiteSpec } from "./figure.ts";

/** What figures and tables call each kind of prediction, and its colour everywhere: the surrogate's own are the cool ones. */
export const predictionStyles: Readonly<
  Record<
    PredictionKind,
    {
      /** In a legend. */ readonly label: string /** In a table. */;
      readonly title: string;
      readonly colour: string;
    }
  >
> = {
  emulation: { label: "surrogate, whole trajectory", title: "surrogate, whole trajectory", colour: palette[0] },
  windows: {
    label: "surrogate, windows as trained for",
    title: "surrogate, windows as trained",
    colour: palette[2],
  },
  reconstruction: { label: "autoencoder alone", title: "autoencoder alone", colour: palette[5] },
  persistence: { label: "persistence", title: "persistence (nothing changes)", colour: "#8a8f98" },
  mean_trajectory: { label: "mean trajectory", title: "mean training trajectory", colour: palette[4] },
  nearest_tracer: { label: "nearest history", title: "nearest training history", colour: palette[1] },
  linear_history: { label: "linear history", title: "linear map of the history", colour: palette[3] },
  pca_reconstruction: {
    label: "PCA reconstruction",
    title: "principal components",
    colour: palette[6],
  },
};

/** What the scored tracers are called: `validation` or `test`. */
export function scoredSplit({ split = "val" }: Pick<Metrics["provenance"], "split">): string {
  return splitWords[split];
}

/** Colour by kind, those that are there, in the order above. */
export function kindColours(kinds: readonly PredictionKind[]): VegaLiteSpec {
  const all = Object.entries(predictionStyles).filter(([kind]) => kinds.includes(kind as PredictionKind));
  return colours(
    "kind",
    all.map(([, { label }]) => label),
    all.map(([, { colour }]) => colour),
  );
}

export const phaseColours: VegaLiteSpec = colours(
  "phase",
  ["gas", "surface", "bulk"],
  [palette[0], palette[4], palette[2]],
);
