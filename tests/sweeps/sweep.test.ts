import { spawn } from "node:child_process";
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../commands/buffers.ts";
import { hdf5Content } from "../faults/hdf5-content.ts";
import { fakePrograms, namedQueue } from "../helpers/programs.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const program = process.env.ASTROCHEM_SKIP_BUILD
  ? ["--import", import.meta.resolve("tsx"), join(root, "src/cli.ts")]
  : [join(root, "dist/cli.js")];
const raw = join(root, "tests/fixtures/golden/preprocess/raw.h5");
/** Preprocessing is the quickest command that sweeps. */
const preprocess = [
  "preprocess",
  `input_path=${raw}`,
  "dataset.start=configured",
  "dataset.preprocessing.uneven_steps=allow",
  "output_path=clean-$" + "{dataset.preprocessing.seed}.h5",
];

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const astrochem = (cwd: string, ...words: string[]): Promise<Outcome> => run(cwd, words);

/** @param fault see tests/faults/inject.mjs; every process of the sweep has it */
function run(cwd: string, words: readonly string[], fault?: object, changes: object = {}): Promise<Outcome> {
  const injected = fault ? ["--import", new URL("../faults/inject.mjs", import.meta.url).href] : [];
  const env = { ...process.env, ...(fault && { FAULT: JSON.stringify(fault) }), ...changes };
  return new Promise((done) => {
    const child = spawn(process.execPath, [...injected, ...program, ...words], { cwd, env });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    child.on("close", (code) => done({ code, stdout, stderr }));
  });
}

const sweepIn = (cwd: string): string => {
  const day = readdirSync(join(cwd, "multirun"))[0]!;
  return join("multirun", day, readdirSync(join(cwd, "multirun", day))[0]!);
};

