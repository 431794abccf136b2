import { join } from "node:path";
import { writeFileAtomic } from "../../formats/atomic-file.ts";
import type { NamedRun } from "../compare.ts";
import type { Comparison, Metrics } from "../evaluation-types.ts";
import { comparisonFigures } from "../figures/comparison.ts";
import type { Figure } from "../figures/figure.ts";
import { renderPng, renderSvg } from "../figures/render.ts";
import { evaluationFigures } from "../figures/sections.ts";
import type { EvaluationSamples } from "../sample-types.ts";
import { comparisonPage } from "./comparison-page.ts";
import { evaluationPage } from "./evaluation-page.ts";
import { drawSections } from "./page.ts";

/** What a report consists of. */
export interface ReportFiles {
  /** Path of the page. */
  readonly report: string;
  /** Folder of the figures: NAME.svg, NAME.png, NAME.vl.json. */
  readonly figures: string;
}

/**
 * Draws all figures of an evaluation and writes them with the page.
 * @throws DataError where a file cannot be written
 */
export async function writeReport(
  folder: string,
  metrics: Metrics,
  samples: EvaluationSamples,
  signal?: AbortSignal,
): Promise<ReportFiles> {
  const figures = join(folder, "figures");
  const draw = (figure: Figure): Promise<string> => {
    signal?.throwIfAborted();
    return writeFigure(figures, figure);
  };
  const sections = await drawSections(await evaluationFigures(metrics, samples), draw);
  const report = join(folder, "report.html");
  writeFileAtomic(report, evaluationPage(metrics, sections, samples));
  return { report, figures };
}

/** Writes compare.html, with its figures in it. @returns its path */
export async function writeComparison(
  folder: string,
  comparison: Comparison,
  runs: readonly NamedRun[],
): Promise<string> {
  const sections = comparisonFigures(comparison, runs);
  const path = join(folder, "compare.html");
  writeFileAtomic(path, comparisonPage(comparison, await drawSections(sections, ({ spec }) => renderSvg(spec))));
  return path;
}

/**
 * Writes a figure as NAME.vl.json, NAME.svg and NAME.png, with its title in it.
 * @returns the SVG for a page, which has titles of its own
 */
export async function writeFigure(folder: string, { name, title, spec }: Figure): Promise<string> {
  const titled = { ...spec, title };
  const svg = await renderSvg(titled);
  writeFileAtomic(join(folder, `${name}.vl.json`), `${JSON.stringify(titled)}\n`);
  writeFileAtomic(join(folder, `${name}.svg`), svg);
  writeFileAtomic(join(folder, `${name}.png`), await renderPng(svg));
  return renderSvg(spec);
}
