import { trustSignals } from "../../models/trust.ts";
import { describeChoices } from "../baseline-choices.ts";
import { type ConservationCheck, describeConservation } from "../conservation-check.ts";
import type { PredictionMetrics } from "../error-types.ts";
import type { FileReference, Metrics } from "../evaluation-types.ts";
import { predictionStyles, scoredSplit } from "../figures/prediction-style.ts";
import { percent } from "../plain-numbers.ts";
import { describeReliability, type Reliability } from "../reliability.ts";
import type { EvaluationSamples } from "../sample-types.ts";
import { describeTraining, meanErrors } from "../training-check.ts";
import { headlineOf } from "../verdicts.ts";
import { type Html, html } from "./html.ts";
import {
  anchor,
  type Column,
  contents,
  count,
  type DrawnSection,
  figureSections,
  page,
  shortNumber,
  table,
} from "./page.ts";
import { speciesCurves } from "./species-curves.ts";

/** report.html: the verdict first, then the figures, the species, and where it all comes from. */
export function evaluationPage(
  metrics: Metrics,
  sections: readonly DrawnSection[],
  samples?: EvaluationSamples,
): string {
  const curves = samples && speciesCurves(metrics, samples);
  const { validation, train, species, provenance, latent_dim, scored } = metrics;
  const title = "How good is this surrogate?";
  const titles = [
    "In short",
    ...sections.map((section) => section.title),
    ...(metrics.reliability ? [believing] : []),
    ...(curves ? ["Any species"] : []),
    "Every species",
    "Provenance",
  ];
  const subject = (metrics.predictions.emulation ?? metrics.predictions.reconstruction)!;
  const floor = metrics.floor.toExponential(0);
  const body = html`<header><h1>${title}</h1>
<p class="muted">${count(species.length)} species, ${latent_dim} latents. Judged on ${judged(validation, scored)} of
${count(validation.tracers)} ${scoredSplit(provenance)} tracers, trained on ${count(train.tracers)} others. ${provenance.created_at.slice(0, 10)}</p></header>
${contents(titles)}
<main>
<section><h2 id="in-short">In short</h2>
<p class="lead">${lead(metrics)}</p>
${metrics.reliability && html`<p>${describeReliability(metrics.reliability)}</p>`}
${verdicts(metrics)}
${weaknesses(metrics)}
<div class="scroll">${predictionTable(metrics)}</div>
<p class="muted">Errors in dex are |log10 predicted − log10 true|: 0.3 is a factor of 2. “Above ${floor}” counts larger abundances only.
Relative errors are |predicted − true| / true; a few species near the floor rule their mean. All are weighted by rows.</p>
${training(metrics)}
${conservation(metrics)}</section>
${figureSections(sections, "figures")}
${metrics.reliability && reliabilitySection(metrics.reliability)}
${curves}
<section><h2 id="every-species">Every species</h2>
<p class="muted">${sentence(predictionStyles[subject.kind].label)}. A heading sorts. Bias: log10 predicted − log10 true, below 0 where too little is predicted.</p>
<p class="tools" data-search="species" hidden><label>search <input type="search" autocomplete="off"></label> <output></output></p>
<div class="scroll long" id="species" tabindex="0" role="region" aria-label="every species">${speciesTable(subject)}</div></section>
<section><h2 id="provenance">Provenance</h2>${provenanceList(metrics)}</section>
</main>
<footer>Made by astrochem ${provenance.version}. The figures lie beside this page as SVG, PNG and Vega-Lite, the numbers in metrics.json.</footer>`;
  return page(title, "evaluate", body);
}

const believing = "How far to believe it";

