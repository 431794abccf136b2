import { inflateSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { type Figure, figureSpec, logarithmic, type VegaLiteSpec } from "../../../src/analysis/figures/figure.ts";
import { predictionStyles } from "../../../src/analysis/figures/prediction-style.ts";
import { renderPng, renderSvg } from "../../../src/analysis/figures/render.ts";
import { evaluationFigures, type FigureSection } from "../../../src/analysis/figures/sections.ts";
import { evaluationFixture } from "./evaluation-fixture.ts";

let sections: readonly FigureSection[];
let figures: readonly Figure[];

beforeAll(async () => {
  const { metrics, samples } = evaluationFixture();
  sections = await evaluationFigures(metrics, samples);
  figures = sections.flatMap((section) => section.figures);
});

/** A specification with its data cut down to the first two rows. */
function withoutMostData(spec: VegaLiteSpec): unknown {
  return JSON.parse(
    JSON.stringify(spec, (key, value) => (key === "values" && Array.isArray(value) ? value.slice(0, 2) : value)),
  );
}

/** Every title of an axis or a legend that a specification asks for. */
function titlesOf(node: unknown): string[] {
  if (typeof node !== "object" || node === null) return [];
  const { field, title } = node as { field?: unknown; title?: unknown };
  const own = typeof field === "string" && typeof title === "string" && title !== "" ? [title] : [];
  return [...own, ...Object.values(node).flatMap(titlesOf)];
}

describe("the figures of an evaluation", () => {
  it("are these", () => {
    expect(sections.map(({ title, figures: each }) => [title, ...each.map(({ name }) => name)])).toMatchSnapshot();
    expect(new Set(figures.map(({ name }) => name)).size).toBe(figures.length);
    for (const { name } of figures) expect(name).toMatch(/^[a-z0-9-]+$/);
  });

  it("are specified so", () => {
    // The theme is the same everywhere.
    const specs = figures.map(({ name, title, caption, spec: { config: _, ...spec } }) => ({
      name,
      title,
      caption,
      spec: name === "tracer-maps" ? Object.keys(spec) : withoutMostData(spec),
    }));
    expect(specs).toMatchSnapshot();
  });

  it("are drawn, with every title of theirs", async () => {
    for (const { name, spec } of figures) {
      const svg = await renderSvg(spec);
      const text = [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, words]) => words!.replaceAll("&gt;", ">"));
      for (const title of titlesOf(spec)) expect(text, name).toContain(title);
      expect(svg, name).not.toMatch(/NaN|undefined|Infinity/);
      // Black is lost on a dark page.
      expect(svg, name).not.toMatch(/(fill|stroke)="(black|#000|#000000)"/);
    }
  });

  it("are drawn where nothing is wrong at all, as without compression", async () => {
    const { metrics, samples } = evaluationFixture();
    const errors = new Set(["dex", "mean_dex", "relative", "median", "mean", "p90", "p99", "worst_dex"]);
    const noErrors = (node: unknown, isError = false): unknown => {
      if (typeof node === "number") return isError ? 0 : node;
      if (Array.isArray(node)) return node.map((each) => noErrors(each, isError));
      if (typeof node !== "object" || node === null) return node;
      return Object.fromEntries(Object.entries(node).map(([k, each]) => [k, noErrors(each, isError || errors.has(k))]));
    };
    const perfect = {
      ...metrics,
      predictions: noErrors(metrics.predictions),
      failure_maps: noErrors(metrics.failure_maps),
    } as typeof metrics;
    for (const { figures: each } of await evaluationFigures(perfect, samples)) {
      for (const { spec, name } of each) expect(await renderSvg(spec), name).not.toMatch(/NaN|Infinity/);
    }
  });

  it("leave out what is not there", async () => {
    const { metrics, samples } = evaluationFixture();
    const { emulation: _, windows: __, ...predictions } = metrics.predictions;
    const alone = await evaluationFigures(
      {
        ...metrics,
        predictions,
        failure_maps: { reconstruction: { ...metrics.failure_maps.reconstruction!, plane: null } },
        long_rollouts: [],
        sensitivity: null,
        physical_parameters: [],
      },
      { ...samples, tracers: [], features: [], training: { autoencoder: null, emulator: null }, density_plots: {} },
    );
    expect(alone.map(({ title, figures: each }) => [title, ...each.map(({ name }) => name)])).toMatchInlineSnapshot(`
      [
        [
          "Where it stands",
          "baselines",
          "error-abundance",
        ],
        [
          "Errors in time",
          "heat-map-reconstruction",
          "error-gradient",
        ],
        [
          "Which species",
          "worst-species-reconstruction",
        ],
        [
          "Stability",
          "conservation",
          "reliability",
        ],
        [
          "The data",
          "parameters",
          "scaled-abundances",
        ],
      ]
    `);
  });
});

describe("a logarithmic axis", () => {
  it("has labels at powers of ten, as powers where they are long", async () => {
    const values = [1e-13, 1e-4, 1, 1e5].map((at) => ({ at }));
    const spec = { data: { values }, mark: "point", encoding: { x: logarithmic("at", "at") } };
    const svg = await renderSvg(figureSpec(spec));
    const labels = [...svg.matchAll(/<text[^>]*>([^<]+)</g)].map(([, words]) => words);
    expect(labels).toEqual(expect.arrayContaining(["10⁻¹²", "10⁻⁶", "0.01", "1", "100", "10⁴"]));
  });
});

it("names every kind of prediction differently", () => {
  for (const name of ["title", "label", "colour"] as const) {
    const names = Object.values(predictionStyles).map((style) => style[name]);
    expect(new Set(names).size, name).toBe(names.length);
  }
});

describe("drawing", () => {
  it("has text in a PNG without any font of the machine's", async () => {
    const [figure] = figures;
    const svg = await renderSvg(figure!.spec);
    const png = Buffer.from(await renderPng(svg, 1));
    expect(png.subarray(1, 4).toString()).toBe("PNG");
    const without = Buffer.from(await renderPng(svg.replace(/<text[^>]*>[^<]*<\/text>/g, ""), 1));
    expect(inkIn(png)).toBeGreaterThan(inkIn(without) + 500);
  });

  it("refuses a figure that Vega-Lite complains about", async () => {
    const wrong = {
      data: { values: [] },
      mark: "bar",
      encoding: { x: { field: "a", type: "quantitative", aggregate: "no" } },
    };
    await expect(renderSvg(wrong)).rejects.toThrow();
  });

  it("fetches nothing", async () => {
    const remote = { data: { url: "https://example.org/data.json" }, mark: "point", encoding: {} };
    await expect(renderSvg(remote)).rejects.toThrow("figures load nothing");
  });
});

/** Bytes of an RGBA picture that are not white, its rows' filters undone roughly: each row's filter byte and differences count alike. */
function inkIn(png: Buffer): number {
  const parts: Buffer[] = [];
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    if (png.toString("latin1", at + 4, at + 8) === "IDAT") parts.push(png.subarray(at + 8, at + 8 + length));
    at += length + 12;
  }
  return inflateSync(Buffer.concat(parts)).filter((byte) => byte !== 0 && byte !== 255).length;
}
