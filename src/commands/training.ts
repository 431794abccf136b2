import { join, relative } from "node:path";
import { z } from "zod";
import type { ComputeChoice } from "../backend/compute.ts";
import { resolveIn } from "../config/paths.ts";
import type { TrainingRoot } from "../config/schemas.ts";
import { counted } from "../counted.ts";
import type { CachePaths } from "../data/autoencoder-cache.ts";
import { ConfigError } from "../errors.ts";
import { soundFile } from "../formats/checked-content.ts";
import type { AutoencoderJob } from "../training/autoencoder-run.ts";
import type { EmulatorJob } from "../training/emulator-run.ts";
import type { EpochRecord } from "../training/observer.ts";
import type { RunTools, TrainingReport } from "../training/run-tools.ts";
import { strictOption } from "./check-options.ts";
import type { CommandContext, OptionSpec } from "./command.ts";
import { checkDestination, overwriteOption, type WrittenKind } from "./destination.ts";
import { forTerminal } from "./report-lines.ts";
import type { TrainingStart } from "./resume.ts";
import { type Run, withRun } from "./run-folder.ts";
import { observeRun } from "./run-observer.ts";
import { formatNumber } from "./tables.ts";

/** Flags of the training commands. */
export const trainingOptions: Readonly<Record<string, OptionSpec>> = {
  "warm-start": { type: "boolean", describe: "start from the weights at model.pretrained_model_path" },
  resume: {
    type: "string",
    optionalValue: true,
    describe:
      "go on with a run: its folder, or nothing for the newest unfinished one of this configuration; with -m the same of a sweep",
  },
  "pause-after": {
    type: "number",
    describe: "pause after so many epochs in all, as an interruption does: --resume goes on to the same bits",
  },
  strict: strictOption,
  "resume-or-fresh": {
    type: "boolean",
    describe: "as --resume alone, but begin a new run where there is none to go on with: for job scripts",
  },
  ...overwriteOption,
  fresh: { type: "boolean", describe: "start from random weights (the default)" },
};

/** @throws ConfigError for anything but a number of epochs */
function pauseAfter(args: CommandContext["args"]): number | undefined {
  const epochs = args["pause-after"];
  if (epochs === undefined) return undefined;
  if (Number.isSafeInteger(epochs) && Number(epochs) > 0) return Number(epochs);
  throw new ConfigError("--pause-after is no number of epochs", { fix: "give a whole number from 1 on" });
}

/** What a training reads and writes; all paths absolute. */
interface TrainingFiles {
  readonly kind: "autoencoder" | "emulator";
  readonly inputs: readonly string[];
  readonly caches: CachePaths;
}

/** Makes sure that what a training writes may go where it is to go: caches, weights, their log, the latents' range. @throws ConfigError */
export async function checkOutputs(
  job: AutoencoderJob | EmulatorJob,
  { kind, inputs, caches }: TrainingFiles,
  { args }: CommandContext,
): Promise<void> {
  const { weights } = job;
  const check = (path: string, of: WrittenKind): Promise<void> =>
    checkDestination({ path, kind: of, weights, inputs, overwrite: args.overwrite === true });
  if (job.mode !== "train") for (const path of [caches.train, caches.val]) await check(path, "cache");
  if (!job.model.save_model || job.mode === "preprocess") return;
  await check(weights, kind);
  const { epochLogPath } = await import("../training/epoch-log.ts");
  await check(epochLogPath(weights), "epochs");
  if ("latentsMinmax" in job && job.latentsMinmax !== null) await check(job.latentsMinmax, "latentRange");
}

