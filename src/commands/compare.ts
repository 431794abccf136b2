import { existsSync } from "node:fs";
import { join, normalize, relative, resolve, sep } from "node:path";
import { surrogateKinds } from "../analysis/error-types.ts";
import type { Comparison, Interval, Metrics } from "../analysis/evaluation-types.ts";
import { predictionStyles } from "../analysis/figures/prediction-style.ts";
import { resolveIn } from "../config/paths.ts";
import { counted } from "../counted.ts";
import { ConfigError } from "../errors.ts";
import { completedRuns } from "../sweeps/folder.ts";
import { checkOptions } from "./check-options.ts";
import type { Command, CommandContext } from "./command.ts";
import { composeConfig } from "./compose.ts";
import { checkDestination, overwriteOption } from "./destination.ts";
import { printable } from "./printable.ts";
import { forTerminal, say } from "./report-lines.ts";
import { runEvaluation } from "./run-evaluation.ts";
import { labelOf } from "./sweep-report.ts";
import { formatNumber, formatTable } from "./tables.ts";

/** Compares surrogates on the same rows. */
export const compareCommand: Command = {
  describe:
    "Compares two or more surrogates on the same rows: mean errors of each kind of prediction and their differences from the first, " +
    "with 95 % bootstrap intervals over the tracers. Takes evaluations, and weights or trainings, which are evaluated first, on the dataset " +
    "that the overrides choose. Evaluations of different rows are refused. Writes compare.json and compare.html.",
  positionals: {
    runs:
      "run folders of `astrochem evaluate` or their metrics.json; weights, folders of weights, run folders of trainings; sweeps, which " +
      "stand for their points; the first is compared with",
  },
  options: {
    output: { type: "string", describe: "folder to write to (default: the current one)" },
    ...overwriteOption,
    resamples: { type: "number", describe: "bootstrap resamples (default: 2000)" },
    seed: { type: "number", describe: "seed of the bootstrap (default: 0)" },
    ...checkOptions,
  },
  config: { root: "config_evaluate" },
  examples: [
    [
      "astrochem compare outputs/demo outputs/demo",
      "two evaluations: give two that differ; weights are evaluated first",
    ],
    ["astrochem compare outputs/demo outputs/demo --resamples 1000 --json", "fewer resamples, for a script"],
  ],
  async run(context) {
    const { args, cwd, stdout } = context;
    const settings = {
      resamples: wholeNumber(args, "resamples", 2000, 1, mostResamples),
      seed: wholeNumber(args, "seed", 0, 0, 2 ** 32 - 1),
    };
    const runsOfSweeps = (args.runs as readonly string[]).map((path) => ({
      path,
      runs: completedRuns(resolve(cwd, path)),
    }));
    const paths = runsOfSweeps.flatMap(({ path, runs }) => runs?.map((run) => relative(cwd, run.path)) ?? [path]);
    if (paths.length < 2)
      throw new ConfigError("a comparison needs two runs or more", { fix: "astrochem compare RUN RUN" });
    const [{ compareRuns }, { metricsJson }, { writeFileAtomic }] = await Promise.all([
      import("../analysis/compare.ts"),
      import("../analysis/metrics-file.ts"),
      import("../formats/atomic-file.ts"),
    ]);
    const folder = resolve(cwd, typeof args.output === "string" ? args.output : ".");
    const file = join(folder, "compare.json");
    const inputs = paths.map((path) => resolve(cwd, path));
    const overwrite = args.overwrite === true;
    await checkDestination({ path: file, kind: "comparison", inputs, overwrite });
    await checkDestination({ path: join(folder, "compare.html"), kind: "comparisonPage", inputs, overwrite });
    // Points are told apart by what is swept over.
    const labels = runsOfSweeps.flatMap(({ runs }) => runs?.map(({ values }) => labelOf(values)) ?? [null]);
    const names = namesOf(paths).map((name, r) => (labels[r] ? `${name}: ${labels[r]}` : name));
    const evaluations = await evaluationsOf(paths, context);
    const runs = evaluations.map((metrics, r) => ({ name: names[r]!, metrics }));
    const { whileBlocking = (action) => action() } = context;
    const comparison = whileBlocking(() => compareRuns(runs, settings));
    writeFileAtomic(file, metricsJson(comparison));
    const { writeComparison } = await import("../analysis/report/write-report.ts");
    const page = await writeComparison(folder, comparison, runs);
    const text = context.json
      ? JSON.stringify(comparison)
      : `${describeComparison(comparison)}\n\n${relative(cwd, page) || page}`;
    stdout.write(`${context.json ? printable(text) : forTerminal(printable(text), stdout)}\n`);
  },
};

