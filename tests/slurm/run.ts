import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { compareTrainings } from "../../src/commands/compare-runs.ts";
import { type FoundPoint, findPoints, readPlan, sweepPaths } from "../../src/sweeps/folder.ts";
import { isHeld, sweepQueue, withQueue } from "../../src/sweeps/slurm.ts";
import { hdf5Content } from "../faults/hdf5-content.ts";
import { streamOf } from "../faults/kill.ts";
import { type Cluster, killPid, parentOf, startCluster, tasksOf, whyNoCluster } from "./cluster.ts";

/**
 * Runs sweeps on a Slurm that it starts, kills tasks, workers and daemons at random moments, takes the sweep up, and compares each point
 * with the same sweep on this machine: `npm run test:slurm -- [--short] [--kills N] [--seed S]`.
 */
const { values } = parseArgs({
  options: { short: { type: "boolean", default: false }, kills: { type: "string" }, seed: { type: "string" } },
});
const kills = Number(values.kills ?? (values.short ? 3 : 30));
const seeds = values.short ? 2 : 8;
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e6));
const stream = streamOf(seed, 0);
const random = (): number => stream.uniform();
const say = (line: string): unknown => process.stdout.write(`${line}\n`);
const problems: string[] = [];
const program = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "astrochem-sweeps-"));

const quick = ["dataset=sample", "recipe=original", "threads=1"];
const seconds = (since: number): string => ((performance.now() - since) / 1000).toFixed(0);
const pathOf = (name: string): string => join(folder, name);
const pointsOf = (name: string): FoundPoint[] => findPoints(pathOf(name), readPlan(pathOf(name)));
const isDone = ({ stage }: FoundPoint): boolean => stage === "completed";

function astrochem(env: NodeJS.ProcessEnv, ...words: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...words], {
    cwd: folder,
    env,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`astrochem ${words.join(" ")} ended with ${status}:\n${stdout}${stderr}`);
  return stdout;
}

const reason = whyNoCluster();
if (reason !== null) {
  say(`NOT TESTED: sweeps on Slurm: ${reason}`);
  process.exit(0);
}
say(`seed ${seed}`);
// A Slurm that does not start says nothing of this program.
const cluster = await startCluster().catch((error: unknown) => {
  say(`NOT TESTED: sweeps on Slurm: ${(error as Error).message}`);
  process.exit(0);
});
try {
  await test(cluster);
} finally {
  await cluster.stop();
  // The job that collects may write still.
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
}
for (const problem of problems) say(`PROBLEM ${problem}`);
say(`${problems.length} problems`);
process.exit(problems.length > 0 ? 1 : 0);

async function test({ env }: Cluster): Promise<void> {
  await shards(env);
  astrochem(env, "preprocess", "dataset=sample");
  await tuning(env);
  astrochem(env, "train-autoencoder", ...quick, "model=autoencoder_sample", "model.max_epochs=1");
  await evaluationShards(env);
  await members(env);
  const sweep = [
    ...["train-emulator", "-m", ...quick, "autoencoder=autoencoder_sample", "model=emulator_sample,latent_rnn"],
    ...[`seed=range(0,${seeds})`, "model.window_size=16", "model.max_epochs=2"],
  ];
  const started = performance.now();
  astrochem(env, ...sweep, "run_dir=local");
  say(`on this machine: ${2 * seeds} points in ${seconds(started)} s`);

  const undisturbed = performance.now();
  astrochem(env, ...sweep, "run_dir=slurm", "launcher=slurm");
  await ended("slurm", env);
  compare("slurm");
  if (!(await appears(join(folder, "slurm", "sweep.csv"), 60_000))) problems.push("no job collected the results");
  say(`on Slurm: ${2 * seeds} points in ${seconds(undisturbed)} s`);

  let [round, done] = [0, 0];
  for (; done < kills && problems.length === 0; round++) {
    const name = `killed-${round}`;
    astrochem(env, ...sweep, `run_dir=${name}`, "launcher=slurm");
    done += await disturb(name, kills - done, cluster);
    compare(name);
  }
  if (!values.short) {
    await timeLimit(env);
    await manyTasks(env);
  }
  say(`${done} kills in ${round} sweeps of ${2 * seeds} points, the same bits after --resume`);
}

