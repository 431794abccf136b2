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

/** Size of a figure's plotting area; composed ones divide it. Small, with large letters: a phone shows it at two thirds, and it is to be read there. */
export const width = 400;
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
  title: { color: ink.text, fontSize: 14, fontWeight: "bold", anchor: "start" },
  axis: {
    labelColor: ink.muted,
    titleColor: ink.text,
    titleFontWeight: "normal",
    titleFontSize: 13,
    labelFontSize: 12,
    domainColor: ink.muted,
    tickColor: ink.muted,
    gridColor: ink.grid,
    gridWidth: 1,
    titlePadding: 8,
  },
  axisX: { grid: false },
  legend: {
    labelColor: ink.text,
    titleColor: ink.text,
    titleFontWeight: "normal",
    titleFontSize: 13,
    labelFontSize: 12,
    labelLimit: 320,
    titleLimit: 320,
    // Beside a figure a legend would halve it on a phone.
    orient: "top",
    columns: 2,
    gradientLength: 200,
    symbolStrokeWidth: 2,
    symbolSize: 70,
    // Vega's own is black, which is lost on a dark page.
    symbolBaseFillColor: ink.muted,
    symbolBaseStrokeColor: ink.muted,
  },
  header: { labelColor: ink.text, titleColor: ink.text, labelFontSize: 12, labelFontWeight: "bold" },
  range: { category: palette, heatmap: { scheme: "viridis" }, ramp: { scheme: "viridis" } },
  line: { strokeWidth: 2 },
} as const;

/** A specification with the shared theme. */
export function figureSpec(spec: VegaLiteSpec): VegaLiteSpec {
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v5.json",
    config: theme,
    ...("hconcat" in spec || "vconcat" in spec || "facet" in spec || "concat" in spec ? {} : { width, height }),
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

/** A logarithmic axis; its values have to be above 0. Labels and grid lines at powers of ten only. */
export function logarithmic(field: string, title: string, more: VegaLiteSpec = {}): VegaLiteSpec {
  const axis = {
    tickCount: 6,
    gridOpacity: { condition: { test: isPower, value: 1 }, value: 0 },
    tickOpacity: { condition: { test: isPower, value: 1 }, value: 0.4 },
    labelExpr: `!(${isPower}) ? '' : abs(${power}) <= 3 ? format(datum.value, '~g') : ${powerLabel}`,
  };
  return amount(field, title, { scale: { type: "log", nice: true }, axis, ...more });
}

/** A logarithmic axis has no 0: an error below a thousandth of a dex is as good as none. */
export function shownDex(dex: number): number {
  return Math.max(dex, 1e-3);
}

/** A bin of a map: its lower edge in one field, its upper one in another. */
export function bin(
  from: string,
  to: string,
  title: string,
): { readonly from: VegaLiteSpec; readonly to: VegaLiteSpec } {
  return { from: position(from, title, { bin: { binned: true } }), to: { field: to } };
}

/** One colour a name, in a given order, so that a name has one colour in every figure. */
export function colours(field: string, names: readonly string[], range: readonly string[] = palette): VegaLiteSpec {
  return { field, type: "nominal", title: null, scale: { domain: names, range: range.slice(0, names.length) } };
}
