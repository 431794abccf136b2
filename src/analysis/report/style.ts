/** The pages' style sheet: light and dark by the reader's setting, narrow and wide, on paper. */
export const style = `
:root { color-scheme: light dark; --ink: #1b1f24; --muted: #5c6670; --grid: #e4e7eb; --surface: #ffffff; --page: #f6f7f9; --accent: #0072b2; --good: #00794f; --bad: #b84400; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --muted: #9aa4af; --grid: #30363d; --surface: #161a1f; --page: #0e1114; --accent: #6cb8ea; --good: #4cc39a; --bad: #ff9459; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
main, header, footer, nav { max-width: 60rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.5rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .35rem; letter-spacing: -.01em; }
h2 { font-size: 1.25rem; margin: 3rem 0 1rem; padding-top: .75rem; border-top: 1px solid var(--grid); }
h3 { font-size: 1rem; margin: 0 0 .35rem; }
p { margin: 0 0 .75rem; max-width: 44rem; }
.muted, figcaption, footer { color: var(--muted); font-size: .9rem; }
nav ol { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; padding: 0; margin: 1rem 0 0; font-size: .92rem; }
a { color: var(--accent); }
.lead { font-size: 1.15rem; line-height: 1.45; }
.verdicts { list-style: none; margin: 0 0 1.5rem; padding: 0; display: grid; gap: .4rem; }
.verdicts li { background: var(--surface); border-left: 4px solid var(--muted); padding: .5rem .8rem; border-radius: 3px; }
.verdicts .beats { border-color: var(--good); } .verdicts .loses { border-color: var(--bad); }
.weaknesses { margin: 0 0 1.5rem; padding-left: 1.1rem; display: grid; gap: .3rem; max-width: 44rem; }
.scroll { overflow-x: auto; background: var(--surface); border: 1px solid var(--grid); border-radius: 6px; margin-bottom: .75rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; text-align: right; vertical-align: baseline; white-space: nowrap; border-bottom: 1px solid var(--grid); }
thead th { white-space: normal; }
/* What a row is about stays in sight where the table is wider than the screen. */
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--surface); }
.text { text-align: left; } td.text { white-space: normal; overflow-wrap: anywhere; min-width: 7.2rem; }
tbody tr:last-child > * { border-bottom: 0; }
thead th { font-weight: 600; color: var(--muted); position: sticky; top: 0; z-index: 1; background: var(--surface); }
thead th:first-child { z-index: 2; }
th button { all: unset; cursor: pointer; } th button:hover { color: var(--accent); } th button:focus-visible { outline: 2px solid var(--accent); }
th[aria-sort=ascending] button::after { content: " \\2191"; } th[aria-sort=descending] button::after { content: " \\2193"; }
.long { max-height: 30rem; overflow-y: auto; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; font-size: .9rem; margin: 0; }
dt { color: var(--muted); } dd { margin: 0; overflow-wrap: anywhere; }
.figures { display: grid; grid-template-columns: minmax(0, 1fr); gap: 1.5rem; }
figure { margin: 0; background: var(--surface); border: 1px solid var(--grid); border-radius: 6px; padding: 1rem; min-width: 0; }
figcaption { margin: .35rem 0 0; max-width: 44rem; }
.plot { overflow-x: auto; } .plot svg { display: block; width: 100%; max-width: 38rem; height: auto; margin: .5rem 0; }
.plot text { font-family: inherit; }
@media (min-width: 60rem) { figure { display: grid; grid-template-columns: minmax(0, 38rem) minmax(0, 1fr); column-gap: 1.5rem; } h3 { grid-column: 1 / -1; } figcaption { margin: .5rem 0; } }
footer { padding-top: 2rem; padding-bottom: 3rem; }
@media (max-width: 40rem) { main, header, footer, nav { padding: 0 .9rem; } figure { padding: .8rem .7rem; } dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; } }
@media print {
  :root { color-scheme: light; --ink: #000; --muted: #444; --grid: #ccc; --surface: #fff; --page: #fff; --accent: #0072b2; --good: #00794f; --bad: #b84400; }
  figure { break-inside: avoid; } h2, h3 { break-after: avoid; } .scroll { overflow: visible; } .long { max-height: none; } nav { display: none; }
}
`;

/** Sorts a table by the column whose heading is pressed; without it the page is complete all the same. */
export const sortScript = `
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const body = table.tBodies[0];
  table.querySelectorAll("thead button").forEach((button, column) => button.addEventListener("click", () => {
    const heading = button.closest("th");
    const down = heading.getAttribute("aria-sort") !== "descending";
    table.querySelectorAll("th").forEach((each) => each.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
    const order = (a, b) => { const [x, y] = [value(a), value(b)]; const d = Number(x) - Number(y); return Number.isNaN(d) ? x.localeCompare(y) : d; };
    body.append(...[...body.rows].sort((a, b) => (down ? order(b, a) : order(a, b))));
  }));
}
`;
