import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { LauncherConfig, type SlurmConfig } from "../../src/config/schema-launcher.ts";
import type { FoundPoint, PointState } from "../../src/sweeps/folder.ts";
import { cancelJobs, submitSweep, sweepQueue, withQueue } from "../../src/sweeps/slurm.ts";
import { temporaryFolder } from "../commands/buffers.ts";
import { fakePrograms, namedQueue } from "../helpers/programs.ts";

const slurm = (changes: object = {}): SlurmConfig => LauncherConfig.parse({ name: "slurm", ...changes }) as SlurmConfig;
const count = (n: number): number[] => Array.from({ length: n }, (_, index) => index);
const quiet = (): void => {};

/** Submits to an sbatch that counts its jobs. @returns what sbatch was given each time, but for the script */
function submitted(points: readonly number[], launcher: SlurmConfig, longest: number) {
  const folder = temporaryFolder();
  const calls = join(folder, "calls");
  const env = fakePrograms({
    scontrol: `echo "MaxArraySize            = ${longest}"`,
    sbatch: `echo "$@" >>${calls}; n=0; while read -r line; do n=$((n + 1)); done <${calls}; echo "$((100 + n));cluster"`,
  });
  const jobs = submitSweep(folder, points, launcher, { env, warn: quiet });
  const words = readFileSync(calls, "utf8").trim().replaceAll(`${folder}/slurm.sh `, "").split("\n");
  return { jobs, calls: words.map((line) => line.replaceAll(/--parsable |astrochem-[0-9a-f]{8}/g, "")), folder };
}

describe("a sweep for Slurm", () => {
  it("is one array, of the points that are open, and a job that collects", () => {
    const { jobs, calls } = submitted([0, 1, 2, 3, 7, 9, 10], slurm({ jobs: 2 }), 1001);
    expect(jobs).toEqual(["101"]);
    expect(calls).toEqual([
      "--job-name=-0 --array=0-3,7,9-10%2 0",
      "--job-name=-collect --dependency=afterany:101 collect",
    ]);
  });

  it("is several arrays where Slurm takes none so long: one after the other, where so many run at once", () => {
    expect(submitted(count(11), slurm({ jobs: 2 }), 6).calls).toEqual([
      "--job-name=-0 --array=0-4%2 0",
      "--job-name=-5 --array=0-4%2 --dependency=afterany:101 5",
      "--job-name=-10 --array=0%2 --dependency=afterany:102 10",
      "--job-name=-collect --dependency=afterany:101:102:103 collect",
    ]);
    expect(submitted(count(2000), slurm(), 1001).calls).toEqual([
      "--job-name=-0 --array=0-999 0",
      "--job-name=-1000 --array=0-999 1000",
      "--job-name=-collect --dependency=afterany:101:102 collect",
    ]);
  });

  it("asks for what the launcher says, in a script with its own directives before its commands", () => {
    const lines = ["module load nodejs", "#SBATCH --gres=gpu:1"];
    const { folder } = submitted([0], slurm({ time: "1:00:00", cpus: 4, mem: 4000, account: "me", lines }), 1001);
    const script = readFileSync(join(folder, "slurm.sh"), "utf8").split("\n");
    for (const line of ["time=1:00:00", "cpus-per-task=4", "mem=4000", "account=me", "signal=B:USR1@60", "requeue"]) {
      expect(script).toContain(`#SBATCH --${line}`);
    }
    expect(script.join("\n")).not.toContain("=null");
    expect(script.indexOf("#SBATCH --gres=gpu:1")).toBe(script.indexOf("module load nodejs") - 1);
  });

  it.each([
    [{}, "there is no sbatch here"],
    [{ sbatch: "echo 'Invalid account' >&2; exit 1" }, "sbatch: Invalid account"],
    [{ sbatch: "echo 'Welcome to the cluster'" }, "sbatch told no job's number: Welcome to the cluster"],
    [{ sbatch: "exit 0" }, "sbatch told no job's number"],
  ])("%j is told", (programs, text) => {
    const folder = temporaryFolder();
    expect(() => submitSweep(folder, [0], slurm(), { env: fakePrograms(programs), warn: quiet })).toThrow(text);
  });

  it("takes a greeting before the number, and does without the job that collects", () => {
    const folder = temporaryFolder();
    const warnings: string[] = [];
    const env = fakePrograms({
      sbatch: 'case "$*" in *collect*) echo "no dependencies" >&2; exit 1;; esac; echo Welcome; echo 7',
    });
    expect(submitSweep(folder, [0], slurm(), { env, warn: (line) => warnings.push(line) })).toEqual(["7"]);
    expect(warnings).toEqual([expect.stringContaining("no job collects the results; astrochem sweep collect does")]);
  });

  it("that cannot write its script says so, and submits nothing", () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "slurm.sh"));
    const env = fakePrograms({ sbatch: `echo >${folder}/called; echo 7` });
    expect(() => submitSweep(folder, [0], slurm(), { env, warn: quiet })).toThrow(/cannot write .*slurm\.sh/);
    expect(existsSync(join(folder, "called"))).toBe(false);
  });
});

