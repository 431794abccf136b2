/**
 * Keeps the page as its server's stream says. Texts from files only ever become text nodes. Places in a run's points are those of `Point`
 * in watched-run.ts.
 */
export const watchScript = String.raw`
const [byId, runs] = [(id) => document.getElementById(id), new Map()];
const [status, body, kindInput, axisInput, filterInput] = [byId("status"), byId("runs").tBodies[0], byId("kind"), byId("axis"), byId("filter")];
let [clockOffset, chosen, isDue, isSorted, connection] = [0, null, false, true, "connecting"];
const duration = (seconds) => {
  const s = Math.round(seconds);
  const two = (value) => String(value).padStart(2, "0");
  return (s >= 3600 ? Math.floor(s / 3600) + ":" : "") + two(Math.floor(s / 60) % 60) + ":" + two(s % 60);
};
const few = (run) => /^\d+$/.test(run.name);
const order = (a, b) => (few(a) && few(b) ? a.name - b.name : b.name.localeCompare(a.name, "en", { numeric: true }));
const charts = [...document.querySelectorAll("[data-chart]")].map((svg) => {
  const chart = { svg, value: Number(svg.dataset.chart), isLog: svg.dataset.log === "1", points: [] };
  pointed(svg, () => chart.points);
  new ResizeObserver(() => later()).observe(svg.parentElement);
  return chart;
});

function update(run) {
  const known = runs.get(run.id);
  const last = known?.points.at(-1)?.[0] ?? 0;
  const points = run.isWhole || !known ? run.points : known.points.concat(run.points.filter((point) => point[0] > last));
  runs.set(run.id, { row: known?.row ?? newRow(run), ...run, points });
}
function newRow(run) {
  const row = document.createElement("tr");
  for (let i = 0; i < 9; i++) row.insertCell();
  row.cells[8].className = "text";
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: run.name });
  row.cells[0].append(Object.assign(document.createElement("span"), { className: "swatch" }), button);
  row.cells[0].dataset.value = run.name;
  row.addEventListener("click", () => { chosen = run.id; later(); });
  body.append(row);
  isSorted = false;
  return row;
}
function fill(cell, text, value) {
  if (cell.textContent !== text) cell.textContent = text;
  cell.dataset.value = value ?? "";
}
const known = (value) => (value === null || value === undefined ? "" : number(value));
const timeLeft = (run) => (run.state !== "running" || run.left === null ? null : Math.max(0, run.left - (Date.now() + clockOffset - run.lastEpoch) / 1000));
function fillRow(run, differing) {
  const { row, state, points, metric } = run;
  const last = points.at(-1);
  const cells = row.cells;
  row.className = run.id === chosen ? "chosen" : "";
  cells[0].querySelector("button").setAttribute("aria-pressed", run.id === chosen);
  cells[0].style.setProperty("--swatch", run.colour ?? "var(--grid)");
  cells[1].className = state;
  fill(cells[1], state);
  cells[1].dataset.value = state;
  fill(cells[2], last ? last[0] + (run.maxEpochs ? "/" + run.maxEpochs : "") : "", last?.[0]);
  fill(cells[3], known(last?.[1]), last?.[1]);
  const error = last?.[metric === "dex" ? 2 : 3];
  const unit = metric === "dex" ? " dex" : "";
  fill(cells[4], error == null ? "" : number(error) + unit, error);
  fill(cells[5], run.best === null ? "" : number(run.best) + unit, run.best);
  fill(cells[6], last?.[5] == null ? "" : Math.round(last[5]) + " " + run.unit, last?.[5]);
  const left = timeLeft(run);
  fill(cells[7], left === null ? "" : duration(left), left);
  fill(cells[8], run.overrides.filter((each) => differing.has(each)).join(" "));
  cells[8].dataset.value = cells[8].textContent;
}

function later() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => { isDue = false; render(); });
}
function render() {
  const all = [...runs.values()].sort(order);
  byId("none").hidden = all.length > 0 || connection === "connecting";
  byId("some").hidden = all.length === 0;
  const counts = ["running", "ended", "interrupted", "failed", "silent"].map((state) => [all.filter((run) => run.state === state).length, state]);
  status.textContent = [counts.filter(([count]) => count > 0).map((each) => each.join(" ")).join(", "), connection].filter(Boolean).join(" · ");
  if (!runs.has(chosen)) chosen = (all.find((run) => run.state === "running") ?? all[0])?.id ?? null;
  if (!isSorted && !byId("runs").querySelector("[aria-sort]")) body.append(...all.map((run) => run.row));
  isSorted = true;
  const word = filterInput.value.trim().toLowerCase();
  for (const run of all) run.row.hidden = ![run.name, run.state, run.command, ...run.overrides].join(" ").toLowerCase().includes(word);
  const kinds = [...new Set(all.filter((run) => run.points.length > 0).map((run) => run.command))];
  if (kinds.join() !== [...kindInput.options].map((option) => option.value).join()) {
    const before = kindInput.value;
    kindInput.replaceChildren(...kinds.map((kind) => new Option(kind, kind, false, kind === before)));
    byId("kinds").hidden = kinds.length < 2;
  }
  const drawn = all.filter((run) => !run.row.hidden && run.command === kindInput.value && run.points.length > 0);
  for (const run of all) run.colour = null;
  drawn.forEach((run, i) => { run.colour = drawn.length <= colours.length ? colours[i] : "var(--accent)"; });
  const times = new Map();
  for (const run of all) for (const each of new Set(run.overrides)) times.set(each, (times.get(each) ?? 0) + 1);
  const differing = new Set([...times].filter(([, count]) => count < all.length).map(([each]) => each));
  for (const run of all) fillRow(run, differing);
  for (const chart of charts) draw(chart, drawn);
  const run = runs.get(chosen);
  if (!run) return;
  byId("chosen").textContent = "Log of " + run.name;
  byId("settings").textContent = [run.command, ...run.overrides].join(" ");
  const text = run.log.join("\n");
  if (byId("log").textContent !== text) byId("log").textContent = text;
}

function draw(chart, drawn) {
  const { svg, value, isLog } = chart;
  const [width, height, left, right, top, bottom] = [svg.clientWidth, svg.clientHeight, 66, 20, 10, 44];
  if (width === 0) return;
  const isMinutes = axisInput.value === "minutes";
  const most = Math.max(20, Math.ceil(20000 / (drawn.length + 1)));
  const lines = drawn.map((run) => {
    const step = Math.ceil(run.points.length / most);
    const shown = run.points.filter((point, i) => (i % step === 0 || i === run.points.length - 1) && point[value] !== null && (!isLog || point[value] > 0));
    return { run, shown, xs: shown.map((point) => (isMinutes ? point[6] / 60 : point[0])), ys: shown.map((point) => (isLog ? Math.log10(point[value]) : point[value])) };
  });
  const [allX, allY] = [lines.flatMap((line) => line.xs), lines.flatMap((line) => line.ys)];
  svg.replaceChildren();
  chart.points = [];
  svg.setAttribute("viewBox", "0 0 " + width + " " + height);
  const text = { fill: "var(--muted)", "font-size": 14 };
  if (allX.length === 0) { addTo(svg, "text", { ...text, x: width / 2, y: height / 2, "text-anchor": "middle" }, "no epoch has ended yet"); return; }
  const extent = (values) => values.reduce(([low, high], each) => [Math.min(low, each), Math.max(high, each)], [Infinity, -Infinity]);
  const [start, end] = isMinutes ? [0, extent(allX)[1]] : [Math.min(1, extent(allX)[0]), Math.max(2, extent(allX)[1])];
  let [low, high] = extent(allY);
  if (!isLog) low = 0;
  const room = (high - low) * 0.05 || 0.05 * Math.abs(high) || 0.1;
  [low, high] = [isLog ? low - room : 0, high + room];
  const x = (at) => left + ((at - start) / (end - start || 1)) * (width - left - right);
  const y = (at) => top + ((high - at) / (high - low)) * (height - top - bottom);
  for (const [at, label] of isLog ? logTicks(low, high) : ticks(low, high, 5).map((tick) => [tick, number(tick)])) {
    addTo(svg, "line", { x1: left, x2: width - right, y1: y(at), y2: y(at), stroke: "var(--grid)" });
    addTo(svg, "text", { ...text, x: left - 6, y: y(at) + 5, "text-anchor": "end" }, label);
  }
  for (const at of ticks(start, end, width < 500 ? 4 : 8).filter((tick) => isMinutes || Number.isInteger(tick)))
    addTo(svg, "text", { ...text, x: x(at), y: height - bottom + 19, "text-anchor": "middle" }, number(at));
  addTo(svg, "text", { ...text, fill: "var(--ink)", x: (left + width - right) / 2, y: height - 5, "text-anchor": "middle" }, isMinutes ? "minutes of training" : "epoch");
  const isCrowded = drawn.length > colours.length;
  for (const { run, shown, xs, ys } of [...lines].sort((a, b) => (a.run.id === chosen) - (b.run.id === chosen))) {
    const isChosen = run.id === chosen;
    const places = xs.map((at, i) => x(at).toFixed(1) + "," + y(ys[i]).toFixed(1));
    const stroke = isChosen && isCrowded ? "var(--ink)" : run.colour;
    /* A line of one point is a dot. */
    addTo(svg, "path", { d: "M" + places.join("L") + (places.length === 1 ? "h0" : ""), fill: "none", stroke, "stroke-linecap": "round", "stroke-width": places.length === 1 ? 6 : isChosen ? 3 : 1.5, "stroke-opacity": isCrowded && !isChosen ? Math.max(0.15, 6 / drawn.length) : 1, "data-run": run.name });
    shown.forEach((point, i) => chart.points.push({ x: x(xs[i]), y: y(ys[i]), text: () => [run.name, "epoch " + point[0] + ", " + duration(point[6]), svg.getAttribute("aria-label") + ": " + number(point[value])] }));
  }
}
const tidy = (value) => number(value).replace(/\.?0*e/, "e");
/* Of an axis of powers: 1, 2, 5 of each decade, powers alone where these are many, round numbers where they are few. */
function logTicks(low, high) {
  const decades = Array.from({ length: Math.floor(high) - Math.floor(low) + 1 }, (_, i) => Math.floor(low) + i);
  const within = (places) => places.filter(([at]) => at >= low && at <= high);
  if (high - low > 2) return within(ticks(low, high, 6).filter(Number.isInteger).map((n) => [n, power(n)]));
  const fine = within(decades.flatMap((n) => [1, 2, 5].map((digit) => [n + Math.log10(digit), tidy(digit * 10 ** n)])));
  return fine.length >= 3 ? fine : ticks(10 ** low, 10 ** high, 5).filter((tick) => tick > 0).map((tick) => [Math.log10(tick), tidy(tick)]);
}

for (const input of [kindInput, axisInput, filterInput]) input.addEventListener("input", later);
setInterval(later, 1000);
const source = new EventSource("events");
const take = (event) => {
  const { now, runs: changed, gone } = JSON.parse(event.data);
  if (event.type === "all") { runs.clear(); body.replaceChildren(); }
  clockOffset = now - Date.now();
  connection = "updated " + new Date(now).toTimeString().slice(0, 8);
  for (const run of changed) update(run);
  for (const id of gone) { runs.get(id)?.row.remove(); runs.delete(id); }
  later();
};
source.addEventListener("all", take);
source.addEventListener("changes", take);
source.addEventListener("end", () => { source.close(); connection = "astrochem watch has ended"; later(); });
source.addEventListener("error", () => { if (source.readyState !== EventSource.CLOSED) connection = "connection lost, trying again"; later(); });
`;
