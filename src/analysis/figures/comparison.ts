import type { NamedRun } from "../compare.ts";
import type { PredictionKind } from "../error-types.ts";
import type { Comparison } from "../evaluation-types.ts";
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
  type VegaLiteSpec,
} from "./figure.ts";
import { predictionStyles } from "./prediction-style.ts";
import type { FigureSection } from "./sections.ts";

/** More runs than there are colours are not told apart: the first ones are drawn. */
const mostRuns = palette.length;

/** The figures of a comparison: the errors with their intervals, then where the runs differ: species, time and conditions. */
export function comparisonFigures(comparison: Comparison, runs: readonly NamedRun[]): readonly FigureSection[] {
  const kinds = (["emulation", "windows", "reconstruction"] as const).filter((kind) =>
    comparison.kinds.some((each) => each.kind === kind),
  );
  const [subject] = kinds;
  if (subject === undefined) return [];
  const drawn = runs.slice(0, mostRuns);
  const sections: readonly { title: string; figures: readonly (Figure | null)[] }[] = [
    { title: "Errors", figures: kinds.map((kind) => errorsFigure(comparison, kind)) },
    {
      title: "Where they differ",
      figures: [
        speciesFigure(drawn, subject),
        timeFigure(drawn, subject),
        ...(subject === "windows" ? [] : conditionFigures(drawn, subject)),
      ],
    },
  ];
  return sections.map(({ title, figures }) => ({ title, figures: figures.filter((figure) => figure !== null) }));
}

/** The runs' errors with their intervals. */
function errorsFigure({ kinds, runs, resamples }: Comparison, kind: PredictionKind): Figure {
  const compared = kinds.find((each) => each.kind === kind)!;
  const values = compared.runs.map(({ mean_dex }, r) => ({ run: runs[r]!.name, ...mean_dex }));
  const y = { field: "run", type: "nominal", title: null, sort: null, axis: { labelLimit: 170 } };
  const error = (field: string): VegaLiteSpec => amount(field, "mean error (dex)");
  return {
    name: `errors-${kind}`,
    title: `Errors: ${predictionStyles[kind].label}`,
    caption: `Mean error in dex over the same rows; the bars hold 95 % of ${resamples.toLocaleString("en")} bootstrap resamples of the tracers.`,
    spec: figureSpec({
      height: 34 * values.length,
      data: { values },
      layer: [
        {
          mark: { type: "rule", strokeWidth: 2, color: palette[0] },
          encoding: { y, x: error("low"), x2: { field: "high" } },
        },
        { mark: { type: "point", filled: true, size: 80, color: palette[0] }, encoding: { y, x: error("value") } },
      ],
    }),
  };
}

/** The species on which a run differs most from the first one. */
function speciesFigure(runs: readonly NamedRun[], kind: PredictionKind, count = 30): Figure | null {
  const errors = runs.map(
    ({ metrics }) => new Map(metrics.predictions[kind]!.species.map(({ species, all }) => [species, all.dex.mean])),
  );
  const [first, ...others] = errors;
  const common = [...first!.keys()].filter((species) => others.every((each) => each.has(species)));
  const change = (species: string): number =>
    Math.max(
      ...others.map((each) => Math.abs(Math.log(shownDex(each.get(species)!) / shownDex(first!.get(species)!)))),
    );
  const chosen = common.sort((a, b) => change(b) - change(a)).slice(0, count);
  const values: Row[] = errors.flatMap((each, r) =>
    chosen.map((species) => ({ species, run: runs[r]!.name, dex: shownDex(each.get(species)!) })),
  );
  if (values.length === 0) return null;
  return {
    name: "species",
    title: `Error by species: ${predictionStyles[kind].label}`,
    caption: `The ${chosen.length} species whose mean error differs most from the first run's, as a factor. What is below 0.001 dex is drawn there.`,
    spec: figureSpec({
      height: 18 * chosen.length,
      data: { values },
      mark: { type: "point", filled: true, size: 60, opacity: 0.9 },
      encoding: {
        y: { field: "species", type: "nominal", title: null, sort: null, axis: { grid: true, labelLimit: 150 } },
        x: logarithmic("dex", "mean error (dex)"),
        ...runColours(runs, true),
      },
    }),
  };
}

/** The mean error along the tracers. */
function timeFigure(runs: readonly NamedRun[], kind: PredictionKind): Figure | null {
  const values: Row[] = runs.flatMap(({ name, metrics: { predictions } }) => {
    const { times, steps } = predictions[kind]!;
    return (times ?? steps).map(({ time_yr, dex }) => ({ run: name, kyr: time_yr / 1000, dex: shownDex(dex.mean) }));
  });
  if (values.length === 0) return null;
  return {
    name: "time",
    title: `Error against time: ${predictionStyles[kind].label}`,
    caption: "Mean over tracers and species. What is below 0.001 dex is drawn there.",
    spec: figureSpec({
      data: { values },
      mark: { type: "line" },
      encoding: {
        x: amount("kyr", "time since the start (kyr)"),
        y: logarithmic("dex", "mean error (dex)"),
        ...runColours(runs),
      },
    }),
  };
}

/** The mean error along each physical parameter. */
function conditionFigures(runs: readonly NamedRun[], kind: "emulation" | "reconstruction"): readonly (Figure | null)[] {
  const conditionsOf = ({ metrics }: NamedRun) => metrics.failure_maps[kind]?.conditions ?? [];
  return conditionsOf(runs[0]!).map(({ name: parameter }, p) => {
    const { unit = "" } = runs[0]!.metrics.physical_parameters.find(({ name }) => name === parameter) ?? {};
    const values: Row[] = runs.flatMap((run) => {
      const { edges_log10 = [], mean_dex = [] } = conditionsOf(run).find(({ name }) => name === parameter) ?? {};
      return mean_dex.flatMap((dex, i) =>
        dex === null
          ? []
          : [{ run: run.name, at: unlogged((edges_log10[i]! + edges_log10[i + 1]!) / 2), dex: shownDex(dex) }],
      );
    });
    if (values.length === 0) return null;
    return {
      name: `condition-${p + 1}`,
      title: `Error against ${parameter}: ${predictionStyles[kind].label}`,
      caption:
        "Mean error of the rows whose conditions lie in each of 12 bins. What is below 0.001 dex is drawn there.",
      spec: figureSpec({
        data: { values },
        mark: { type: "line", point: { size: 34 } },
        encoding: {
          x: logarithmic("at", unit === "" ? parameter : `${parameter} (${unit})`),
          y: logarithmic("dex", "mean error (dex)"),
          ...runColours(runs),
        },
      }),
    };
  });
}

/** A colour a run, the same in every figure; points have a shape as well. */
function runColours(runs: readonly NamedRun[], areShaped = false): VegaLiteSpec {
  const names = runs.map(({ name }) => name);
  const color = colours("run", names);
  return areShaped ? { color, shape: { ...color, scale: { domain: names } } } : { color };
}
