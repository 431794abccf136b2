/**
 * Preprocesses, trains on and evaluates a file of many rows and one of a tenth of them, each step a process of the built program: rows per
 * second of wall and of processor time, peak memory, and the ratios. Removes each file once no step needs it any more.
 * Run: npm run build && npx tsx bench/long-files.ts [--rows 5000000 --species 40 --steps preprocess,train-autoencoder --keep]
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { isSpeciesName } from "../src/chemistry/species.ts";
import { formatTable } from "../src/commands/tables.ts";
import { FrameWriter, openFrame } from "../src/data/frame.ts";
import { createHdf5 } from "../src/data/hdf5.ts";
import { RandomStream } from "../src/data/random.ts";
import { tracerRuns } from "../src/data/windows.ts";
import { writeFileAtomic } from "../src/formats/atomic-file.ts";

const commands = ["preprocess", "train-autoencoder", "train-emulator", "evaluate"] as const;
type Step = (typeof commands)[number];

const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "5000000" },
    species: { type: "string", default: "40" },
    steps: { type: "string", default: commands.join() },
    folder: { type: "string", default: tmpdir() },
    keep: { type: "boolean", default: false },
  },
});
const root = fileURLToPath(new URL("../", import.meta.url));
const folder = mkdtempSync(join(values.folder, "astrochem-long-"));
if (!values.keep) process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));

const conditions = ["Density", "gasTemp", "Av", "radfield"];
/** Standard deviation in dex of what is put on each column of a tracer, and on each value. */
const [tracerDeviation, valueDeviation] = [0.1, 0.002];

interface Made {
  readonly species: readonly string[];
  readonly rows: number;
}

/**
 * Repeats the sample's tracers, with every column but the time multiplied by a factor of the tracer's and each value by one of its own:
 * nothing repeats.
 */
async function makeRaw(path: string, wanted: number): Promise<Made> {
  const frame = await openFrame(join(root, "data/sample_collapse.h5"), "df");
  const names = frame.columns.filter((name) => isSpeciesName(name) && frame.isNumeric(name) && name !== "SURFACE");
  const count = Number(values.species);
  const abundant = ["CO", "H2O", "#H2O", "H2", "E-", "HE"].filter((name) => names.includes(name));
  const rest = names.filter((name) => !abundant.includes(name));
  const species = [
    ...abundant,
    ...rest.filter((_, i) => i % Math.floor(rest.length / (count - abundant.length)) === 0),
  ].slice(0, count);
  const float32 = ["Time", ...conditions, ...species];
  const runs = tracerRuns(frame.labels("Tracer").codes);
  const each = runs[0]!.rows;
  const tracers = Math.max(8, Math.round(wanted / each));
  const file = await createHdf5(path);
  const writer = new FrameWriter(
    file,
    "df",
    { float32, int64: ["Tracer"], order: ["Tracer", ...float32] },
    tracers * each,
  );
  const whole = new Float32Array(frame.rows * float32.length);
  frame.read(0, frame.rows, float32, whole);
  frame.close();
  const random = new RandomStream(1);
  const noise = new Float32Array(2 ** 16 + 1);
  random.fillNormal(noise, valueDeviation * Math.LN10);
  const factors = new Float32Array(float32.length);
  const block = new Float32Array(each * float32.length);
  for (let tracer = 0; tracer < tracers; tracer++) {
    const { start } = runs[tracer % runs.length]!;
    random.fillNormal(factors, tracerDeviation);
    for (let c = 0; c < factors.length; c++) factors[c] = 10 ** factors[c]!;
    let at = Math.floor(random.uniform() * 2 ** 16);
    for (let i = 0, from = start * float32.length; i < block.length; i += float32.length) {
      block[i] = whole[from + i]!;
      for (let c = 1; c < float32.length; c++) {
        block[i + c] = Math.min(
          whole[from + i + c]! * factors[c]! * (1 + noise[at]!),
          c > conditions.length ? 0.6 : 1e12,
        );
        at = at === 2 ** 16 ? 0 : at + 1;
      }
    }
    writer.append(block, new BigInt64Array(each).fill(BigInt(tracer)), each);
  }
  writer.finish();
  file.close();
  return { species, rows: tracers * each };
}

/** Tells at the end of a process what it used. */
const usage = `process.on("exit", () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  process.stderr.write(["\\ncpu", (userCPUTime + systemCPUTime) / 1e6, maxRSS / 1e6].join(" "));
})`;

interface Measured {
  readonly rows: number;
  readonly seconds: number;
  readonly cpu_seconds: number;
  readonly peak_gb: number;
}