/** Runs a training in a run folder of its own and prints what came of it. */
export async function runTraining(
  { loaded, resumed }: TrainingStart<TrainingRoot>,
  context: CommandContext,
  unit: "rows" | "windows",
  train: (tools: RunTools) => Promise<TrainingReport | null>,
): Promise<void> {
  await withRun(context.command, loaded, context, work, resumed);

  async function work(run: Run): Promise<object> {
    const { config } = loaded;
    const start = resumed?.from ?? null;
    const events = config.logger.tensorboard
      ? new (await import("./tensorboard-log.ts")).TensorBoardLog(run.folder, config, context.now)
      : null;
    const goOn = (epochs: readonly EpochRecord[]): void => {
      run.resume(epochs);
      events?.goOn(epochs.length);
    };
    // Where it begins again, epochs may have been logged before the first checkpoint.
    if (resumed && !start) goOn([]);
    const log = run.tell;
    log(`run folder: ${relative(context.cwd, run.folder) || run.folder}`);
    const [{ chooseEngine }, { engineAsBefore, engineByProbe }, { keepReplaced }] = await Promise.all([
      import("../backend/choose-engine.ts"),
      import("../backend/probe.ts"),
      import("./replaced-weights.ts"),
    ]);
    const before = start && backendBefore(run.folder);
    const fresh = await chooseEngine(config, log);
    const chosen = before === null ? fresh : await engineAsBefore(fresh, before);
    let backend = "";
    const tellBackend = ({ engine, device, threads, reason }: ComputeChoice): void => {
      backend = `${engine} on ${device}, ${counted(threads, "thread")}`;
      run.describeBackend({ name: backend, reason, threads });
    };
    tellBackend(chosen.choice);
    const { model, mode, working_path } = config;
    const isMember = "member" in config && config.member !== null;
    const isKept = model.save_model && mode !== "preprocess" && !isMember;
    const weights = resolveIn(working_path, model.save_model_path);
    const places = { command: context.command, outputs: join(context.cwd, "outputs") };
    const settle = isKept ? keepReplaced(weights, places, log) : () => {};
    const report = await train({
      engine: chosen.engine,
      chooseEngine: chosen.rival && engineByProbe(chosen, tellBackend),
      observer: observeRun(run, context, { unit, maxMinutes: config.model.max_minutes, events }),
      log,
      signal: context.signal,
      strict: context.args.strict === true,
      now: () => context.now().getTime(),
      done: goOn,
      describe: (inputs) => run.writeEnvironment({ inputs }),
      expected: context.repeat?.inputs ?? null,
      maxSteps: context.repeat?.maxSteps,
      pauseAfter: pauseAfter(context.args),
      checkpoints: {
        folder: join(run.folder, "checkpoints"),
        minutes: config.checkpoint_minutes,
        config,
        isWanted: context.takeCheckpointRequest ?? (() => false),
        resumed: start,
      },
    }).finally(settle);
    context.statusLine.clear();
    printReport(report, run, context);
    if (report?.reason === "interrupted") {
      const folder = relative(context.cwd, run.folder) || run.folder;
      run.log.info(`go on with: astrochem ${context.command} --resume ${folder}`);
    }
    return { ...report, backend };
  }
}

/** What computed a run that goes on; null where its environment.json does not tell. */
function backendBefore(folder: string): string | null {
  const schema = z.looseObject({ backend: z.looseObject({ name: z.string() }) });
  return soundFile(schema, join(folder, "environment.json"))?.backend.name ?? null;
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
  const { members, metric, epochs, parameters, reason, weights } = report;
  const shown = (value: number): string =>
    metric === "dex" ? `best mean error ${formatNumber(value)} dex` : `best mean relative error ${formatNumber(value)}`;
  const bestOf = ({ best_metric, best_epoch }: Pick<TrainingReport, "best_metric" | "best_epoch">): string =>
    best_metric === null || best_epoch === null
      ? "no epoch was finished"
      : `${shown(best_metric)} in epoch ${best_epoch + 1}`;
  const best = members ? members.map((member, m) => `member ${m + 1}: ${bestOf(member)}`).join("; ") : bestOf(report);
  const line = `${members ? `${members.length} members, ` : ""}${counted(parameters, "parameter")}, ${counted(epochs, "epoch")}, ended: ${reason}; ${best}`;
  stdout.write(`${forTerminal(line, stdout)}\n`);
  if (weights !== null) stdout.write(`weights: ${relative(cwd, weights) || weights}\n`);
  stdout.write(`run: ${relative(cwd, run.folder) || run.folder}\n`);
}
