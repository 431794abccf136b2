/**
 * Measures training and inference beside PyTorch, in turn in one run: median milliseconds, rates, ratios. Writes bench/results.json.
 * Run: npm run bench [-- --rounds 5 --seconds 0.5 --only "encode,decode" --engine compiled|native|wasm --threads 1 --history]
 */
import { spawnSync } from "node:child_process";
import { availableParallelism, cpus } from "node:os";
import { parseArgs } from "node:util";
import { median } from "../src/analysis/prediction-metrics.ts";
import { chooseEngine } from "../src/backend/choose-engine.ts";
import { installedKernels } from "../src/backend/kernels/install.ts";
import { cacheFolder } from "../src/backend/native/paths.ts";
import { formatTable } from "../src/commands/tables.ts";
import { writeFileAtomic } from "../src/formats/atomic-file.ts";
import { packageVersion } from "../src/version.ts";
import { CPath } from "./c-path.ts";
import { type BenchCase, benchModels, cases, flopsOf, prepare } from "./cases.ts";
import { appendHistory, type HistoryEntry, readHistory, slowerThanBefore } from "./history.ts";
import { type Clock, Peer } from "./peer.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "0.5" },
    clock: { type: "string", default: "wall" },
    only: { type: "string" },
    engine: { type: "string", default: "compiled" },
    threads: { type: "string" },
    history: { type: "boolean", default: false },
    cc: { type: "string", default: process.env.CC ?? "cc" },
    python: { type: "string", default: process.env.PYTHON ?? "python3" },
  },
});
/** What asks for the engine; native TensorFlow takes its threads once in a process, so that a run has one setting of them. */
const asked = {
  compiled: { device: "cpu", engine: "compiled" },
  native: { device: "cpu", engine: "eager" },
  wasm: { device: "wasm", engine: "eager" },
} as const;
const engineName = values.engine as keyof typeof asked;
if (!(engineName in asked)) throw new Error(`--engine ${values.engine}: one of ${Object.keys(asked).join(", ")}`);
const clock: Clock = values.clock === "cpu" ? "cpu" : "wall";
/** Of the repetitions of a round. Of processor time the least: what a busy machine adds to it is its own. */
const middle = (times: number[]): number => (clock === "cpu" ? Math.min(...times) : median(times));
const rounds = Number(values.rounds);
const cores = clock === "cpu" ? 1 : availableParallelism();
const allThreads = engineName === "compiled" ? [...new Set([1, cores])] : [engineName === "wasm" ? 1 : cores];
const threadCounts = values.threads ? [Number(values.threads)] : allThreads;

/** Rows of the plain product that shows what the machine can do. */
const productSize = 1024;
const hasKernels = "addon" in installedKernels(cacheFolder(process.env));

interface Measured {
  readonly case: string;
  /** What computes: an engine of this program, or `C`: the exported source, compiled by cc. */
  readonly path: string;
  readonly threads: number;
  readonly milliseconds: number;
  /** Milliseconds, one number a round. */
  readonly rounds: readonly number[];
  readonly rate: number;
  /** Of the peer at its best thread setting. */
  readonly peer_milliseconds: number | null;
  readonly peer_threads: number | null;
  /** How many times as fast as the peer: the median over the rounds of the ratio of neighbours. */
  readonly ratio: number | null;
  readonly goal: number | null;
  /** Of what the peer's library makes of a large product in the same round on as many threads; trainings count their products alone. */
  readonly share: number | null;
  /** Of this process, up to and with this case (resident memory, MB): run a case with --only to have its own. */
  readonly peak_mb: number;
}

/** Repetitions of a round: so many seconds, about. */
function repetitions(milliseconds: number): number {
  return Math.max(1, Math.min(200, Math.round((1000 * Number(values.seconds)) / milliseconds)));
}

async function timed(run: () => Promise<unknown>, runs: number): Promise<number> {
  const times: number[] = [];
  for (let k = 0; k < runs; k++) {
    const [started, used] = [performance.now(), process.cpuUsage()];
    await run();
    const { user, system } = process.cpuUsage(used);
    times.push(clock === "cpu" ? (user + system) / 1000 : performance.now() - started);
  }
  return middle(times);
}

/** Something that is timed in turn with the others. */
interface Contender {
  readonly path: string;
  readonly threads: number;
  readonly times: number[];
  /** @returns milliseconds of a repetition */
  readonly run: (runs: number) => Promise<number>;
  readonly dispose: () => void;
}

/** The engine asked for, and of inference compiled kernels where they are installed. */
async function enginesFor(bench: BenchCase): Promise<Contender[]> {
  const requests = [[engineName, asked[engineName]] as const, ["native-c", { engine: "native-c" }] as const];
  const isInference = !bench.name.startsWith("train");
  return Promise.all(
    requests.slice(0, isInference && hasKernels ? 2 : 1).flatMap(([path, request]) =>
      threadCounts.map(async (threads) => {
        const { engine } = await chooseEngine({ ...request, threads });
        const { run, dispose } = prepare(bench, engine);
        await run();
        return { path, threads, times: [], run: (runs: number) => timed(run, runs), dispose };
      }),
    ),
  );
}