/** The evaluation that each path names; weights are evaluated, each in a run folder of its own. */
async function evaluationsOf(paths: readonly string[], context: CommandContext): Promise<Metrics[]> {
  const { cwd, overrides } = context;
  const { readMetrics } = await import("../analysis/metrics-file.ts");
  const { surrogateFiles, weightsOverrides } = await import("./surrogate-files.ts");
  const { config } = await composeConfig("config_evaluate", context);
  if (config.shards !== null)
    throw new ConfigError("compare evaluates in one process", {
      where: "shards",
      fix: "astrochem evaluate -m shards=…, and give compare what it made",
    });
  const path = (name: string): string => resolveIn(config.working_path, name);
  // The second is where earlier versions put it: it counts by its hash only.
  const usual = [path(config.autoencoder), ...[path("weights/autoencoder.safetensors")].filter(existsSync)];
  // All are looked at before any is evaluated: a mistyped path must not cost minutes.
  const named = paths.map((name) => {
    const path = resolve(cwd, name);
    const isEvaluation = path.endsWith(".json") || existsSync(join(path, "metrics.json"));
    return { name, files: isEvaluation ? null : surrogateFiles(path, usual), path };
  });
  const known = named.map(({ path, files }) => (files ? null : readMetrics(path)));
  const evaluations: Metrics[] = [];
  for (const [k, { name, files }] of named.entries()) {
    const read = known[k];
    if (read) evaluations.push(read);
    if (!files) continue;
    say(context, `evaluating ${name}`);
    const words = [...overrides, ...weightsOverrides(files)];
    const loaded = await composeConfig("config_evaluate", { ...context, overrides: words });
    await runEvaluation(loaded, context, ({ files, folder }) => {
      // As written, with as many digits as the others: what is equal comes out equal.
      evaluations.push(readMetrics(files.metrics));
      say(context, `evaluated in ${folder}`);
    });
    context.signal.throwIfAborted();
  }
  return evaluations;
}

/** The paths without the folders that all of them begin with. */
function namesOf(paths: readonly string[]): readonly string[] {
  const parts = paths.map((path) => normalize(path.replace(/[\\/]metrics\.json$/, "")).split(sep));
  const shortest = Math.min(...parts.map(({ length }) => length));
  let common = 0;
  while (common < shortest - 1 && parts.every((each) => each[common] === parts[0]![common])) common++;
  return parts.map((each) => each.slice(common).join("/"));
}

/** More take memory, and no longer move a 95 % interval. */
const mostResamples = 100_000;

function wholeNumber(
  args: Readonly<Record<string, unknown>>,
  name: string,
  otherwise: number,
  least: number,
  most: number,
): number {
  const value = args[name] ?? otherwise;
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
  throw new ConfigError(`--${name} is ${value}, not a whole number from ${least} to ${most}`, { where: `--${name}` });
}

/** What a person reads: of each kind of prediction a table, and how each run does beside the first. */
function describeComparison({ kinds, runs, tracers, resamples }: Comparison): string {
  // The baselines are the same in all runs, but for those with as many components as latents; compare.json has them.
  const shown = kinds.filter(({ kind }) => surrogateKinds.some((each) => each === kind));
  const names = runs.map(({ name }) => printable(name));
  const sections = shown.map(({ kind, runs: compared }) => {
    const table = formatTable<(typeof compared)[number]>(
      [
        { title: predictionStyles[kind].title, value: (run) => names[compared.indexOf(run)]! },
        { title: "error, dex", value: ({ mean_dex }) => withInterval(mean_dex) },
        { title: "relative, mean", value: ({ mean_relative }) => withInterval(mean_relative) },
      ],
      compared,
    );
    const verdicts = compared.flatMap((run, r) => verdictOf(run, names[r]!, names[0]!) ?? []);
    return [table, ...verdicts].join("\n");
  });
  const note = `[…]: 95 % of ${formatNumber(resamples)} bootstrap resamples of the ${counted(tracers, "tracer")}`;
  return [...sections, note].join("\n\n");
}

function verdictOf(
  { difference_dex, differs }: Comparison["kinds"][number]["runs"][number],
  name: string,
  first: string,
): string | null {
  if (difference_dex === null) return null;
  const verdict = differs ? (difference_dex.value < 0 ? "better" : "worse") : "not told apart";
  return `${name} - ${first}: ${withInterval(difference_dex)} dex, ${verdict}`;
}

function withInterval({ value, low, high }: Interval): string {
  return `${formatNumber(value)} [${formatNumber(low)}, ${formatNumber(high)}]`;
}
