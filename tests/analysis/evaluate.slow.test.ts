import { spawnSync } from "node:child_process";
import { rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { writeTracerFile } from "../../bench/tracer-file.ts";
import type { Metrics } from "../../src/analysis/evaluation-types.ts";
import { readMetrics } from "../../src/analysis/metrics-file.ts";
import { testFolder } from "../helpers/folder.ts";

const folder = testFolder();
const program = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const sample = fileURLToPath(new URL("../../data/sample_collapse.h5", import.meta.url));
const physical = ["Density", "Radfield", "Av", "gasTemp"];

/** Runs the built program in a process of its own, whose memory is nobody else's. @returns its highest RSS, MB */
function astrochem(...words: readonly string[]): number {
  const preload = `data:text/javascript,process.on("exit",()=>process.stderr.write("\\nRSS "+process.resourceUsage().maxRSS))`;
  const command = `exec "$0" --import "$1" "$2" "\${@:3}" 2>&1 >/dev/null`;
  const args = ["-c", command, process.execPath, preload, program, ...words];
  const { status, stdout } = spawnSync("bash", args, { encoding: "utf8", cwd: folder });
  if (status !== 0) throw new Error(`${words[0]} ended with ${status}: ${stdout}`);
  return Number(/\nRSS (\d+)$/.exec(stdout)![1]) / 1000;
}

function evaluate(data: string, run: string, ...words: string[]): { metrics: Metrics; megabytes: number } {
  const where = ["dataset=sample", `dataset.dataset_path=${data}`, `run_dir=${run}`];
  const megabytes = astrochem("evaluate", ...where, ...words);
  return { metrics: readMetrics(join(folder, run)), megabytes };
}

const { bavail, bsize } = statfsSync(tmpdir());
const lacksSpace = bavail * bsize < 5e9;

describe.skipIf(lacksSpace)(`many rows${lacksSpace ? " (skipped: less than 5 GB free)" : ""}`, () => {
  beforeAll(() => {
    const ofClean = ["dataset=sample", "dataset.dataset_path=clean.h5", "model.max_epochs=2", "recipe=original"];
    astrochem("preprocess", "dataset=sample", `input_path=${sample}`, "output_path=clean.h5");
    astrochem("train-autoencoder", ...ofClean);
    astrochem("train-emulator", ...ofClean, "model.window_size=48");
  });

  it("are evaluated in less than 900 MB, however many they are", async () => {
    const path = join(folder, "many.h5");
    await writeTracerFile(path, join(folder, "clean.h5"), physical, { train: 5000, val: 2500 });
    const { metrics, megabytes } = evaluate(path, "many");
    rmSync(path);
    expect(metrics.validation.rows).toBeGreaterThan(240_000);
    expect(metrics.scored!.rows).toBe(32_768);
    expect(metrics.tracers).toHaveLength(2500);
    expect(megabytes).toBeLessThan(900);
  });

  it("have nearly the same errors in a sample as in all of them", async () => {
    await writeTracerFile(join(folder, "some.h5"), join(folder, "clean.h5"), physical, { train: 200, val: 200 });
    const [all, some] = [evaluate("some.h5", "all", "max_rows=null"), evaluate("some.h5", "some", "max_rows=4096")];
    expect(all.metrics.scored!.rows).toBe(all.metrics.scored!.all);
    for (const [kind, { overall, species }] of Object.entries(all.metrics.predictions)) {
      const other = some.metrics.predictions[kind as "emulation"]!;
      expect(other.rows, kind).toBe(4096);
      expect(other.overall.all.dex.mean / overall.all.dex.mean, kind).toBeCloseTo(1, 1);
      expect(other.overall.all.dex.p99 / overall.all.dex.p99, kind).toBeCloseTo(1, 0);
      const mean = (list: typeof species): number =>
        list.reduce((sum, { mean_log10 }) => sum + mean_log10, 0) / list.length;
      expect(mean(other.species), kind).toBeCloseTo(mean(species), 0);
    }
  });
});
