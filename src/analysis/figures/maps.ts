import type { FailureMaps } from "../error-types.ts";
import type { Metrics } from "../evaluation-types.ts";
import type { DensityPlot } from "../sample-types.ts";
import { bin, type Figure, figureSpec, position, type Row } from "./figure.ts";
import { predictionStyles } from "./prediction-style.ts";

type Subject = "reconstruction" | "emulation";

/** Predicted against true abundance, all values. */
export function predictedActualFigure(kind: Subject, { from, to, bins, counts }: DensityPlot): Figure {
  // A picture needs fewer cells than the statistics hold.
  const merge = Math.max(1, Math.ceil(bins / 80));
  const cells = new Map<string, number>();
  const size = ((to - from) / bins) * merge;
  for (const [i, count] of counts.entries()) {
    if (count === 0) continue;
    const key = `${Math.floor(Math.floor(i / bins) / merge)},${Math.floor((i % bins) / merge)}`;
    cells.set(key, (cells.get(key) ?? 0) + count);
  }
  const values: Row[] = [...cells].map(([key, count]) => {
    const [row, column] = key.split(",").map(Number);
    return {
      x: from + row! * size,
      x2: from + (row! + 1) * size,
      y: from + column! * size,
      y2: from + (column! + 1) * size,
      count,
    };
  });
  const [x, y] = [bin("x", "x2", "true log10 abundance"), bin("y", "y2", "predicted log10 abundance")];
  return {
    name: `predicted-actual-${kind}`,
    title: `Predicted against actual: ${predictionStyles[kind].label}`,
    caption:
      "Number of values (row × species) in each cell, on a logarithmic scale. What is right lies on the diagonal.",
    spec: figureSpec({
      width: 340,
      height: 340,
      layer: [
        {
          data: { values },
          mark: { type: "rect" },
          encoding: {
            x: x.from,
            x2: x.to,
            y: y.from,
            y2: y.to,
            color: { field: "count", type: "quantitative", title: "values", scale: { type: "log", scheme: "viridis" } },
          },
        },
        {
          data: {
            values: [
              { x: from, y: from },
              { x: to, y: to },
            ],
          },
          mark: { type: "line", strokeWidth: 1, strokeDash: [4, 4], color: "#D55E00" },
          encoding: { x: position("x", "true log10 abundance"), y: position("y", "predicted log10 abundance") },
        },
      ],
    }),
  };
}

/** Error over the plane of density and temperature. */
export function conditionsFigure(kind: Subject, { plane }: FailureMaps): Figure | null {
  if (plane === null) return null;
  const [density, temperature] = [plane.density_edges_log10, plane.temperature_edges_log10];
  const columns = temperature.length - 1;
  const values: Row[] = plane.mean_dex.flatMap((dex, i) => {
    const [d, t] = [Math.floor(i / columns), i % columns];
    if (dex === null) return [];
    return [{ d: density[d]!, d2: density[d + 1]!, t: temperature[t]!, t2: temperature[t + 1]!, dex }];
  });
  if (values.length === 0) return null;
  const [x, y] = [bin("d", "d2", "log10 density (cm^-3)"), bin("t", "t2", "log10 gas temperature (K)")];
  return {
    name: `conditions-${kind}`,
    title: `Error over density and temperature: ${predictionStyles[kind].label}`,
    caption: "Mean error of the rows in each cell, in dex. Empty cells hold no validation row.",
    spec: figureSpec({
      data: { values },
      mark: { type: "rect" },
      encoding: {
        x: x.from,
        x2: x.to,
        y: y.from,
        y2: y.to,
        color: { field: "dex", type: "quantitative", title: "mean error (dex)", scale: { scheme: "viridis" } },
      },
    }),
  };
}

/** Error by species and step, the worst species. */
export function heatMapFigure(
  kind: Subject,
  { species, failure_maps, predictions }: Metrics,
  count = 50,
): Figure | null {
  const map = failure_maps[kind]?.heat_map;
  const prediction = predictions[kind];
  if (!map || !prediction || map.step_edges.length < 3) return null;
  const steps = map.step_edges.length - 1;
  const order = prediction.species
    .map(({ all }, index) => ({ index, dex: all.dex.mean }))
    .sort((a, b) => b.dex - a.dex)
    .slice(0, count);
  const values: Row[] = order.flatMap(({ index }) =>
    Array.from({ length: steps }, (_, s) => ({
      species: species[index]!.name,
      from: map.step_edges[s]!,
      to: map.step_edges[s + 1]!,
      dex: map.mean_dex[index * steps + s]!,
    })),
  );
  const x = bin("from", "to", "steps since the start");
  return {
    name: `heat-map-${kind}`,
    title: `Error by species and step: ${predictionStyles[kind].label}`,
    caption: `Mean error in dex of the ${order.length} species predicted worst, worst first, at each stretch of steps.`,
    spec: figureSpec({
      height: { step: 13 },
      data: { values },
      mark: { type: "rect" },
      encoding: {
        x: x.from,
        x2: x.to,
        y: { field: "species", type: "nominal", sort: null, title: null, axis: { labelFontSize: 11 } },
        color: { field: "dex", type: "quantitative", title: "mean error (dex)", scale: { scheme: "viridis" } },
      },
    }),
  };
}
