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

/** The reading of h5py, timed in its own process: one warm-up, then one that counts; into one array that is kept. */
const h5pyProgram = `
import sys, time, json, resource, h5py, numpy
path, chunk = sys.argv[1], int(sys.argv[2])
with h5py.File(path, "r") as f:
    d = f["dataset"]
    buffer = numpy.empty((chunk, d.shape[1]), "f4")
    for k in range(2):
        t = time.perf_counter()
        for start in range(0, d.shape[0], chunk):
            d.read_direct(buffer, numpy.s_[start:start + chunk])
        t = time.perf_counter() - t
print(json.dumps({"seconds": t, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6}))
`;

async function seconds(run: () => unknown): Promise<number> {
  const started = performance.now();
  await run();
  return (performance.now() - started) / 1000;
}

function readByH5py(path: string, chunkRows: number): { seconds: number; peak_mb: number } | null {
  const child = spawnSync(values.python, ["-c", h5pyProgram, path, String(chunkRows)], { encoding: "utf8" });
  return child.status === 0 ? JSON.parse(child.stdout) : null;
}

async function streaming(): Promise<void> {
  const { path, chunkRows, run, dispose } = await prepareStreaming();
  const [ours, theirs] = [[] as number[], [] as number[]];
  try {
    await run();
    for (let round = 0; round < rounds; round++) {
      ours.push(await seconds(run));
      const peer = readByH5py(path, chunkRows);
      if (peer) theirs.push(peer.seconds);
    }
  } finally {
    await dispose();
  }
  const rates = (times: readonly number[]) => (times.length > 0 ? STREAMED_MEGABYTES / median(times) : null);
  const ratio = theirs.length > 0 ? median(ours.map((time, k) => theirs[k]! / time)) : null;
  report("streaming", { mb_per_second: rates(ours), h5py_mb_per_second: rates(theirs), ratio, goal: 0.9 });
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