describe("the queue", () => {
  const state = (job: string | null): PointState => ({
    ...{ state: "running", attempt: 1, job, host: "n1", pid: 1, started_at: "", ended_at: null, exit_code: null },
    ...{ checkpoint: null, stalled: 0 },
  });
  const point = (index: number, stage: FoundPoint["stage"], job: string | null = null): FoundPoint => ({
    ...{ index, stage, state: stage === "waiting" ? null : state(job) },
  });

  it("tells which points Slurm has, through all arrays of the sweep and of no other", () => {
    const folder = temporaryFolder();
    const squeue = namedQueue(
      ...["-0 3 PENDING 7_3 launch failed requeued held", "-1000 4 RUNNING 8_4 None"],
      ...["-0 5 COMPLETING 7_5 None", "-collect N/A PENDING 9 Dependency"],
    );
    const queue = {
      points: new Map([
        [3, { state: "PENDING", task: "7_3", reason: "launch failed requeued held" }],
        [1004, { state: "RUNNING", task: "8_4", reason: "None" }],
      ]),
      collector: { state: "PENDING", task: "9", reason: "Dependency" },
    };
    expect(sweepQueue(folder, 1500, fakePrograms({ squeue }))).toEqual(queue);
    expect(sweepQueue(folder, 1500, fakePrograms({}))).toBe(null);
    expect(sweepQueue(folder, 1500, fakePrograms({ squeue: "exit 1" }))).toBe(null);
    const scancel = `echo "$@" >>${folder}/cancelled`;
    expect(cancelJobs(folder, 1500, fakePrograms({ scancel }))).toBe(true);
    const cancelled = readFileSync(join(folder, "cancelled"), "utf8").replaceAll(/astrochem-[0-9a-f]{8}/g, "");
    expect(cancelled).toBe("--name=-0\n--name=-1000\n--name=-collect\n");
    expect(cancelJobs(folder, 1, fakePrograms({}))).toBe(false);
  });

  it("knows points that wait, and those that died with their node before their claim grew old", () => {
    const found = [
      ...[point(0, "completed"), point(1, "running", "7_1"), point(2, "running", "7_2"), point(3, "lost", "7_3")],
      ...[point(4, "waiting"), point(5, "running")],
    ];
    const waiting = { state: "PENDING", task: "7_3", reason: "Priority" };
    const points = new Map([[1, { ...waiting, state: "RUNNING" }], [3, waiting], [4, waiting]]); // biome-ignore format: one line
    expect(withQueue(found, { points, collector: null }).map(({ stage }) => stage)).toEqual([
      ...["completed", "running", "lost", "queued", "queued", "running"],
    ]);
    expect(withQueue(found, null)).toEqual(found);
  });
});