/** Raw files with the same ids as an array of shards, and a job that joins them: the file of one process. */
async function shards(env: NodeJS.ProcessEnv): Promise<void> {
  const raw = fileURLToPath(new URL("../fixtures/golden/preprocess/raw.h5", import.meta.url));
  for (let k = 0; k < 6; k++) copyFileSync(raw, pathOf(`raw${k}.h5`));
  const own = ["dataset.start=configured", "dataset.preprocessing.uneven_steps=allow", "input_path=raw*.h5"];
  astrochem(env, "preprocess", ...own, "output_path=one.h5");
  const started = performance.now();
  const words = [...own, "output_path=joined.h5", "shards=4", "run_dir=shards", "launcher=slurm"];
  astrochem(env, "preprocess", "-m", ...words);
  if (!(await appears(join(folder, "shards", "joined-0", "summary.json"), 300_000)))
    problems.push("no job joined the shards");
  else {
    const [one, joined] = await Promise.all(["one.h5", "joined.h5"].map((name) => hdf5Content(pathOf(name), folder)));
    if (one !== joined) problems.push("the shards, joined, are not the file of one process");
    say(`4 shards of 6 files and a job that joins them in ${seconds(started)} s`);
  }
}

/** An evaluation as an array of shards, and a job that joins them: the numbers of one process. */
async function evaluationShards(env: NodeJS.ProcessEnv): Promise<void> {
  const own = ["dataset=sample", "emulator=null"];
  astrochem(env, "evaluate", ...own, "threads=1", "run_dir=scored");
  const started = performance.now();
  astrochem(env, "evaluate", "-m", ...own, "shards=4", "run_dir=scored-shards", "launcher=slurm");
  const joined = join("scored-shards", "joined-0");
  if (!(await appears(pathOf(join(joined, "summary.json")), 300_000))) {
    problems.push("no job joined the shards of the evaluation");
    return;
  }
  const times = /"(created_at|seconds)":\s*("[^"]*"|[\d.e-]+)/g;
  for (const name of ["metrics.json", "samples.json"]) {
    const [one, all] = ["scored", joined].map((run) =>
      readFileSync(pathOf(join(run, name)), "utf8").replace(times, ""),
    );
    if (one !== all) problems.push(`${name} of the joined shards is not that of one process`);
  }
  say(`4 shards of an evaluation and a job that joins them in ${seconds(started)} s`);
}

/** A tuning of two rungs, which loses the job that decides the first one and is taken up: the trials of this machine. */
async function tuning(env: NodeJS.ProcessEnv): Promise<void> {
  const own = [...quick, "model=autoencoder_sample", "model.max_epochs=3", "model.lr=tag(log, interval(1e-4, 1e-2))"];
  const words = ["tune", "train-autoencoder", ...own, "--trials", "3"];
  astrochem(env, ...words, "run_dir=tuned-here");
  const started = performance.now();
  astrochem(env, ...words, "launcher=slurm", "run_dir=tuned-there");
  const jobs = cluster.run("squeue", "--noheader", "--format=%i %j").split("\n");
  for (const job of jobs.filter((line) => line.endsWith("-collect"))) cluster.run("scancel", job.split(" ")[0]!);
  await ended("tuned-there", env, 4);
  astrochem(env, "tune", "train-autoencoder", "--resume", "tuned-there");
  if (!(await appears(join(folder, "tuned-there", "trials.json"), 300_000)))
    return void problems.push("the tuning did not come to its end");
  const [here, there] = ["tuned-here", "tuned-there"].map((name) =>
    readFileSync(join(folder, name, "trials.json"), "utf8").replaceAll(name, ""),
  );
  if (here !== there) problems.push(`the tuning came to other trials:\n${here}\n${there}`);
  const { trials } = JSON.parse(here!) as { trials: { trial: number; state: string }[] };
  for (const { trial } of trials.filter(({ state }) => state === "completed"))
    comparePoint("tuned-there", trial, "tuned-here");
  say(`a tuning of 3 trials, taken up between its 2 rungs, in ${seconds(started)} s: the trials of this machine`);
}

