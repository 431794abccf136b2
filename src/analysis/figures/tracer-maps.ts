import type { Metrics } from "../evaluation-types.ts";
import type { TracerFeatures } from "../sample-types.ts";
import {
  amount,
  type Figure,
  figureSpec,
  ink,
  logarithmicColour,
  position,
  type Row,
  type VegaLiteSpec,
} from "./figure.ts";
import { scoredSplit } from "./prediction-style.ts";

/** t-SNE compares all pairs: of more tracers than this, every n-th is shown. */
const most = 400;
const legend = { gradientLength: 150 };

/**
 * Maps of the tracers, each a point: by principal components, and by t-SNE (van der Maaten & Hinton 2008), in which neighbours
 * stay neighbours and distances between groups mean nothing.
 */
export async function tracerMapFigure(
  features: readonly TracerFeatures[],
  provenance: Pick<Metrics["provenance"], "seed" | "split">,
): Promise<Figure | null> {
  const { seed } = provenance;
  const scored = scoredSplit(provenance);

  const stride = Math.ceil(features.length / most);
  const chosen = features.filter((_, i) => i % stride === 0);
  if (chosen.length < 5 || chosen.some(({ features: each }) => each.length < 2)) return null;
  const { PCA, TSNE } = await import("@saehrimnir/druidjs");
  const rows = chosen.map(({ features: each }) => [...each]);
  const perplexity = Math.min(30, (chosen.length - 1) / 3);
  const maps = {
    "principal components": points(new PCA(rows, { d: 2, seed }).transform()),
    "t-SNE": points(new TSNE(rows, { d: 2, perplexity, seed, epsilon: 10 }).transform(400)),
  };
  const values: Row[] = Object.entries(maps).flatMap(([map, coordinates]) =>
    chosen.map(({ split, final_density, mean_dex }, i) => ({
      map,
      split: split === "train" ? "training" : scored,
      x: coordinates[i]![0],
      y: coordinates[i]![1],
      density: final_density !== null && final_density > 0 ? final_density : null,
      dex: mean_dex,
    })),
  );
  const panel = (map: string, field: string, title: string): VegaLiteSpec => ({
    width: 160,
    height: 160,
    title: map,
    data: { values: values.filter((row) => row.map === map && row[field] !== null) },
    // The rim keeps the dark end of the colours visible on a dark page.
    mark: { type: "point", filled: true, size: 50, opacity: 0.95, stroke: ink.muted, strokeWidth: 0.6 },
    encoding: {
      x: position("x", "", { axis: null }),
      y: position("y", "", { axis: null }),
      color:
        field === "density"
          ? logarithmicColour(field, title, legend)
          : amount(field, title, { scale: { scheme: "viridis" }, legend: { ...legend, tickCount: 3 } }),
      shape: {
        field: "split",
        type: "nominal",
        title: null,
        scale: { domain: ["training", scored], range: ["circle", "diamond"] },
      },
    },
  });
  const names = Object.keys(maps);
  const fields: readonly (readonly [string, string])[] = [
    ["density", "final density (cm^-3)"],
    ["dex", "mean error (dex)"],
  ];
  const there = fields.filter(([field]) => values.some((row) => row[field!] !== null));
  return {
    name: "tracer-maps",
    title: "Maps of the tracers",
    caption:
      `Each point a tracer (${chosen.length} of ${features.length}), placed by its chemistry along its whole length. Coloured by its final density, ` +
      `and, for ${scored} tracers, by its error: a colour that follows the place says where the surrogate fails.`,
    spec: figureSpec({
      concat: there.flatMap(([field, title]) => names.map((map) => panel(map, field, title))),
      columns: 2,
      resolve: { scale: { color: "independent" } },
    }),
  };
}

function points(map: unknown): readonly (readonly [number, number])[] {
  return Array.from(map as ArrayLike<ArrayLike<number>>, (point) => [Number(point[0]), Number(point[1])] as const);
}