function runStep(step: Step, home: string, rows: number): Measured {
  // Small networks, so that reading and shuffling are a good part of the time.
  const network = ["recipe=original", "model.max_epochs=1", "memory_budget_mb=256"];
  const sizes = (group: string): string[] => [`${group}.hidden_dims=[64,32]`, `${group}.latent_dim=8`];
  const emulator = ["model.hidden_dim=64", "model.window_size=98", "model.batch_size=64"];
  const words: Record<Step, readonly string[]> = {
    preprocess: [],
    "train-autoencoder": [...network, ...sizes("model"), "model.batch_size=8192"],
    "train-emulator": [...network, ...sizes("autoencoder"), ...emulator],
    evaluate: [],
  };
  const hook = `data:text/javascript,${encodeURIComponent(usage)}`;
  const threads = step === "preprocess" ? [] : ["threads=1"];
  const all = [step, "--config-dir", home, "dataset=long", `working_path=${home}`, ...threads, ...words[step]];
  const begun = performance.now();
  const { stderr, status } = spawnSync(process.execPath, ["--import", hook, join(root, "dist/cli.js"), ...all], {
    cwd: home,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  const seconds = (performance.now() - begun) / 1000;
  if (status !== 0) throw new Error(`${step}: ${stderr.slice(-3000)}`);
  const [, cpu, peak] = /cpu (\S+) (\S+)$/.exec(stderr)!;
  return { rows, seconds, cpu_seconds: Number(cpu), peak_gb: Number(peak) };
}

async function measure(rows: number): Promise<Partial<Record<Step, Measured>>> {
  const home = join(folder, String(rows));
  mkdirSync(join(home, "datasets"), { recursive: true });
  const begun = performance.now();
  const made = await makeRaw(join(home, "raw.h5"), rows);
  say(
    `${made.rows} rows × ${made.species.length} species made in ${((performance.now() - begun) / 1000).toFixed(0)} s`,
  );
  writeFileSync(join(home, "species.txt"), `${made.species.join("\n")}\n`);
  const config = {
    ...{ dataset_path: "clean.h5", species_path: join(home, "species.txt"), stoichiometric_matrix_path: null },
    ...{ start: "first_row", phys: ["Density", "Radfield", "Av", "gasTemp"] },
    physical_parameter_ranges: { Density: [1e4, 1e10], Radfield: [1e-4, 100], Av: [0.1, 1e4], gasTemp: [5, 500] },
    preprocessing: { input_path: join(home, "raw.h5") },
  };
  writeFileSync(join(home, "datasets/long.yaml"), JSON.stringify(config));
  const measured: Partial<Record<Step, Measured>> = {};
  for (const step of commands.filter((name) => values.steps.split(",").includes(name))) {
    const before = statfsSync(folder);
    measured[step] = runStep(step, home, made.rows);
    const { bavail, bsize } = statfsSync(folder);
    say(
      `${step}: ${JSON.stringify(measured[step])}, ${(((before.bavail - bavail) * bsize) / 1e9).toFixed(1)} GB of disk`,
    );
    if (values.keep) continue;
    // Nothing reads these any more.
    const done: Record<Step, readonly string[]> = {
      preprocess: ["raw.h5"],
      ...{ "train-autoencoder": ["data"], "train-emulator": ["data"], evaluate: [] },
    };
    for (const name of done[step]) rmSync(join(home, name), { recursive: true, force: true });
  }
  if (!values.keep) rmSync(home, { recursive: true });
  return measured;
}

const say = (line: string): unknown => process.stderr.write(`${line}\n`);

const most = Number(values.rows);
const [few, many] = [await measure(Math.round(most / 10)), await measure(most)];
const rate = ({ rows }: Measured, seconds: number): number => Math.round(rows / seconds);
const steps = commands.filter((step) => many[step] !== undefined);
const table = formatTable<Step>(
  [
    { title: "step", value: (step) => step },
    { title: "rows/s", value: (step) => rate(many[step]!, many[step]!.seconds) },
    { title: "rows/s of the processor", value: (step) => rate(many[step]!, many[step]!.cpu_seconds) },
    ...(["seconds", "cpu_seconds"] as const).map((key) => ({
      title: key === "seconds" ? "times those of a tenth" : "of the processor",
      value: (step: Step) => (many[step]!.rows / many[step]![key] / (few[step]!.rows / few[step]![key])).toFixed(2),
    })),
    { title: "peak, GB", value: (step) => many[step]!.peak_gb.toFixed(2) },
    { title: "of a tenth", value: (step) => few[step]!.peak_gb.toFixed(2) },
  ],
  steps,
);
writeFileAtomic("bench/long-files.json", `${JSON.stringify({ settings: values, few, many }, null, 1)}\n`);
process.stdout.write(`${table}\n`);
