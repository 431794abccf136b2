import type { Metrics } from "../evaluation-types.ts";
import type { EvaluationSamples } from "../sample-types.ts";
import { type Html, html } from "./html.ts";
import { embedded } from "./page.ts";

/** Where curves of any species are drawn, with the data of all of them; null where the samples have none. The script fills it in. */
export function speciesCurves({ species, predictions }: Metrics, { tracers }: EvaluationSamples): Html | null {
  const shown = tracers.flatMap(({ curves, ...tracer }) => (curves ? [{ ...tracer, curves }] : []));
  if (shown.length === 0) return null;
  const names = species.map(({ name }) => name);
  const first = shown[0]!.series.slice(0, 3).map((each) => names.indexOf(each.species));
  const data = {
    species: names,
    first: first.filter((s) => s >= 0),
    tracers: shown.map(({ times_yr, curves: { rows, actual, predicted } }) => ({
      kyr: rows.map((row) => Number((times_yr[row]! / 1000).toPrecision(6))),
      curves: names.map((_, s) => [differences(actual[s]!), differences(predicted[s]!)]),
    })),
  };
  const options = shown.map(
    ({ id, reason, mean_dex }) => html`<option>${id}, predicted ${reason} (${mean_dex.toPrecision(2)} dex)</option>`,
  );
  return html`<section><h2 id="any-species">Any species</h2>
<p class="muted">This part of the page needs JavaScript.</p>
<form data-curves hidden>
<div class="tools"><label>tracer <select>${options}</select></label>
<label>species <input list="species-names" autocomplete="off" spellcheck="false" size="12"></label> <button>add</button>
<datalist id="species-names">${names.map((name) => html`<option value="${name}"></option>`)}</datalist>
<label><input type="checkbox"> logarithmic time</label></div>
<div class="tools"><span class="chips"></span><output></output></div>
<div class="plot wide"><svg role="img" aria-label="abundances of the chosen species against time"></svg></div>
<p class="muted">Solid: the data. Dashed: ${predictions.emulation ? "emulated from the first row alone" : "encoded and decoded"}. Abundances relative to H nuclei, at
${shown[0]!.curves.rows.length} rows of the tracer, closer together at its start, to 0.01 dex. Values: point at a curve, or step with the arrow keys.</p></form>
${embedded("curves-data", data)}</section>`;
}

/** In hundredths, each but the first less the one before: short to write. */
function differences(values: readonly (number | null)[]): (number | null)[] {
  let before = 0;
  return values.map((value) => {
    if (value === null) return null;
    const hundredths = Math.round(value * 100);
    const difference = hundredths - before;
    before = hundredths;
    return difference;
  });
}
