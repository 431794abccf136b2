import { createHash } from "node:crypto";
import { type Figure, ink, width } from "../figures/figure.ts";
import type { FigureSection } from "../figures/sections.ts";
import { Html, html } from "./html.ts";
import { curvesScript, pageScript } from "./page-script.ts";
import { style } from "./style.ts";

/** A figure that is drawn. */
export interface DrawnFigure extends Figure {
  readonly svg: string;
}

export interface DrawnSection {
  readonly title: string;
  readonly figures: readonly DrawnFigure[];
}

/** A page's own parts beside those that all have. */
export interface PageParts {
  readonly script: string;
  readonly style?: string;
  /** What it may ask for: nothing, or the server that it comes from. */
  readonly connects?: "'none'" | "'self'";
}

const reports: PageParts = { script: curvesScript };

/** Data for the page's script: no text in it ends its element. */
export function embedded(id: string, data: unknown): Html {
  const json = JSON.stringify(data).replaceAll("<", "\\u003c");
  return html`<script type="application/json" id="${id}">${new Html(json)}</script>`;
}

/** What a page may do: nothing but its very script runs, whatever a name from a file holds. */
export function pagePolicy({ script, connects = "'none'" }: PageParts = reports): string {
  const hash = createHash("sha256")
    .update(pageScript + script)
    .digest("base64");
  return `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}'; img-src data:; connect-src ${connects}; form-action 'none'; base-uri 'none'`;
}

/** A page that needs nothing but itself. @param command  that writes it, by which it is known again */
export function page(title: string, command: string, body: Html, parts: PageParts = reports): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="astrochem ${command}">
<meta http-equiv="Content-Security-Policy" content="${pagePolicy(parts)}">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>${new Html(style + (parts.style ?? ""))}</style>
</head>
<body>
${body}
<script>${new Html(pageScript + parts.script)}</script>
</body>
</html>
`.text;
}

/** A heading's anchor. */
export function anchor(title: string): string {
  return title.toLowerCase().replace(/[^a-z0-9]+/g, "-");
}

export function contents(titles: readonly string[]): Html {
  const entries = titles.map((title) => html`<li><a href="#${anchor(title)}">${title}</a></li>`);
  return html`<nav aria-label="contents"><ol>${entries}</ol></nav>`;
}

/** @param files  folder of the figures' files, as the page names it; null where there are none */
export function figureSections(sections: readonly DrawnSection[], files: string | null = null): readonly Html[] {
  return sections.map(
    ({ title, figures }) => html`<section><h2 id="${anchor(title)}">${title}</h2>
<div class="figures">${figures.map((figure) => figureHtml(figure, files))}</div></section>
`,
  );
}

function figureHtml({ name, title, caption, svg }: DrawnFigure, files: string | null): Html {
  const formats = { svg: "SVG", png: "PNG", "vl.json": "Vega-Lite" };
  const links = Object.entries(formats).map(
    ([ending, format], i) => html`${i > 0 && " · "}<a href="${files}/${name}.${ending}">${format}</a>`,
  );
  return html`<figure id="figure-${name}"><h3>${title}</h3>
<div class="plot">${inlineSvg(svg, title)}</div>
<figcaption>${caption}${files && html` <span class="files">${links}</span>`}</figcaption></figure>
`;
}

/** The ink of a drawing made the page's, so that it follows light and dark; the drawing named for those who hear it. */
export function inlineSvg(svg: string, title: string): Html {
  const names: Readonly<Record<string, string>> = { [ink.text]: "--ink", [ink.muted]: "--muted", [ink.grid]: "--grid" };
  const inked = svg.replace(/"(#[0-9a-f]{6})"/gi, (whole, colour: string) => {
    const name = names[colour.toLowerCase()];
    return name === undefined ? whole : `"var(${name})"`;
  });
  // All are shown at one scale, and so are their letters.
  const shown = Math.min(100, (100 * Number(/ width="([\d.]+)"/.exec(inked)?.[1] ?? width)) / width);
  const label = html`role="img" aria-label="${title}" style="width: ${shown}%"`.text;
  return new Html(inked.slice(inked.indexOf("<svg")).replace("<svg", `<svg ${label}`));
}

export interface Column<T> {
  readonly title: string;
  readonly value: (row: T) => string | number | null;
  /** Words: they stand left and may wrap. */
  readonly isText?: boolean;
}

/** A table; numbers are rounded for the eye and sorted by what they are. One that is not sortable is a list of cards on a phone. */
export function table<T>(columns: readonly Column<T>[], rows: readonly T[], { sortable = false } = {}): Html {
  const words = (isText = false): Html => new Html(isText ? ' class="text"' : "");
  const named = (title: string): Html => (sortable ? html`` : html` data-title="${title}"`);
  const heading = ({ title, isText }: Column<T>): Html =>
    html`<th scope="col"${words(isText)}>${sortable ? html`<button type="button">${title}</button>` : title}</th>`;
  const cell = (title: string, value: string | number | null, isText?: boolean): Html =>
    typeof value === "number"
      ? html`<td data-value="${value}"${named(title)}>${shortNumber(value)}</td>`
      : html`<td${words(isText)}${named(title)}>${value ?? "–"}</td>`;
  const body = rows.map(
    (row) => html`<tr>${columns.map(({ title, value, isText }) => cell(title, value(row), isText))}</tr>\n`,
  );
  const attribute = new Html(sortable ? " data-sortable" : ' class="cards"');
  return html`<table${attribute}><thead><tr>${columns.map(heading)}</tr></thead><tbody>${body}</tbody></table>`;
}

/** Three significant digits. */
export function shortNumber(value: number): string {
  const size = Math.abs(value);
  if (value === 0) return "0";
  if (Number.isInteger(value) && size < 1e4) return String(value);
  return size >= 1e4 || size < 1e-3 ? value.toExponential(1) : value.toPrecision(3);
}

/** A count, in full. */
export function count(value: number): string {
  return value.toLocaleString("en");
}

/** Draws the figures of all sections, one after the other. */
export async function drawSections(
  sections: readonly FigureSection[],
  draw: (figure: Figure) => Promise<string>,
): Promise<readonly DrawnSection[]> {
  const drawn: DrawnSection[] = [];
  for (const { title, figures } of sections) {
    const done: DrawnFigure[] = [];
    for (const figure of figures) done.push({ ...figure, svg: await draw(figure) });
    drawn.push({ title, figures: done });
  }
  return drawn;
}
