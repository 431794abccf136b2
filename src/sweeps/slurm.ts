import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { shellWord } from "../analysis/inspection/shell-word.ts";
import type { SlurmConfig } from "../config/schema-launcher.ts";
import { ConfigError, DataError } from "../errors.ts";
import { guarded, writeFileAtomic } from "../formats/atomic-file.ts";
import type { FoundPoint } from "./folder.ts";
import { programWords } from "./local.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** How the jobs of a sweep are called, on every machine; behind it stands the point that is an array's task 0. */
function jobName(folder: string): string {
  return `astrochem-${createHash("sha256").update(folder).digest("hex").slice(0, 8)}`;
}

/** What one of Slurm's programs prints. @throws ConfigError where it is not there; DataError where it refuses */
function slurm(program: string, words: readonly string[], env: Env): string {
  try {
    return execFileSync(program, words, { env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
  } catch (cause) {
    const { code, stderr } = cause as NodeJS.ErrnoException & { stderr?: string };
    if (code === "ENOENT") {
      const fix = "go where Slurm's commands are, to a login node, or take launcher=local";
      throw new ConfigError(`there is no ${program} here`, { where: "launcher", fix, cause });
    }
    const fix = "change launcher.partition, .account, .time and the like";
    throw new DataError(`${program}: ${stderr?.trim() || (cause as Error).message}`, { where: "launcher", fix, cause });
  }
}

interface SubmitOptions {
  readonly env: Env;
  readonly warn: (line: string) => void;
  readonly flags?: readonly string[];
  /** The command that does what the job behind the array does. */
  readonly byHand?: string;
}

/**
 * Submits points as one array, or as several where Slurm takes none so long, and a job behind them that collects the results.
 * @param flags  of `sweep run` and `sweep collect`; absent: none
 * @returns the jobs' numbers
 * @throws ConfigError, DataError where Slurm does not take all; what it took is in its queue, and `--resume` leaves that there
 */
export function submitSweep(
  folder: string,
  points: readonly number[],
  launcher: SlurmConfig,
  { env, warn, flags = [], byHand = "astrochem sweep collect" }: SubmitOptions,
): string[] {
  guarded(folder, () => mkdirSync(join(folder, "logs"), { recursive: true }));
  const script = join(folder, "slurm.sh");
  writeFileAtomic(script, scriptOf(folder, launcher));
  const submit = (argument: string, ...words: string[]): string => {
    const name = `--job-name=${jobName(folder)}-${argument}`;
    const said = slurm("sbatch", ["--parsable", name, ...words, script, argument, ...flags], env);
    const id = /^(\d+)(?:;\S+)?$/.exec(said.split("\n").at(-1)!)?.[1];
    if (id !== undefined) return id;
    throw new DataError(`sbatch told no job's number: ${said.slice(0, 200)}`, { where: script });
  };
  const longest = longestArray(env);
  const first = (index: number): number => index - (index % longest);
  const jobs: string[] = [];
  for (const offset of new Set(points.map(first))) {
    const tasks = points.filter((index) => first(index) === offset).map((index) => index - offset);
    const atOnce = launcher.jobs === null ? "" : `%${launcher.jobs}`;
    // One after the other, or there would be more at once.
    const after = jobs.length > 0 && launcher.jobs !== null ? [`--dependency=afterany:${jobs.at(-1)}`] : [];
    jobs.push(submit(String(offset), `--array=${ranges(tasks)}${atOnce}`, ...after));
  }
  try {
    // Of failed points, too, there is something to tell.
    submit("collect", `--dependency=afterany:${jobs.join(":")}`);
  } catch (error) {
    warn(`warning: no job collects the results; ${byHand} does: ${(error as Error).message}`);
  }
  return jobs;
}

/** Tasks of an array at most. Clusters that do not tell have Slurm's default. */
function longestArray(env: Env): number {
  try {
    return Number(/MaxArraySize\s*=\s*(\d+)/.exec(slurm("scontrol", ["show", "config"], env))?.[1] ?? 1001) - 1;
  } catch {
    return 1000;
  }
}

/** `0-3,7` */
function ranges(numbers: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const n of numbers) {
    if (runs.at(-1)?.[1] === n - 1) runs.at(-1)![1] = n;
    else runs.push([n, n]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(",");
}

/**
 * The batch script of all jobs of a sweep. Before the time limit Slurm signals the shell alone, which ends the run as a user would: it
 * saves its checkpoint. Then the task goes back into the queue, and goes on from there. Any other signal reaches all processes anyway.
 */
function scriptOf(folder: string, launcher: SlurmConfig): string {
  const { time, partition, account, qos, mem, cpus, lines, signal_seconds } = launcher;
  const given = Object.entries({ time, partition, account, qos, mem }).filter(([, value]) => value !== null);
  const directives = [
    ...[`output=${join(folder, "logs", "slurm-%A.log")}`, "open-mode=append", "requeue", "nodes=1", "ntasks=1"],
    ...[`cpus-per-task=${cpus}`, `signal=B:USR1@${signal_seconds}`],
    ...given.map(([name, value]) => `${name}=${value}`),
  ].map((text) => `#SBATCH --${text.replaceAll(" ", "\\ ")}`);
  const [own, commands] = [true, false].map((is) => lines.filter((line) => line.startsWith("#SBATCH") === is));
  const sweep = [...programWords(), "sweep"].map(shellWord).join(" ");
  const place = shellWord(folder);
  return `#!/bin/bash
${[...directives, ...own!, ...commands!].join("\n")}
first=$1
shift
if [ "$first" = collect ]; then exec ${sweep} collect ${place} "$@"; fi
point=$((first + SLURM_ARRAY_TASK_ID))
warned=
trap 'warned=1; kill -TERM "$pid"' USR1
trap : TERM
${sweep} run ${place} "$point" "$@" >>${place}/logs/"$point".log 2>&1 &
pid=$!
while kill -0 "$pid" 2>/dev/null; do wait "$pid"; done
wait "$pid"
code=$?
if [ -n "$warned" ] && [ "$code" = 143 ]; then
  scontrol requeue "\${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
fi
exit "$code"
`;
}

/** A task in Slurm's queue. */
export interface QueuedTask {
  /** `PENDING`, `RUNNING`, … */
  readonly state: string;
  /** As Slurm's programs take it: `123_4`. */
  readonly task: string;
  /** Why it waits, in Slurm's words; `None` where it does not. */
  readonly reason: string;
}

/** What Slurm has of a sweep. */
export interface SweepQueue {
  /** By point. */
  readonly points: ReadonlyMap<number, QueuedTask>;
  /** The job behind them, which collects the results or decides a rung; null where there is none. */
  readonly collector: QueuedTask | null;
}

/** What Slurm has of a sweep. Null where it cannot be asked. */
export function sweepQueue(folder: string, points: number, env: Env): SweepQueue | null {
  const name = jobName(folder);
  let said: string;
  try {
    said = slurm(
      "squeue",
      ["--noheader", "--array", "--format=%j %K %T %i %r", `--name=${jobNames(folder, points, env).join(",")}`],
      env,
    );
  } catch {
    return null;
  }
  const line = new RegExp(`^${name}-(?<first>\\w+) (?<index>\\S+) (?<state>\\w+) (?<task>\\S+) (?<reason>.+)$`);
  const queued = new Map<number, QueuedTask>();
  let collector: QueuedTask | null = null;
  for (const text of said.split("\n")) {
    const { first, index, state, task, reason } = line.exec(text)?.groups ?? {};
    if (state === undefined || state === "COMPLETING") continue;
    const found = { state, task: task!, reason: reason! };
    if (first === "collect") collector ??= found;
    else queued.set(Number(first) + Number(index), found);
  }
  return { points: queued, collector };
}

/** Whether Slurm put a task back and holds it, as after a launch that failed on its node: it does not begin by itself any more. */
export function isHeld({ state, reason }: QueuedTask): boolean {
  return state !== "RUNNING" && /requeued/i.test(reason);
}

/** What Slurm has of a sweep that is taken up: tasks that it holds are cancelled, so that what they were for can be submitted again. */
export function queueToGoOn(folder: string, points: number, env: Env): SweepQueue | null {
  const queue = sweepQueue(folder, points, env);
  if (queue === null) return null;
  const isFree = (queued: QueuedTask | null): boolean => {
    if (queued === null || !isHeld(queued)) return true;
    try {
      slurm("scancel", [queued.task], env);
    } catch {
      // Somebody else took it out, or it stays: of two tasks of a point one waits, and finds it done.
    }
    return false;
  };
  const free = [...queue.points].filter(([, queued]) => isFree(queued));
  return { points: new Map(free), collector: isFree(queue.collector) ? queue.collector : null };
}

/** Takes the sweep's jobs out of the queue. @returns false where Slurm cannot be asked */
export function cancelJobs(folder: string, points: number, env: Env): boolean {
  try {
    // Unlike squeue it takes one name at a time.
    for (const name of jobNames(folder, points, env)) slurm("scancel", [`--name=${name}`], env);
    return true;
  } catch {
    return false;
  }
}

/** The names of the jobs that a sweep of so many points may have: Slurm's programs ask for whole names. */
function jobNames(folder: string, points: number, env: Env): string[] {
  const longest = longestArray(env);
  const offsets = Array.from({ length: Math.ceil(points / longest) }, (_, chunk) => chunk * longest);
  return [...offsets, "collect"].map((each) => `${jobName(folder)}-${each}`);
}

/** Points with what the queue knows: one that waits there is `queued`, one that says it runs there and does not is `lost`. */
export function withQueue(found: readonly FoundPoint[], queue: SweepQueue | null): FoundPoint[] {
  return found.map((point) => {
    const { index, stage, state } = point;
    if (queue === null || stage === "completed") return point;
    if (queue.points.has(index)) return stage === "running" ? point : { ...point, stage: "queued" };
    return stage === "running" && state?.job != null && state.state === "running" ? { ...point, stage: "lost" } : point;
  });
}
