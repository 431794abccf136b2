/**
 * The bench's cases on a GPU or the CPU by the compiled engine, a JSON line for each: milliseconds, the first results (to compare), memory.
 * Run: gpu-cases.ts webgpu|cpu; CASES="train autoencoder 0 512;…" chooses, SECONDS_EACH says how long to repeat.
 *
 * Of a training on a GPU also what the time goes to: drawing masks and noise, sending the inputs to the card, and the step with its
 * large inputs on the card already, as PyTorch is measured.
 */
import {
  type Engine,
  type EngineState,
  type HostTensors,
  type Program,
  type ProgramOptions,
  type StepFunction,
  scalar,
} from "../src/backend/engine.ts";
import type { WebGpu } from "../src/backend/webgpu.ts";
import { type BenchCase, cases, prepare } from "./cases.ts";
import { gpuEngine } from "./gpu-engine.ts";

const provider = process.argv[2] as "cpu" | "webgpu";
const chosen = (process.env.CASES ?? "").split(";").filter(Boolean);
const seconds = Number(process.env.SECONDS_EACH ?? 1);
const tell = (line: object): void => void process.stdout.write(`${JSON.stringify({ provider, ...line })}\n`);

const { engine, device } = await gpuEngine(provider);

/** An engine that remembers the last state, step and inputs, and how long the calls took. */
class Watched implements Engine {
  readonly name: string;
  readonly #engine: Engine;
  lastState: EngineState | undefined;
  step: StepFunction | undefined;
  inputs: HostTensors | undefined;
  readonly times: number[] = [];

  constructor(watched: Engine) {
    [this.#engine, this.name] = [watched, watched.name];
  }

  state(initial: HostTensors): EngineState {
    this.lastState = this.#engine.state(initial);
    return this.lastState;
  }

  program(name: string, step: StepFunction, options?: ProgramOptions): Program {
    const program = this.#engine.program(name, step, options);
    this.step = step;
    const run: Program["run"] = async (state, inputs, targets) => {
      this.inputs = inputs;
      const started = performance.now();
      const outputs = await program.run(state, inputs, targets);
      this.times.push(performance.now() - started);
      return outputs;
    };
    return { run, dispose: () => program.dispose() };
  }
}

const large: readonly BenchCase[] = [
  { name: "train emulator", batch: 3072, steps: 239, items: 3072, unit: "windows/s" },
  { name: "encode", batch: 65536, steps: 0, items: 65536, unit: "rows/s" },
  { name: "decode", batch: 65536, steps: 0, items: 65536, unit: "rows/s" },
  { name: "rollout", batch: 65536, steps: 16, items: 65536 * 16, unit: "steps/s" },
];
for (const bench of [...cases, ...large]) {
  const label = `${bench.name} ${bench.steps} ${bench.batch}`;
  if (chosen.length > 0 && !chosen.includes(label)) continue;
  try {
    tell({ label, ...(await measured(bench)) });
  } catch (error) {
    tell({ label, failed: (error as Error).message.slice(0, 300) });
  }
}
process.exit(0);

async function measured(bench: BenchCase): Promise<object> {
  const watched = new Watched(engine);
  const started = performance.now();
  const { run, dispose } = prepare(bench, watched);
  const values = firstNumbers(await run());
  const first_ms = performance.now() - started;
  const norms = watched.lastState && (await parameterNorms(watched.lastState));
  const before = process.memoryUsage().rss;
  const { ms, runs } = await repeated(run);
  const rss_mb = [before, process.memoryUsage().rss].map((bytes) => Math.round(bytes / 1e6));
  const parts = device && bench.name.startsWith("train") ? await partsOf(watched, device) : {};
  dispose();
  return { ms, runs, first_ms, ...parts, values, norms, rss_mb };
}

/** The step without drawing its masks; of its inputs, how long they take to the card; and the step on inputs that lie there. */
async function partsOf({ lastState: state, step, inputs, times }: Watched, gpu: WebGpu): Promise<object> {
  const step_ms = median(times.slice(1));
  const sent = Object.values(inputs!);
  const upload = await repeated(async () => {
    const there = await Promise.all(sent.map((input) => gpu.upload(input)));
    // Who reads something back waits for all that was sent before.
    await gpu.download(await gpu.upload(scalar(1)));
    for (const tensor of there) tensor.dispose();
  });
  const isLarge = ([, { data }]: [string, { data: Float32Array }]): boolean => data.length > 4096;
  const onCard = Object.fromEntries(Object.entries(inputs!).filter(isLarge));
  const rest = Object.fromEntries(Object.entries(inputs!).filter((entry) => !isLarge(entry)));
  const arrays = await Promise.all(state!.names.map(async (name) => [name, await state!.read(name)] as const));
  const whole = engine.state({ ...Object.fromEntries(arrays), ...onCard });
  const program = engine.program("on the card", (all, given) => step!(all, { ...all, ...given }));
  await program.run(whole, rest);
  const resident = await repeated(() => program.run(whole, rest));
  await program.dispose();
  whole.dispose();
  return {
    step_ms,
    upload_ms: upload.ms,
    on_card_ms: resident.ms,
    mb: sent.reduce((n, { data }) => n + data.length, 0) * 4e-6,
  };
}

/** The median time. */
async function repeated(run: () => Promise<unknown>): Promise<{ ms: number; runs: number }> {
  const times: number[] = [];
  const until = performance.now() + 1000 * seconds;
  while (times.length < 3 || (performance.now() < until && times.length < 200)) {
    const started = performance.now();
    await run();
    times.push(performance.now() - started);
  }
  return { ms: median(times), runs: times.length };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

/** Of a case's results, whatever they are. */
function firstNumbers(made: unknown): number[] {
  if (!(made instanceof Float32Array)) return Object.values(made as HostTensors).map(({ data }) => data[0]!);
  return [made[0]!, made[made.length >> 1]!, made.at(-1)!, made.reduce((sum, x) => sum + x, 0) / made.length];
}

async function parameterNorms(state: EngineState): Promise<number[] | undefined> {
  if (!state.names.includes("first_moment")) return undefined;
  const of = async (name: string): Promise<number> => Math.hypot(...(await state.read(name)).data);
  return [await of("parameters"), await of("first_moment"), await of("second_moment")];
}
