/** A Vega-Lite specification, complete with its data: a plain object that any Vega-Lite renders. */
export type VegaLiteSpec = Readonly<Record<string, unknown>>;

/** A figure of a report. */
export interface Figure {
  /** The file's name, without an extension: letters, digits, hyphens. */
  readonly name: string;
  readonly title: string;
  /** What is to be seen, with the units. */
  readonly caption: string;
  readonly spec: VegaLiteSpec;
}

/** Rows of a figure's data; null: a gap. */
export type Row = Readonly<Record<string, string | number | boolean | null>>;

/** Okabe and Ito's colours, told apart by the colour-blind; without black and yellow, which vanish on one background or the other. */
export const palette = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31"] as const;

/** Width of a whole drawing, and the size of all its letters: a phone of 360 px shows the one on 325 px, and the other no smaller than 11 px. */
export const width = 400;
export const fontSize = 14;
/** Width of the plotting area where views stand one above the other, or side by side: what their axes leave. */
export const panelWidth = 300;
export const halfWidth = 112;
export const height = 240;

/** The ink of everything but the data: the report's page exchanges these for its own, light or dark. */
export const ink = { text: "#1b1f24", muted: "#5c6670", grid: "#e4e7eb", surface: "#ffffff" } as const;

/** What all figures share. The font is shipped with the package (see render.ts). */
export const theme = {
  background: null,
  // Verdana has its widths: for an SVG opened where DejaVu is not installed.
  font: "DejaVu Sans, Verdana, sans-serif",
  padding: 4,
  view: { stroke: null },
  title: { color: ink.text, fontSize, fontWeight: "bold", anchor: "start" },
  axis: {
    labelColor: ink.muted,
    titleColor: ink.text,
    titleFontWeight: "normal",
    titleFontSize: fontSize,
    labelFontSize: fontSize,
    domainColor: ink.muted,
    tickColor: ink.muted,
    gridColor: ink.grid,
    gridWidth: 1,
    titlePadding: 8,
    labelSeparation: 6,
  },
  axisX: { grid: false },
  axisXQuantitative: { tickCount: 6 },
  legend: {
    labelColor: ink.text,
    titleColor: ink.text,
    titleFontWeight: "normal",
    titleFontSize: fontSize,
    labelFontSize: fontSize,
    labelLimit: 230,
    titleLimit: 320,
    // Beside a figure a legend would halve it on a phone.
    orient: "top",
    gradientLength: 200,
    symbolStrokeWidth: 2,
    symbolSize: 70,
    // Vega's own is black, which is lost on a dark page.
    symbolBaseFillColor: ink.muted,
    symbolBaseStrokeColor: ink.muted,
  },
  header: { labelColor: ink.text, titleColor: ink.text, labelFontSize: fontSize, labelFontWeight: "bold" },
  range: { category: palette, heatmap: { scheme: "viridis" }, ramp: { scheme: "viridis" } },
  line: { strokeWidth: 2 },
} as const;

/** A specification with the shared theme. */
export function figureSpec(spec: VegaLiteSpec): VegaLiteSpec {
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v5.json",
    config: theme,
    ...("vconcat" in spec || "facet" in spec || "concat" in spec
      ? {}
      : { width, height, autosize: { type: "fit-x", contains: "padding" } }),
    ...spec,
  };
}

/** A quantitative axis from 0. */
export function amount(field: string, title: string, more: VegaLiteSpec = {}): VegaLiteSpec {
  return { field, type: "quantitative", title, ...more };
}

/** A quantitative axis that need not reach 0. */
export function position(field: string, title: string, more: VegaLiteSpec = {}): VegaLiteSpec {
  return amount(field, title, { scale: { zero: false, nice: true }, ...more });
}

/** Whether a tick of a logarithmic axis is a power of ten, in Vega's expressions; its power. */
const power = "round(log(datum.value) / LN10)";
const isPower = `abs(log(datum.value) / LN10 - ${power}) < 1e-6`;
const superscript = (digit: string): string => `slice('⁰¹²³⁴⁵⁶⁷⁸⁹', ${digit}, ${digit} + 1)`;
const powerLabel =
  `'10' + (${power} < 0 ? '⁻' : '') + (abs(${power}) < 10 ? '' : ${superscript(`floor(abs(${power}) / 10)`)}) + ` +
  superscript(`abs(${power}) % 10`);

const labelExpr = `!(${isPower}) ? '' : abs(${power}) <= 3 ? format(datum.value, '~g') : ${powerLabel}`;

/** A logarithmic axis; its values have to be above 0. Labels and grid lines at powers of ten only. */
export function logarithmic(field: string, title: string, more: VegaLiteSpec = {}, tickCount = 6): VegaLiteSpec {
  const axis = {
    tickCount,
    gridOpacity: { condition: { test: isPower, value: 1 }, value: 0 },
    tickOpacity: { condition: { test: isPower, value: 1 }, value: 0.4 },
    labelExpr,
  };
  return amount(field, title, { scale: { type: "log", nice: true }, axis, ...more });
}

/** Colour by a value above 0, on a logarithmic scale. */
export function logarithmicColour(field: string, title: string, legend: VegaLiteSpec = {}): VegaLiteSpec {
  return amount(field, title, {
    scale: { type: "log", scheme: "viridis" },
    legend: { tickCount: 4, labelExpr, ...legend },
  });
}

/** What a figure draws of a logarithm: its axis is logarithmic itself. */
export function unlogged(log10: number): number {
  return Number((10 ** log10).toPrecision(6));
}

/** A logarithmic axis has no 0: an error below a thousandth of a dex is as good as none. */
export function shownDex(dex: number): number {
  return Math.max(dex, 1e-3);
}

/** A cell of a map: its lower edge in one field, its upper one in another, whose name is read; above 0, on a logarithmic axis. */
export function cell(from: string, to: string, title: string): readonly [from: VegaLiteSpec, to: VegaLiteSpec] {
  return [logarithmic(from, title), { field: to }];
}

/** One colour a name, in a given order, so that a name has one colour in every figure. */
export function colours(field: string, names: readonly string[], range: readonly string[] = palette): VegaLiteSpec {
  const scale = { domain: names, range: range.slice(0, names.length) };
  return { field, type: "nominal", title: null, scale, legend: { columns: legendColumns(names) } };
}

/** As many as stand above a plotting area, which an axis and its labels have moved to the right. */
function legendColumns(names: readonly string[]): number {
  const widest = Math.max(...names.map((name) => textWidth(name, fontSize)));
  return Math.max(1, Math.min(4, Math.floor((width - 90) / (widest + 30))));
}

/** Width of a text in DejaVu Sans, to a few per cent and seldom too small. Vega's own guess is 0.8 em a letter. */
export function textWidth(text: string, size: number): number {
  let ems = 0;
  for (const letter of text) {
    if (/[ilj.,:;'|!\s\u2070-\u207f¹²³]/.test(letter)) ems += 0.36;
    else if (/[A-Z+#@%=<>~−mw]/.test(letter)) ems += 0.8;
    else ems += 0.63;
  }
  return ems * size;
}