async function measure(bench: BenchCase, peer: Peer | null, c: CPath | null): Promise<Measured[]> {
  const { name, batch, steps } = bench;
  const ours = await enginesFor(bench);
  const ofC = c?.has(name) ? [...new Set([1, cores])] : [];
  const inC = ofC.map((threads): Contender => {
    const run = async (runs: number) => middle(await c!.run(name, batch, steps, threads, runs));
    return { path: "C", threads, times: [], run, dispose: () => {} };
  });
  const all = [...ours, ...inC];
  const runs = repetitions(await ours[0]!.run(1));
  const peers = (peer ? [...new Set([1, cores])] : []).map((threads) => ({ threads, times: [] as number[] }));
  const flops = await flopsOf(bench);
  /** GFLOP/s of a product of the peer's library, by threads, one number a round. */
  const peaks = new Map(peers.map(({ threads }) => [threads, [] as number[]]));
  for (let round = 0; round < rounds; round++) {
    for (const contender of all) contender.times.push(await contender.run(runs));
    for (const { threads, times } of peers) {
      times.push(middle(await peer!.run({ case: name, batch, steps, threads, runs })));
    }
    for (const [threads, gflops] of peaks) {
      const products = await peer!.run({ case: "sgemm", batch: productSize, steps: 0, threads, runs: 5 });
      gflops.push((2 * productSize ** 3) / 1e6 / Math.min(...products));
    }
  }
  const best = peers.toSorted((a, b) => median(a.times) - median(b.times))[0];
  return all.map(({ path, threads, times, dispose }) => {
    dispose();
    const [milliseconds, peak] = [median(times), peaks.get(threads)];
    const goals = bench.goals ?? {};
    return {
      case: `${name}${steps ? `, ${steps} steps` : ""}, batch ${batch}`,
      path,
      threads,
      milliseconds,
      rounds: times,
      rate: (1000 * bench.items) / milliseconds,
      peer_milliseconds: best ? median(best.times) : null,
      peer_threads: best?.threads ?? null,
      ratio: best ? median(times.map((time, k) => best.times[k]! / time)) : null,
      share: peak ? median(times.map((time, k) => flops / 1e6 / time / peak[k]!)) : null,
      goal: (path === engineName ? goals[engineName] : goals.c) ?? null,
      peak_mb: (process.resourceUsage().maxRSS * 1024) / 1e6,
    };
  });
}

const peer = Peer.start(values.python, clock);
const c = CPath.start(benchModels(), values.cc, clock);
const results: Measured[] = [];
for (const bench of cases) {
  if (
    values.only &&
    !values.only.split(",").some((only) => `${bench.name} ${bench.steps} ${bench.batch}`.startsWith(only))
  )
    continue;
  const measured = await measure(bench, peer, c);
  results.push(...measured);
  for (const { case: name, path, threads, milliseconds, ratio, share } of measured) {
    process.stderr.write(
      `${name}, ${path}, ${threads} threads: ${milliseconds.toFixed(2)} ms, ratio ${ratio?.toFixed(2) ?? "–"}, share ${share?.toFixed(2) ?? "–"}\n`,
    );
  }
}
peer?.stop();
c?.stop();
const environment = {
  astrochem: packageVersion,
  node: process.versions.node,
  torch: peer?.version ?? null,
  cc: c?.compiler ?? null,
  cpu: cpus()[0]?.model,
  cores,
  rounds,
  engine: engineName,
  clock,
};
writeFileAtomic("bench/results.json", `${JSON.stringify({ environment, results }, null, 1)}\n`);
process.stdout.write(
  `${formatTable(
    [
      { title: "case", value: (row: Measured) => row.case },
      { title: "path", value: (row) => row.path },
      { title: "threads", value: (row) => row.threads },
      { title: "ms", value: (row) => row.milliseconds },
      { title: "items/s", value: (row) => Math.round(row.rate) },
      { title: "peer ms", value: (row) => row.peer_milliseconds ?? Number.NaN },
      { title: "times as fast", value: (row) => row.ratio ?? Number.NaN },
      { title: "of sgemm", value: (row) => row.share ?? Number.NaN },
      { title: "peak MB", value: (row) => Math.round(row.peak_mb) },
      { title: "goal", value: (row) => (row.goal === null ? "" : String(row.goal)) },
    ],
    results,
  )}\n`,
);
if (values.history) tellHistory("bench/history.jsonl");

/** Keeps the results and prints what became slower; what goes wrong with it is told and fails nothing. */
function tellHistory(path: string): void {
  const git = (...args: string[]): string | null => {
    const { status, stdout } = spawnSync("git", args, { encoding: "utf8" });
    return status === 0 ? stdout.trim() : null;
  };
  const common = {
    time: new Date().toISOString(),
    commit: git("rev-parse", "HEAD"),
    dirty: Boolean(git("status", "--porcelain", "--untracked-files=no")),
    cpu: cpus()[0]?.model ?? "unknown",
    // Of the machine: `--clock cpu` uses one of them.
    cores: availableParallelism(),
    node: process.versions.node,
    clock,
  };
  const entries = results.map(
    ({ case: name, path, threads, rounds, peer_milliseconds }): HistoryEntry => ({
      ...common,
      case: name,
      path,
      threads,
      rounds,
      peer_milliseconds,
    }),
  );
  try {
    const { entries: earlier, unreadable } = readHistory(path);
    if (unreadable > 0) process.stderr.write(`${path}: ${unreadable} unreadable lines passed over\n`);
    process.stdout.write(`${slowerThanBefore(earlier, entries).join("\n")}\n`);
    appendHistory(path, entries);
  } catch (error) {
    process.stderr.write(`warning: no history: ${(error as Error).message}\n`);
  }
}
