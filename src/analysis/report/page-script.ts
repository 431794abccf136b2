/**
 * What the pages do where scripts run: values of what is pointed at, or stepped to with the arrow keys; sorting and searching in tables;
 * curves of any species. Texts from files only ever become text nodes. Without it the page is complete but for those curves.
 */
export const pageScript = String.raw`"use strict";
const number = (value) => {
  const size = Math.abs(value);
  if (value === 0 || (Number.isInteger(value) && size < 1e5)) return String(value);
  return size >= 1e5 || size < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(3)));
};

/* Values of a point, in a box beside it. */
const tip = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
tip.setAttribute("role", "status");
const dot = Object.assign(document.createElement("div"), { className: "dot", hidden: true });
document.body.append(tip, dot);
let shown = null;
const hide = () => { tip.hidden = dot.hidden = true; };
const show = (svg, point) => {
  shown = [svg, point];
  const { x, y } = new DOMPoint(point.x, point.y).matrixTransform(svg.getScreenCTM());
  tip.replaceChildren(...point.text().map((line) => Object.assign(document.createElement("div"), { textContent: line })));
  tip.hidden = dot.hidden = false;
  dot.style.left = x + "px"; dot.style.top = y + "px";
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(x + 14, document.documentElement.clientWidth - width - 4)) + "px";
  tip.style.top = (y - height - 12 < 4 ? y + 14 : y - height - 12) + "px";
};
addEventListener("scroll", () => tip.hidden || show(...shown), { passive: true, capture: true });

/* @param pointsOf  gives { x, y, text, width?, height? } in the drawing's own units, in the order of the arrow keys */
function pointed(svg, pointsOf) {
  let at = 0;
  svg.setAttribute("tabindex", "0");
  const move = (event) => {
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    const points = pointsOf();
    let [best, least] = [-1, 30];
    points.forEach((point, i) => {
      const [dx, dy] = [Math.abs(point.x - place.x), Math.abs(point.y - place.y)];
      const distance = Math.hypot(Math.max(0, dx - (point.width ?? 0) / 2), Math.max(0, dy - (point.height ?? 0) / 2));
      if (distance < least) [best, least] = [i, distance];
    });
    if (best < 0) return hide();
    at = best;
    show(svg, points[at]);
  };
  svg.addEventListener("pointermove", move);
  svg.addEventListener("pointerdown", move);
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("blur", hide);
  svg.addEventListener("keydown", (event) => {
    const points = pointsOf();
    const { key } = event;
    if (key === "Escape") hide();
    if (!key.startsWith("Arrow") || points.length === 0) return;
    event.preventDefault();
    const isShown = !tip.hidden;
    at = Math.min(at, points.length - 1);
    if (isShown && key === "ArrowRight") at = Math.min(at + 1, points.length - 1);
    if (isShown && key === "ArrowLeft") at = Math.max(at - 1, 0);
    if (isShown && (key === "ArrowUp" || key === "ArrowDown")) {
      const { x, y } = points[at];
      let least = Infinity;
      points.forEach((point, i) => {
        const dy = key === "ArrowUp" ? y - point.y : point.y - y;
        const distance = dy + 4 * Math.abs(point.x - x);
        if (dy > 0.5 && distance < least) [at, least] = [i, distance];
      });
    }
    show(svg, points[at]);
  });
}

/* What a mark says of itself, "title: value; title: value", numbers rounded; of a line, the values at one of its places. */
const said = (label, values = []) => label.split("; ").map((piece, i) => {
  const cut = piece.indexOf(": ");
  const text = piece.slice(cut + 2).replaceAll("\u2212", "-");
  const value = values[i] ?? (text.trim() === "" || Number.isNaN(Number(text)) ? text : Number(text));
  return (cut > 0 ? piece.slice(0, cut) + ": " : "") + (typeof value === "number" ? number(value) : value);
});
const valueAt = ([isLogarithmic, from, to, fromPx, toPx], px) => {
  const share = (px - fromPx) / (toPx - fromPx);
  return isLogarithmic ? from * (to / from) ** share : from + (to - from) * share;
};
function drawnPoints(svg) {
  const axes = JSON.parse(svg.dataset.axes);
  const home = svg.getScreenCTM().inverse();
  const lines = svg.querySelectorAll(".mark-line > path[aria-label]");
  const points = [];
  const add = (mark, x, y, text, size = {}) => {
    const place = new DOMPoint(x, y).matrixTransform(home.multiply(mark.getScreenCTM()));
    points.push({ x: place.x, y: place.y, text, ...size });
  };
  for (const line of lines) {
    const own = axes[[...line.parentNode.classList].find((name) => name in axes)];
    if (!own) continue;
    for (const [, x, y] of line.getAttribute("d").matchAll(/[ML](-?[\d.e-]+),(-?[\d.e-]+)/g))
      add(line, +x, +y, () => said(line.getAttribute("aria-label"), [valueAt(own[0], +x), valueAt(own[1], +y)]));
  }
  const marks = lines.length > 0 ? ".mark-rect.role-mark > path[aria-label]" : ":is(.mark-rect, .mark-symbol).role-mark > path[aria-label]";
  for (const mark of svg.querySelectorAll(marks)) {
    const { x, y, width, height } = mark.getBBox();
    add(mark, x + width / 2, y + height / 2, () => said(mark.getAttribute("aria-label")), { width, height });
  }
  return points;
}
for (const svg of document.querySelectorAll("figure svg[data-axes]")) {
  let points;
  pointed(svg, () => (points ??= drawnPoints(svg)));
}

/* Drawings. */
const colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31"];
const addTo = (parent, name, attributes, text = "") => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  parent.append(element);
  return element;
};
const power = (n) => (Math.abs(n) <= 3 ? String(Number((10 ** n).toPrecision(1))) : "10" + [...String(n)].map((c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]).join(""));
const ticks = (from, to, most) => {
  const rough = (to - from) / most || 1;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((each) => each * unit >= rough) * unit;
  return Array.from({ length: Math.floor(to / step + 1e-9) - Math.ceil(from / step - 1e-9) + 1 }, (_, i) => (Math.ceil(from / step - 1e-9) + i) * step);
};

/* Tables. */
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
for (const search of document.querySelectorAll("[data-search]")) {
  const rows = [...document.getElementById(search.dataset.search).querySelectorAll("tbody tr")];
  const [input, output] = [search.querySelector("input"), search.querySelector("output")];
  search.hidden = false;
  input.addEventListener("input", () => {
    const word = input.value.trim().toLowerCase();
    for (const row of rows) row.hidden = !row.cells[0].textContent.toLowerCase().includes(word);
    output.textContent = rows.filter((row) => !row.hidden).length + " of " + rows.length;
  });
  input.dispatchEvent(new Event("input"));
}
`;

