/**
 * Measures what is not arithmetic: streaming from HDF5 (in turn with h5py where the peer's Python has it), preprocessing of the bundled
 * sample, start-up. Writes bench/data.json. Run: npm run build && npx tsx bench/data.ts [--rounds 5 --python /usr/bin/python3]
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { median } from "../src/analysis/prediction-metrics.ts";
import { writeFileAtomic } from "../src/formats/atomic-file.ts";
import { prepareStreaming, STREAMED_MEGABYTES } from "./hdf5-reading.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    only: { type: "string" },
    python: { type: "string", default: process.env.PYTHON ?? "python3" },
  },
});
const rounds = Number(values.rounds);
const results: Record<string, unknown> = {};

/**
 * The reading of h5py, timed in its own process: one warm-up, then one that counts; into arrays that are kept, in turn. One may stay in
 * the processor's cache. Two is what a training needs, which works on one chunk while the next is read, and what we use.
 */
const h5pyProgram = `
import sys, time, json, h5py, numpy
path, chunk, arrays = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with h5py.File(path, "r") as f:
    d = f["dataset"]
    buffers = [numpy.empty((chunk, d.shape[1]), "f4") for _ in range(arrays)]
    for k in range(2):
        t = time.perf_counter()
        for i, start in enumerate(range(0, d.shape[0], chunk)):
            d.read_direct(buffers[i % arrays], numpy.s_[start:start + chunk])
        t = time.perf_counter() - t
print(json.dumps({"seconds": t}))
`;

async function seconds(run: () => unknown): Promise<number> {
  const started = performance.now();
  await run();
  return (performance.now() - started) / 1000;
}

/** Seconds; NaN where this Python has no h5py. */
function readByH5py(path: string, chunkRows: number, arrays: number): number {
  const parameters = ["-c", h5pyProgram, path, String(chunkRows), String(arrays)];
  const child = spawnSync(values.python, parameters, { encoding: "utf8" });
  return child.status === 0 ? JSON.parse(child.stdout).seconds : Number.NaN;
}

async function streaming(): Promise<void> {
  const { path, chunkRows, run, dispose } = await prepareStreaming();
  const times = { ours: [] as number[], one: [] as number[], two: [] as number[] };
  try {
    for (let round = 0; round < rounds; round++) {
      // As in the peer's program; starting that has also marked this process's memory to be copied on the next write.
      await run();
      times.ours.push(await seconds(run));
      times.one.push(readByH5py(path, chunkRows, 1));
      times.two.push(readByH5py(path, chunkRows, 2));
    }
  } finally {
    await dispose();
  }
  // Without the peer there is nothing to compare with: NaN is written as null.
  const rate = (list: readonly number[]) => STREAMED_MEGABYTES / median(list);
  const ratioTo = (list: readonly number[]) => median(times.ours.map((time, k) => list[k]! / time));
  report("streaming", {
    mb_per_second: rate(times.ours),
    h5py_mb_per_second: rate(times.one),
    h5py_two_arrays_mb_per_second: rate(times.two),
    ratio: ratioTo(times.one),
    ratio_two_arrays: ratioTo(times.two),
    goal: 0.9,
  });
}

/** Runs the built program. */
function cli(...parameters: string[]): void {
  const child = spawnSync(process.execPath, ["dist/cli.js", ...parameters], { encoding: "utf8" });
  if (child.status !== 0) throw new Error(`astrochem ${parameters.join(" ")} failed (npm run build?): ${child.stderr}`);
}

async function preprocess(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "astrochem-bench-"));
  const times: number[] = [];
  try {
    const output = `dataset.dataset_path=${join(folder, "clean.h5")}`;
    const run = () => cli("preprocess", "dataset=sample", output, `run_dir=${folder}`);
    for (let round = 0; round < rounds; round++) times.push(await seconds(run));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const megabytes = statSync("data/sample_collapse.h5").size / 1e6;
  report("preprocess", { seconds: median(times), mb_per_second: megabytes / median(times), start_up: "included" });
}

async function startUp(): Promise<void> {
  const program = `await import(${JSON.stringify(new URL("../dist/index.js", import.meta.url).href)})`;
  const starts = {
    "astrochem --version": () => cli("--version"),
    "astrochem --help": () => cli("--help"),
    "import of the library": () => spawnSync(process.execPath, ["--input-type=module", "-e", program]),
    "node alone": () => spawnSync(process.execPath, ["-e", ""]),
  };
  const times = Object.fromEntries(Object.keys(starts).map((name) => [name, [] as number[]]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of Object.entries(starts)) times[name]!.push(1000 * (await seconds(run)));
  }
  report("start-up", Object.fromEntries(Object.entries(times).map(([name, list]) => [`${name}, ms`, median(list)])));
}

function report(name: string, figures: object): void {
  results[name] = figures;
  process.stdout.write(`${name}: ${JSON.stringify(figures)}\n`);
}

for (const [name, run] of Object.entries({ streaming, preprocess, "start-up": startUp })) {
  if (!values.only || name.startsWith(values.only)) await run();
}
writeFileAtomic("bench/data.json", `${JSON.stringify({ rounds, results }, null, 1)}\n`);
