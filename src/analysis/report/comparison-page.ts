import { surrogateKinds } from "../error-types.ts";
import type { Comparison, Interval } from "../evaluation-types.ts";
import { predictionStyles, scoredSplit } from "../figures/prediction-style.ts";
import { type Html, html } from "./html.ts";
import { type Column, count, type DrawnSection, figureSections, page, shortNumber, table } from "./page.ts";

type Row = Comparison["kinds"][number]["runs"][number] & { readonly kind: string; readonly name: string };

/** compare.html: which run is better, by how much, and how sure that is. */
export function comparisonPage(comparison: Comparison, sections: readonly DrawnSection[]): string {
  const { runs, kinds, tracers, resamples, seed } = comparison;
  const title = "Which surrogate is better?";
  // The baselines are the same in all runs, but for those with as many components as latents; compare.json has them.
  const shown = kinds.filter(({ kind }) => surrogateKinds.some((each) => each === kind));
  const rows: Row[] = shown.flatMap(({ kind, runs: each }) =>
    each.map((run, r) => ({ ...run, kind: predictionStyles[kind].label, name: runs[r]!.name })),
  );
  const columns: Column<Row>[] = [
    { title: "prediction", value: ({ kind }) => kind, isText: true },
    { title: "run", value: ({ name }) => name, isText: true },
    { title: "error, dex", value: ({ mean_dex }) => withInterval(mean_dex) },
    {
      title: "difference from the first",
      value: ({ difference_dex }) => difference_dex && withInterval(difference_dex),
    },
    { title: "verdict", value: judgement },
    { title: "gas", value: ({ phases_dex }) => phases_dex.gas ?? null },
    { title: "surface", value: ({ phases_dex }) => phases_dex.surface ?? null },
    { title: "bulk", value: ({ phases_dex }) => phases_dex.bulk ?? null },
  ];
  const body = html`<header><h1>${title}</h1>
<p class="muted">${count(runs.length)} runs on the same rows of ${count(tracers)} ${scoredSplit(runs[0]!.provenance)} tracers. Intervals: 95 % of ${count(resamples)} bootstrap resamples
of the tracers, seed ${seed}.</p></header>
<main>
<section><h2 id="in-short">In short</h2>
<ul class="verdicts">${rows.map(sentence)}</ul>
<div class="scroll">${table(columns, rows)}</div>
<p class="muted">Below 0 a run is better than the first one. “Not told apart”: the interval of the difference holds 0, so either run may be the better one.</p></section>
${figureSections(sections)}
<section><h2 id="runs">The runs</h2><dl>${runs.map(
    ({ name, provenance }) =>
      html`<dt>${name}</dt><dd>${provenance.autoencoder.path}${provenance.emulator && `, ${provenance.emulator.path}`}; evaluated ${provenance.created_at}</dd>\n`,
  )}</dl></section>
</main>
<footer>The numbers are in compare.json.</footer>`;
  return page(title, "compare", body);
}

/** How a run does beside the first one. */
function sentence({ kind, name, difference_dex, differs }: Row, index: number, rows: readonly Row[]): Html | null {
  if (difference_dex === null) return null;
  const first = rows.findLast((row, r) => r < index && row.difference_dex === null)!.name;
  if (!differs) return html`<li>${kind}: these tracers do not tell ${name} and ${first} apart.</li>\n`;
  const isBetter = difference_dex.value < 0;
  return html`<li class="${isBetter ? "beats" : "loses"}">${kind}: ${name} is ${isBetter ? "better" : "worse"} than ${first} by
${shortNumber(Math.abs(difference_dex.value))} dex.</li>\n`;
}

function judgement({ difference_dex, differs }: Row): string {
  if (difference_dex === null) return "";
  if (!differs) return "not told apart";
  return difference_dex.value < 0 ? "better" : "worse";
}

function withInterval({ value, low, high }: Interval): string {
  return `${shortNumber(value)} [${shortNumber(low)}, ${shortNumber(high)}]`;
}