/** The members of an ensemble as an array, and a job that joins them: the weights of one process. */
async function members(env: NodeJS.ProcessEnv): Promise<void> {
  const own = ["autoencoder=autoencoder_sample", "model=emulator_sample", "model.window_size=16", "model.max_epochs=1"];
  const words = [...quick, ...own, "members=2", "model.save_model=false"];
  astrochem(env, "train-emulator", ...words, "run_dir=ensemble-here");
  const started = performance.now();
  astrochem(env, "train-emulator", "-m", ...words, "run_dir=ensemble-there", "launcher=slurm");
  const there = join(folder, "ensemble-there", "joined-0");
  if (!(await appears(join(there, "summary.json"), 300_000))) return void problems.push("no job joined the members");
  const [one, joined] = [join(folder, "ensemble-here"), there].map((run) =>
    readFileSync(join(run, "checkpoints", "best.safetensors")),
  );
  if (!one!.equals(joined!)) problems.push("the members, joined, are not the ensemble of one process");
  say(`2 members and a job that joins them in ${seconds(started)} s: the bits of one process`);
}

/** A training that is longer than its time limit. */
async function timeLimit(env: NodeJS.ProcessEnv): Promise<void> {
  const words = [...quick, "model=emulator_sample", "model.window_size=16", "model.max_epochs=60"];
  const sweep = ["train-emulator", "-m", ...words, "autoencoder=autoencoder_sample"];
  astrochem(env, ...sweep, "run_dir=local-long");
  const started = performance.now();
  astrochem(env, ...sweep, "run_dir=limited", "launcher=slurm", "launcher.time=1", "launcher.signal_seconds=30");
  await ended("limited", env);
  compare("limited", "local-long");
  const { state } = pointsOf("limited")[0]!;
  say(`a training in ${state?.attempt} tasks of a minute at most: ${seconds(started)} s`);
  if ((state?.attempt ?? 0) < 2) problems.push("the time limit was never reached");
}

/** More points than an array may have tasks: all are queued, and leave the queue when they are cancelled. */
async function manyTasks(env: NodeJS.ProcessEnv): Promise<void> {
  const output = "output_path=many-$" + "{dataset.preprocessing.seed}.h5";
  const words = ["preprocess", "-m", "dataset=sample", "seed=range(0,1200)", output, "run_dir=many"];
  astrochem(env, ...words, "launcher=slurm", "launcher.jobs=1");
  const found = findPoints(pathOf("many"), readPlan(pathOf("many")));
  const queue = sweepQueue(pathOf("many"), 1200, env);
  const open = withQueue(found, queue).filter(({ stage }) => stage === "waiting").length;
  if (open > 0) problems.push(`many: ${open} of 1200 points are in no queue`);
  astrochem(env, "sweep", "cancel", "many");
  await ended("many", env, 1200, 120_000);
  say(`1200 points: ${queue?.points.size} tasks in the queue, and none once they are cancelled`);
}

/** Waits until Slurm has no task of the sweep any more. */
async function ended(name: string, env: NodeJS.ProcessEnv, points = 2 * seeds, ms = 900_000): Promise<void> {
  const limit = performance.now() + ms;
  for (; performance.now() < limit; await sleep(1000)) {
    const queue = sweepQueue(pathOf(name), points, env);
    if (queue !== null && queue.points.size === 0) return;
  }
  throw new Error(`the tasks of ${name} do not end:\n${cluster.describe()}`);
}

async function appears(path: string, ms: number): Promise<boolean> {
  for (const limit = performance.now() + ms; performance.now() < limit; await sleep(500))
    if (existsSync(path)) return true;
  return false;
}

