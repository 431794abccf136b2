import { rmSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { loadConfig } from "../config/load.ts";
import type { TrainingRoot } from "../config/schemas.ts";
import { counted } from "../counted.ts";
import { ConfigError, SweepError } from "../errors.ts";
import { withLock } from "../formats/lock.ts";
import { readPlan, sweepPaths } from "../sweeps/folder.ts";
import { epochsOfRung, rungCount, type Scores, successiveHalving } from "../sweeps/halving.ts";
import { runLocally } from "../sweeps/local.ts";
import { jobsOf, planSweep } from "../sweeps/plan.ts";
import { drawTrials } from "../sweeps/space.ts";
import {
  knownCost,
  type Objective,
  progressOf,
  readStudy,
  scoreOf,
  type Tuning,
  writeCost,
  writeStudy,
} from "../sweeps/study.ts";
import { planEpochs, sumOf } from "../training/phase-plan.ts";
import type { CommandContext } from "./command.ts";
import { newestSweep, newSweep } from "./multirun.ts";
import { say } from "./report-lines.ts";
import { labelOf } from "./sweep-report.ts";
import { reportTuning } from "./tune-report.ts";

/** Begins a tuning, or takes one up. @throws ConfigError; SweepError where trials failed otherwise than by diverging */
export async function tune(context: CommandContext): Promise<void> {
  const root = rootOf(context.args.training);
  const { resume, cfg, minutes } = context.args;
  if (minutes !== undefined && !(Number(minutes) > 0))
    throw new ConfigError("--minutes is no time", { fix: "--minutes 30" });
  const tuning = typeof resume === "string" ? takenUp(resume, context) : begin(root, context, cfg !== undefined);
  if (tuning === null) return;
  const lock = { holder: "another process works on this tuning" };
  await withLock(join(tuning.folder, "tune.lock"), lock, () => search(tuning, context));
}

const roots = { "train-autoencoder": "config", "train-emulator": "config_emulator" } as const;

function rootOf(training: unknown): TrainingRoot {
  if (training === "train-autoencoder" || training === "train-emulator") return roots[training];
  throw new ConfigError(`tune cannot run ${training}`, { fix: `give ${Object.keys(roots).join(" or ")}` });
}

/** Draws and composes all trials before the first one runs. Null where only their words were asked for. */
function begin(root: TrainingRoot, context: CommandContext, showsWords: boolean): Tuning | null {
  const { args, overrides, configDirs, cwd, env, now, stdout, debug } = context;
  const [command, started] = [String(args.training), now()];
  const [count, seed] = [wholeOf(args, "trials", 27, 1), wholeOf(args, "seed", 0, 0)];
  const place = { root, configDirs, cwd, env, now: started };
  const planned = planSweep(command, { ...place, overrides }, (words, optionsOf) =>
    drawTrials(words, optionsOf, { count, seed }),
  );
  const { launcher, points, notes, run_dir } = planned;
  if (launcher.name !== "local") {
    throw new ConfigError("tune runs on this machine only", {
      where: "launcher",
      fix: "leave launcher=slurm out, and start it within one job with the cores that it is to use (sbatch --wrap)",
    });
  }
  const fixed = points[0]!.overrides.filter((text) => planned.own.includes(text));
  // Of weights that are thrown away.
  const isSaid = command !== "train-emulator" || fixed.some((text) => text.startsWith("calibrate="));
  const own = isSaid ? [] : ["calibrate=false"];
  const trials = points.map(({ overrides: words, values }) => ({ overrides: [...words, ...own], values }));
  for (const note of notes) say(context, note);
  if (showsWords) {
    for (const { overrides: words } of trials) stdout.write(`${words.join(" ")}\n`);
    return null;
  }
  const epochs = trials.map(({ overrides: words }) => epochsOf(loadConfig({ ...place, overrides: words }).config));
  const rungs = rungCount(trials.length - 1, Math.min(...epochs));
  const what = { command, flags: debug ? ["--debug"] : [], launcher, points: trials };
  const { folder, plan } = newSweep("tuning", started, run_dir, what, context);
  const objective = (args.objective ?? "dex") as Objective;
  writeStudy(folder, { objective, seed, rungs, epochs, fixed });
  return { folder, plan, study: readStudy(folder) };
}

/** @throws ConfigError */
function wholeOf(args: CommandContext["args"], name: string, usual: number, least: number): number {
  const value = args[name] ?? usual;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= least) return value;
  throw new ConfigError(`--${name} is no whole number from ${least} on`, { fix: `--${name} ${usual}` });
}

type TrainingConfig = ReturnType<typeof loadConfig<TrainingRoot>>["config"];

/** Epochs of a whole training. @throws ConfigError where epochs do not end it */
function epochsOf(config: TrainingConfig): number {
  const { model, recipe } = config;
  const planned = planEpochs(
    recipe.phases.map((phase) => phase.epochs),
    model.max_epochs,
  );
  const epochs = model.max_minutes === null ? sumOf(planned) : null;
  if (epochs === null) {
    throw new ConfigError("the trainings of a tuning are ended by epochs, so that the same ones come of it again", {
      where: "model.max_epochs, model.max_minutes",
      fix: "set model.max_epochs=…, and model.max_minutes=null; --minutes bounds the whole tuning",
    });
  }
  if ("members" in config && config.members > 1)
    throw new ConfigError("an ensemble is not tuned as one", { where: "members", fix: "tune with members=1" });
  return epochs;
}

