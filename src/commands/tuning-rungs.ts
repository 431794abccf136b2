import { join, relative } from "node:path";
import { counted } from "../counted.ts";
import { SweepError } from "../errors.ts";
import { withLock } from "../formats/lock.ts";
import { readState, sweepPaths, whyStopped } from "../sweeps/folder.ts";
import { type Scores, successiveHalving, trialsOfRung } from "../sweeps/halving.ts";
import { runLocally } from "../sweeps/local.ts";
import { jobsOf } from "../sweeps/plan.ts";
import { queueToGoOn, submitSweep } from "../sweeps/slurm.ts";
import {
  epochsUpTo,
  knownCost,
  progressOf,
  readRung,
  scoreOf,
  type Tuning,
  writeCost,
  writeRung,
} from "../sweeps/study.ts";
import type { CommandContext } from "./command.ts";
import { say } from "./report-lines.ts";
import { failureOf, labelOf, resumeOf, tellSubmitted } from "./sweep-report.ts";
import { reportTuning } from "./tune-report.ts";

/** Passes over the trials of a rung: whatever was killed without a word is begun once more. */
const mostTries = 2;

/**
 * Trains and decides rung after rung, until the last one or the end of the time, and tells what came of it. On Slurm a rung is an array:
 * this submits it and ends, and the job behind the array calls this again.
 * @param isTakenUp  somebody called, not that job: trials that failed in a rung that is not decided begin anew
 * @throws SweepError where more trials of a rung failed than it can do without
 */
export async function search(tuning: Tuning, context: CommandContext, isTakenUp: boolean): Promise<void> {
  const { folder, plan, study } = tuning;
  const wait = { log: (line: string) => say(context, line), signal: context.signal };
  const lock = { holder: "another process works on this tuning", ...(!isTakenUp && { wait }) };
  await withLock(join(folder, "tune.lock"), lock, async () => {
    const drawn = plan.points.map((_, trial) => trial).slice(1);
    const facts = [counted(drawn.length, "trial"), counted(study.rungs, "rung")];
    say(context, `tuning ${relative(context.cwd, folder) || folder}: ${facts[0]} and the default, ${facts[1]}`);
    if (isInQueue(tuning, context)) return;
    const goOn = `go on with: ${resumeOf(folder, plan.command, context)}`;
    const train = (alive: readonly number[], rung: number) => trainRung(tuning, { alive, rung, isTakenUp }, context);
    const finalists = await successiveHalving(drawn, study.rungs, train).catch((error: unknown) => {
      if (context.signal.aborted) say(context, goOn);
      throw error;
    });
    const stopped = whyStopped(folder);
    if (finalists === null && stopped === null) return;
    if (finalists === null) say(context, `the tuning is ${stopped}; ${goOn}`);
    reportTuning(tuning, finalists !== null, context);
  });
}

/** Whether Slurm has trials of the tuning: the job behind them goes on. */
function isInQueue({ folder, plan }: Tuning, context: CommandContext): boolean {
  const queue = plan.launcher.name === "slurm" ? queueToGoOn(folder, plan.points.length, context.env) : null;
  if (!queue?.points.size) return false;
  say(context, `${counted(queue.points.size, "trial")} in the queue: the job behind them decides`);
  return true;
}

interface Rung {
  readonly alive: readonly number[];
  readonly rung: number;
  readonly isTakenUp: boolean;
}

