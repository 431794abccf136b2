import type { EvaluationSamples, SpeciesReason, TracerSample } from "../sample-types.ts";
import {
  amount,
  colours,
  type Figure,
  figureSpec,
  halfWidth,
  logarithmic,
  palette,
  panelWidth,
  position,
  type Row,
  unlogged,
  type VegaLiteSpec,
} from "./figure.ts";

const kyr = "time since the start (kyr)";

/** Values along a tracer that a line needs: of a long one every n-th. */
function shown<T>(values: readonly T[], most = 150): readonly { readonly at: number; readonly value: T }[] {
  const stride = Math.max(1, Math.ceil(values.length / most));
  const all = values.map((value, at) => ({ at, value }));
  return all.filter(({ at }) => at % stride === 0 || at === values.length - 1);
}

const reasons: Readonly<Record<SpeciesReason, string>> = {
  chosen: "chosen",
  variable: "most variable",
  worst: "predicted worst",
};

const places: Readonly<Record<TracerSample["reason"], string>> = { best: "best", median: "middling", worst: "worst" };

/** Abundances against time along one tracer: what was asked for, what changes most, what fails worst. */
export function abundancesFigure(tracer: TracerSample, mostPerPanel = 7): Figure {
  const isEmulated = tracer.series.some(({ emulated }) => emulated !== null);
  const panels = (Object.keys(reasons) as SpeciesReason[]).flatMap((reason) => {
    const series = tracer.series.filter((each) => each.reason === reason).slice(0, mostPerPanel);
    if (series.length === 0) return [];
    const values: Row[] = series.flatMap(({ species, actual, emulated, reconstructed }) => [
      ...shown(actual).map(({ at, value }) => line(tracer, species, "actual", at, value)),
      ...shown(emulated ?? reconstructed).map(({ at, value }) => line(tracer, species, "predicted", at, value)),
    ]);
    return [
      {
        width: panelWidth,
        height: 220,
        title: reasons[reason],
        data: { values },
        mark: { type: "line", strokeWidth: 1.8 },
        encoding: {
          x: amount("kyr", kyr),
          y: logarithmic("abundance", "abundance"),
          color: colours(
            "species",
            series.map(({ species }) => species),
          ),
          strokeDash: {
            field: "what",
            type: "nominal",
            title: null,
            scale: {
              domain: ["actual", "predicted"],
              range: [
                [1, 0],
                [5, 4],
              ],
            },
          },
        },
      },
    ];
  });
  return {
    name: `abundances-${tracer.reason}`,
    title: `Abundances along the tracer predicted ${places[tracer.reason]} (tracer ${tracer.id}, ${tracer.mean_dex.toPrecision(2)} dex)`,
    caption: `Solid: the data. Dashed: ${isEmulated ? "emulated from the first row alone" : "encoded and decoded"}. Relative to H nuclei.`,
    spec: figureSpec({ vconcat: panels, resolve: { scale: { color: "independent" } } }),
  };
}

function line({ times_yr }: TracerSample, species: string, what: string, at: number, log10: number): Row {
  return { species, what, abundance: unlogged(log10), kyr: times_yr[at]! / 1000 };
}

/** Each latent along one tracer. */
export function latentsFigure({ id, latents, times_yr }: TracerSample): Figure {
  const sources = [
    ["encoded", latents.encoded],
    ["emulated", latents.emulated ?? []],
  ] as const;
  const panel = (component: number): VegaLiteSpec => {
    const values: Row[] = sources.flatMap(([what, rows]) =>
      shown(rows, 120)
        .map(({ at, value }) => ({ what, latent: value[component]!, kyr: times_yr[at]! / 1000 }))
        // A rollout that grows without bound.
        .filter(({ latent }) => Number.isFinite(latent)),
    );
    return {
      width: halfWidth,
      height: 90,
      title: { text: String(component + 1), frame: "group" },
      data: { values },
      mark: { type: "line", strokeWidth: 1.6 },
      encoding: {
        x: amount("kyr", "kyr", { axis: { tickCount: 3 } }),
        y: position("latent", "", { axis: { tickCount: 3 } }),
        color: whatColour,
      },
    };
  };
  return {
    name: "latents",
    title: `Latents along tracer ${id}`,
    caption:
      "Each component of the latents: those of the data, encoded, and those that the emulator steps to from the first row. Smooth ones are easy to emulate.",
    spec: figureSpec({
      concat: Array.from({ length: latents.encoded[0]?.length ?? 0 }, (_, component) => panel(component)),
      columns: 2,
      // Titles in a line, whatever the widths of the labels.
      bounds: "flush",
      spacing: { row: 80, column: 62 },
    }),
  };
}

const whatColour = colours("what", ["encoded", "emulated"], ["#8a8f98", palette[1]]);

/** The latents' paths on their two main directions. */
export function latentPathsFigure(tracers: EvaluationSamples["tracers"]): Figure | null {
  const values: Row[] = tracers.flatMap(({ reason, latents_pca: { encoded, emulated } }) =>
    (
      [
        ["encoded", encoded],
        ["emulated", emulated ?? []],
      ] as const
    ).flatMap(([what, rows]) =>
      shown(rows)
        .filter(({ value }) => value.every(Number.isFinite))
        .map(({ at, value: [pc1, pc2] }) => ({ tracer: `predicted ${places[reason]}`, what, at, pc1, pc2 })),
    ),
  );
  if (values.length === 0) return null;
  return {
    name: "latent-paths",
    title: "Paths through the latent space",
    caption:
      "The latents of a few tracers on the first two principal components of their encoded latents; a point a row.",
    spec: figureSpec({
      data: { values },
      facet: { field: "tracer", type: "nominal", title: null },
      columns: 2,
      spec: {
        width: 150,
        height: 150,
        mark: { type: "line", point: { size: 8 }, strokeWidth: 1 },
        encoding: {
          x: position("pc1", "component 1", { axis: { tickCount: 4 } }),
          y: position("pc2", "component 2"),
          order: { field: "at", type: "quantitative" },
          color: whatColour,
        },
      },
    }),
  };
}
