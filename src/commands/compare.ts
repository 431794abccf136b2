import { basename, join, relative, resolve } from "node:path";
import { type Comparison, type Interval, surrogateKinds } from "../analysis/evaluation-types.ts";
import { predictionStyles } from "../analysis/figures/prediction-style.ts";
import { ConfigError } from "../errors.ts";
import type { Command } from "./command.ts";
import { printable } from "./printable.ts";
import { formatNumber, formatTable } from "./tables.ts";

/** Compares evaluations of the same rows. */
export const compareCommand: Command = {
  describe:
    "Compares two or more evaluations of the same rows: mean errors of each kind of prediction and their differences from the first " +
    "run, with 95 % bootstrap intervals over the tracers. Runs evaluated on different rows are refused. Writes compare.json and compare.html.",
  positionals: { runs: "folders of `astrochem evaluate`, or their metrics.json; the first is compared with" },
  options: {
    output: { type: "string", describe: "folder to write to (default: the current one)" },
    resamples: { type: "number", describe: "bootstrap resamples (default: 2000)" },
    seed: { type: "number", describe: "seed of the bootstrap (default: 0)" },
  },
  examples: [
    ["astrochem compare outputs/first outputs/second", "is the second better than the first?"],
    ["astrochem compare outputs/first outputs/second --json", "compare.json on stdout"],
  ],
  async run(context) {
    const { args, cwd, stdout } = context;
    const paths = args.runs as readonly string[];
    const [{ compareRuns }, { metricsJson, readMetrics }, { writeFileAtomic }] = await Promise.all([
      import("../analysis/compare.ts"),
      import("../analysis/metrics-file.ts"),
      import("../formats/atomic-file.ts"),
    ]);
    const names = namesOf(paths);
    const runs = paths.map((path, r) => ({ name: names[r]!, metrics: readMetrics(resolve(cwd, path)) }));
    const comparison = compareRuns(runs, {
      resamples: wholeNumber(args, "resamples", 2000, 1),
      seed: wholeNumber(args, "seed", 0, 0),
    });
    const folder = resolve(cwd, typeof args.output === "string" ? args.output : ".");
    const file = join(folder, "compare.json");
    writeFileAtomic(file, metricsJson(comparison));
    const { writeComparison } = await import("../analysis/report/write-report.ts");
    const page = await writeComparison(folder, comparison);
    const text = context.json
      ? JSON.stringify(comparison)
      : `${describeComparison(comparison)}\n\n${relative(cwd, page) || page}`;
    stdout.write(`${printable(text)}\n`);
  },
};

/** Short names where they tell the runs apart, else the paths. */
function namesOf(paths: readonly string[]): readonly string[] {
  const short = paths.map((path) => basename(path.replace(/[\\/]metrics\.json$/, "")));
  return new Set(short).size === short.length ? short : paths;
}

function wholeNumber(args: Readonly<Record<string, unknown>>, name: string, otherwise: number, least: number): number {
  const value = args[name] ?? otherwise;
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value < 2 ** 32) return value;
  throw new ConfigError(`--${name} is ${value}, not a whole number from ${least} on`, { where: `--${name}` });
}

/** The table that a person reads. */
export function describeComparison({ kinds, runs, tracers, resamples }: Comparison): string {
  // The baselines are the same in all runs, but for those with as many components as latents; compare.json has them.
  const shown = kinds.filter(({ kind }) => surrogateKinds.some((each) => each === kind));
  const rows = shown.flatMap(({ kind, runs: each }) =>
    each.map((run, r) => ({ kind: predictionStyles[kind].title, name: runs[r]!.name, ...run })),
  );
  const table = formatTable<(typeof rows)[number]>(
    [
      { title: `${tracers} tracers`, value: ({ kind }) => kind },
      { title: "run", value: ({ name }) => printable(name) },
      { title: "error, dex", value: ({ mean_dex }) => withInterval(mean_dex) },
      { title: "difference", value: ({ difference_dex }) => (difference_dex ? withInterval(difference_dex) : "") },
      { title: "", value: verdict },
      { title: "relative, mean", value: ({ mean_relative }) => withInterval(mean_relative) },
    ],
    rows,
  );
  return `${table}\n\n[…]: 95 % of ${formatNumber(resamples)} bootstrap resamples of the tracers`;
}

function verdict({ difference_dex, differs }: Comparison["kinds"][number]["runs"][number]): string {
  if (difference_dex === null) return "";
  if (!differs) return "no difference";
  return difference_dex.value < 0 ? "better" : "worse";
}

function withInterval({ value, low, high }: Interval): string {
  return `${formatNumber(value)} [${formatNumber(low)}, ${formatNumber(high)}]`;
}
