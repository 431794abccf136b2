import { hostname } from "node:os";
import { printValue } from "../config/override-values.ts";
import { ConfigError, SweepError } from "../errors.ts";
import { type LockOptions, withLock } from "../formats/lock.ts";
import {
  checkpointTime,
  isCompleted,
  type PointState,
  readPlan,
  readState,
  type SweepPlan,
  sweepPaths,
  whyStopped,
  writeState,
} from "../sweeps/folder.ts";
import { epochsUpTo, readStudy } from "../sweeps/study.ts";
import type { CommandContext } from "./command.ts";
import { runLock } from "./fresh-folder.ts";
import { say } from "./report-lines.ts";

/** A point that Slurm queues again and again, and that gets no further, is given up. */
const mostStalled = 5;
const pollStop_ms = 5000;

/**
 * Runs a point of a sweep in this process, unless it is done: one that was cut off goes on from its checkpoint, one that failed begins
 * anew. Where another process works on it, waits and looks again.
 * @throws SweepError with the exit code of the run, where that is not 0
 */
export async function runPoint(folder: string, index: number, context: CommandContext): Promise<void> {
  const plan = readPlan(folder);
  if (plan.points[index] === undefined) {
    throw new ConfigError(`the sweep has no point ${index}`, {
      where: folder,
      fix: `points: 0 to ${plan.points.length - 1}`,
    });
  }
  const lock = {
    holder: `another process works on point ${index}`,
    wait: { log: (line: string) => say(context, line), signal: context.signal },
  };
  const work = () => workOn({ folder, index, plan, lock }, context);
  const code = await withLock(sweepPaths.claim(folder, index), lock, work);
  if (code !== 0) throw new SweepError(`point ${index} ended with exit code ${code}`, code);
}

interface Work {
  readonly folder: string;
  readonly index: number;
  readonly plan: SweepPlan;
  readonly lock: LockOptions;
}

/** @returns the exit code */
async function workOn({ folder, index, plan, lock }: Work, context: CommandContext): Promise<number> {
  const before = readState(folder, index);
  if (isCompleted(folder, index)) {
    // Its process was killed between the run's last word and its own.
    const known = before ?? begun(null, null, context);
    if (known.state !== "completed") writeState(folder, index, { ...known, ...ended("completed", 0, context) });
    return 0;
  }
  const stopped = whyStopped(folder);
  if (stopped !== null) {
    say(context, `the sweep is ${stopped}; --resume takes it up`);
    return 143;
  }
  const state = begun(before, checkpointTime(folder, index), context);
  if (state.stalled >= mostStalled && Number(context.env.SLURM_RESTART_COUNT) > 0) {
    say(
      context,
      `begun ${state.stalled} times without a new checkpoint: raise launcher.time, or lower checkpoint_minutes`,
    );
    writeState(folder, index, { ...state, ...ended("failed", 3, context) });
    return 3;
  }
  writeState(folder, index, state);
  // A node that died held the run's folder, too, and may have touched that lock last.
  if (before !== null) await withLock(runLock(sweepPaths.run(folder, index)), lock, async () => {});
  const code = await whileNotStopped(folder, () =>
    context.runProgram!(
      wordsOf({ folder, index, plan, before }, pauseAfter(folder, index, context.args.rung)),
      plan.cwd,
    ),
  );
  const isDone = isCompleted(folder, index);
  // One that paused has ended well, and goes on later.
  const outcome = isDone ? "completed" : context.signal.aborted || code === 0 ? "interrupted" : "failed";
  writeState(folder, index, { ...state, ...ended(outcome, isDone ? 0 : code, context) });
  return isDone ? 0 : code;
}

/** Epochs after which a trial of a tuning pauses; null where it is trained to its end, as any other point. */
function pauseAfter(folder: string, index: number, rung: unknown): number | null {
  if (typeof rung !== "number") return null;
  const study = readStudy(folder);
  const epochs = epochsUpTo(study, index, rung);
  return epochs < study.epochs[index]! ? epochs : null;
}

/** The command line of a point. */
function wordsOf(
  { folder, index, plan, before }: Pick<Work, "folder" | "index" | "plan"> & { readonly before: PointState | null },
  pauseAfter: number | null,
): string[] {
  const { command, flags, config_dirs, points } = plan;
  // Anew where it failed: whatever it had come to may be why.
  const goesOn = command.startsWith("train-") && before !== null && before.state !== "failed";
  return [
    command,
    ...flags,
    ...config_dirs.flatMap((each) => ["--config-dir", each]),
    ...(goesOn ? ["--resume-or-fresh"] : []),
    ...(pauseAfter === null ? [] : ["--pause-after", String(pauseAfter)]),
    ...points[index]!.overrides,
    `run_dir=${printValue(sweepPaths.run(folder, index))}`,
  ];
}

/** The state of a point that begins, after what is known of its last attempt. */
function begun(before: PointState | null, checkpoint: number | null, { env, now }: CommandContext): PointState {
  const wasCutOff = before?.state === "running" || before?.state === "interrupted";
  const { SLURM_ARRAY_JOB_ID: job, SLURM_ARRAY_TASK_ID: task } = env;
  return {
    state: "running",
    attempt: (before?.attempt ?? 0) + 1,
    job: job === undefined ? null : `${job}_${task}`,
    host: hostname(),
    pid: process.pid,
    started_at: now().toISOString(),
    ended_at: null,
    exit_code: null,
    checkpoint,
    stalled: wasCutOff && before.checkpoint === checkpoint ? before.stalled + 1 : 0,
  };
}

function ended(state: PointState["state"], exit_code: number, { now }: CommandContext) {
  return { state, exit_code, ended_at: now().toISOString() };
}

/** `sweep cancel` and the end of a tuning's time end the run as SIGTERM does. */
async function whileNotStopped<T>(folder: string, action: () => Promise<T>): Promise<T> {
  const poll = setInterval(() => {
    if (whyStopped(folder) === null) return;
    clearInterval(poll);
    process.kill(process.pid, "SIGTERM");
  }, pollStop_ms).unref();
  try {
    return await action();
  } finally {
    clearInterval(poll);
  }
}