/** Kills at random moments until all is done. @returns how often */
async function disturb(name: string, most: number, { env }: Cluster): Promise<number> {
  const started = performance.now();
  const doneAt = new Map<number, number>();
  let [killed, resumed] = [0, 0];
  for (;;) {
    await sleep(500 + 4000 * random());
    for (const { index } of pointsOf(name).filter(isDone)) {
      const at = statSync(join(sweepPaths.run(pathOf(name), index), "summary.json")).mtimeMs;
      if ((doneAt.get(index) ?? at) !== at) problems.push(`${name}: point ${index} was run twice`);
      doneAt.set(index, at);
    }
    if (doneAt.size === 2 * seeds) break;
    if (performance.now() - started > 1_200_000) throw new Error(`${name} does not get done:\n${cluster.describe()}`);
    const queue = sweepQueue(pathOf(name), 2 * seeds, env);
    // After a requeue and a crash of its daemon a node may report a task that it ended before: Slurm drains the node and holds the task.
    const drained = cluster.undrain();
    if (drained !== null) say(`  ${name}: Slurm drained the node: ${drained}`);
    if (queue !== null && [...queue.points.values()].every(isHeld)) {
      resumed += 1;
      astrochem(env, "train-emulator", "-m", "--resume", name);
    } else if (killed < most) {
      const what = await killSomething(name);
      if (what !== null) killed += 1;
      if (what !== null) say(`  ${name}: ${what}; ${doneAt.size} of ${2 * seeds} points done`);
    }
  }
  say(`${name}: ${killed} kills, taken up ${resumed} times`);
  return killed;
}

type Killing = () => Promise<string | null> | string | null;

/** @returns what was killed; null where there was nothing of the kind */
async function killSomething(name: string): Promise<string | null> {
  const { env } = cluster;
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
  const shells = (): number[] => tasksOf(join(cluster.folder, "spool"));
  const one = (what: string, pids: readonly number[], signal: NodeJS.Signals): string | null => {
    const pid = pick(pids);
    if (pid === undefined) return null;
    killPid(pid, signal);
    return what;
  };
  const task = (): string | undefined =>
    pick(pointsOf(name).flatMap(({ stage, state }) => (stage === "running" && state?.job ? [state.job] : [])));
  const toQueue = (how: string, what: string): string | null => {
    const id = task();
    if (id !== undefined) spawnSync("scontrol", [how, id], { env });
    return id === undefined ? null : what;
  };
  const worker: Killing = () =>
    one(
      "a worker was killed",
      tasksOf(pathOf(name)).filter((pid) => !shells().includes(pid)),
      "SIGKILL",
    );
  const kinds: readonly Killing[] = [
    // What happens most often: a task takes too much memory.
    worker,
    worker,
    worker,
    () => one("a batch shell was killed", shells(), "SIGKILL"),
    () =>
      one(
        "a step's daemon was killed",
        shells().flatMap((pid) => parentOf(pid) ?? []),
        "SIGKILL",
      ),
    () => one("the time limit was announced", shells(), "SIGUSR1"),
    async () => {
      await cluster.crash("slurmd", 2000 * random());
      return "slurmd was killed";
    },
    async () => {
      await cluster.crash("slurmctld", 2000 * random());
      return "slurmctld was killed";
    },
    () => toQueue("requeue", "a task was requeued"),
    () => toQueue("requeuehold", "a task was requeued and held"),
    () => {
      cluster.run("sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=sleep 1");
      return "all tasks were preempted";
    },
    async () => {
      const node = cluster.run("sinfo", "--noheader", "--format=%n");
      // It may come up by itself before it is told to.
      const become = (...words: string[]) => spawnSync("scontrol", ["update", `nodename=${node}`, ...words], { env });
      become("state=down", "reason=test");
      await sleep(1000);
      become("state=resume");
      return "the node went down";
    },
  ];
  return pick(kinds)!();
}

/** Nothing missing, and the same bits as on this machine. */
function compare(name: string, reference = "local"): void {
  for (const { index, stage } of pointsOf(name)) {
    if (stage !== "completed") {
      problems.push(`${name}: point ${index} is ${stage}`);
      continue;
    }
    comparePoint(name, index, reference);
  }
}

function comparePoint(name: string, index: number, reference: string): void {
  const [there, here] = [reference, name].map((each) => sweepPaths.run(pathOf(each), index)) as [string, string];
  const { results } = compareTrainings(there, here, { otherwise: [], followsClock: false });
  for (const { what, found, agrees } of results)
    if (!agrees) problems.push(`${name}: point ${index}: ${what}: ${found}`);
}
