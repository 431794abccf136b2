/** The pages' style sheet: light and dark by the reader's setting, narrow and wide, on paper. */
export const style = `
:root { color-scheme: light dark; --ink: #1b1f24; --muted: #5c6670; --grid: #e4e7eb; --surface: #ffffff; --page: #f6f7f9; --accent: #0072b2; --good: #00794f; --bad: #b84400; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --muted: #9aa4af; --grid: #30363d; --surface: #161a1f; --page: #0e1114; --accent: #6cb8ea; --good: #4cc39a; --bad: #ff9459; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
main, header, footer, nav { max-width: 84rem; margin: 0 auto; padding: 0 1.25rem; }
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
.verdicts, .scroll, .wide { max-width: 62rem; }
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
/* Drawings are 400 wide and have letters of 14: those beside each other show them at their own size. */
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); gap: 1.25rem; align-items: start; }
figure { margin: 0; background: var(--surface); border: 1px solid var(--grid); border-radius: 6px; padding: 1rem; min-width: 0; }
figcaption { margin: .35rem 0 0; max-width: 44rem; }
.plot svg { display: block; height: auto; margin: .5rem 0; touch-action: pan-y pinch-zoom; }
.plot text { font-family: inherit; }
.plot svg:focus-visible { outline: 2px solid var(--accent); outline-offset: 4px; }
.files { font-size: .8rem; white-space: nowrap; }
.tip { position: fixed; z-index: 9; max-width: 20rem; pointer-events: none; padding: .35rem .55rem; border-radius: 4px; background: var(--ink); color: var(--surface); font-size: .8rem; line-height: 1.35; overflow-wrap: anywhere; }
.tip div:first-child { font-weight: 600; }
.dot { position: fixed; z-index: 8; width: 11px; height: 11px; margin: -6px; pointer-events: none; border: 2px solid var(--ink); border-radius: 50%; }
[hidden] { display: none !important; }
.tools { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; margin-bottom: .75rem; font-size: .9rem; }
input[list], input[type=search], select, .tools button { font: inherit; color: inherit; background: var(--surface); border: 1px solid var(--muted); border-radius: 4px; padding: .25rem .5rem; max-width: 100%; }
.tools button { cursor: pointer; }
.chips { display: flex; flex-wrap: wrap; gap: .4rem; } .chips button { border-width: 2px; }
.wide { margin-bottom: .75rem; background: var(--surface); border: 1px solid var(--grid); border-radius: 6px; padding: 1rem; } .wide svg { width: 100%; }
footer { padding-top: 2rem; padding-bottom: 3rem; }
@media (max-width: 40rem) {
  main, header, footer, nav { padding: 0 .75rem; } figure, .wide { padding: .8rem .5rem; }
  /* A row is a card, so that the table is whole: each value beside its heading. */
  .cards thead { display: none; } .cards tr, .cards td { display: block; } .cards tr { padding: .5rem 0; border-bottom: 1px solid var(--grid); }
  .cards td, .cards td.text { display: flex; justify-content: space-between; gap: 1rem; border: 0; padding: .1rem .6rem; white-space: normal; text-align: right; }
  .cards td::before { content: attr(data-title); color: var(--muted); flex: none; max-width: 55%; text-align: left; } .cards td:first-child { font-weight: 600; position: static; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; } }
@media print {
  :root { color-scheme: light; --ink: #000; --muted: #444; --grid: #ccc; --surface: #fff; --page: #fff; --accent: #0072b2; --good: #00794f; --bad: #b84400; }
  figure { break-inside: avoid; } h2, h3 { break-after: avoid; } .scroll { overflow: visible; } .long { max-height: none; } nav { display: none; }
}
`;
