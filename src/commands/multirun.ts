import { readdirSync, rmSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import type { RootName } from "../config/schemas.ts";
import { counted } from "../counted.ts";
import { ConfigError } from "../errors.ts";
import { runFoldersIn } from "../formats/run-folders.ts";
import { findPoints, readPlan, type SweepPlan, sweepPaths, writePlan } from "../sweeps/folder.ts";
import { runLocally } from "../sweeps/local.ts";
import { jobsOf, type PlannedSweep, planSweep } from "../sweeps/plan.ts";
import { kindOf } from "../sweeps/results.ts";
import { queueToGoOn, submitSweep, withQueue } from "../sweeps/slurm.ts";
import type { Command, CommandContext } from "./command.ts";
import { makeFolder, makeFreshFolder } from "./fresh-folder.ts";
import { say } from "./report-lines.ts";
import { collectAndTell, failureOf, labelOf, resumeOf, tellSubmitted } from "./sweep-report.ts";

/**
 * Runs a command for every combination of the values that its overrides sweep over, or takes up a sweep (`--resume`).
 * @param showsConfig print the configuration of the first point, and stop
 * @throws ConfigError; SweepError where points failed
 */
export async function multirun(command: Command, context: CommandContext, showsConfig: boolean): Promise<void> {
  const { resume } = context.args;
  const begun =
    typeof resume === "string" ? takenUp(resume, command.config!.root, context) : begin(command, context, showsConfig);
  if (begun === null) return;
  const { folder, plan, launcher } = begun;
  const place = relative(context.cwd, folder) || folder;
  const queue = launcher.name === "slurm" ? queueToGoOn(folder, plan.points.length, context.env) : null;
  const found = withQueue(findPoints(folder, plan), queue);
  const open = found
    .filter(({ index, stage }) => stage !== "completed" && !queue?.points.has(index))
    .map(({ index }) => index);
  say(context, `sweep ${place}: ${counted(found.length, "point")}, ${open.length} to run`);
  if (launcher.name === "local") await runHere({ folder, plan, launcher }, open, context);
  else if (found.some(({ stage }) => stage !== "completed")) {
    const options = { env: context.env, warn: (line: string): void => say(context, line) };
    const jobs = open.length > 0 ? submitSweep(folder, open, launcher, options) : [];
    return tellSubmitted(folder, jobs, context);
  }
  await collectAndTell(folder, context);
}

async function runHere({ folder, plan, launcher }: Begun, open: readonly number[], context: CommandContext) {
  const { signal, env, cwd } = context;
  const total = plan.points.length;
  let done = total - open.length;
  const ended = (index: number, code: number | null): void => {
    done += 1;
    const how = code === 0 ? "done" : failureOf(folder, index, code, cwd);
    say(context, `${done}/${total} point ${index} (${labelOf(plan.points[index]!.values)}): ${how}`);
  };
  const kind = (index: number): string => kindOf(plan.points[index]!.values);
  const options = { jobs: jobsOf(launcher, open.length), env, signal, ended, kindOf: kind };
  await runLocally(folder, open, options).finally(() => {
    if (signal.aborted) say(context, `go on with: ${resumeOf(folder, plan.command, context)}`);
  });
}

interface Begun {
  readonly folder: string;
  readonly plan: SweepPlan;
  readonly launcher: PlannedSweep["launcher"];
}

/** The folder of a new sweep, with its plan in it; null where only the configuration was asked for. */
function begin({ config }: Command, context: CommandContext, showsConfig: boolean): Begun | null {
  const { command, args, overrides, configDirs, cwd, env, now, stdout } = context;
  const unfit = ["resume-or-fresh", "fresh"].find((name) => args[name] === true);
  if (unfit) throw new ConfigError(`--${unfit} is for one run, not for a sweep`, { fix: "--resume takes up a sweep" });
  const started = now();
  const planned = planSweep(command, { root: config!.root, overrides, configDirs, cwd, env, now: started });
  const { launcher, points, notes, run_dir } = planned;
  for (const note of notes) say(context, note);
  if (showsConfig) {
    for (const { overrides: words } of points) stdout.write(`${words.join(" ")}\n`);
    return null;
  }
  const what = { command, flags: flagsOf(context), launcher, points };
  return { ...newSweep("multirun", started, run_dir, what, context), launcher };
}

/**
 * The folder of a new sweep, below `parent` or as `run_dir` says, with its plan in it.
 * @throws ConfigError where `run_dir` holds something
 */
export function newSweep(
  parent: "multirun" | "tuning",
  started: Date,
  run_dir: string | null,
  { points, ...what }: Pick<PlannedSweep, "points" | "launcher"> & Pick<SweepPlan, "command" | "flags">,
  { cwd, configDirs, commandLine }: CommandContext,
): Pick<Begun, "folder" | "plan"> {
  const folder = run_dir === null ? makeFreshFolder(join(cwd, parent), started) : emptyFolder(resolve(cwd, run_dir));
  const plan: SweepPlan = {
    ...what,
    command_line: ["astrochem", ...commandLine],
    created_at: started.toISOString(),
    cwd,
    config_dirs: configDirs.map((each) => resolve(cwd, each)),
    points: points.map(({ overrides, values }) => ({ overrides: [...overrides], values })),
  };
  writePlan(folder, plan);
  return { folder, plan };
}

/** The flags of each point: those of the sweep that are not the sweep's own. */
function flagsOf({ args, debug }: CommandContext): string[] {
  return Object.entries({ ...args, debug }).flatMap(([name, value]) => {
    if (name === "multirun" || name === "resume") return [];
    if (typeof value === "string" || typeof value === "number") return [`--${name}`, String(value)];
    return value === true ? [`--${name}`] : [];
  });
}

function emptyFolder(folder: string): string {
  makeFolder(folder);
  if (readdirSync(folder).length === 0) return folder;
  throw new ConfigError(`${folder} is not empty`, {
    where: "run_dir",
    fix: `give a folder that is new or empty, or take up what it holds: --resume ${folder}`,
  });
}

/** The sweep that `--resume` names, or the newest of this command. */
function takenUp(resume: string, root: RootName, context: CommandContext): Begun {
  const { command, cwd } = context;
  const folder = resume === "" ? newestSweep(command, join(cwd, "multirun")) : resolve(cwd, resume);
  const plan = readPlan(folder);
  if (plan.command !== command) {
    throw new ConfigError(`that is a sweep of ${plan.command}`, {
      where: folder,
      fix: `astrochem ${plan.command} -m --resume ${resume}`,
    });
  }
  return { folder, ...takenUpPlan(folder, plan, root, context) };
}

/**
 * The plan of a sweep or tuning that goes on, on the launcher that the words choose; neither `sweep cancel` nor its time ends it any more.
 * @throws ConfigError for words of anything but a launcher
 */
export function takenUpPlan(
  folder: string,
  plan: SweepPlan,
  root: RootName,
  { overrides, configDirs, env, now }: CommandContext,
): Pick<Begun, "plan" | "launcher"> {
  const other = overrides.find((text) => !/^\+*launchers?[.@=]/.test(text));
  if (other)
    throw new ConfigError(`a sweep is taken up as it was begun: ${other} cannot change`, {
      fix: "leave it out; launcher=… may change",
    });
  for (const ends of [sweepPaths.cancel, sweepPaths.deadline]) rmSync(ends(folder), { force: true });
  if (overrides.length === 0) return { plan, launcher: plan.launcher };
  const { launcher } = planSweep(plan.command, {
    root,
    overrides: [...plan.points[0]!.overrides, ...overrides],
    configDirs: [...plan.config_dirs, ...configDirs],
    cwd: plan.cwd,
    env,
    now: now(),
  });
  // Whoever looks at the sweep asks the launcher that has it now.
  const changed = { ...plan, launcher };
  writePlan(folder, changed);
  return { plan: changed, launcher };
}

/** @param parent where the sweeps lie, by date and time */
export function newestSweep(command: string, parent: string): string {
  const found = runFoldersIn(parent).find((folder) => {
    try {
      return readPlan(folder).command === command;
    } catch {
      return false;
    }
  });
  if (found !== undefined) return found;
  throw new ConfigError(`no sweep of ${command} is there`, {
    where: parent,
    fix: "give the sweep's folder: --resume DIR",
  });
}
