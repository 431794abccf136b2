import { join } from "node:path";
import type { ErrorStats, PredictionMetrics } from "../analysis/error-types.ts";
import type { Metrics } from "../analysis/evaluation-types.ts";
import { describeReliability } from "../analysis/reliability.ts";
import { headlineOf } from "../analysis/verdicts.ts";
import { counted } from "../counted.ts";
import type { Command, CommandContext } from "./command.ts";
import { preprocess } from "./preprocess.ts";
import { printable } from "./printable.ts";
import { forTerminal } from "./report-lines.ts";
import { formatNumber, formatTable } from "./tables.ts";
import { trainAutoencoderCommand } from "./train-autoencoder.ts";
import { trainEmulatorCommand } from "./train-emulator.ts";

const folder = "outputs/demo";
/**
 * The training's limits: the whole demo stays under five minutes on two cores, whatever engine computes. To see that everything
 * works, the original's recipe is quicker: its epochs are once through the sample.
 */
const limits = {
  whole: { autoencoder: ["model.max_minutes=1.75"], emulator: ["model.max_minutes=2"] },
  quick: {
    autoencoder: ["recipe=original", "model.max_epochs=3"],
    emulator: ["recipe=original", "model.max_epochs=2"],
  },
};

/** Runs the whole path on the bundled sample. */
export const demo: Command = {
  describe:
    "Runs the whole path on the bundled sample of real chemistry: preprocess, train the autoencoder, train the emulator, " +
    `emulate; then a summary and a report with figures. Takes under 5 minutes and writes to ${folder} only.`,
  positionals: {},
  options: {
    quick: { type: "boolean", describe: "a few epochs only, to see that everything works; the errors stay huge" },
  },
  examples: [
    ["astrochem demo", "under 5 minutes on 2 cores"],
    ["astrochem demo --quick", "a few seconds"],
  ],
  async run(context) {
    const limit = context.args.quick === true ? limits.quick : limits.whole;
    const common = ["dataset=sample", `working_path=${folder}`];
    const steps: [Command, string, string[]][] = [
      [preprocess, "preprocess", common],
      [trainAutoencoderCommand, "train-autoencoder", [...common, "model=autoencoder_sample", ...limit.autoencoder]],
      [trainEmulatorCommand, "train-emulator", [...common, "model=emulator_sample", ...limit.emulator]],
    ];
    for (const [command, name, overrides] of steps) {
      context.stderr.write(`\n${forTerminal(`$ astrochem ${name} ${overrides.join(" ")}`, context.stderr)}\n`);
      // Their results are steps on the way here: with the logs, not on stdout.
      await command.run({ ...context, command: name, overrides, stdout: context.stderr, args: {}, json: false });
      context.signal.throwIfAborted();
    }
    context.stderr.write("\nemulating the validation tracers from their first rows\n");
    const metrics = await evaluateDemo(context);
    if (context.json) context.stdout.write(`${printable(JSON.stringify(demoSummary(metrics)))}\n`);
    else context.stdout.write(`\n${forTerminal(printable(summaryText(metrics)), context.stdout)}\n`);
  },
};

async function evaluateDemo(context: CommandContext): Promise<Metrics> {
  const [{ evaluateSurrogate }, { writeMetrics }, { openEvaluation }, { loadConfig }, { writeReport }] =
    await Promise.all([
      import("../analysis/evaluate.ts"),
      import("../analysis/metrics-file.ts"),
      import("./evaluation-job.ts"),
      import("../config/load.ts"),
      import("../analysis/report/write-report.ts"),
    ]);
  const { cwd, env, now, signal, configDirs } = context;
  const overrides = ["dataset=sample", `working_path=${folder}`, "max_windows=64"];
  const { config } = loadConfig({ root: "config_evaluate", overrides, configDirs, cwd, env, now: now() });
  const log = (message: string): void => void context.stderr.write(`${forTerminal(message, context.stderr)}\n`);
  const { request, training, close } = await openEvaluation(config, undefined, log);
  try {
    const { metrics, samples: found } = await evaluateSurrogate(request, {
      log: (message) => message.startsWith("warning: ") && log(message),
      signal,
      now,
    });
    const samples = { ...found, training };
    context.stderr.write("drawing the report\n");
    writeMetrics(join(cwd, folder), metrics, samples);
    await writeReport(join(cwd, folder), metrics, samples, signal);
    return metrics;
  } finally {
    await close();
  }
}

/** What `--json` prints. */
function demoSummary(metrics: Metrics): object {
  const { predictions, validation, provenance, conclusions, intervals, weaknesses, reliability } = metrics;
  const errors = Object.values(predictions).map(({ kind, overall, over_species, as_trained }) => [
    kind,
    { dex: overall.all.dex, relative: overall.all.relative, over_species, as_trained },
  ]);
  const { backend, emulation_seconds } = provenance;
  return {
    tracers: validation.tracers,
    ...Object.fromEntries(errors),
    intervals,
    conclusions,
    weaknesses,
    ...(reliability && { reliability }),
    emulation_seconds,
    backend,
  };
}

/** What the solver takes for one tracer, in CPU seconds: tuned build, and as shipped. See data/README.md. */
const solverSeconds = { tuned: 47, shipped: "107 to 126" };

/** The summary that a person reads. */
function summaryText(metrics: Metrics): string {
  const { predictions, validation, provenance, conclusions, weaknesses = [], reliability } = metrics;
  const all = predictions as Required<Metrics["predictions"]>;
  const rows: { readonly name: string; readonly errors: ErrorStats; readonly above?: ErrorStats | null }[] = [
    row("surrogate, whole trajectory", all.emulation),
    { name: "surrogate, as many steps as trained for", errors: all.emulation.as_trained! },
    row("autoencoder alone (encode, decode)", all.reconstruction),
    row("no network: nearest physical history", all.nearest_tracer),
    row("no network: mean trajectory", all.mean_trajectory),
    row("no network: nothing changes", all.persistence),
  ];
  const table = formatTable(
    [
      { title: "on the validation tracers", value: ({ name }: (typeof rows)[number]) => name },
      { title: "error, dex", value: ({ errors }) => errors.dex.mean },
      { title: "as a factor", value: ({ errors }) => 10 ** errors.dex.mean },
      { title: "99 % below, dex", value: ({ errors }) => errors.dex.p99 },
      { title: "above 1e-12, dex", value: ({ above }) => above?.dex.mean ?? "" },
    ],
    rows,
  );
  const { tracers } = validation;
  const seconds = provenance.emulation_seconds!;
  const times = formatNumber(Math.round((solverSeconds.tuned * tracers) / seconds));
  return [
    table,
    "",
    headlineOf(metrics),
    ...conclusions,
    ...weaknesses.map(({ sentence }) => sentence),
    ...(reliability ? [describeReliability(reliability)] : []),
    `${counted(tracers, "tracer")} emulated in ${(1000 * seconds).toFixed(0)} ms (${provenance.backend}), ${((1000 * seconds) / tracers).toPrecision(2)} ms each; ` +
      `the solver takes ${solverSeconds.tuned} CPU s each in a tuned build (${times} times as long), ${solverSeconds.shipped} as shipped`,
    `figures: ${folder}/report.html; all numbers: ${folder}/metrics.json`,
    `to use this surrogate: astrochem emulate FILE --weights ${folder}/weights/sample`,
  ].join("\n");
}

function row(
  name: string,
  { overall }: PredictionMetrics,
): { name: string; errors: ErrorStats; above: ErrorStats | null } {
  return { name, errors: overall.all, above: overall.above_floor };
}
