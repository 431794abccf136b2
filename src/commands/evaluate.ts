import { relative } from "node:path";
import { describeChoices } from "../analysis/baseline-choices.ts";
import { describeConservation } from "../analysis/conservation-check.ts";
import type { PredictionMetrics } from "../analysis/error-types.ts";
import type { Metrics } from "../analysis/evaluation-types.ts";
import { predictionStyles, scoredSplit } from "../analysis/figures/prediction-style.ts";
import { describeReliability } from "../analysis/reliability.ts";
import { describeTraining, meanErrors } from "../analysis/training-check.ts";
import { headlineOf } from "../analysis/verdicts.ts";
import { counted } from "../counted.ts";
import { ConfigError } from "../errors.ts";
import { checkOptions } from "./check-options.ts";
import { chosenWeights } from "./chosen-weights.ts";
import type { Command, CommandContext } from "./command.ts";
import { composeReading } from "./old-weights.ts";
import { printable } from "./printable.ts";
import { forTerminal, say } from "./report-lines.ts";
import { runEvaluation } from "./run-evaluation.ts";
import { formatNumber, formatTable } from "./tables.ts";

/** Says how good a surrogate is, and where it fails. */
export const evaluateCommand: Command = {
  describe:
    "Runs the autoencoder and the emulator over the validation tracers (split=test: the test tracers), beside baselines that need no network, and writes what comes " +
    "of it into the run's folder: report.html (opens offline, in any browser), figures/ as SVG, PNG and Vega-Lite, metrics.json, " +
    "metrics.csv per species, samples.json. emulator=null evaluates the autoencoder alone.",
  positionals: {},
  options: {
    weights: {
      type: "string",
      describe:
        "folder with emulator.safetensors and autoencoder.safetensors, the run folder of a training, or a file of weights (default: weights/NAME of the dataset)",
    },
    ...checkOptions,
  },
  config: { root: "config_evaluate" },
  canSweep: true,
  examples: [
    ["astrochem evaluate dataset=sample working_path=outputs/demo", "the demo's surrogate on its validation tracers"],
    [
      "astrochem evaluate dataset=sample working_path=outputs/demo emulator=null 'species=[CO,#H2O]'",
      "the autoencoder alone",
    ],
  ],
  async run(context) {
    const loaded = await composeReading("config_evaluate", await withWeights(context));
    await runEvaluation(loaded, context, ({ metrics, files }) => {
      const text = context.json
        ? JSON.stringify({ ...summaryOf(metrics), ...files })
        : `${describeMetrics(metrics)}\n\n${relative(context.cwd, files.report) || files.report}`;
      context.stdout.write(`${context.json ? printable(text) : forTerminal(printable(text), context.stdout)}\n`);
    });
  },
};

/**
 * `--weights` in the words of the configuration. Weights of an autoencoder are evaluated alone.
 * @throws ConfigError beside overrides that name other weights
 * @throws CheckpointError where there are none, or they are damaged
 */
async function withWeights(context: CommandContext): Promise<CommandContext> {
  const { args, overrides } = context;
  if (typeof args.weights !== "string") return context;
  const other = overrides.find((word) => /^\+*(autoencoder|emulator)=(?!null$)/.test(word));
  if (other !== undefined)
    throw new ConfigError(`--weights has no meaning beside ${other}`, { fix: "leave one of them out" });
  const { autoencoder, emulator } = await chosenWeights(context, "autoencoder");
  const { weightsOverrides } = await import("./surrogate-files.ts");
  const isAlone = emulator === autoencoder;
  if (isAlone && !overrides.includes("emulator=null"))
    say(context, `no emulator in ${args.weights}: evaluating the autoencoder alone`);
  const words = weightsOverrides({ autoencoder, emulator: isAlone ? null : emulator });
  // `emulator=null` comes after them, and wins.
  return { ...context, overrides: [...words, ...overrides] };
}

/** What `--json` prints: the whole is in metrics.json. */
function summaryOf(metrics: Metrics): object {
  const {
    predictions,
    validation,
    conclusions,
    intervals,
    reliability,
    weaknesses,
    training_check,
    conservation_check,
  } = metrics;
  const kinds = Object.values(predictions).map(({ kind, overall, rows, non_finite }) => [
    kind,
    { rows, non_finite, ...overall.all, above_floor: overall.above_floor },
  ]);
  return {
    validation,
    predictions: Object.fromEntries(kinds),
    intervals,
    reliability,
    conclusions,
    weaknesses,
    training_check,
    conservation_check,
  };
}

/** The table that a person reads, and the conclusions. */
function describeMetrics(metrics: Metrics): string {
  const { predictions, validation, scored, windows, conclusions, provenance } = metrics;
  const rows = Object.values(predictions);
  const table = formatTable<PredictionMetrics>(
    [
      {
        title: counted(validation.tracers, `${scoredSplit(provenance)} tracer`),
        value: ({ kind }) => predictionStyles[kind].title,
      },
      { title: "error, dex", value: ({ overall }) => overall.all.dex.mean },
      { title: "above 1e-12, dex", value: ({ overall }) => overall.above_floor?.dex.mean ?? "" },
      { title: "99 % below, dex", value: ({ overall }) => overall.all.dex.p99 },
      { title: "relative, median", value: ({ overall }) => overall.all.relative.median },
      { title: "relative, mean", value: ({ overall }) => overall.all.relative.mean },
    ],
    rows,
  );
  const sample = [
    sampled("rows", scored?.rows, scored?.all, "max_rows"),
    sampled("windows", windows?.evaluated, windows?.all, "max_windows"),
  ].flatMap((text) => (text === null ? [] : [`${text}, drawn with seed ${provenance.seed}`]));
  if (scored && scored.rows === scored.all) sample.unshift(`rows: all ${formatNumber(scored.all)}`);
  const kept = metrics.conservation_check ? [describeConservation(metrics.conservation_check)] : [];
  const worst = metrics.weaknesses ?? [];
  const weak = worst.length > 0 ? ["", "Where it is worst", ...worst.map(({ sentence }) => sentence)] : [];
  const trust = metrics.reliability ? [describeReliability(metrics.reliability)] : [];
  return [
    table,
    ...sample,
    "",
    headlineOf(metrics),
    ...trust,
    ...conclusions,
    ...kept,
    ...weak,
    "",
    ...trainingLines(metrics),
  ].join("\n");
}

/** How the baselines were chosen, and how training rows are met. */
function trainingLines({ baselines, training_check, predictions }: Metrics): string[] {
  return [
    ...(baselines ? [describeChoices(baselines)] : []),
    ...(training_check ? [describeTraining(training_check, meanErrors(predictions)), ...training_check.findings] : []),
  ];
}

/** How many were evaluated of how many; null where all were. */
function sampled(what: string, some: number | undefined, all: number | undefined, key: string): string | null {
  if (some === undefined || all === undefined || some === all) return null;
  return `${what}: ${formatNumber(some)} of ${formatNumber(all)} (${key}=null takes all)`;
}
