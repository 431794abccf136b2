import { join, relative } from "node:path";
import type { LoadedConfig } from "../config/load.ts";
import type { RunTools, TrainingReport } from "../training/run-tools.ts";
import type { CommandContext, OptionSpec } from "./command.ts";
import { type Run, withRun } from "./run-folder.ts";
import { observeRun } from "./run-observer.ts";
import { formatNumber } from "./tables.ts";

/** Flags of the training commands. */
export const trainingOptions: Readonly<Record<string, OptionSpec>> = {
  "warm-start": { type: "boolean", describe: "start from the weights at model.pretrained_model_path" },
  fresh: { type: "boolean", describe: "start from random weights (the default)" },
};

/** Runs a training in a run folder of its own and prints what came of it. */
export async function runTraining(
  loaded: LoadedConfig,
  context: CommandContext,
  unit: "rows" | "windows",
  train: (tools: RunTools) => Promise<TrainingReport | null>,
): Promise<void> {
  await withRun(context.command, loaded, context, async (run) => {
    const { config } = loaded;
    const log = (message: string, details: Record<string, unknown> = {}): void =>
      message.startsWith("warning: ") ? run.log.warn(details, message.slice(9)) : run.log.info(details, message);
    const { chooseEngine } = await import("../backend/choose-engine.ts");
    const { engine, choice } = await chooseEngine(config, log);
    run.describeBackend({
      name: `${choice.engine} on ${choice.device}, ${choice.threads} threads`,
      reason: choice.reason,
    });
    const report = await train({
      engine,
      observer: observeRun(run, context, { unit, maxMinutes: config.model.max_minutes }),
      log,
      signal: context.signal,
      now: () => context.now().getTime(),
      checkpointFolder: join(run.folder, "checkpoints"),
    });
    context.statusLine.clear();
    printReport(report, run, context);
    return report ?? {};
  });
}

function printReport(report: TrainingReport | null, run: Run, { stdout, json, cwd }: CommandContext): void {
  if (json) {
    stdout.write(`${JSON.stringify({ ...report, run: run.folder })}\n`);
    return;
  }
  if (report === null) {
    stdout.write("caches are ready; mode=train trains from them\n");
    return;
  }
  const { best_metric, metric, best_epoch, epochs, parameters, reason, weights } = report;
  const shown = (value: number): string =>
    metric === "dex" ? `best mean error ${formatNumber(value)} dex` : `best mean relative error ${formatNumber(value)}`;
  const best =
    best_metric === null || best_epoch === null
      ? "no epoch was finished"
      : `${shown(best_metric)} in epoch ${best_epoch + 1}`;
  stdout.write(`${formatNumber(parameters)} parameters, ${epochs} epochs, ended: ${reason}; ${best}\n`);
  if (weights !== null) stdout.write(`weights: ${relative(cwd, weights) || weights}\n`);
}
