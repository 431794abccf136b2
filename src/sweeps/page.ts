import { colours, type Figure, figureSpec, logarithmic, palette, position } from "../analysis/figures/figure.ts";
import { renderSvg } from "../analysis/figures/render.ts";
import { html } from "../analysis/report/html.ts";
import { type Column, count, drawSections, figureSections, page, shortNumber, table } from "../analysis/report/page.ts";
import type { PointResult, SeedGroup, SweepResults } from "./results.ts";

/** More than that nobody looks through; sweep.csv has all. */
const [mostFigures, mostRows] = [12, 1000];

/** sweep.html: what each key does to the objective, seeds apart from what they are seeds of, and every point. */
export async function sweepPage(results: SweepResults): Promise<string> {
  const { command, points, groups, objective, keys } = results;
  const title = `Sweep of ${command}`;
  const figures = objective === null ? [] : figuresOf(results, objective);
  const sections = await drawSections([{ title: "What each key does", figures }], ({ spec }) => renderSvg(spec));
  const columns: Column<PointResult>[] = [
    { title: "point", value: ({ point }) => point },
    ...keys.map((key) => ({ title: key, value: ({ values }: PointResult) => values[key] ?? null, isText: true })),
    { title: "state", value: ({ state }) => state, isText: true },
    ...[...new Set(points.flatMap(({ results: found }) => Object.keys(found)))].map((name) => ({
      title: name,
      value: ({ results: found }: PointResult) => found[name] ?? null,
    })),
  ];
  const ranked = groups.toSorted((a, b) => a.mean - b.mean);
  const best: Column<SeedGroup>[] = [
    { title: "values", value: ({ values }) => labelOf(values), isText: true },
    { title: "runs", value: ({ points: members }) => members.length },
    { title: objective ?? "", value: ({ mean }) => mean },
    {
      title: "95 % over seeds",
      value: ({ low, high }) => (low === null ? "" : `${shortNumber(low)} to ${shortNumber(high!)}`),
    },
  ];
  const completed = points.filter(({ state }) => state === "completed").length;
  const body = html`<header><h1>${title}</h1>
<p class="muted">${count(completed)} of ${count(points.length)} points completed. ${objective && `${objective}: the less, the better.`}</p></header>
<main>
${
  objective &&
  html`<section><h2 id="best">Best first</h2><div class="scroll">${table(best, ranked.slice(0, 50))}</div>
<p class="muted">Intervals: 95 % of Student's t over the seeds; with overlapping intervals either may be the better one.</p></section>`
}
${figures.length > 0 && figureSections(sections)}
<section><h2 id="points">The points</h2><div class="scroll">${table(columns, points.slice(0, mostRows), { sortable: true })}</div></section>
</main>
<footer>All numbers are in sweep.csv and sweep.json.</footer>`;
  return page(title, "sweep", body);
}

/** `model=latent_rnn model.lr=1e-3`, in the order of the keys. */
function labelOf(values: Readonly<Record<string, string>>): string {
  return (
    Object.entries(values)
      .map(([key, value]) => `${key}=${value}`)
      .join(" ") || "all points"
  );
}

/** Small multiples: for each key that is no seed the objective at each of its values, all else told by colour. */
function figuresOf({ groups, points }: SweepResults, objective: string): Figure[] {
  const keys = Object.keys(groups[0]?.values ?? {});
  return (keys.length > 0 ? keys : [null]).slice(0, mostFigures).map((key, k) => {
    const rest = (group: SeedGroup): string =>
      labelOf(Object.fromEntries(Object.entries(group.values).filter(([name]) => name !== key)));
    const names = [...new Set(groups.map(rest))];
    const isColoured = keys.length > 1 && names.length <= palette.length;
    const place = (group: SeedGroup) => ({ value: key === null ? "all" : group.values[key]!, others: rest(group) });
    const scores = groups.flatMap((group) =>
      group.points.map((point) => ({ ...place(group), score: points[point]!.results[objective] as number })),
    );
    const all = scores.map(({ score }) => score);
    const [least, largest] = [Math.min(...all), Math.max(...all)];
    const isLog = least > 0 && largest / least > 20;
    // A logarithmic axis has no 0: an interval that reaches below it ends at the left of all points.
    const shown = (value: number): number => (isLog ? Math.max(value, least / 2) : value);
    const intervals = groups.map((group) => ({
      ...place(group),
      ...{ mean: group.mean, low: shown(group.low ?? group.mean), high: group.high ?? group.mean },
    }));
    const axis = isLog ? logarithmic : position;
    const y = { field: "value", type: "nominal", title: key, sort: null, axis: { labelLimit: 170 } };
    const colour = isColoured
      ? { color: colours("others", names), yOffset: { field: "others", type: "nominal", sort: null } }
      : {};
    const own = isColoured ? {} : { color: palette[0] };
    const values = new Set(scores.map(({ value }) => value)).size;
    return {
      name: `key-${k}`,
      title: key ?? "seeds",
      caption: `${objective} of each point (pale), their mean over the seeds and its 95 % interval.`,
      spec: figureSpec({
        height: Math.max(60, values * (isColoured ? Math.max(34, 14 * names.length) : 34)),
        layer: [
          {
            data: { values: scores },
            mark: { type: "point", filled: true, size: 40, opacity: 0.35, ...own },
            encoding: { y, x: axis("score", objective), ...colour },
          },
          {
            data: { values: intervals },
            mark: { type: "rule", strokeWidth: 2, ...own },
            encoding: { y, x: axis("low", objective), x2: { field: "high" }, ...colour },
          },
          {
            data: { values: intervals },
            mark: { type: "point", filled: true, size: 80, ...own },
            encoding: { y, x: axis("mean", objective), ...colour },
          },
        ],
      }),
    };
  });
}
