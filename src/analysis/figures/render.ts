import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { LoggerInterface, Mark } from "vega";
import type { TopLevelSpec } from "vega-lite";
import { escapeHtml } from "../report/html.ts";
import { ink, textWidth, type VegaLiteSpec } from "./figure.ts";

/**
 * Draws a specification. Everything in it is data of its own: nothing is fetched.
 * @returns an SVG document, the background transparent; its `data-axes` says what the places along its lines are
 */
export async function renderSvg(spec: VegaLiteSpec): Promise<string> {
  // They take a second to load: only where something is drawn.
  const [vega, vegaLite] = await Promise.all([import("vega"), import("vega-lite")]);
  const complaints: string[] = [];
  const note = (...words: readonly unknown[]): LoggerInterface => {
    complaints.push(words.map(String).join(" "));
    return logger;
  };
  const silent = (): LoggerInterface => logger;
  const logger = {
    level: () => logger,
    warn: note,
    error: note,
    info: silent,
    debug: silent,
  } as unknown as LoggerInterface;
  // There is no canvas to measure texts with. Vega exports this, and its types do not know it.
  const { textMetrics } = vega as unknown as { textMetrics: { width: (item: Text, text: unknown) => number } };
  textMetrics.width = ({ fontSize = 11, limit = 0 }, text) =>
    Math.min(textWidth(String(text ?? ""), fontSize), limit > 0 ? limit : Number.POSITIVE_INFINITY);
  const compiled = vegaLite.compile(spec as unknown as TopLevelSpec, { logger });
  const loader = vega.loader();
  loader.load = () => Promise.reject(new Error("figures load nothing"));
  const view = new vega.View(vega.parse(compiled.spec), { renderer: "none", loader, logger });
  try {
    const svg = await view.toSVG();
    // What Vega complains about is a mistake of the figure's, never of the user's.
    if (complaints.length > 0) throw new Error(`a figure is not as Vega-Lite wants it: ${complaints[0]}`);
    // Neighbouring cells of a map show seams where their edges are smoothed.
    const crisp = svg.replaceAll('class="mark-rect', 'shape-rendering="crispEdges" class="mark-rect');
    const axes = JSON.stringify(lineAxes(compiled.spec.marks ?? [], (name) => view.scale(name)));
    return crisp.replace("<svg", `<svg data-axes="${escapeHtml(axes)}"`);
  } finally {
    view.finalize();
  }
}

interface Text {
  readonly fontSize?: number;
  /** Where it is cut, px; 0: nowhere. */
  readonly limit?: number;
}

/** An axis: values at two places in px, and whether it is logarithmic between them. */
type Axis = readonly [isLogarithmic: boolean, from: number, to: number, fromPx: number, toPx: number];

/** Of each group of lines, by its class in the drawing, the axes: its paths are points, and a reader wants values. */
function lineAxes(marks: readonly Mark[], scaleOf: (name: string) => Scale): Readonly<Record<string, readonly Axis[]>> {
  const found: Record<string, readonly Axis[]> = {};
  const visit = (mark: Mark): void => {
    const { type, name, encode } = mark;
    if ("marks" in mark) for (const inner of mark.marks ?? []) visit(inner);
    const places = [encode?.update?.x, encode?.update?.y] as readonly { scale?: unknown }[];
    const names = places.map((place) => place?.scale);
    if (type !== "line" || name === undefined || !names.every((each) => typeof each === "string")) return;
    found[name] = names.map((each) => {
      const { type: kind, domain, range } = scaleOf(each);
      const [[from = 0, to = 0], [fromPx = 0, toPx = 0]] = [domain(), range()];
      return [kind === "log", from, to, fromPx, toPx];
    });
  };
  for (const mark of marks) visit(mark);
  return found;
}

interface Scale {
  readonly type: string;
  readonly domain: () => readonly number[];
  readonly range: () => readonly number[];
}

/** The fonts of PNG files: the machine may have none. */
export function fontFiles(): readonly string[] {
  const folder = join(dirname(createRequire(import.meta.url).resolve("dejavu-fonts-ttf/package.json")), "ttf");
  return ["DejaVuSans.ttf", "DejaVuSans-Bold.ttf"].map((name) => join(folder, name));
}

/** @param zoom  pixels per unit of the SVG */
export async function renderPng(svg: string, zoom = 2): Promise<Uint8Array> {
  const { Resvg } = await import("@resvg/resvg-js");
  const font = { fontFiles: [...fontFiles()], loadSystemFonts: false, defaultFontFamily: "DejaVu Sans" };
  return new Resvg(svg, { font, fitTo: { mode: "zoom", value: zoom }, background: ink.surface }).render().asPng();
}
