import { existsSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { counted } from "../counted.ts";
import { ConfigError } from "../errors.ts";
import { guarded } from "../formats/atomic-file.ts";
import { type FoundPoint, findPoints, type PointStage, readPlan, sweepPaths } from "../sweeps/folder.ts";
import { cancelJobs, isHeld, type SweepQueue, sweepQueue, withQueue } from "../sweeps/slurm.ts";
import { isStudy, readRung, readStudy } from "../sweeps/study.ts";
import type { Command, CommandContext } from "./command.ts";
import { runPoint } from "./sweep-point.ts";
import { collectAndTell, failureOf, labelOf, resumeOf } from "./sweep-report.ts";

/** Looks at a sweep from anywhere that sees its files. */
export const sweepCommand: Command = {
  describe:
    "Says where a sweep (-m) stands, cancels it, or gathers its results: by its files alone, so on any machine that sees them. " +
    "`run` works on one point; the launchers call it.",
  positionals: {
    action: "status, cancel, collect or run",
    folder: "the sweep's folder: multirun/<date>/<time>",
    point: "of run: the number of the point",
  },
  options: { rung: { type: "number", describe: "of run and collect in a tuning, by the launchers: the rung, from 0" } },
  examples: [
    ['astrochem sweep status "$(ls -d multirun/*/* | tail -1)"', "how many points are done, run, failed, are lost"],
    [
      'astrochem sweep collect "$(ls -d multirun/*/* | tail -1)"',
      "the results so far: sweep.csv, sweep.json, sweep.html",
    ],
  ],
  async run(context) {
    const { args, cwd } = context;
    const folder = resolve(cwd, String(args.folder));
    const action = Object.hasOwn(actions, String(args.action)) ? actions[String(args.action)] : undefined;
    if (!action)
      throw new ConfigError(`sweep cannot ${args.action}`, { fix: `give one of ${Object.keys(actions).join(", ")}` });
    await action(folder, context);
  },
};

const actions: Readonly<Record<string, (folder: string, context: CommandContext) => Promise<void> | void>> = {
  status,
  cancel,
  collect,
  run: (folder, context) => runPoint(folder, Number(context.args.point), context),
};

/** Of a tuning, what its trials have come to; behind a rung on Slurm, which is decided, the next one. */
async function collect(folder: string, context: CommandContext): Promise<void> {
  if (!isStudy(folder)) return collectAndTell(folder, context);
  const tuning = { folder, plan: readPlan(folder), study: readStudy(folder) };
  if (context.args.rung !== undefined) return (await import("./tuning-rungs.ts")).search(tuning, context, false);
  (await import("./tune-report.ts")).reportTuning(tuning, isDecided(folder), context);
}

function status(folder: string, context: CommandContext): void {
  const { stdout, json, cwd, env } = context;
  const plan = readPlan(folder);
  const queue = plan.launcher.name === "slurm" ? sweepQueue(folder, plan.points.length, env) : null;
  const found = withQueue(findPoints(folder, plan), queue);
  if (json) {
    const points = found.map(({ index, stage, state }) => ({
      point: index,
      stage,
      ...state,
      ...(stage === "queued" && { reason: queue!.points.get(index)!.reason }),
      values: plan.points[index]!.values,
    }));
    stdout.write(`${JSON.stringify({ sweep: folder, command: plan.command, points })}\n`);
    return;
  }
  const count = (stage: PointStage): number => found.filter((point) => point.stage === stage).length;
  const stages: PointStage[] = ["completed", "running", "queued", "waiting", "paused", "interrupted", "lost", "failed"];
  const counts = stages.filter((stage) => count(stage) > 0).map((stage) => `${count(stage)} ${stage}`);
  stdout.write(`${counted(found.length, "point")} of ${plan.command}: ${counts.join(", ")}\n`);
  if (queue !== null) {
    const again = resumeOf(folder, plan.command, context);
    for (const line of queueLines(queue, isOpen(folder, found), again)) stdout.write(`${line}\n`);
  }
  if (isStudy(folder)) {
    const { rungs } = readStudy(folder);
    const decided = Array.from({ length: rungs }, (_, rung) => readRung(folder, rung).scores).filter(Boolean).length;
    stdout.write(`a tuning: ${decided} of ${counted(rungs, "rung")} decided\n`);
  }
  for (const { index, stage, state } of found) {
    if (["completed", "waiting", "queued", "paused"].includes(stage)) continue;
    const where = [state?.job && `job ${state.job}`, state && `on ${state.host}`, state && `attempt ${state.attempt}`];
    const code = stage === "failed" ? failureOf(folder, index, state?.exit_code, cwd) : "";
    const facts = [...where, code].filter(Boolean).join(", ");
    stdout.write(`${index}  ${stage}  ${labelOf(plan.points[index]!.values)}  ${facts}\n`);
  }
}

/** What Slurm's queue waits for, a line for each of its reasons, and what it does not do by itself. */
function queueLines({ points, collector }: SweepQueue, isOpen: boolean, again: string): string[] {
  const tasks = [...points.values()];
  const isCollectorHeld = collector !== null && isHeld(collector);
  const reasons = tasks.map(({ reason }) => reason).filter((reason) => reason !== "None");
  const lines = [...new Set(reasons)].map(
    (reason) => `${reasons.filter((each) => each === reason).length} queued: ${reason}`,
  );
  if (isCollectorHeld) lines.push(`the job behind them: ${collector.reason}`);
  if (isCollectorHeld || tasks.some(isHeld))
    lines.push(`Slurm does not begin held tasks by itself; to submit them again: ${again}`);
  else if (tasks.length === 0 && collector === null && isOpen)
    lines.push(`nothing of it is in Slurm's queue; to go on: ${again}`);
  return lines;
}

/** Whether a tuning has come to its end. */
function isDecided(folder: string): boolean {
  return readRung(folder, readStudy(folder).rungs - 1).scores !== null;
}

/** Whether a sweep or tuning has work left that no process does. */
function isOpen(folder: string, found: readonly FoundPoint[]): boolean {
  if (found.some(({ stage }) => stage === "running")) return false;
  if (isStudy(folder)) return !isDecided(folder);
  return found.some(({ stage }) => stage !== "completed") || !existsSync(sweepPaths.results(folder));
}

function cancel(folder: string, { stdout, env }: CommandContext): void {
  const { launcher, points } = readPlan(folder);
  const file = sweepPaths.cancel(folder);
  guarded(file, () => writeFileSync(file, ""));
  // Without Slurm's commands here, its tasks find the file as they begin.
  if (launcher.name === "slurm") cancelJobs(folder, points.length, env);
  stdout.write("cancelled: no point is begun any more, and those that run save their state and end within seconds\n");
}
