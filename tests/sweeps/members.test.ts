import { spawn } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { program } from "../commands/child.ts";
import { writeClean } from "../data/clean-sample.ts";
import { testFolder } from "../helpers/folder.ts";

interface Outcome {
  readonly code: number | null;
  readonly stderr: string;
  readonly stdout: string;
}

const cwd = testFolder();

/** @param endAt  SIGTERM once stderr has that text */
function astrochem(words: readonly string[], endAt?: string): Promise<Outcome> {
  return new Promise((done) => {
    const child = spawn(process.execPath, [...program, ...words], { cwd });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
      // A second one would end it at once.
      if (endAt !== undefined && stderr.includes(endAt) && !child.killed) child.kill("SIGTERM");
    });
    child.on("close", (code) => done({ code, stdout, stderr }));
  });
}

const fixed = [
  ...["dataset.dataset_path=clean.h5", "dataset.species_path=species.txt", "dataset.phys=[Density, Av]"],
  "~dataset.physical_parameter_ranges",
  "+dataset.physical_parameter_ranges={Density: [1e-9, 1], Av: [1e-9, 1]}",
  ...["recipe=original", "model.batch_size=4", "model.max_epochs=3", "threads=1"],
];
const emulator = ["train-emulator", ...fixed, "autoencoder.latent_dim=2", "model.hidden_dim=4", "model.window_size=3"];
const ensemble = [...emulator, "members=3", "seed=5"];
const weights = (run: string) => readFileSync(join(cwd, run, "checkpoints/best.safetensors"));
const epochs = (run: string): string =>
  readFileSync(join(cwd, run, "epochs.jsonl"), "utf8").replaceAll(/"(seconds_\w+|items_per_second)":[^,}]+/g, "");
const runs = [0, 1, 2].map((member) => ["--join", `sweep/${member}`]);

beforeAll(async () => {
  await writeClean(cwd, "clean.h5", { tracers: [7, 6, 8] }, { tracers: [6, 7] });
  writeFileSync(join(cwd, "species.txt"), "H\nH2\nCO\n");
  const words = ["train-autoencoder", ...fixed, "model.hidden_dims=[4,3]", "model.latent_dim=2"];
  for (const each of [words, [...ensemble, "run_dir=one"]]) {
    const { code, stderr } = await astrochem(each);
    expect(code, stderr).toBe(0);
  }
}, 200_000);

describe("members as points of a sweep", () => {
  it("are joined to the ensemble of one process, those that were killed half way as well", async () => {
    const killed = await astrochem([...ensemble, "-m", "run_dir=sweep", "launcher.jobs=1"], "1/3 point 0");
    expect([killed.code, killed.stderr]).toEqual([143, expect.stringContaining("go on with: astrochem train-emul")]);
    const second = await astrochem(["train-emulator", "-m", "--resume", "sweep"]);
    expect(second.code, second.stderr).toBe(0);
    expect(second.stdout).toContain("member  state");
    expect(second.stderr).toContain("calibrating");
    expect(weights("sweep/joined-0")).toEqual(weights("one"));
    expect(epochs("sweep/joined-0")).toBe(epochs("one"));
    const before = readFileSync(join(cwd, "sweep/joined-0/summary.json"), "utf8");
    expect((await astrochem(["sweep", "collect", "sweep"])).code).toBe(0);
    expect(readFileSync(join(cwd, "sweep/joined-0/summary.json"), "utf8")).toBe(before);
    const again = await astrochem(["reproduce", "sweep/joined-0"]);
    expect([again.code, again.stdout], again.stderr).toEqual([0, expect.stringMatching(/^weights: the same bits\n/)]);
  }, 400_000);

  it("that are missing, or others, are told with what trains them", async () => {
    const others = await astrochem([...ensemble, ...runs[1]!, ...runs[0]!, ...runs[2]!]);
    expect([others.code, others.stderr]).toEqual([
      4,
      expect.stringContaining("member 1 of 3, seed 5: its run has the seed 6"),
    ]);
    const two = await astrochem([...ensemble, ...runs[0]!, ...runs[1]!]);
    expect([two.code, two.stderr]).toEqual([4, expect.stringContaining("2 runs are joined")]);
    rmSync(join(cwd, "sweep/1/summary.json"));
    rmSync(join(cwd, "sweep/joined-0"), { recursive: true });
    const missing = await astrochem(["sweep", "collect", "sweep"]);
    expect([missing.code, missing.stderr]).toEqual([3, expect.stringContaining("point 1 (member=1)")]);
    const joined = await astrochem([...ensemble, ...runs.flat()]);
    expect([joined.code, joined.stderr]).toEqual([4, expect.stringContaining("its run has not completed")]);
    expect(joined.stderr).toContain("train it again: the same words with member=1");
  }, 200_000);
});
