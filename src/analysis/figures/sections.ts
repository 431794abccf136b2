import type { Metrics } from "../evaluation-types.ts";
import type { EvaluationSamples } from "../sample-types.ts";
import { historiesFigure, parametersFigure, scaledAbundancesFigure } from "./dataset.ts";
import type { Figure } from "./figure.ts";
import { conditionsFigure, heatMapFigure, predictedActualFigure } from "./maps.ts";
import { reliabilityFigure } from "./reliability.ts";
import { abundanceLevelsFigure, baselinesFigure, conservationFigure, worstSpeciesFigure } from "./standing.ts";
import { errorTimeFigure, gradientFigure, longRolloutFigure, sensitivityFigure } from "./time.ts";
import { tracerMapFigure } from "./tracer-maps.ts";
import { abundancesFigure, latentPathsFigure, latentsFigure } from "./tracers.ts";
import { trainingFigure } from "./training.ts";

/** Figures that belong together, in a report's order. */
export interface FigureSection {
  readonly title: string;
  readonly figures: readonly Figure[];
}

/** All figures of an evaluation; what its data do not have is left out. A new figure is a function and a line here. */
export async function evaluationFigures(
  metrics: Metrics,
  samples: EvaluationSamples,
): Promise<readonly FigureSection[]> {
  const { predictions, failure_maps } = metrics;
  const subject = predictions.emulation ? "emulation" : "reconstruction";
  const subjects = (["emulation", "reconstruction"] as const).filter((kind) => predictions[kind]);
  const maps = failure_maps[subject];
  const sections: readonly { title: string; figures: readonly (Figure | null | undefined)[] }[] = [
    { title: "Where it stands", figures: [baselinesFigure(metrics), abundanceLevelsFigure(metrics)] },
    {
      title: "Errors in time",
      figures: [
        ...(["emulation", "windows"] as const).map(
          (kind) => predictions[kind] && errorTimeFigure(predictions[kind], metrics),
        ),
        heatMapFigure(subject, metrics),
        gradientFigure(metrics),
      ],
    },
    {
      title: "Which species",
      figures: [
        ...subjects.map((kind) => worstSpeciesFigure(predictions[kind]!)),
        ...subjects.map(
          (kind) => samples.density_plots[kind] && predictedActualFigure(kind, samples.density_plots[kind]),
        ),
      ],
    },
    {
      title: "Which conditions",
      figures: [maps && conditionsFigure(subject, maps), await tracerMapFigure(samples.features, metrics.provenance)],
    },
    { title: "Abundances against time", figures: samples.tracers.map((tracer) => abundancesFigure(tracer)) },
    {
      title: "Stability",
      figures: [
        longRolloutFigure(metrics.long_rollouts),
        metrics.sensitivity && sensitivityFigure(metrics.sensitivity),
        conservationFigure(metrics),
        metrics.reliability && reliabilityFigure(metrics.reliability),
      ],
    },
    {
      title: "Latents",
      figures: [
        samples.tracers[0] && latentsFigure(samples.tracers[Math.min(1, samples.tracers.length - 1)]!),
        latentPathsFigure(samples.tracers),
      ],
    },
    {
      title: "Training",
      figures: (["autoencoder", "emulator"] as const).map(
        (model) => samples.training[model] && trainingFigure(model, samples.training[model]),
      ),
    },
    {
      title: "The data",
      figures: [
        historiesFigure(samples, metrics),
        parametersFigure(samples, metrics),
        scaledAbundancesFigure(samples, metrics),
      ],
    },
  ];
  return sections
    .map(({ title, figures }) => ({
      title,
      figures: figures.filter((figure) => figure !== null && figure !== undefined),
    }))
    .filter(({ figures }) => figures.length > 0);
}