/** The tuning that `--resume` names, or the newest of this training. @throws ConfigError for other words than began it */
function takenUp(resume: string, { args, cwd, overrides }: CommandContext): Tuning {
  const command = String(args.training);
  const folder = resume === "" ? newestSweep(command, join(cwd, "tuning")) : resolve(cwd, resume);
  const plan = readPlan(folder);
  const flag = ["trials", "objective", "seed"].find((name) => args[name] !== undefined);
  const other = plan.command === command ? (overrides[0] ?? (flag && `--${flag}`)) : command;
  if (other) {
    throw new ConfigError(`a tuning is taken up as it was begun: ${other} cannot change`, {
      where: folder,
      fix: `astrochem tune ${plan.command} --resume ${resume}`,
    });
  }
  rmSync(sweepPaths.cancel(folder), { force: true });
  return { folder, plan, study: readStudy(folder) };
}

/** Trains, rung after rung, until the last one or the end of the time, and tells what came of it. */
async function search(tuning: Tuning, context: CommandContext): Promise<void> {
  const { folder, plan, study } = tuning;
  const place = relative(context.cwd, folder) || folder;
  const minutes = context.args.minutes;
  const timeout = new AbortController();
  const timer =
    minutes === undefined ? undefined : setTimeout(() => timeout.abort(), 60_000 * Math.min(Number(minutes), 35_000));
  const signal = AbortSignal.any([context.signal, timeout.signal]);
  const drawn = plan.points.map((_, trial) => trial).slice(1);
  say(context, `tuning ${place}: ${counted(drawn.length, "trial")} and the default, ${counted(study.rungs, "rung")}`);
  let finalists: readonly number[] | null = null;
  try {
    finalists = await successiveHalving(drawn, study.rungs, (alive, rung) =>
      trainRung(tuning, { alive, rung, signal }, context),
    );
  } catch (error) {
    if (context.signal.aborted) say(context, `go on with: astrochem tune ${plan.command} --resume ${place}`);
    if (context.signal.aborted || !timeout.signal.aborted) throw error;
    say(context, `the ${minutes} minutes are over; go on with: astrochem tune ${plan.command} --resume ${place}`);
  } finally {
    clearTimeout(timer);
  }
  reportTuning(tuning, finalists !== null, context);
}

interface Rung {
  readonly alive: readonly number[];
  readonly rung: number;
  readonly signal: AbortSignal;
}

/** The default is trained whole beside the first rung: what is found has to be better than that. */
async function trainRung({ folder, plan, study }: Tuning, { alive, rung, signal }: Rung, context: CommandContext) {
  const { epochs, rungs, objective } = study;
  const upTo = (trial: number): number => (trial === 0 ? epochs[0]! : epochsOfRung(epochs[trial]!, rung, rungs));
  const isDone = (trial: number): boolean => {
    // The last rung ends as a training does, with all that comes at its end.
    const { isReached, isCompleted, hasDiverged } = progressOf(folder, trial, upTo(trial));
    return hasDiverged || (upTo(trial) < epochs[trial]! ? isReached : isCompleted);
  };
  const wanted = rung === 0 ? [0, ...alive] : alive;
  const open = wanted.filter((trial) => !isDone(trial));
  say(context, `rung ${rung + 1} of ${rungs}: ${counted(alive.length, "trial")}, ${open.length} to train`);
  const ended = (trial: number): void => {
    const { dex, epochs: done, hasDiverged } = progressOf(folder, trial, upTo(trial));
    const how = hasDiverged ? "diverged" : `${Number(dex.toPrecision(4))} dex after ${counted(done, "epoch")}`;
    say(context, `trial ${trial} (${trial === 0 ? "default" : labelOf(plan.points[trial]!.values)}): ${how}`);
  };
  const flags = (trial: number): string[] =>
    upTo(trial) < epochs[trial]! ? ["--pause-after", String(upTo(trial))] : [];
  const jobs = jobsOf(plan.launcher, open.length);
  await runLocally(folder, open, { jobs, env: context.env, signal, ended, flags });
  checkDone(
    folder,
    wanted.filter((trial) => !isDone(trial)),
    context,
  );
  const scores = new Map<number, readonly number[]>();
  for (const trial of wanted) {
    const { dex, hasDiverged } = progressOf(folder, trial, upTo(trial));
    if (hasDiverged || !Number.isFinite(dex)) continue;
    const cost = objective === "dex" ? 0 : await costOf(folder, trial, signal);
    if (alive.includes(trial)) scores.set(trial, scoreOf(objective, dex, cost));
  }
  return scores as Scores;
}

async function costOf(folder: string, trial: number, signal: AbortSignal): Promise<number> {
  const known = knownCost(folder, trial);
  if (known !== null) return known;
  signal.throwIfAborted();
  const { measureCost } = await import("./measured-cost.ts");
  const cost = await measureCost(sweepPaths.run(folder, trial));
  writeCost(folder, trial, cost);
  return cost;
}

/** @throws SweepError where trials ended otherwise than a training ends, or diverges */
function checkDone(folder: string, missing: readonly number[], { cwd, args }: CommandContext): void {
  if (missing.length === 0) return;
  const logs = missing.slice(0, 20).map((trial) => `  trial ${trial}: ${relative(cwd, sweepPaths.log(folder, trial))}`);
  throw new SweepError([`${counted(missing.length, "trial")} did not end as trainings do`, ...logs].join("\n"), 3, {
    fix: `see the logs; then astrochem tune ${args.training} --resume ${relative(cwd, folder) || folder}`,
  });
}
