/**
 * Measures training and inference beside PyTorch, in turn in one run: median milliseconds, rates, ratios. Writes bench/results.json.
 * Run: npm run bench [-- --rounds 5 --only "train emulator" --engine compiled|native|wasm --threads 1]
 */
import { availableParallelism, cpus } from "node:os";
import { parseArgs } from "node:util";
import { median } from "../src/analysis/prediction-metrics.ts";
import { chooseEngine } from "../src/backend/choose-engine.ts";
import { formatTable } from "../src/commands/tables.ts";
import { writeFileAtomic } from "../src/formats/atomic-file.ts";
import { packageVersion } from "../src/version.ts";
import { type BenchCase, cases, prepare } from "./cases.ts";
import { Peer } from "./peer.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    only: { type: "string" },
    engine: { type: "string", default: "compiled" },
    threads: { type: "string" },
    python: { type: "string", default: process.env.PYTHON ?? "python3" },
  },
});
/** What asks for the engine; native TensorFlow takes its threads once in a process, so that a run has one setting of them. */
const requests = {
  compiled: { device: "cpu", engine: "compiled" },
  native: { device: "cpu", engine: "eager" },
  wasm: { device: "wasm", engine: "eager" },
} as const;
const engineName = values.engine as keyof typeof requests;
if (!(engineName in requests)) throw new Error(`--engine ${values.engine}: one of ${Object.keys(requests).join(", ")}`);
const rounds = Number(values.rounds);
const cores = availableParallelism();
const allThreads = engineName === "compiled" ? [...new Set([1, cores])] : [engineName === "wasm" ? 1 : cores];
const threadCounts = values.threads ? [Number(values.threads)] : allThreads;

interface Measured {
  readonly case: string;
  readonly threads: number;
  readonly milliseconds: number;
  readonly rate: number;
  /** Of the peer at its best thread setting. */
  readonly peer_milliseconds: number | null;
  readonly peer_threads: number | null;
  /** How many times as fast as the peer: the median over the rounds of the ratio of neighbours. */
  readonly ratio: number | null;
  readonly goal: number | null;
  /** Of this process, up to and with this case (resident memory, MB): run a case with --only to have its own. */
  readonly peak_mb: number;
}

/** Repetitions of a round: about half a second. */
function repetitions(milliseconds: number): number {
  return Math.max(1, Math.min(200, Math.round(500 / milliseconds)));
}

async function timed(run: () => Promise<unknown>, runs: number): Promise<number> {
  const times: number[] = [];
  for (let k = 0; k < runs; k++) {
    const started = performance.now();
    await run();
    times.push(performance.now() - started);
  }
  return median(times);
}

async function measure(bench: BenchCase, peer: Peer | null): Promise<Measured[]> {
  const ours = await Promise.all(
    threadCounts.map(async (threads) => {
      const { engine } = await chooseEngine({ ...requests[engineName], threads });
      const prepared = prepare(bench, engine);
      await prepared.run();
      return { threads, ...prepared, runs: repetitions(await timed(prepared.run, 1)), times: [] as number[] };
    }),
  );
  const peers = [...new Set([1, cores])].map((threads) => ({ threads, times: [] as number[] }));
  const request = { case: bench.name, batch: bench.batch, steps: bench.steps };
  for (let round = 0; round < rounds; round++) {
    for (const mine of ours) mine.times.push(await timed(mine.run, mine.runs));
    for (const theirs of peer ? peers : []) {
      theirs.times.push(median(await peer!.run({ ...request, threads: theirs.threads, runs: ours[0]!.runs })));
    }
  }
  const best = peers.filter(({ times }) => times.length > 0).sort((a, b) => median(a.times) - median(b.times))[0];
  return ours.map(({ threads, times, dispose }) => {
    dispose();
    const milliseconds = median(times);
    return {
      case: `${bench.name}${bench.steps ? `, ${bench.steps} steps` : ""}, batch ${bench.batch}`,
      threads,
      milliseconds,
      rate: (1000 * bench.items) / milliseconds,
      peer_milliseconds: best ? median(best.times) : null,
      peer_threads: best?.threads ?? null,
      ratio: best ? median(times.map((time, k) => best.times[k]! / time)) : null,
      goal: bench.goals?.[engineName] ?? null,
      peak_mb: (process.resourceUsage().maxRSS * 1024) / 1e6,
    };
  });
}

const peer = Peer.start(values.python);
const results: Measured[] = [];
for (const bench of cases) {
  if (values.only && !bench.name.startsWith(values.only)) continue;
  const measured = await measure(bench, peer);
  results.push(...measured);
  for (const { case: name, threads, milliseconds, ratio } of measured) {
    process.stderr.write(
      `${name}, ${threads} threads: ${milliseconds.toFixed(2)} ms, ratio ${ratio?.toFixed(2) ?? "–"}\n`,
    );
  }
}
peer?.stop();
const environment = {
  astrochem: packageVersion,
  node: process.versions.node,
  torch: peer?.version ?? null,
  cpu: cpus()[0]?.model,
  cores,
  rounds,
  engine: engineName,
};
writeFileAtomic("bench/results.json", `${JSON.stringify({ environment, results }, null, 1)}\n`);
process.stdout.write(
  `${formatTable(
    [
      { title: "case", value: (row: Measured) => row.case },
      { title: "threads", value: (row) => row.threads },
      { title: "ms", value: (row) => row.milliseconds },
      { title: "items/s", value: (row) => Math.round(row.rate) },
      { title: "peer ms", value: (row) => row.peer_milliseconds ?? Number.NaN },
      { title: "times as fast", value: (row) => row.ratio ?? Number.NaN },
      { title: "peak MB", value: (row) => Math.round(row.peak_mb) },
      { title: "goal", value: (row) => (row.goal === null ? "" : String(row.goal)) },
    ],
    results,
  )}\n`,
);
