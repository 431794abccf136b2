import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { LoggerInterface } from "vega";
import type { TopLevelSpec } from "vega-lite";
import { ink, type VegaLiteSpec } from "./figure.ts";

/**
 * Draws a specification. Everything in it is data of its own: nothing is fetched.
 * @returns an SVG document, the background transparent
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
  const compiled = vegaLite.compile(spec as unknown as TopLevelSpec, { logger });
  const loader = vega.loader();
  loader.load = () => Promise.reject(new Error("figures load nothing"));
  const view = new vega.View(vega.parse(compiled.spec), { renderer: "none", loader, logger });
  try {
    const svg = await view.toSVG();
    // What Vega complains about is a mistake of the figure's, never of the user's.
    if (complaints.length > 0) throw new Error(`a figure is not as Vega-Lite wants it: ${complaints[0]}`);
    // Neighbouring cells of a map show seams where their edges are smoothed.
    return svg.replaceAll('class="mark-rect', 'shape-rendering="crispEdges" class="mark-rect');
  } finally {
    view.finalize();
  }
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
