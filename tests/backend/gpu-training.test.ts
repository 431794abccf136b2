import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { beforeAll, expect, it } from "vitest";
import { readCheckpoint } from "../../src/training/checkpoint.ts";
import { program } from "../commands/child.ts";
import { writeClean } from "../data/clean-sample.ts";
import { testFolder } from "../helpers/folder.ts";
import { engines } from "../helpers/tensors.ts";

const folder = testFolder();
const words = [
  ...["train-autoencoder", "dataset.dataset_path=clean.h5", "dataset.species_path=species.txt"],
  ...["dataset.phys=[Density, Av]", "~dataset.physical_parameter_ranges", "run_dir=run", "threads=1"],
  "+dataset.physical_parameter_ranges={Density: [1e-9, 1], Av: [1e-9, 1]}",
  ...["recipe=original", "model.batch_size=4", "model.hidden_dims=[4,3]", "model.latent_dim=2"],
];

/** A driver that computes as that of VK_DRIVER_FILES, and is lost when the test says so. @returns variables for the process that uses it */
function losingDriver(loseWhen: string): Record<string, string> {
  const manifest = process.env.VK_DRIVER_FILES!;
  const { ICD } = JSON.parse(readFileSync(manifest, "utf8"));
  const library = join(folder, "losing.so");
  const source = join(import.meta.dirname, "../fixtures/losing-driver.c");
  execFileSync("cc", ["-shared", "-fPIC", "-o", library, source, "-ldl"]);
  const ours = join(folder, "losing.json");
  writeFileSync(ours, JSON.stringify({ file_format_version: "1.0.0", ICD: { ...ICD, library_path: library } }));
  return {
    VK_DRIVER_FILES: ours,
    REAL_DRIVER: resolve(dirname(manifest), ICD.library_path),
    LOSE_WHEN: loseWhen,
  };
}

/** Runs the program. @param whenReady  called once there is a checkpoint */
async function astrochem(args: string[], variables = {}, whenReady?: () => void) {
  const env = { ...process.env, ...variables };
  const child = spawn(process.execPath, [...program, ...args], { cwd: folder, env });
  let stderr = "";
  child.stderr.on("data", (part) => {
    stderr += part;
  });
  const ended = new Promise((done) => child.on("exit", (code, signal) => done(code ?? signal)));
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  while (whenReady && !isOver) {
    if (existsSync(join(folder, "run/checkpoints/last.safetensors"))) {
      whenReady();
      break;
    }
    await wait(50);
  }
  return { code: await ended, stderr };
}

beforeAll(async () => {
  await writeClean(folder, "clean.h5", { tracers: [7, 6, 8] }, { tracers: [6] });
  writeFileSync(join(folder, "species.txt"), "H\nH2\nCO\n");
});

// A real loss, at the driver: what ONNX Runtime makes of it is its own. Needs a C compiler and a software GPU named by its manifest.
it.runIf(engines.includes("webgpu") && process.env.VK_DRIVER_FILES)(
  "a GPU that is lost half way ends the training with the remedy, and its checkpoint goes on on the CPU",
  async () => {
    const flag = join(folder, "lose-it");
    const lost = await astrochem([...words, "model.max_epochs=100000", "device=webgpu"], losingDriver(flag), () =>
      writeFileSync(flag, ""),
    );
    expect(lost).toEqual({ code: 2, stderr: expect.stringContaining("error: the GPU was lost: ") });
    expect(lost.stderr).toContain("go on from the last checkpoint with --resume (and device=cpu");
    const summary = JSON.parse(readFileSync(join(folder, "run/summary.json"), "utf8"));
    expect(summary).toMatchObject({ outcome: "failed" });
    const { state } = readCheckpoint(join(folder, "run/checkpoints/last.safetensors"));
    const done = state.values.log.length;
    expect(done).toBeGreaterThan(0);
    const limits = [`model.max_epochs=${done + 2}`, "device=cpu"];
    const resumed = await astrochem(["train-autoencoder", "--resume", "run", ...limits]);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(readCheckpoint(join(folder, "run/checkpoints/last.safetensors")).state.values.log).toHaveLength(done + 2);
  },
);

it.runIf(engines.includes("webgpu"))("without a device asked for the GPU and the CPU are timed, and told", async () => {
  const { code, stderr } = await astrochem([...words, "model.max_epochs=1", "run_dir=timed"]);
  expect(code, stderr).toBe(0);
  const told = /a step takes [\d.]+ ms on the GPU \(.*\), [\d.]+ ms on the CPU/;
  const environment = JSON.parse(readFileSync(join(folder, "timed/environment.json"), "utf8"));
  expect(environment.backend.reason).toMatch(told);
  expect(stderr).toMatch(told);
  const summary = JSON.parse(readFileSync(join(folder, "timed/summary.json"), "utf8"));
  expect(summary.backend).toBe(environment.backend.name);
});
