import type { FailureMaps } from "../error-types.ts";
import type { Metrics } from "../evaluation-types.ts";
import type { DensityPlot } from "../sample-types.ts";
import {
  cell,
  type Figure,
  figureSpec,
  logarithmic,
  logarithmicColour,
  position,
  type Row,
  unlogged,
} from "./figure.ts";
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
      x: unlogged(from + row! * size),
      "true up to": unlogged(from + (row! + 1) * size),
      y: unlogged(from + column! * size),
      "predicted up to": unlogged(from + (column! + 1) * size),
      count,
    };
  });
  const [[x, x2], [y, y2]] = [
    cell("x", "true up to", "true abundance"),
    cell("y", "predicted up to", "predicted abundance"),
  ];
  const corners = [from, to].map((log10) => ({ x: unlogged(log10), y: unlogged(log10) }));
  return {
    name: `predicted-actual-${kind}`,
    title: `Predicted against actual: ${predictionStyles[kind].label}`,
    caption:
      "Number of values (row × species) in each cell, on a logarithmic scale. What is right lies on the diagonal.",
    spec: figureSpec({
      height: 310,
      layer: [
        {
          data: { values },
          mark: { type: "rect" },
          encoding: { x, x2, y, y2, color: logarithmicColour("count", "values") },
        },
        {
          data: { values: corners },
          mark: { type: "line", strokeWidth: 1, strokeDash: [4, 4], color: "#D55E00", aria: false },
          encoding: { x: logarithmic("x", "true abundance"), y: logarithmic("y", "predicted abundance") },
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
    const [d1, d2, t1, t2] = [density[d]!, density[d + 1]!, temperature[t]!, temperature[t + 1]!].map(unlogged);
    return [{ d: d1!, "density up to": d2!, t: t1!, "temperature up to": t2!, dex }];
  });
  if (values.length === 0) return null;
  const [[x, x2], [y, y2]] = [
    cell("d", "density up to", "density (cm^-3)"),
    cell("t", "temperature up to", "gas temperature (K)"),
  ];
  return {
    name: `conditions-${kind}`,
    title: `Error over density and temperature: ${predictionStyles[kind].label}`,
    caption: "Mean error of the rows in each cell, in dex. Empty cells hold no scored row.",
    spec: figureSpec({
      data: { values },
      mark: { type: "rect" },
      encoding: {
        x,
        x2,
        y,
        y2,
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
  return {
    name: `heat-map-${kind}`,
    title: `Error by species and step: ${predictionStyles[kind].label}`,
    caption: `Mean error in dex of the ${order.length} species predicted worst, worst first, at each stretch of steps.`,
    spec: figureSpec({
      height: 17 * order.length,
      data: { values },
      mark: { type: "rect" },
      encoding: {
        x: position("from", "steps since the start", { bin: { binned: true } }),
        x2: { field: "to" },
        y: { field: "species", type: "nominal", sort: null, title: null },
        color: { field: "dex", type: "quantitative", title: "mean error (dex)", scale: { scheme: "viridis" } },
      },
    }),
  };
}