describe("a sweep on this machine", () => {
  it("runs every point, tells what failed, and takes up what is missing", async () => {
    const cwd = temporaryFolder();
    // A folder where point 2 would write its file.
    const blocked = join(cwd, "clean-3.h5");
    writeFileSync(blocked, "not ours");
    const first = await astrochem(cwd, ...preprocess, "-m", "seed=range(1,4)", "launcher.jobs=2");
    const sweep = sweepIn(cwd);
    expect([first.code, first.stderr]).toEqual([2, expect.stringContaining("1 of 3 points did not complete")]);
    expect(first.stderr).toContain(`point 2 (dataset.preprocessing.seed=3): exit code 2, ${sweep}/logs/2.log: `);
    expect(first.stderr.match(/2\.log: .*clean-3\.h5/g)).toHaveLength(2);
    expect(readFileSync(join(cwd, sweep, "logs/2.log"), "utf8")).toContain("replace it with --overwrite");
    expect(readdirSync(join(cwd, sweep)).sort()).toEqual(
      ["0", "1", "2", "logs", "multirun.yaml", "points", "sweep.csv", "sweep.html", "sweep.json"].sort(),
    );
    const status = await astrochem(cwd, "sweep", "status", sweep);
    expect(status.stdout).toContain("3 points of preprocess: 2 completed, 1 failed\n");

    const before = readFileSync(join(cwd, sweep, "0/environment.json"), "utf8");
    rmSync(blocked);
    rmSync(join(cwd, sweep, "1"), { recursive: true });
    const second = await astrochem(cwd, ...["preprocess", "-m", "--resume", "--json"]);
    expect(second.code, second.stderr).toBe(0);
    const { points, keys } = JSON.parse(second.stdout);
    expect(keys).toEqual(["dataset.preprocessing.seed"]);
    expect(points.map((point: { state: string; attempts: number }) => [point.state, point.attempts])).toEqual([
      ["completed", 1],
      ["completed", 2],
      ["completed", 2],
    ]);
    expect(readFileSync(join(cwd, sweep, "0/environment.json"), "utf8")).toBe(before);
    const [head, ...rows] = readFileSync(join(cwd, sweep, "sweep.csv"), "utf8")
      .trim()
      .split("\n");
    expect(head).toMatch(/^point,state,exit_code,attempts,dataset\.preprocessing\.seed,seconds,train_tracers,/);
    expect(rows).toHaveLength(3);
  });

  it("begins no point once it is cancelled, until it is taken up", async () => {
    const cwd = temporaryFolder();
    await astrochem(cwd, ...preprocess, "-m", "seed=1,2");
    const sweep = sweepIn(cwd);
    rmSync(join(cwd, sweep, "0"), { recursive: true });
    expect((await astrochem(cwd, "sweep", "cancel", sweep)).code).toBe(0);
    expect((await astrochem(cwd, "sweep", "run", sweep, "0")).code).toBe(143);
    expect(existsSync(join(cwd, sweep, "0"))).toBe(false);
    expect((await astrochem(cwd, "preprocess", "-m", "--resume", sweep)).code).toBe(0);
    expect(existsSync(join(cwd, sweep, "0/summary.json"))).toBe(true);
  });

  it("on Slurm is not submitted again while its queue has what is to be done, which is no failure", async () => {
    const cwd = temporaryFolder();
    const sweep = [...preprocess, "-m", "seed=1,2", "run_dir=sweep", "launcher=slurm"];
    const scontrol = "echo 'MaxArraySize = 1001'";
    const first = await run(cwd, sweep, undefined, fakePrograms({ scontrol, sbatch: "echo 7" }));
    expect([first.code, first.stdout]).toEqual([0, "submitted as job 7\nastrochem sweep status sweep\n"]);
    const inQueue = (words: readonly string[], ...lines: string[]): Promise<Outcome> => {
      const scancel = `echo "$@" >>${cwd}/cancelled`;
      const env = fakePrograms({ scontrol, scancel, squeue: namedQueue(...lines), sbatch: "echo 8" });
      return run(cwd, words, undefined, env);
    };
    const [takeUp, status] = [
      ["preprocess", "-m", "--resume", "sweep"],
      ["sweep", "status", "sweep"],
    ];
    const [waits, held] = ["-0 0 PENDING 7_0 Priority", "-0 1 PENDING 7_1 launch failed requeued held"];
    const { code, stdout } = await inQueue(takeUp, waits, "-0 1 RUNNING 7_1 None");
    expect([code, stdout.split("\n")[0]]).toEqual([
      0,
      "nothing to submit: Slurm's queue has the points that are not done",
    ]);
    expect((await inQueue(takeUp, waits)).stdout).toContain("submitted as job 8");
    expect(existsSync(join(cwd, "cancelled"))).toBe(false);
    const told = (await inQueue(status, waits, held)).stdout.split("\n");
    expect(told.slice(0, 4)).toEqual([
      "2 points of preprocess: 2 queued",
      "1 queued: Priority",
      "1 queued: launch failed requeued held",
      "Slurm does not begin held tasks by itself; to submit them again: astrochem preprocess -m --resume sweep",
    ]);
    expect((await inQueue(takeUp, waits, held)).stdout).toContain("submitted as job 8");
    expect(readFileSync(join(cwd, "cancelled"), "utf8")).toBe("7_1\n");
    const behind = await inQueue(status, "-collect N/A PENDING 9 launch failed requeued held");
    expect(behind.stdout.split("\n").slice(1, 3)).toEqual([
      "the job behind them: launch failed requeued held",
      told[3],
    ]);
    const goOn = "nothing of it is in Slurm's queue; to go on: astrochem preprocess -m --resume sweep";
    expect((await inQueue(status)).stdout).toContain(`2 waiting\n${goOn}\n`);
  });

  it.each([1, 8, 30])(
    "on a disk that is full from write %i on says so, leaves nothing half written, and can be taken up",
    async (at) => {
      const cwd = temporaryFolder();
      const sweep = [...preprocess, "-m", "seed=1,2", "run_dir=sweep", "launcher.jobs=1"];
      const { code, stderr } = await run(cwd, sweep, { at, code: "ENOSPC", stays: true });
      const files = readdirSync(cwd, { recursive: true, encoding: "utf8" });
      const logs = files.filter((name) => name.endsWith(".log")).map((name) => readFileSync(join(cwd, name), "utf8"));
      expect(code, stderr).toBe(3);
      expect([stderr, ...logs].join("\n")).toContain("free some disk space");
      expect(files.filter((name) => name.endsWith(".part"))).toEqual([]);
      for (const name of files.filter((each) => each.endsWith(".json")))
        JSON.parse(readFileSync(join(cwd, name), "utf8"));
      const again = files.includes("sweep/multirun.yaml") ? ["preprocess", "-m", "--resume", "sweep"] : sweep;
      expect((await astrochem(cwd, ...again, "--json")).stdout).toMatch(/"state":"completed".*"state":"completed"/);
    },
  );

  it.each([
    [["preprocess", `input_path=${raw}`, "-m", "seed=1,2"], "points 0 and 1 would both write"],
    [["preprocess", "-m", "seed=1,2", "train_split=0.5,1.5"], "train_split"],
    [["preprocess", "-m", "--resume"], "no sweep of preprocess is there"],
    [["preprocess", "-m", "--resume", "nowhere"], "holds no sweep"],
    [["preprocess", "--resume"], "--resume is for sweeps"],
    [["preprocess", "launcher=slurm"], "launcher=slurm is for sweeps"],
    [["train-emulator", "-m", "--resume-or-fresh"], "--resume takes up a sweep"],
    [["preprocess", "seed=1,2"], "add -m"],
    [["sweep", "stop", "x"], "give one of status, cancel, collect, run"],
  ])("%j is refused before anything runs: %s", async (words, text) => {
    const cwd = temporaryFolder();
    const { code, stderr } = await astrochem(cwd, ...words);
    expect([code, stderr]).toEqual([2, expect.stringContaining(text)]);
    expect(readdirSync(cwd)).toEqual([]);
  });
});

