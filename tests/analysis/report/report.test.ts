import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Comparison, Metrics } from "../../../src/analysis/evaluation-types.ts";
import { evaluationPage } from "../../../src/analysis/report/evaluation-page.ts";
import { escapeHtml, html } from "../../../src/analysis/report/html.ts";
import { inlineSvg, shortNumber } from "../../../src/analysis/report/page.ts";
import { writeComparison, writeReport } from "../../../src/analysis/report/write-report.ts";
import { curvesOf } from "../../../src/analysis/tracer-samples.ts";
import { testFolder } from "../../helpers/folder.ts";
import { evaluationFixture } from "../figures/evaluation-fixture.ts";

const folder = testFolder();
const hostile = `</script><script>alert("1")</script><img src=x onerror='alert(2)'>&`;

/** Every text of the page that was put in unescaped would show here. */
function expectHarmless(page: string): void {
  expect(page).not.toContain("<script>alert");
  expect(page).not.toContain("<img");
  // One script of ours; data are none.
  expect(page.match(/<script(?! type="application\/json")/g)).toHaveLength(1);
}

describe("HTML", () => {
  it("escapes what is put in, and keeps what is HTML", () => {
    const inner = html`<b>${"<&>"}</b>`;
    expect(html`${inner}${[1, inner]}${null}${false}${undefined}"${"'"}"`.text).toBe(
      `<b>&lt;&amp;&gt;</b>1<b>&lt;&amp;&gt;</b>"&#39;"`,
    );
    expect(escapeHtml(hostile)).not.toMatch(/[<>"']/);
  });

  it("rounds numbers to three digits", () => {
    expect([0, 1, 9999, 1223745, 0.11941, 12.345, 1e-5, -0.5].map(shortNumber)).toEqual([
      "0",
      "1",
      "9999",
      "1.2e+6",
      "0.119",
      "12.3",
      "1.0e-5",
      "-0.500",
    ]);
  });

  it("makes a drawing's ink the page's, names it, and gives it its share of the width", () => {
    const drawn = inlineSvg(
      '<?xml?><svg width="200"><text fill="#1b1f24">a</text><path stroke="#0072B2"/></svg>',
      '"x"',
    );
    expect(drawn.text).toBe(
      '<svg role="img" aria-label="&quot;x&quot;" style="width: 50%" width="200"><text fill="var(--ink)">a</text><path stroke="#0072B2"/></svg>',
    );
  });
});

describe("a report", () => {
  it("is one page that needs nothing else, with its figures in three formats beside it", async () => {
    const { metrics, samples } = evaluationFixture();
    const { report, figures } = await writeReport(folder, metrics, samples);
    const page = readFileSync(report, "utf8");
    expect(statSync(report).size).toBeLessThan(5e6);
    expect(page).not.toMatch(/src="/);
    for (const [, link] of page.matchAll(/href="(?!#|data:,)([^"]*)"/g))
      expect(existsSync(join(folder, link!)), link).toBe(true);
    expect(page).toContain("default-src &#39;none&#39;");
    for (const sentence of metrics.conclusions) expect(page).toContain(escapeHtml(sentence));
    const names = new Set(readdirSync(figures).map((name) => name.replace(/\.(svg|png|vl\.json)$/, "")));
    expect(readdirSync(figures)).toHaveLength(3 * names.size);
    for (const name of names) expect(page).toContain(`id="figure-${name}"`);
    expect(page.match(/<figure /g)).toHaveLength(names.size);
    for (const name of names) expect(page).toContain(`href="figures/${name}.png"`);
    const spec = JSON.parse(readFileSync(join(figures, "baselines.vl.json"), "utf8"));
    expect(spec).toMatchObject({ $schema: expect.stringContaining("vega-lite"), title: expect.any(String) });
  });

  it("lets its own script run and no other", () => {
    const page = evaluationPage(evaluationFixture().metrics, []);
    const [, script] = /<script>([\s\S]*)<\/script>/.exec(page)!;
    const hash = createHash("sha256").update(script!).digest("base64");
    expect(page).toContain(`script-src &#39;sha256-${hash}&#39;;`);
  });

  it("holds the curves of all species in a bounded part of the page, whatever they are called", () => {
    const { metrics, samples } = evaluationFixture();
    const count = 1000;
    const species = Array.from({ length: count }, (_, s) => ({
      ...metrics.species[0]!,
      name: s === 0 ? hostile : `S${s}`,
    }));
    // As long to write as curves can be: from one end of the range to the other, row by row.
    const scaled = Float32Array.from({ length: 300 * count }, (_, i) => (Math.floor(i / count) % 2 === 0 ? 0.987 : 0));
    const curves = curvesOf(
      { rows: 300, actual: scaled, emulated: null, reconstructed: scaled },
      { surrogate: { species: species.map(({ name }) => name) }, log10_lower: -20, log10_upper: 0 },
    );
    const times_yr = Array.from({ length: 300 }, (_, row) => 100 * row);
    const tracers = Array.from({ length: 3 }, () => ({ ...samples.tracers[0]!, times_yr, curves }));
    const page = evaluationPage({ ...metrics, species }, [], { ...samples, tracers });
    const [, data] = /id="curves-data">([\s\S]*?)<\/script>/.exec(page)!;
    expect(data!.length).toBeLessThan(1.5e6);
    expect(JSON.parse(data!).species[0]).toBe(hostile);
    expectHarmless(page);
  });

  it("stops between figures where it is asked to", async () => {
    const { metrics, samples } = evaluationFixture();
    const stopped = writeReport(join(folder, "stopped"), metrics, samples, AbortSignal.abort(new Error("stop")));
    await expect(stopped).rejects.toThrow("stop");
  });

  it("shows names from files as text", async () => {
    const text = JSON.stringify(evaluationFixture()).replaceAll('"CH4"', JSON.stringify(hostile));
    const { metrics, samples } = JSON.parse(text.replaceAll("sample_collapse_clean", hostile.replaceAll('"', "")));
    const { report } = await writeReport(join(folder, "hostile"), metrics, samples);
    expectHarmless(readFileSync(report, "utf8"));
  });

  it("begins with the error as a factor, and with how many baselines do better", () => {
    const { metrics } = evaluationFixture();
    const emulation = metrics.predictions.emulation!;
    const all = { ...emulation.overall.all, dex: { ...emulation.overall.all.dex, mean: 0.3 } };
    const predictions = { ...metrics.predictions, emulation: { ...emulation, overall: { ...emulation.overall, all } } };
    const page = (beats: readonly boolean[]): string => {
      const verdicts = beats.map((each) => ({
        ...metrics.verdicts[0]!,
        subject: "emulation" as const,
        phase: "all" as const,
        above_floor: false,
        beats: each,
      }));
      return evaluationPage({ ...metrics, predictions, verdicts }, []);
    };
    expect(page([true, false])).toContain(
      "is off by 0.300 dex on average, a factor of 2.0. 1 of 2 baselines, which need no network, do better.</p>",
    );
    expect(page([true, true])).toContain("That beats all 2 baselines.</p>");
    expect(page([false, false])).toContain("All 2 baselines, which need no network, do better.</p>");
  });

  it("says where it is worst, also where all baselines are beaten", () => {
    const { metrics } = evaluationFixture();
    const sentence = "Time: the error is largest at the last step: <b>.";
    const weaknesses = [{ about: "species" as const, worst: [], sentence }];
    const interval = { value: 0.3, low: 0.25, high: 0.35 };
    const page = evaluationPage(
      { ...metrics, weaknesses, intervals: { resamples: 9, dex: { emulation: interval } } },
      [],
    );
    expect(page).toContain("<li><b>Time</b>: the error is largest at the last step: &lt;b&gt;.</li>");
    expect(page).toMatch(/95 % interval over \d+ tracers: 0\.250 to 0\.350/);
    expect(evaluationPage(metrics, [])).not.toContain("Where it is worst");
  });

  it("says which phases are lost", () => {
    const { metrics } = evaluationFixture();
    const page = evaluationPage(metrics, []);
    expect(page).toMatch(/By phase: the emulation in gas, surface and bulk loses to mean trajectory/);
    const winner: Metrics = { ...metrics, verdicts: metrics.verdicts.map((each) => ({ ...each, beats: true })) };
    expect(evaluationPage(winner, [])).not.toContain("By phase");
  });
});

it("a comparison is a page too", async () => {
  const { provenance } = evaluationFixture().metrics;
  const interval = (value: number) => ({ value, low: value - 0.01, high: value + 0.01 });
  const run = (value: number, difference: number | null) => ({
    mean_dex: interval(value),
    mean_relative: interval(value),
    difference_dex: difference === null ? null : interval(difference),
    difference_relative: null,
    differs: difference !== null && Math.abs(difference) > 0.01,
    phases_dex: { gas: value },
  });
  const comparison: Comparison = {
    format: "astrochem-comparison",
    format_version: 1,
    rows_hash: "0",
    tracers: 12,
    resamples: 2000,
    seed: 0,
    runs: [
      { name: hostile, provenance },
      { name: "second", provenance },
      { name: "third", provenance },
    ],
    kinds: [{ kind: "emulation", runs: [run(0.3, null), run(0.2, -0.1), run(0.3, 0)] }],
  };
  const { metrics } = evaluationFixture();
  const runs = comparison.runs.map(({ name }) => ({ name, metrics }));
  const page = readFileSync(await writeComparison(folder, comparison, runs), "utf8");
  expectHarmless(page);
  expect(page).toMatch(/>0\.200 \[0\.190, 0\.210\]<[^>]*><[^>]*>-0\.100 \[-0\.110, -0\.0900\]<[^>]*><[^>]*>better</);
  expect(page).toContain(">not told apart</td>");
  expect(page).toContain("second is better than &lt;/script&gt;");
  expect(page).toContain("these tracers do not tell third and &lt;/script&gt;");
});