/** Draws the curves of the species that are picked, of a tracer that is picked. */
export const curvesScript = `
const curves = document.getElementById("curves-data");
if (curves) {
  const { species, tracers, first } = JSON.parse(curves.textContent);
  const form = document.querySelector("[data-curves]");
  const [tracerInput, nameInput] = [form.querySelector("select"), form.querySelector("input[list]")];
  const [logTime, chips, note] = [form.querySelector("input[type=checkbox]"), form.querySelector(".chips"), form.querySelector("output")];
  const svg = form.querySelector("svg");
  let [chosen, points] = [[...first], []];
  form.hidden = false;
  form.previousElementSibling.hidden = true;
  /* Differences of hundredths of a dex. */
  const summed = (differences) => { let sum = 0; return differences.map((each) => (each === null ? null : (sum += each) / 100)); };
  const draw = () => {
    const tracer = tracers[tracerInput.selectedIndex];
    const isLog = logTime.checked;
    const [width, height, left, right, top, bottom] = [svg.clientWidth, svg.clientWidth < 500 ? 280 : 340, 66, 10, 8, 44];
    svg.replaceChildren();
    svg.setAttribute("viewBox", "0 0 " + width + " " + height);
    svg.style.height = height + "px";
    /* A logarithmic axis of time has no start. */
    const times = tracer.kyr.map((each) => (isLog ? (each > 0 ? Math.log10(each) : null) : each));
    const lines = chosen.flatMap((s, i) => ["actual", "predicted"].map((what, w) => ({ s, what, colour: colours[i], values: summed(tracer.curves[s][w]).map((each, row) => (times[row] === null ? null : each)) })));
    const all = lines.flatMap(({ values }) => values.filter((each) => each !== null));
    const [low, high] = all.length > 0 ? [Math.floor(Math.min(...all)), Math.max(Math.floor(Math.min(...all)) + 1, Math.ceil(Math.max(...all)))] : [-20, 0];
    const known = times.filter((each) => each !== null);
    const [start, end] = [Math.min(...known), Math.max(...known)];
    const x = (time) => left + ((time - start) / (end - start || 1)) * (width - left - right);
    const y = (log10) => top + ((high - log10) / (high - low)) * (height - top - bottom);
    const text = { fill: "var(--muted)", "font-size": 14 };
    for (const tick of ticks(low, high, 6).filter(Number.isInteger)) {
      addTo(svg, "line", { x1: left, x2: width - right, y1: y(tick), y2: y(tick), stroke: "var(--grid)" });
      addTo(svg, "text", { ...text, x: left - 6, y: y(tick) + 5, "text-anchor": "end" }, power(tick));
    }
    for (const tick of ticks(start, end, width < 500 ? 4 : 8).filter((each) => !isLog || Number.isInteger(each))) {
      addTo(svg, "line", { x1: x(tick), x2: x(tick), y1: height - bottom, y2: height - bottom + 5, stroke: "var(--muted)" });
      addTo(svg, "text", { ...text, x: x(tick), y: height - bottom + 19, "text-anchor": "middle" }, isLog ? power(tick) : number(tick));
    }
    addTo(svg, "line", { x1: left, x2: width - right, y1: height - bottom, y2: height - bottom, stroke: "var(--muted)" });
    addTo(svg, "text", { ...text, fill: "var(--ink)", x: (left + width - right) / 2, y: height - 5, "text-anchor": "middle" }, "time since the start (kyr)");
    addTo(svg, "text", { ...text, fill: "var(--ink)", x: 0, y: 0, "text-anchor": "middle", transform: "translate(14 " + (height - bottom) / 2 + ") rotate(-90)" }, "abundance");
    points = lines.flatMap(({ s, what, colour, values }) => {
      const own = values.flatMap((value, i) => (value === null ? [] : [{ x: x(times[i]), y: y(value), text: () => [species[s] + ", " + what, "time: " + number(tracer.kyr[i]) + " kyr", "abundance: " + (10 ** value).toExponential(2)] }]));
      if (own.length > 0) addTo(svg, "path", { d: "M" + own.map((each) => each.x.toFixed(1) + "," + each.y.toFixed(1)).join("L"), fill: "none", stroke: colour, "stroke-width": 2, ...(what === "predicted" ? { "stroke-dasharray": "5 4" } : {}) });
      return own;
    });
    chips.replaceChildren(...chosen.map((s, i) => {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: species[s] + " ×", title: "take it away" });
      button.style.borderColor = colours[i];
      button.addEventListener("click", () => { chosen = chosen.filter((each) => each !== s); draw(); nameInput.focus(); });
      return button;
    }));
  };
  const pick = () => {
    const word = nameInput.value.trim();
    const found = species.indexOf(word) >= 0 ? species.indexOf(word) : species.findIndex((name) => name.toLowerCase() === word.toLowerCase());
    if (found < 0) { note.textContent = word === "" ? "" : "no species " + word; return; }
    note.textContent = chosen.length === colours.length && !chosen.includes(found) ? species[chosen[0]] + " makes room" : "";
    if (!chosen.includes(found)) chosen = [...chosen, found].slice(-colours.length);
    nameInput.value = "";
    draw();
  };
  form.addEventListener("submit", (event) => { event.preventDefault(); pick(); });
  /* One chosen from the list is meant; one that is typed may go on. */
  nameInput.addEventListener("input", (event) => { if (event.inputType === "insertReplacementText" || !(event instanceof InputEvent)) pick(); });
  tracerInput.addEventListener("change", draw);
  logTime.addEventListener("change", draw);
  new ResizeObserver(draw).observe(svg.parentElement);
  pointed(svg, () => points);
}
`;
