import type { PredictionMetrics } from "../error-types.ts";
import type { LongRollout, Metrics, Sensitivity } from "../evaluation-types.ts";
import {
  amount,
  colours,
  type Figure,
  figureSpec,
  fontSize,
  ink,
  logarithmic,
  palette,
  panelWidth,
  type Row,
  shownDex,
  unlogged,
  type VegaLiteSpec,
} from "./figure.ts";
import { kindColours, predictionStyles } from "./prediction-style.ts";

const kyr = "time since the start (kyr)";

/** A marked time, dashed, with a word beside it. */
function mark(at: number, text: string, title: string, isLate = false): VegaLiteSpec {
  const x = amount("at", title);
  return {
    data: { values: [{ at, text }] },
    layer: [
      { mark: { type: "rule", strokeDash: [4, 4], color: ink.muted }, encoding: { x } },
      {
        mark: {
          type: "text",
          align: isLate ? "right" : "left",
          baseline: "top",
          dx: isLate ? -5 : 5,
          dy: 2,
          fontSize,
          color: ink.muted,
        },
        encoding: { x, y: { value: 0 }, text: { field: "text" } },
      },
    ],
  };
}

/** The spread of a prediction's error over the rollout, with the baselines' means. */
export function errorTimeFigure(
  prediction: PredictionMetrics,
  { predictions, window_size, time_step_yr }: Metrics,
): Figure {
  // Where steps vary, a step is no time.
  const bands = (prediction.times ?? prediction.steps).map(({ time_yr, dex: { p10, p25, p75, p90 } }) => ({
    kyr: time_yr / 1000,
    p10: shownDex(p10),
    p25: shownDex(p25),
    p75: shownDex(p75),
    p90: shownDex(p90),
  }));
  const others = (["mean_trajectory", "nearest_tracer", "linear_history", "reconstruction"] as const).filter(
    (kind) => predictions[kind] && prediction.kind === "emulation",
  );
  const kinds = [prediction.kind, ...others];
  const means: Row[] = kinds.flatMap((kind) =>
    (predictions[kind]!.times ?? predictions[kind]!.steps).map(({ time_yr, dex }) => ({
      kind: predictionStyles[kind].label,
      kyr: time_yr / 1000,
      dex: shownDex(dex.mean),
    })),
  );
  const { colour, label } = predictionStyles[prediction.kind];
  const x = amount("kyr", kyr);
  const band = (low: string, high: string, opacity: number): VegaLiteSpec => ({
    data: { values: bands },
    mark: { type: "area", opacity, color: colour },
    encoding: { x, y: logarithmic(low, "error (dex)"), y2: { field: high } },
  });
  const trained =
    prediction.kind === "emulation" && window_size !== null && time_step_yr !== null && window_size - 1 < bands.length
      ? [mark(((window_size - 1) * time_step_yr) / 1000, "trained up to here", kyr, 2 * window_size > bands.length)]
      : [];
  return {
    name: `error-time-${prediction.kind}`,
    title: `Error against time: ${label}`,
    caption:
      "Lines: the mean over tracers and species, on a logarithmic axis. Shaded, for the surrogate: the middle 50 % and 80 % of the errors at each step. " +
      "A mean above the bands says that a few species fail badly. What is below 0.001 dex is drawn there.",
    spec: figureSpec({
      layer: [
        band("p10", "p90", 0.16),
        band("p25", "p75", 0.26),
        {
          data: { values: means },
          mark: { type: "line" },
          encoding: { x, y: logarithmic("dex", "error (dex)"), color: kindColours(kinds) },
        },
        ...trained,
      ],
    }),
  };
}

const histories = ["conditions held", "conditions repeated"];

