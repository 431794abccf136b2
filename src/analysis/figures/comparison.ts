import type { Comparison } from "../evaluation-types.ts";
import { amount, type Figure, figureSpec, palette, type Row } from "./figure.ts";
import { predictionStyles } from "./prediction-style.ts";

/** The runs' errors with their intervals, one panel a kind of prediction by a surrogate. */
export function comparisonFigure({ kinds, runs, resamples }: Comparison): Figure {
  const values: Row[] = kinds
    .filter(({ kind }) => kind === "emulation" || kind === "windows" || kind === "reconstruction")
    .flatMap(({ kind, runs: each }) =>
      each.map(({ mean_dex }, r) => ({ kind: predictionStyles[kind].label, run: runs[r]!.name, ...mean_dex })),
    );
  const y = { field: "run", type: "nominal", title: null, sort: null, axis: { labelLimit: 240 } };
  return {
    name: "comparison",
    title: "The runs' errors",
    caption: `Mean error in dex over the same rows; the bars hold 95 % of ${resamples.toLocaleString("en")} bootstrap resamples of the tracers.`,
    spec: figureSpec({
      data: { values },
      facet: {
        row: {
          field: "kind",
          type: "nominal",
          title: null,
          sort: null,
          header: { labelAngle: 0, labelAlign: "left", labelOrient: "top" },
        },
      },
      spec: {
        width: 320,
        height: { step: 28 },
        layer: [
          {
            mark: { type: "rule", strokeWidth: 2, color: palette[0] },
            encoding: { y, x: amount("low", "mean error (dex)"), x2: { field: "high" } },
          },
          {
            mark: { type: "point", filled: true, size: 80, color: palette[0] },
            encoding: { y, x: amount("value", "mean error (dex)") },
          },
        ],
      },
      resolve: { scale: { x: "independent" } },
    }),
  };
}
