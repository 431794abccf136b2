/** The bench's cases on webgpu and cpu: milliseconds, and how far the results are apart. Run: gpu-cases.ts webgpu|cpu */
import { CompiledEngine } from "../src/backend/compiled-engine.ts";
import type { Engine, EngineState, Program } from "../src/backend/engine.ts";
import { loadOnnxRuntime } from "../src/backend/onnx-runtime.ts";
import { type BenchCase, cases, prepare } from "./cases.ts";

const provider = process.argv[2] as "cpu" | "webgpu";
const only = (process.env.CASES ?? "").split(";").filter(Boolean);
const runtime = await loadOnnxRuntime();
if (runtime instanceof Error) throw runtime;
const threads = Number(process.env.THREADS ?? 16);
const tell = (line: string): void => void process.stdout.write(`${line}\n`);
const engine = new CompiledEngine(runtime, {
  threads,
  provider,
  fallback: async () => {
    throw new Error("eager");
  },
  note: (message) => tell(`${provider} NOTE ${message}`),
});
const extra: BenchCase[] =
  process.env.EXTRA === "0"
    ? []
    : [
        { name: "train emulator", batch: 3072, steps: 239, items: 3072, unit: "windows/s" },
        { name: "encode", batch: 65536, steps: 0, items: 65536, unit: "rows/s" },
        { name: "decode", batch: 65536, steps: 0, items: 65536, unit: "rows/s" },
        { name: "rollout", batch: 65536, steps: 16, items: 65536 * 16, unit: "steps/s" },
      ];
function values(out: unknown): number[] {
  if (out instanceof Float32Array)
    return [out[0]!, out[out.length >> 1]!, out.at(-1)!, out.reduce((a, b) => a + b, 0) / out.length];
  return Object.values(out as Record<string, { data: Float32Array }>).map(({ data }) => data[0]!);
}

/** Of the parameters and the first moment. */
async function norms(state: EngineState): Promise<number[]> {
  const of = async (name: string) => Math.hypot(...(await state.read(name)).data);
  return [await of("parameters"), await of("first_moment"), await of("second_moment")];
}

for (const bench of [...cases, ...extra]) {
  const label = `${bench.name} ${bench.steps} ${bench.batch}`;
  if (only.length && !only.includes(label)) continue;
  const state: { it?: EngineState; last?: unknown } = {};
  const watched: Engine = {
    name: engine.name,
    blocks: provider === "webgpu" ? { rows: 65536, stretch: 65536, anyLength: false } : engine.blocks,
    state: (initial) => (state.it = engine.state(initial)),
    program: (...all: Parameters<Engine["program"]>): Program => engine.program(...all),
  };
  const started = performance.now();
  try {
    const { run, dispose } = prepare(bench, watched);
    let out = await run();
    const firstOut = values(out);
    const digest = state.it?.names.includes("first_moment") ? await norms(state.it) : "";
    const before = process.memoryUsage().rss;
    const first = performance.now() - started;
    const times: number[] = [];
    const until = performance.now() + Number(process.env.SECS ?? 2) * 1000;
    while (times.length < 3 || (performance.now() < until && times.length < 200)) {
      const t = performance.now();
      out = await run();
      times.push(performance.now() - t);
      if (performance.now() > until + 8000) break;
    }
    times.sort((a, b) => a - b);
    const after = process.memoryUsage().rss;
    const mb = (bytes: number) => (bytes / 1e6).toFixed(0);
    tell(
      JSON.stringify({
        provider,
        label,
        first_ms: +first.toFixed(0),
        ms: +times[times.length >> 1]!.toFixed(4),
        runs: times.length,
        values: firstOut,
        digest,
        rss_mb: [mb(before), mb(after)],
      }),
    );
    await Promise.race([dispose(), new Promise((r) => setTimeout(r, 3000))]);
  } catch (error) {
    tell(`${provider} ${label} FAILED ${(error as Error).message.slice(0, 300)}`);
  }
}
process.exit(0);