/** What is expected of states beside what came true. */
function reliabilitySection({ bins, curve, level, threshold_dex, large, states, flags }: Reliability): Html {
  const percent = (value: number | null): string => (value === null ? "" : `${(100 * value).toFixed(1)}\u00a0%`);
  const binColumns: Column<Reliability["bins"][number]>[] = [
    { title: "expected error, dex", value: ({ from_dex, to_dex }) => `${from_dex} to ${to_dex ?? "∞"}`, isText: true },
    { title: "states", value: ({ states: own }) => count(own) },
    { title: "mean expected", value: ({ mean_expected_dex }) => mean_expected_dex },
    { title: "mean error", value: ({ mean_error_dex }) => mean_error_dex },
    { title: "off by no more than expected", value: ({ coverage }) => percent(coverage) },
  ];
  const curveColumns: Column<Reliability["curve"][number]>[] = [
    { title: "expected to be off by more than, dex", value: ({ expected_dex }) => expected_dex },
    { title: `of those off by more than ${threshold_dex}`, value: ({ flagged }) => percent(flagged) },
    { title: "of the others", value: ({ false_alarms }) => percent(false_alarms) },
  ];
  const told = trustSignals.filter(({ name }) => (flags[name] ?? 0) > 0);
  const items = told.map(({ name, tells }) => html`<li>${percent(flags[name]!)} ${tells}</li>\n`);
  return html`<section><h2 id="${anchor(believing)}">${believing}</h2>
<p class="muted">Of every state the surrogate says what error to expect, in dex: ${percent(level)} of the states are to be off by no more. The error of a state
is the mean over the species above 1e-12, with the elements kept. ${count(large)} of ${count(states)} states are off by more than ${threshold_dex} dex.</p>
<div class="scroll">${table(binColumns, bins)}</div>
<div class="scroll">${table(curveColumns, curve)}</div>
${items.length > 0 && html`<ul>${items}</ul>`}</section>`;
}

/** Which split they are, what that is worth, and where they are from. */
function scoredFrom(provenance: Metrics["provenance"], file: (reference: FileReference) => string): string {
  const { split = "val", test_dataset } = provenance;
  if (split === "val") return "/val: these chose the epoch that was kept";
  return `/test: these chose nothing${test_dataset === undefined ? "" : `; ${file(test_dataset)}`}`;
}

