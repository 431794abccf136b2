import type { Metrics } from "../evaluation-types.ts";
import type { EvaluationSamples, Histogram } from "../sample-types.ts";
import {
  amount,
  colours,
  type Figure,
  figureSpec,
  halfWidth,
  ink,
  logarithmic,
  palette,
  type Row,
  unlogged,
  type VegaLiteSpec,
} from "./figure.ts";
import { scoredSplit } from "./prediction-style.ts";

function withUnit(name: string, unit: string): string {
  return unit === "" ? name : `${name} (${unit})`;
}

/** The conditions along a sample of tracers. */
export function historiesFigure(
  { histories }: EvaluationSamples,
  { physical_parameters, provenance }: Metrics,
): Figure | null {
  if (histories.length === 0 || physical_parameters.length === 0) return null;
  const panels = physical_parameters.map(({ name, unit }, p): VegaLiteSpec => {
    const values: Row[] = histories.flatMap(({ id, times_yr, physical }) => {
      const stride = Math.max(1, Math.ceil(times_yr.length / 60));
      return times_yr
        .map((time, row) => ({ id, kyr: time / 1000, value: physical[p]![row]! }))
        .filter(({ value }, row) => row % stride === 0 && value > 0);
    });
    return {
      width: halfWidth,
      height: 120,
      data: { values },
      mark: { type: "line", strokeWidth: 1, opacity: 0.6, color: ink.muted },
      encoding: {
        x: amount("kyr", "time (kyr)", { axis: { tickCount: 3 } }),
        y: logarithmic("value", withUnit(name, unit), {}, 4),
        detail: { field: "id", type: "nominal" },
      },
    };
  });
  return {
    name: "histories",
    title: `Physical histories of ${scoredSplit(provenance)} tracers`,
    caption: `The conditions that drive the chemistry, along ${histories.length} tracers, against the time since the start.`,
    spec: figureSpec({ concat: panels, columns: 2 }),
  };
}

function bars({ from, to, counts }: Histogram): readonly { from: number; to: number; share: number }[] {
  const [total, size] = [counts.reduce((sum, count) => sum + count, 0) || 1, (to - from) / counts.length];
  return counts.map((count, i) => ({ from: from + i * size, to: from + (i + 1) * size, share: count / total }));
}

/** Distributions of the physical parameters in both splits. */
export function parametersFigure({ parameter_histograms }: EvaluationSamples, { provenance }: Metrics): Figure | null {
  const scored = scoredSplit(provenance);
  if (parameter_histograms.length === 0) return null;
  const panels = parameter_histograms.map(({ name, unit, train, val }): VegaLiteSpec => {
    const values: Row[] = (
      [
        ["training", train],
        [scored, val],
      ] as const
    ).flatMap(([split, histogram]) =>
      bars(histogram).map((each) => ({ split, x: unlogged((each.from + each.to) / 2), share: each.share })),
    );
    return {
      width: halfWidth,
      height: 110,
      data: { values },
      mark: { type: "line", interpolate: "step", strokeWidth: 1.5 },
      encoding: {
        x: logarithmic("x", withUnit(name, unit), {}, 4),
        y: amount("share", "share of rows", { axis: { format: ".0%", tickCount: 4 } }),
        color: colours("split", ["training", scored], [palette[0], palette[1]]),
      },
    };
  });
  return {
    name: "parameters",
    title: "Distribution of the physical parameters",
    caption: `Rows of both splits in 50 bins. Where ${scored} tracers have rows and the training has none, the surrogate extrapolates.`,
    spec: figureSpec({ concat: panels, columns: 2 }),
  };
}

/** Distributions of the scaled abundances: of each species a row of cells. */
export function scaledAbundancesFigure(
  { abundance_histograms }: EvaluationSamples,
  { predictions }: Metrics,
  count = 60,
): Figure | null {
  const variability = new Map(
    predictions.reconstruction?.species.map(({ species, std_log10 }) => [species, std_log10]),
  );
  const chosen = [...abundance_histograms]
    .sort((a, b) => (variability.get(b.species) ?? 0) - (variability.get(a.species) ?? 0))
    .slice(0, count);
  const values: Row[] = chosen.flatMap(({ species, histogram }) =>
    bars(histogram)
      .filter(({ share }) => share > 0)
      .map(({ from, to, share }) => ({ species, from, to, share })),
  );
  if (values.length === 0) return null;
  return {
    name: "scaled-abundances",
    title: "Distribution of the scaled abundances",
    caption: `Training rows of the ${chosen.length} species that vary most: what the autoencoder sees, 0 and 1 being the clipping limits.`,
    spec: figureSpec({
      height: 17 * chosen.length,
      data: { values },
      mark: { type: "rect" },
      encoding: {
        x: { ...amount("from", "scaled abundance"), bin: { binned: true } },
        x2: { field: "to" },
        y: { field: "species", type: "nominal", sort: null, title: null },
        color: {
          field: "share",
          type: "quantitative",
          title: "share of rows",
          scale: { type: "sqrt", scheme: "viridis" },
          legend: { format: ".0%" },
        },
      },
    }),
  };
}
