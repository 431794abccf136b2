import type { PredictionMetrics } from "../error-types.ts";
import type { Metrics } from "../evaluation-types.ts";
import {
  amount,
  colours,
  type Figure,
  figureSpec,
  logarithmic,
  palette,
  type Row,
  shownDex,
  unlogged,
} from "./figure.ts";
import { kindColours, phaseColours, predictionStyles } from "./prediction-style.ts";

// Its long labels leave half of the width.
const legend = { columns: 2 };
const phases = ["all species", "gas", "surface", "bulk"];

/** The surrogate beside the baselines, by phase. */
export function baselinesFigure({ predictions }: Metrics): Figure {
  const values: Row[] = Object.values(predictions).flatMap(({ kind, overall, phases: each }) => {
    const { label } = predictionStyles[kind];
    return [
      { kind: label, phase: "all species", dex: shownDex(overall.all.dex.mean) },
      ...each.map(({ phase, all }) => ({ kind: label, phase, dex: shownDex(all.dex.mean) })),
    ];
  });
  return {
    name: "baselines",
    title: "The surrogate beside predictions that need no network",
    caption:
      "Mean error over the scored rows and all species, in dex: 0.3 dex is a factor of 2. Further left is better. A surrogate that does not beat " +
      "the mean trajectory or the nearest history has learnt less than a look-up knows. What is below 0.001 dex is drawn there.",
    spec: figureSpec({
      height: 36 * Object.keys(predictions).length,
      data: { values },
      mark: { type: "point", filled: true, size: 90, opacity: 0.9 },
      encoding: {
        y: {
          field: "kind",
          type: "nominal",
          title: null,
          sort: { field: "dex", op: "min" },
          // "surrogate, whole trajectory" takes two lines.
          axis: { grid: true, labelExpr: "split(datum.label, ', ')", labelLimit: 190 },
        },
        x: logarithmic("dex", "mean error (dex)"),
        color: { ...colours("phase", phases, ["#8a8f98", palette[0], palette[4], palette[2]]), legend },
        shape: { ...colours("phase", phases), scale: { domain: phases }, legend },
      },
    }),
  };
}

/** The species with the largest errors. */
export function worstSpeciesFigure(prediction: PredictionMetrics, count = 40): Figure {
  const worst = [...prediction.species].sort((a, b) => b.all.dex.mean - a.all.dex.mean).slice(0, count);
  const values = worst.map(({ species, phase, all }) => ({ species, phase, dex: all.dex.mean }));
  const { label } = predictionStyles[prediction.kind];
  return {
    name: `worst-species-${prediction.kind}`,
    title: `The ${worst.length} species predicted worst: ${label}`,
    caption:
      "Mean error of each species over the scored rows, in dex. # is the grains' surface, @ the bulk of the ice.",
    spec: figureSpec({
      height: 17 * worst.length,
      data: { values },
      mark: { type: "bar" },
      encoding: {
        y: { field: "species", type: "nominal", title: null, sort: null },
        x: amount("dex", "mean error (dex)"),
        color: phaseColours,
      },
    }),
  };
}

/** Error against the true abundance. */
export function abundanceLevelsFigure({ predictions, floor }: Metrics): Figure {
  const kinds = (["reconstruction", "emulation", "mean_trajectory", "nearest_tracer"] as const).filter(
    (kind) => predictions[kind],
  );
  const values = kinds.flatMap((kind) =>
    predictions[kind]!.levels.map(({ from_log10, dex }) => ({
      kind: predictionStyles[kind].label,
      level: unlogged(from_log10 + 0.5),
      dex: shownDex(dex.mean),
    })),
  );
  return {
    name: "error-abundance",
    title: "Error against abundance",
    caption:
      `Mean error by decade of the true abundance (relative to H nuclei). The dashed line is ${floor.toExponential(0)}: what is below ` +
      "seldom matters to observations or cooling. What is below 0.001 dex is drawn there.",
    spec: figureSpec({
      layer: [
        {
          data: { values },
          mark: { type: "line", point: { size: 34 } },
          encoding: {
            x: logarithmic("level", "true abundance"),
            y: logarithmic("dex", "mean error (dex)"),
            color: kindColours(kinds),
          },
        },
        {
          data: { values: [{ floor }] },
          mark: { type: "rule", strokeDash: [4, 4], color: "#8a8f98" },
          encoding: { x: logarithmic("floor", "true abundance") },
        },
      ],
    }),
  };
}

/** How far the elements' totals and the charge are conserved. */
export function conservationFigure({ predictions }: Metrics): Figure | null {
  const kinds = (["reconstruction", "emulation"] as const).filter((kind) => predictions[kind]);
  const values = kinds.flatMap((kind) =>
    predictions[kind]!.conservation.flatMap(({ element, median, mean, p99 }) =>
      (
        [
          ["median", median],
          ["mean", mean],
          ["99 %", p99],
        ] as const
      )
        .filter(([, error]) => error > 0)
        .map(([statistic, error]) => ({ kind: predictionStyles[kind].label, element, statistic, error })),
    ),
  );
  if (values.length === 0) return null;
  return {
    name: "conservation",
    title: "Conservation of elements and charge",
    caption:
      "Relative error of each element's total over all species, and of the net charge relative to all charges, over the scored rows: median, mean and 99 %. What float32 cannot tell is not drawn.",
    spec: figureSpec({
      data: { values },
      mark: { type: "point", filled: true, size: 70, opacity: 0.9 },
      encoding: {
        x: { field: "element", type: "nominal", sort: null, title: null, axis: { labelAngle: -45 } },
        xOffset: { field: "kind", type: "nominal", sort: null },
        y: logarithmic("error", "relative error of the total"),
        color: { ...kindColours(kinds), legend: { columns: 1 } },
        shape: { field: "statistic", type: "nominal", title: null, sort: null, legend: { columns: 1 } },
      },
    }),
  };
}