describe("shards of a preprocessing", () => {
  /** Files whose ids clash, in a folder of their own. */
  function threeFiles(): { cwd: string; words: string[] } {
    const cwd = temporaryFolder();
    for (const k of [0, 1, 2]) copyFileSync(raw, join(cwd, `raw${k}.h5`));
    const [command, , ...others] = preprocess;
    return { cwd, words: [command!, "input_path=raw*.h5", ...others.slice(0, -1)] };
  }

  it("are made side by side and joined to the file of one process, but for those that were killed", async () => {
    const { cwd, words } = threeFiles();
    expect((await astrochem(cwd, ...words, "output_path=one.h5")).code).toBe(0);
    const sharded = [...words, "output_path=clean.h5", "shards=4"];
    const place = join(cwd, "clean.h5.shards");
    const shards = (): string[] => (existsSync(place) ? readdirSync(place).sort() : []);
    // While it writes the shard: how many writes came before that is of no account.
    const half = /^\.2-of-4\.h5\.(?!lock).*part$/;
    for (let at = 10; at < 40 && !shards().some((name) => half.test(name)); at++)
      expect((await run(cwd, [...sharded, "shard=2"], { at, code: "KILL" })).code).toBeNull();
    expect(shards()).toEqual(expect.arrayContaining([expect.stringMatching(half)]));
    const first = await astrochem(cwd, ...sharded);
    expect([first.code, first.stderr]).toEqual([3, expect.stringContaining("shard 0 of 4 is missing")]);
    expect(first.stderr).toContain("output_path=clean.h5 shards=4 shard=0\n");

    const second = await astrochem(cwd, ...sharded, "-m", "run_dir=sweep", "launcher.jobs=2");
    expect(second.code, second.stderr).toBe(0);
    expect(second.stdout).toContain("clean.h5 (");
    const contents = await Promise.all(["one.h5", "clean.h5"].map((name) => hdf5Content(join(cwd, name), cwd)));
    expect(contents[1]).toEqual(contents[0]);
    expect(shards()).toEqual([0, 1, 2, 3].map((index) => `${index}-of-4.h5`));
    const before = readFileSync(join(cwd, "sweep/joined-0/summary.json"), "utf8");
    expect((await astrochem(cwd, "sweep", "collect", "sweep")).code).toBe(0);
    expect(readFileSync(join(cwd, "sweep/joined-0/summary.json"), "utf8")).toBe(before);
  }, 200_000);
});