/** Rollouts ten times longer than trained: do they stay where chemistry can be? */
export function longRolloutFigure(rollouts: readonly LongRollout[]): Figure | null {
  const rows: Row[] = rollouts.flatMap(({ history, at_steps, out_of_range, excursion_dex }) =>
    at_steps.map((step, i) => ({
      history: `conditions ${history}`,
      step,
      share: out_of_range[i]!,
      excursion: excursion_dex[i]!,
    })),
  );
  if (rows.length === 0) return null;
  const trained = rollouts[0]!.trained_steps;
  const panel = (field: string, title: string, more: VegaLiteSpec = {}): VegaLiteSpec => ({
    width: panelWidth,
    height: 140,
    layer: [
      {
        data: { values: rows },
        mark: { type: "line" },
        encoding: {
          x: amount("step", "steps"),
          y: amount(field, title, more),
          color: colours("history", histories, [palette[0], palette[1]]),
          // Dashed, the one is seen beneath the other where they are the same.
          strokeDash: {
            field: "history",
            type: "nominal",
            title: null,
            scale: {
              domain: histories,
              range: [
                [1, 0],
                [6, 5],
              ],
            },
          },
        },
      },
      mark(trained, "trained up to here", "steps"),
    ],
  });
  const states = rollouts.map(({ history, bounded, finite, first_non_finite_step }) => {
    const end = finite
      ? `${bounded ? "stays within" : "leaves"} the range`
      : `is no longer finite from step ${first_non_finite_step} on`;
    return { history, end };
  });
  const ends = new Set(states.map(({ end }) => end));
  const verdict =
    ends.size === 1 && states.length > 1
      ? `with either it ${states[0]!.end}`
      : states.map(({ history, end }) => `with conditions ${history} it ${end}`).join("; ");
  return {
    name: "long-rollout",
    title: "A rollout ten times longer than trained",
    caption:
      "Above: the share of abundances outside the range of the training data widened by half a dex. Below: how far outside, on average. " +
      `Past a tracer's end its last conditions are held, or its history is repeated: ${verdict}.`,
    spec: figureSpec({
      vconcat: [
        panel("share", "share out of range", { axis: { format: ".0%" } }),
        panel("excursion", "mean excursion (dex)"),
      ],
    }),
  };
}

/** How two rollouts from almost the same start go apart. */
export function sensitivityFigure({
  perturbation_dex,
  divergence_dex,
  final_amplification,
}: Sensitivity): Figure | null {
  const values = divergence_dex.map((dex, i) => ({ step: i + 1, dex })).filter(({ dex }) => dex > 0);
  if (values.length === 0) return null;
  return {
    name: "sensitivity",
    title: "From a perturbed start",
    caption:
      `Mean difference between rollouts from the true start and from one with normal noise of ${perturbation_dex} dex. ` +
      `At the end it is ${final_amplification.toPrecision(2)} times the noise. A start that is forgotten is a curve that falls.`,
    spec: figureSpec({
      height: 200,
      data: { values },
      mark: { type: "line", color: palette[0] },
      encoding: { x: amount("step", "steps"), y: logarithmic("dex", "mean difference (dex)") },
    }),
  };
}

/** Where the chemistry moves fast: error against the true rate of change. */
export function gradientFigure({ failure_maps }: Metrics): Figure | null {
  const kinds = (["reconstruction", "emulation"] as const).filter((kind) => failure_maps[kind]?.gradient.length);
  if (kinds.length === 0) return null;
  const values = kinds.flatMap((kind) =>
    failure_maps[kind]!.gradient.map(({ from_log10, to_log10, mean_dex }) => ({
      kind: predictionStyles[kind].label,
      rate: unlogged((from_log10 + to_log10) / 2),
      dex: shownDex(mean_dex),
    })),
  );
  return {
    name: "error-gradient",
    title: "Error where abundances change fast",
    caption:
      "Mean error against the true rate of change |d log10 x / dt| of the abundance, in dex per yr, all species. What is below 0.001 dex is drawn there.",
    spec: figureSpec({
      height: 220,
      data: { values },
      mark: { type: "line", point: { size: 34 } },
      encoding: {
        x: logarithmic("rate", "true rate of change (dex / yr)"),
        y: logarithmic("dex", "mean error (dex)"),
        color: kindColours(kinds),
      },
    }),
  };
}
