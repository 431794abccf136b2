import { copyFileSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { evaluateSurrogate } from "../../src/analysis/evaluate.ts";
import { openEvaluationShards, writeEvaluationShard } from "../../src/analysis/evaluation-shards.ts";
import { openEvaluation } from "../../src/commands/evaluation-job.ts";
import { main } from "../../src/commands/main.ts";
import { loadConfig } from "../../src/config/load.ts";
import { testFolder } from "../helpers/folder.ts";
import { madeRows, writeRawRows } from "../helpers/raw-frame.ts";
import { Buffered } from "./buffers.ts";

const cwd = testFolder();

async function command(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const [stdout, stderr] = [new Buffered(), new Buffered()];
  const { signal } = new AbortController();
  const code = await main(args, { cwd, env: {}, now: () => new Date(), stdout, stderr, signal });
  const shown = (text: string): string => text.replaceAll(cwd, "…");
  return { code, stdout: shown(stdout.text), stderr: shown(stderr.text) };
}

/** Of 20 tracers, and 35 of the 200 rows that can be scored. */
const own = ["dataset.dataset_path=clean.h5", "max_rows=35", "max_windows=40"];
const evaluate = (...args: string[]) => command("evaluate", ...own, ...args);
const folder = join(cwd, "shards");

/** Without the commands around: of shards, or in one process. @returns numbers and samples, but for the times */
async function evaluated(count: number | null, ...args: string[]): Promise<string> {
  const { config } = loadConfig({
    root: "config_evaluate",
    overrides: [...own, ...args],
    configDirs: [],
    cwd,
    env: {},
    now: new Date(),
  });
  const { request, close } = await openEvaluation(config);
  const tools = { log: () => {}, signal: new AbortController().signal, now: () => new Date(0) };
  try {
    const shards = { folder, count: count ?? 0, command: () => "" };
    for (let index = 0; index < shards.count; index++) await writeEvaluationShard(request, tools, { ...shards, index });
    const findings = count === null ? null : await openEvaluationShards(request, shards);
    const { metrics, samples } = await evaluateSurrogate(request, tools, findings);
    findings?.close();
    return JSON.stringify([metrics, samples]);
  } finally {
    await close();
  }
}

/** Forty tracers of 9 to 12 rows of smooth made-up chemistry; two epochs of tiny models. */
beforeAll(async () => {
  await writeRawRows(
    join(cwd, "raw.h5"),
    madeRows(40, (tracer) => 9 + (tracer % 3)),
  );
  const common = ["dataset.dataset_path=clean.h5", "model.batch_size=16", "model.max_epochs=2"];
  for (const words of [
    ["preprocess", "input_path=raw.h5", "output_path=clean.h5", "dataset.start=configured", "train_split=0.5"],
    ["train-autoencoder", ...common, "model.hidden_dims=[8,4]", "model.latent_dim=3"],
    ["train-emulator", ...common, "autoencoder.latent_dim=3", "model.hidden_dim=8", "model.window_size=6"],
  ]) {
    const { code, stderr } = await command(...words);
    expect(code, stderr).toBe(0);
  }
}, 240_000);

describe("shards of an evaluation", () => {
  it.each([
    { counts: [1, 2, 3, 4, 25], args: [] },
    { counts: [3], args: ["emulator=null"] },
    { counts: [3], args: ["max_rows=null", "max_windows=null", "max_tracers=9", "conserve=false"] },
  ])(
    "have, joined, every number and sample of one process: $counts of them, $args",
    async ({ counts, args }) => {
      const one = await evaluated(null, ...args);
      for (const count of counts) expect((await evaluated(count, ...args)) === one, `${count} shards`).toBe(true);
    },
    240_000,
  );

  it("are made side by side and joined to the files of one process", async () => {
    for (const index of [0, 1, 2]) {
      const { code, stdout, stderr } = await evaluate("shards=3", `shard=${index}`, `run_dir=run-${index}`);
      expect(code, stderr).toBe(0);
      expect(stdout).toMatch(
        new RegExp(`^shard ${index} of 3: weights/.*/emulator.safetensors.shards/${index}-of-3.h5\n$`),
      );
    }
    const [one, joined] = [await evaluate("run_dir=one"), await evaluate("shards=3", "run_dir=joined")];
    expect(joined.code, joined.stderr).toBe(0);
    expect(joined.stdout).toBe(one.stdout.replaceAll("one/", "joined/"));
    const times = /"(created_at|seconds|emulation_seconds)":\s*("[^"]*"|[\d.e-]+)/g;
    const textOf = (run: string, name: string): string => readFileSync(join(cwd, run, name), "utf8").replace(times, "");
    // Drawings have the ids of their process.
    const data = readdirSync(join(cwd, "one/figures")).filter((name) => name.endsWith(".json"));
    expect(data.length).toBeGreaterThan(5);
    for (const name of ["metrics.json", "metrics.csv", "samples.json", ...data.map((name) => `figures/${name}`)])
      expect(textOf("joined", name) === textOf("one", name), name).toBe(true);
  }, 240_000);

  it("that are missing, cut off or of something else are refused, with the words that make them anew", async () => {
    await evaluated(2);
    const shard = (index: number): string => join(folder, `${index}-of-2.h5`);
    const joining = async (...args: string[]): Promise<string> => {
      const { code, stderr } = await evaluate("shards=2", "shards_path=shards", "run_dir=failing", ...args);
      expect(code).toBe(3);
      rmSync(join(cwd, "failing"), { recursive: true });
      return stderr;
    };
    expect(await joining("seed=4")).toContain("shard 0 of 2 was made with another seed");
    expect(await joining("max_rows=30")).toContain("shard 0 of 2 was made with another max_rows");
    expect(await joining("emulator=null")).toContain("shard 0 of 2 was made with another emulator");
    renameSync(shard(1), join(cwd, "kept.h5"));
    const missing = await joining();
    expect(missing).toContain("shard 1 of 2 is missing");
    expect(missing).toMatch(/make it anew: astrochem evaluate .*max_rows=35.* shards=2 .*shard=1\n/);
    copyFileSync(shard(0), shard(1));
    expect(await joining()).toContain("shard 1 of 2 holds shard 0");
    renameSync(join(cwd, "kept.h5"), shard(1));
    truncateSync(shard(1), 5000);
    expect(await joining()).toContain("shard 1 of 2 cannot be read: the file is cut off");
    const { code, stderr } = await evaluate("shards=2", "shard=2");
    expect([code, stderr]).toEqual([2, expect.stringContaining("must be below `shards`")]);
  }, 120_000);

  it("are points of a sweep, which two settings may not share", async () => {
    const { code, stderr } = await evaluate("-m", "shards=2", "seed=1,2");
    expect(code).toBe(2);
    expect(stderr).toContain("would both write");
    expect(stderr).toContain("shards_path=shards/$" + "{split}-$" + "{seed}");
    const shown = await evaluate("-m", "shards=2", "--cfg", "job");
    expect(shown.stdout.match(/shard=\d/g)).toEqual(["shard=0", "shard=1"]);
  });

  it("are none of a comparison", async () => {
    const { code, stderr } = await command("compare", "one", "one", "shards=2");
    expect([code, stderr]).toEqual([2, expect.stringContaining("compare evaluates in one process")]);
  });
});