/** The rows that were scored. */
function judged({ rows }: Metrics["validation"], scored: Metrics["scored"]): string {
  if (scored === undefined || scored.rows === scored.all) return `${count(scored?.all ?? rows)} rows`;
  return `${count(scored.rows)} rows out of ${count(scored.all)}, spread over all steps`;
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function verdicts({ conclusions, verdicts: all }: Metrics): Html {
  const losses = all.filter(({ phase, beats, above_floor }) => phase !== "all" && !above_floor && !beats);
  const items = conclusions.map(
    (text) => html`<li class="${/\bloses\b/.test(text) ? "loses" : "beats"}">${text}</li>\n`,
  );
  return html`<ul class="verdicts">${items}</ul>${losses.length > 0 && html`<p>By phase: ${lossesByBaseline(losses)}.</p>`}`;
}

/** Where it is worst: what a reader has to know before using it there. */
function weaknesses({ weaknesses: list = [] }: Metrics): Html | null {
  if (list.length === 0) return null;
  const items = list.map(({ sentence }) => {
    const [about, ...rest] = sentence.split(": ");
    return html`<li><b>${about}</b>: ${rest.join(": ").replaceAll(" %", "\u00a0%")}</li>\n`;
  });
  return html`<h3>Where it is worst</h3><ul class="weaknesses">${items}</ul>`;
}

/** How the baselines were chosen, and how well the training rows are met. */
function training({ baselines, training_check, predictions }: Metrics): Html {
  const sentences = [
    ...(baselines ? [describeChoices(baselines)] : []),
    ...(training_check ? [describeTraining(training_check, meanErrors(predictions))] : []),
  ];
  const findings = (training_check?.findings ?? []).map((text) => html`<li class="loses">${text}</li>\n`);
  return html`<p class="muted">${sentences.join(" ")}</p>${findings.length > 0 && html`<ul class="verdicts">${findings}</ul>`}`;
}

/** What keeping the totals did to the emulated rows. */
function conservation({ conservation_check: check }: Metrics): Html | null {
  if (!check) return null;
  const columns: Column<ConservationCheck["totals"][number]>[] = [
    { title: "total", value: ({ element }) => element, isText: true },
    { title: "mean, as decoded", value: ({ mean }) => percent(mean.before) },
    { title: "mean, kept", value: ({ mean }) => mean.after.toExponential(1) },
    { title: "worst, as decoded", value: ({ worst }) => percent(worst.before) },
    { title: "worst, kept", value: ({ worst }) => worst.after.toExponential(1) },
  ];
  return html`<h3>Conservation</h3><p>${describeConservation(check)}</p>
<div class="scroll">${table(columns, check.totals)}</div>`;
}

/** What is lost; baselines to which the same phases are lost are named together. */
function lossesByBaseline(losses: Metrics["verdicts"]): string {
  const phasesOf = (subject: string, baseline: string): string =>
    listed(losses.filter((loss) => loss.subject === subject && loss.baseline === baseline).map(({ phase }) => phase));
  const baselines = new Map<string, Set<string>>();
  for (const { subject, baseline } of losses) {
    const clause = `the ${subject} in ${phasesOf(subject, baseline)}`;
    baselines.set(clause, (baselines.get(clause) ?? new Set()).add(predictionStyles[baseline].label));
  }
  return [...baselines].map(([clause, names]) => `${clause} loses to ${listed([...names])}`).join("; ");
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** The verdict in a sentence or two. */
function lead(metrics: Metrics): string {
  const { predictions, verdicts: all } = metrics;
  const subject = predictions.emulation ? "emulation" : "reconstruction";
  const error = headlineOf(metrics);
  const own = all.filter((verdict) => verdict.subject === subject && verdict.phase === "all" && !verdict.above_floor);
  const lost = own.filter(({ beats }) => !beats).length;
  if (own.length === 0) return error;
  if (lost === 0) return `${error} That beats all ${own.length} baselines.`;
  return `${error} ${lost === own.length ? `All ${lost}` : `${lost} of ${own.length}`} baselines, which need no network, do better.`;
}

function predictionTable({ predictions, floor }: Metrics): Html {
  const columns: Column<PredictionMetrics>[] = [
    { title: "prediction", value: ({ kind }) => predictionStyles[kind].label, isText: true },
    { title: "error, dex", value: ({ overall }) => overall.all.dex.mean },
    { title: "99 %", value: ({ overall }) => overall.all.dex.p99 },
    {
      title: `above ${floor.toExponential(0).replace("-", "\u2011")}`,
      value: ({ overall }) => overall.above_floor?.dex.mean ?? null,
    },
    { title: "99 % of these", value: ({ overall }) => overall.above_floor?.dex.p99 ?? null },
    { title: "relative, median", value: ({ overall }) => overall.all.relative.median },
    { title: "relative, mean over species", value: ({ over_species }) => over_species.mean },
    { title: "rows", value: ({ rows }) => count(rows) },
  ];
  return table(columns, Object.values(predictions));
}

function speciesTable({ species }: PredictionMetrics): Html {
  const columns: Column<PredictionMetrics["species"][number]>[] = [
    { title: "species", value: ({ species: name }) => name, isText: true },
    { title: "phase", value: ({ phase }) => phase, isText: true },
    { title: "error, dex", value: ({ all }) => all.dex.mean },
    { title: "median", value: ({ all }) => all.dex.median },
    { title: "99 %", value: ({ all }) => all.dex.p99 },
    { title: "bias, dex", value: ({ bias_dex }) => bias_dex },
    { title: "relative, mean", value: ({ all }) => all.relative.mean },
    { title: "mean log10 abundance", value: ({ mean_log10 }) => mean_log10 },
  ];
  const sorted = [...species].sort((a, b) => b.all.dex.mean - a.all.dex.mean);
  return table(columns, sorted, { sortable: true });
}

function provenanceList({ provenance, windows, window_size, time_step_yr, abundances_clipping }: Metrics): Html {
  const file = ({ path, hash }: { path: string; hash: string }): string => `${path} (sha256 ${hash.slice(0, 16)}…)`;
  const entries: readonly (readonly [string, string | null])[] = [
    ["autoencoder", file(provenance.autoencoder)],
    ["emulator", provenance.emulator && file(provenance.emulator)],
    ["data", file(provenance.dataset)],
    ["scored tracers", scoredFrom(provenance, file)],
    ["rows", `sha256 ${provenance.rows_hash.slice(0, 16)}…`],
    ["windows", windows && `${count(windows.evaluated)} of ${count(windows.all)}, ${window_size} rows each`],
    ["time step", time_step_yr === null ? null : `${shortNumber(time_step_yr)} yr`],
    ["clipping", `${abundances_clipping.lower} to ${abundances_clipping.upper}`],
    ["computed by", `${provenance.backend}, in ${shortNumber(provenance.seconds)} s, seed ${provenance.seed}`],
    ["made", `${provenance.created_at} by astrochem ${provenance.version}`],
  ];
  return html`<dl>${entries.map(([name, value]) => value !== null && html`<dt>${name}</dt><dd>${value}</dd>\n`)}</dl>`;
}
