/**
 * Trains the autoencoder on a clean file too large for its memory budget, in turn with one that is held in memory, each in a
 * process of its own: rows/s, their ratio, peak memory. Needs twice the file's size in the temporary folder for the time of the run.
 * Run: npm run build && npx tsx bench/streaming.ts [--gigabytes 5 --budget 512 --batch 8192 --minutes 0.5 --rounds 3]
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { median } from "../src/analysis/prediction-metrics.ts";
import { autoencoderJob } from "../src/commands/jobs.ts";
import { loadConfig } from "../src/config/load.ts";
import { writeFileAtomic } from "../src/formats/atomic-file.ts";
import { bytesPerRow, writeCleanFile } from "./clean-file.ts";

const { values } = parseArgs({
  options: {
    gigabytes: { type: "string", default: "5" },
    budget: { type: "string", default: "512" },
    batch: { type: "string", default: "8192" },
    minutes: { type: "string", default: "0.5" },
    rounds: { type: "string", default: "3" },
  },
});

/** What a training tells; `rate` in rows/s, null where only the cache was made. */
interface Trained {
  readonly seconds: number;
  readonly rate: number | null;
  readonly peak_mb: number;
}

function jobOf(folder: string, overrides: readonly string[]) {
  const all = ["dataset=sample", "dataset.dataset_path=clean.h5", `working_path=${folder}`, ...overrides];
  const loaded = loadConfig({ root: "config", overrides: all, configDirs: [], cwd: folder, env: {}, now: new Date(0) });
  return autoencoderJob(loaded, false);
}

function train(folder: string, mode: "preprocess" | "train"): Trained {
  const program = fileURLToPath(new URL("train-once.mjs", import.meta.url));
  // The recipe whose batches are as large as asked for.
  const settings = [
    "recipe=original",
    `mode=${mode}`,
    `memory_budget_mb=${values.budget}`,
    `model.batch_size=${values.batch}`,
  ];
  const job = jobOf(folder, [...settings, `model.max_minutes=${values.minutes}`]);
  const input = JSON.stringify({ ...job, checkpointFolder: folder });
  const child = spawnSync(process.execPath, [program], { input, encoding: "utf8" });
  if (child.status !== 0) throw new Error(`the training failed:\n${child.stderr.slice(-2000)}`);
  process.stderr.write(child.stderr);
  return JSON.parse(child.stdout) as Trained;
}

const root = mkdtempSync(join(tmpdir(), "astrochem-streaming-"));
process.on("exit", () => rmSync(root, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));

const bytes = { streamed: Number(values.gigabytes) * 1e9, memory: Number(values.budget) * 0.7e6 };
const results = { streamed: [] as Trained[], memory: [] as Trained[] };
const caches: Record<string, Trained> = {};
for (const kind of ["streamed", "memory"] as const) {
  const folder = join(root, kind);
  mkdirSync(folder);
  const { columns } = jobOf(folder, []);
  const train_rows = Math.floor(bytes[kind] / bytesPerRow(columns));
  await writeCleanFile(join(folder, "clean.h5"), columns, { train: train_rows, val: 8192 });
  caches[kind] = train(folder, "preprocess");
  process.stderr.write(`${kind}, cache of ${train_rows} rows: ${JSON.stringify(caches[kind])}\n`);
}
for (let round = 0; round < Number(values.rounds); round++) {
  for (const kind of ["streamed", "memory"] as const) {
    const trained = train(join(root, kind), "train");
    results[kind].push(trained);
    process.stderr.write(`round ${round + 1}, ${kind}: ${JSON.stringify(trained)}\n`);
  }
}
const ratio = median(results.streamed.map(({ rate }, k) => rate! / results.memory[k]!.rate!));
const peak = Math.max(...[caches.streamed!, ...results.streamed].map(({ peak_mb }) => peak_mb));
writeFileAtomic(
  "bench/streaming.json",
  `${JSON.stringify({ settings: values, caches, results, ratio, peak_mb: peak }, null, 1)}\n`,
);
process.stdout.write(
  `streamed: ${ratio.toFixed(2)} × the rows/s of memory (goal 0.8), peak ${peak.toFixed(0)} MB (goal 1500)\n`,
);
