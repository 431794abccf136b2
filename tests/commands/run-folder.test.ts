import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Interruption } from "../../src/commands/interruption.ts";
import { openRun, type Run, type RunConfig, withRun } from "../../src/commands/run-folder.ts";
import { DataError } from "../../src/errors.ts";
import { here } from "../../src/formats/process-place.ts";
import type { EpochRecord } from "../../src/training/observer.ts";
import { temporaryFolder, testContext } from "./buffers.ts";

const loaded = (config: RunConfig["config"] = { seed: 7 }) => ({
  config,
  toYaml: ({ resolve }: { resolve: boolean }) => `resolved: ${resolve}\n`,
});

const record = { epoch: 0, mean: Number.NaN, learning_rate: 1e-3 } as EpochRecord;

const readJson = (run: Run, name: string) => JSON.parse(readFileSync(join(run.folder, name), "utf8"));
const readText = (run: Run, name: string) => readFileSync(join(run.folder, name), "utf8");
const logLines = (folder: string) =>
  readFileSync(join(folder, "run.log"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("the folder of a run", () => {
  it("is named by local date, time and command", () => {
    const context = testContext();
    const run = openRun("train", loaded(), context);
    expect(run.folder).toBe(join(context.cwd, "outputs", "2026-11-23", "04-05-06-train"));
    run.finish("completed");
  });

  it("is another one for each run of the same second", () => {
    const context = testContext();
    const runs = [1, 2, 3].map(() => openRun("train", loaded(), context));
    expect(runs.map((run) => run.folder.split("/").at(-1))).toEqual([
      "04-05-06-train",
      "04-05-06-train-2",
      "04-05-06-train-3",
    ]);
    for (const run of runs) run.finish("completed");
  });

  it("loses the lock of a killed process at the next run, and no other", () => {
    const context = testContext();
    const folderOf = (name: string): string => join(context.cwd, "outputs", "2026-11-22", name);
    const dead = spawnSync(process.execPath, ["-e", ""]).pid;
    const holders = { killed: { pid: dead, ...here }, elsewhere: { pid: dead, ...here, host: "elsewhere" } };
    for (const [name, holder] of Object.entries({ ...holders, running: { pid: process.pid, ...here } })) {
      mkdirSync(folderOf(name), { recursive: true });
      writeFileSync(join(folderOf(name), ".lock"), JSON.stringify({ ...holder, began: null }));
    }
    openRun("train", loaded(), context).finish("completed");
    const left = ["killed", "elsewhere", "running"].map((name) => readdirSync(folderOf(name)));
    expect(left).toEqual([[], [".lock"], [".lock"]]);
  });

  it("is run_dir where that is set, from the working folder on", () => {
    const context = testContext();
    const run = openRun("train", loaded({ run_dir: "runs/mine" }), context);
    expect(run.folder).toBe(join(context.cwd, "runs", "mine"));
    expect(existsSync(join(context.cwd, "outputs"))).toBe(false);
    run.finish("completed");
  });

  it("holds the resolved config, the overrides and the environment from the start", () => {
    const run = openRun("train", loaded(), testContext({ overrides: ["a=1", "~b", "c='x: y'"] }));
    expect(readText(run, "config.yaml")).toBe("resolved: true\n");
    expect(readText(run, "overrides.yaml")).toMatchInlineSnapshot(`
      "- a=1
      - ~b
      - 'c=''x: y'''
      "
    `);
    expect(readJson(run, "environment.json")).toMatchObject({
      command_line: ["astrochem", "test", "a=1"],
      seed: 7,
      backend: null,
      node: process.version,
      packages: { yargs: expect.stringMatching(/^18\./), h5wasm: "0.10.3" },
    });
    run.finish("completed");
    expect(readdirSync(run.folder).sort()).toEqual([
      "config.yaml",
      "environment.json",
      "overrides.yaml",
      "run.log",
      "summary.json",
    ]);
  });

  it("is none that holds something else than a run", () => {
    const context = testContext();
    mkdirSync(join(context.cwd, "mine/checkpoints"), { recursive: true });
    writeFileSync(join(context.cwd, "mine/config.yaml"), "a: 1\n");
    expect(() => openRun("train", loaded({ run_dir: "mine" }), context)).toThrow(/holds something else than a run/);
    expect(readFileSync(join(context.cwd, "mine/config.yaml"), "utf8")).toBe("a: 1\n");
    // Its own, it may use again.
    openRun("train", loaded({ run_dir: "own" }), context).finish("completed", {});
    mkdirSync(join(context.cwd, "own/checkpoints"));
    openRun("train", loaded({ run_dir: "own" }), context).finish("completed", {});
  });

  it("is one that lost all but its summary, because somebody emptied it under the run", () => {
    const context = testContext();
    const run = openRun("train", loaded({ run_dir: "own" }), context);
    run.finish("completed", {});
    for (const name of readdirSync(run.folder)) if (name !== "summary.json") rmSync(join(run.folder, name));
    expect(() => openRun("other", loaded({ run_dir: "own" }), context)).toThrow(/holds a run of train/);
    openRun("train", loaded({ run_dir: "own" }), context).finish("completed", {});
  });

  it.each([
    ["of a user's own configuration", { "config.yaml": "a: 1\n" }],
    ["of another program", { "environment.json": '{"command":"train"}' }],
    ["with a summary of something else", { "summary.json": '{"command":"train"}' }],
  ])("is none %s", (_, files) => {
    const context = testContext();
    mkdirSync(join(context.cwd, "mine"));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(context.cwd, "mine", name), text);
    expect(() => openRun("train", loaded({ run_dir: "mine" }), context)).toThrow(/holds something else than a run/);
    expect(readdirSync(join(context.cwd, "mine"))).toEqual(Object.keys(files));
  });

  it("is none of a run that is of another command, or whose checkpoint is read", () => {
    const context = testContext();
    const run = openRun("train", loaded({ run_dir: "own" }), context);
    run.finish("completed", {});
    mkdirSync(join(run.folder, "checkpoints"));
    writeFileSync(join(run.folder, "checkpoints/best.safetensors"), "weights");
    const attempt = (command: string, more: object) =>
      openRun(command, loaded({ run_dir: "own", working_path: context.cwd, ...more }), context);
    expect(() => attempt("evaluate", {})).toThrow(/holds a run of train: .*\n.*\n {2}fix .*an earlier run of evaluate/);
    const autoencoder = { pretrained_model_path: "own/checkpoints/best.safetensors" };
    expect(() => attempt("train", { autoencoder })).toThrow(/holds the input .*best\.safetensors/);
    expect(readText(run, "checkpoints/best.safetensors")).toBe("weights");
  });

  it("is that of a run that was killed while it began", () => {
    const context = testContext();
    mkdirSync(join(context.cwd, "own"));
    writeFileSync(join(context.cwd, "own/.environment.json.host-1.part"), "{");
    openRun("train", loaded({ run_dir: "own" }), context).finish("completed", {});
  });

  it("that cannot be made is an error that says what to do", () => {
    const context = testContext();
    writeFileSync(join(context.cwd, "outputs"), "a file in the way");
    expect(() => openRun("train", loaded(), context)).toThrow(DataError);
    expect(() => openRun("train", loaded({ run_dir: "outputs" }), context)).toThrow(/run_dir=/);
  });

  it.skipIf(process.getuid?.() === 0)("that may not be written is an error that says what to do", () => {
    const cwd = temporaryFolder();
    mkdirSync(join(cwd, "outputs"));
    chmodSync(join(cwd, "outputs"), 0o500);
    expect(() => openRun("train", loaded(), testContext({ cwd }))).toThrow(/run_dir=/);
  });
});

describe("a run", () => {
  it("writes each epoch at once, NaN as null", () => {
    const run = openRun("train", loaded(), testContext());
    run.appendEpoch(record);
    run.appendEpoch({ ...record, epoch: 1, mean: 0.5 });
    expect(readText(run, "epochs.jsonl")).toBe(
      '{"format_version":1,"epoch":0,"mean":null,"learning_rate":0.001,"nonfinite":{"mean":"NaN"}}\n{"format_version":1,"epoch":1,"mean":0.5,"learning_rate":0.001}\n',
    );
    run.finish("completed");
    expect(readJson(run, "summary.json")).toMatchObject({ command: "train", outcome: "completed", epochs: 2 });
  });

  it("keeps the backend and why in the environment", () => {
    const run = openRun("train", loaded(), testContext());
    run.describeBackend({ name: "wasm", reason: "no other is installed" });
    run.writeEnvironment({ threads: 2 });
    const expected = { backend: { name: "wasm", reason: "no other is installed" }, threads: 2, seed: 7 };
    expect(readJson(run, "environment.json")).toMatchObject(expected);
    run.finish("completed");
  });

  it("logs JSON to its file at once, and short lines to stderr", () => {
    const context = testContext();
    const run = openRun("train", loaded(), context);
    run.log.info({ rows: 3 }, "read");
    run.log.warn("short tracers");
    run.log.debug("not without --debug");
    const [first, second, ...others] = logLines(run.folder);
    expect(first).toEqual({ level: 30, time: "2026-11-23T04:05:06.000Z", rows: 3, msg: "read" });
    expect([second.msg, others]).toEqual(["short tracers", []]);
    expect(context.stderr.text).toBe("read\nwarning: short tracers\n");
    run.finish("completed");
  });

  it("logs the details too with --debug", () => {
    const context = testContext({ debug: true });
    const run = openRun("train", loaded(), context);
    run.log.debug({ rows: 3 }, "read");
    expect(context.stderr.text).toContain('debug: read {"rows":3}\n');
    run.finish("completed");
  });

  it("puts log lines above the bar on a terminal, with the time", () => {
    const context = testContext({ terminal: 80 });
    const run = openRun("train", loaded(), context);
    context.statusLine.show("half way");
    run.log.info("read");
    expect(context.stderr.text).toBe("\r\x1b[2Khalf way\r\x1b[2K[04:05:06] INFO: read\n\r\x1b[2Khalf way");
    run.finish("completed");
  });

  it("is finished once", () => {
    const run = openRun("train", loaded(), testContext());
    run.finish("completed", { best: 1 });
    run.fail(new Error("late"));
    run.finish("failed");
    expect(readJson(run, "summary.json")).toMatchObject({ outcome: "completed", best: 1 });
  });
});

describe("a command in a run", () => {
  const folderOf = (cwd: string) => join(cwd, "outputs", "2026-11-23", "04-05-06-train");
  const summaryOf = (cwd: string) => JSON.parse(readFileSync(join(folderOf(cwd), "summary.json"), "utf8"));

  it("leaves its results in the summary", async () => {
    const context = testContext();
    await withRun("train", loaded(), context, async () => ({ rows: 5 }));
    expect(summaryOf(context.cwd)).toMatchObject({ outcome: "completed", rows: 5, seconds: 0 });
  });

  it("that fails passes the error on, and tells it in the log and the summary, not on stderr", async () => {
    const context = testContext();
    const error = new DataError("no such file", { fix: "give another" });
    await expect(withRun("train", loaded(), context, () => Promise.reject(error))).rejects.toBe(error);
    expect(summaryOf(context.cwd)).toMatchObject({ outcome: "failed", error: "no such file\n  fix  give another" });
    expect(logLines(folderOf(context.cwd)).at(-1)).toMatchObject({
      level: 50,
      msg: "run failed",
      err: { type: "DataError" },
    });
    expect(context.stderr.text).toBe("");
  });

  it.each([
    ["returns", async () => ({})],
    ["throws", async (reason: unknown) => Promise.reject(reason)],
  ])("that is interrupted and %s says so", async (_, work) => {
    const controller = new AbortController();
    const context = testContext({ signal: controller.signal });
    const reason = new Interruption("SIGINT");
    controller.abort(reason);
    await withRun("train", loaded(), context, () => work(reason)).catch(() => {});
    expect(summaryOf(context.cwd).outcome).toBe("interrupted");
  });

  it("takes its bar off the terminal when it fails", async () => {
    const context = testContext({ terminal: 80 });
    const work = async () => {
      context.statusLine.show("half way");
      throw new Error("a bug");
    };
    await expect(withRun("train", loaded(), context, work)).rejects.toThrow("a bug");
    expect(context.stderr.text).toBe("\r\x1b[2Khalf way\r\x1b[2K");
  });
});