/** @returns null where Slurm has the rung now, or the time is over */
async function trainRung(tuning: Tuning, { alive, rung, isTakenUp }: Rung, context: CommandContext) {
  const { folder, plan, study } = tuning;
  const before = readRung(folder, rung);
  if (before.scores) return new Map(before.scores);
  const wanted = rung === 0 ? [0, ...alive] : alive;
  const isDone = (trial: number): boolean => isAtEnd(tuning, trial, rung);
  let [tries, isAnew] = [isTakenUp ? 0 : before.tries, isTakenUp];
  for (; tries < mostTries; isAnew = false) {
    const open = wanted.filter((trial) => !isDone(trial) && (isAnew || !progressOf(folder, trial).hasFailed));
    if (open.length === 0) break;
    if (whyStopped(folder) !== null) return null;
    tries += 1;
    say(context, `rung ${rung + 1} of ${study.rungs}: ${counted(alive.length, "trial")}, ${open.length} to train`);
    writeRung(folder, rung, { ...before, tries });
    const [flags, { env, signal }] = [["--rung", String(rung)], context];
    if (plan.launcher.name === "slurm") {
      const warn = (line: string): void => say(context, line);
      const jobs = submitSweep(folder, open, plan.launcher, {
        env,
        warn,
        flags,
        byHand: resumeOf(folder, plan.command, context),
      });
      tellSubmitted(folder, jobs, context);
      return null;
    }
    const ended = (trial: number): void => say(context, lineOf(tuning, trial, rung, context));
    await runLocally(folder, open, { jobs: jobsOf(plan.launcher, open.length), env, signal, ended, flags });
  }
  const missing = wanted.filter((trial) => !isDone(trial));
  if (missing.length > 0 && whyStopped(folder) !== null) return null;
  return decide(tuning, { alive, rung, wanted, missing }, context);
}

/** Whether a trial has nothing left to do in a rung. */
function isAtEnd({ folder, study }: Tuning, trial: number, rung: number): boolean {
  const epochs = epochsUpTo(study, trial, rung);
  const { isReached, isCompleted, hasDiverged } = progressOf(folder, trial, epochs);
  // The last rung ends as a training does, with all that comes at its end.
  return hasDiverged || (epochs < study.epochs[trial]! ? isReached : isCompleted);
}

function lineOf({ folder, plan, study }: Tuning, trial: number, rung: number, { cwd }: CommandContext): string {
  const { dex, epochs, hasDiverged, hasFailed } = progressOf(folder, trial, epochsUpTo(study, trial, rung));
  const how = hasDiverged
    ? "diverged"
    : hasFailed
      ? `failed, ${failureOf(folder, trial, readState(folder, trial)?.exit_code, cwd)}`
      : `${Number(dex.toPrecision(4))} dex after ${counted(epochs, "epoch")}`;
  return `trial ${trial} (${trial === 0 ? "default" : labelOf(plan.points[trial]!.values)}): ${how}`;
}

interface Trained extends Omit<Rung, "isTakenUp"> {
  readonly wanted: readonly number[];
  /** Those that ended otherwise than a training ends, or diverges. */
  readonly missing: readonly number[];
}

/** The scores of a rung, from now on its own. @throws SweepError where too few trials have one */
async function decide(tuning: Tuning, { alive, rung, wanted, missing }: Trained, context: CommandContext) {
  const { folder, study, plan } = tuning;
  const scores = new Map<number, readonly number[]>();
  const failed = new Set(missing);
  for (const trial of wanted.filter((each) => !failed.has(each))) {
    const { dex, hasDiverged } = progressOf(folder, trial, epochsUpTo(study, trial, rung));
    if (hasDiverged || !Number.isFinite(dex)) failed.add(trial);
    else {
      const cost = study.objective === "dex" ? 0 : await costOf(folder, trial, context.signal);
      if (alive.includes(trial)) scores.set(trial, scoreOf(study.objective, dex, cost));
    }
  }
  const next = rung + 1 < study.rungs ? trialsOfRung(plan.points.length - 1, rung + 1) : 1;
  checkEnough(tuning, missing, scores.size < next, context);
  const entries = [...scores].map(([trial, score]): [number, number[]] => [trial, [...score]]);
  writeRung(folder, rung, { ...readRung(folder, rung), scores: entries, failed: [...failed] });
  return scores as Scores;
}

/** A full disk must not choose: where fewer trials are left than go on, failures end the tuning. @throws SweepError */
function checkEnough(tuning: Tuning, missing: readonly number[], isShort: boolean, context: CommandContext): void {
  if (missing.length === 0) return;
  const { folder, plan } = tuning;
  const logs = missing
    .slice(0, 20)
    .map((trial) => `  trial ${trial}: ${relative(context.cwd, sweepPaths.log(folder, trial))}`);
  const what = [`${counted(missing.length, "trial")} did not end as trainings do`, ...logs].join("\n");
  if (!isShort) say(context, `warning: ${what}\nit goes on without them`);
  else
    throw new SweepError(`${what}\nwithout them there are too few to choose from`, 3, {
      fix: `see the logs; then ${resumeOf(folder, plan.command, context)}`,
    });
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
