import { html } from "../../analysis/report/html.ts";
import { type PageParts, page, pagePolicy } from "../../analysis/report/page.ts";
import { watchScript } from "./watch-script.ts";

const parts: PageParts = {
  script: watchScript,
  connects: "'self'",
  style: `
main { max-width: 100rem; } header { max-width: 100rem; padding-top: 1.5rem; } h1 { font-size: 1.4rem; overflow-wrap: anywhere; } h2 { margin-top: 2rem; overflow-wrap: anywhere; }
.figures { grid-template-columns: repeat(auto-fill, minmax(min(100%, 30rem), 1fr)); } .plot svg { width: 100%; height: 260px; }
#status { margin: 0; } .tools { margin-top: 1rem; } .long { max-height: 34rem; } .scroll { max-width: none; } td.text { min-width: 14rem; } .lead { margin-top: 2rem; } #filter { width: 15rem; }
td button { all: unset; cursor: pointer; color: var(--accent); overflow-wrap: anywhere; } td button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
tr.chosen > * { background: var(--page); } tr.chosen td:first-child { box-shadow: inset 3px 0 var(--ink); }
.swatch { display: inline-block; width: .7em; height: .7em; border-radius: 2px; margin-right: .45em; background: var(--swatch, var(--grid)); }
.running { color: var(--accent); } .ended { color: var(--good); } .failed { color: var(--bad); } .silent, .interrupted { color: var(--muted); }
pre { margin: 0 0 2rem; padding: .8rem 1rem; background: var(--surface); border: 1px solid var(--grid); border-radius: 6px; font: .82rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace; white-space: pre-wrap; overflow-wrap: anywhere; min-height: 4rem; }
@media (max-width: 40rem) { #runs td:first-child { white-space: normal; min-width: 8rem; } }
`,
};

const charts = [
  { title: "validation error (dex)", value: 2, isLog: true },
  { title: "training loss", value: 1, isLog: true },
  { title: "rows or windows per second", value: 5, isLog: false },
  { title: "learning rate", value: 4, isLog: true },
];
const columns = ["run", "state", "epoch", "training loss", "validation error", "best", "per second", "time left"];

/** The page, which gets all it shows from its server's `events`; and the policy that it is sent with. */
export function watchPage(folders: string): { html: string; policy: string } {
  const headings = columns.map((title) => html`<th scope="col"><button type="button">${title}</button></th>`);
  const body = html`<header><h1>Runs below ${folders}</h1>
<p id="status" class="muted" role="status">connecting</p>
<noscript><p>This page needs JavaScript.</p></noscript></header>
<main>
<p id="none" class="lead" hidden>No run is there yet. This page shows each one as it begins.</p>
<div id="some" hidden>
<div class="tools">
<label>show <input type="search" id="filter" placeholder="a name, setting or state" autocomplete="off"></label>
<label id="kinds" hidden>curves of <select id="kind"></select></label>
<label>against <select id="axis"><option value="epoch">epochs</option><option value="minutes">minutes</option></select></label>
</div>
<div class="figures">${charts.map(
    ({
      title,
      value,
      isLog,
    }) => html`<figure><h3>${title}</h3><div class="plot"><svg role="img" aria-label="${title}" data-chart="${value}" data-log="${isLog ? 1 : ""}"></svg></div></figure>
`,
  )}</div>
<h2>All runs</h2>
<div class="scroll long"><table data-sortable id="runs"><thead><tr>${headings}<th scope="col" class="text">settings that differ</th></tr></thead><tbody></tbody></table></div>
<h2 id="chosen">Log</h2>
<p id="settings" class="muted"></p>
<pre id="log"></pre>
</div></main>`;
  return {
    html: page(`astrochem: ${folders}`, "watch", body, parts),
    policy: `${pagePolicy(parts)}; frame-ancestors 'none'`,
  };
}
