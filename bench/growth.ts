/**
 * How cost grows with rows, species, latents, steps and members: processor time of one thread, the cases of a quantity in turn, medians of
 * the rounds; slopes in the logarithms; a figure. Run: npx tsx bench/growth.ts [--rounds 5 --seconds 0.2 --only rows,steps --draw docs/growth.svg]
 * `--from bench/growth.json` draws what was measured earlier.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { colours, figureSpec, ink, logarithmic } from "../src/analysis/figures/figure.ts";
import { renderSvg } from "../src/analysis/figures/render.ts";
import { median } from "../src/analysis/prediction-metrics.ts";
import { chooseEngine } from "../src/backend/choose-engine.ts";
import { formatTable } from "../src/commands/tables.ts";
import { writeFileAtomic } from "../src/formats/atomic-file.ts";
import { Inference } from "../src/inference/inference.ts";
import { joinMembers } from "../src/models/members.ts";
import { readEmulator, writeEmulator } from "../src/models/weights-file.ts";
import { prepare } from "./cases.ts";
import { writeRandomWeights } from "./random-weights.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "0.2" },
    only: { type: "string", default: "rows,species,latents,steps,members" },
    draw: { type: "string" },
    from: { type: "string" },
  },
});

const paths = {
  emulate: "emulate and decode",
  autoencoder: "train the autoencoder",
  emulator: "train the emulator",
} as const;
type Path = keyof typeof paths;

/** What is computed; each quantity changes one of these. */
interface Sizes {
  readonly rows: number;
  readonly species: number;
  readonly latents: number;
  readonly steps: number;
  readonly members: number;
}
type Quantity = keyof Sizes;

/** Of emulations rows are trajectories, of an epoch they are cut into batches of 8,192, of the emulator's training they are windows. */
const usual: Readonly<Record<Path, Sizes>> = {
  emulate: { rows: 32, species: 333, latents: 14, steps: 100, members: 1 },
  autoencoder: { rows: 2048, species: 333, latents: 14, steps: 0, members: 1 },
  emulator: { rows: 32, species: 333, latents: 14, steps: 47, members: 1 },
};
const plan: Readonly<Record<Quantity, Readonly<Partial<Record<Path, readonly number[]>>>>> = {
  rows: { emulate: [1, 10, 100, 1000, 10_000, 100_000], autoencoder: [2, 32, 512, 8192, 32_768, 131_072] },
  species: forAll([50, 100, 333, 1000]),
  latents: forAll([4, 14, 32, 64]),
  steps: { emulate: [10, 100, 296, 1000], emulator: [10, 100, 296, 1000] },
  members: { emulate: [1, 2, 4, 8] },
};

function forAll(list: readonly number[]): Record<Path, readonly number[]> {
  return { emulate: list, autoencoder: list, emulator: list };
}

interface Runnable {
  run(): Promise<unknown>;
  dispose(): unknown;
}

const folder = mkdtempSync(join(tmpdir(), "astrochem-growth-"));

async function emulation({ rows, species, latents, steps, members }: Sizes): Promise<Runnable> {
  const weights = writeRandomWeights(folder, species, latents);
  const one = readEmulator(weights.emulator);
  const names = Array.from({ length: members }, (_, m) => `member ${m}`);
  writeEmulator(weights.emulator, joinMembers(new Array(members).fill(one), names));
  const surrogate = await Inference.load({ ...weights, device: "cpu", engine: "compiled", threads: 1 });
  const physical = { data: new Float32Array(rows * steps * 4).fill(10), shape: [rows, steps, 4] };
  const start = { data: new Float32Array(rows * species).fill(1e-6), shape: [rows, species] };
  return {
    run: () => surrogate.emulate(physical, start, { conserve: false }),
    dispose: () => surrogate.dispose(),
  };
}

const { engine } = await chooseEngine({ device: "cpu", engine: "compiled", threads: 1 });

function training(path: "autoencoder" | "emulator", { rows, species, latents, steps }: Sizes): Runnable {
  const batch = path === "emulator" ? rows : Math.min(rows, 8192);
  const sizes = { species, latents };
  const step = prepare({ name: `train ${path}`, batch, steps, items: batch, unit: "rows/s", sizes }, engine);
  const run = async (): Promise<void> => {
    for (let done = 0; done < rows; done += batch) await step.run();
  };
  return { run, dispose: step.dispose };
}

interface Case {
  readonly quantity: Quantity;
  readonly path: Path;
  readonly value: number;
  /** Of each round, ms of the processor. */
  readonly times: number[];
}

/** ms of the processor that one repetition takes. */
async function measured({ run }: Runnable): Promise<number> {
  const begun = process.cpuUsage();
  for (let count = 1; ; count++) {
    await run();
    const { user, system } = process.cpuUsage(begun);
    if (user + system > 1e6 * Number(values.seconds)) return (user + system) / 1000 / count;
  }
}

async function measure(quantity: Quantity): Promise<Case[]> {
  const found: (Case & { runnable: Runnable })[] = [];
  for (const path of Object.keys(paths) as Path[]) {
    for (const value of plan[quantity][path] ?? []) {
      // Cells of a simulation take one step at a time.
      const sizes = {
        ...usual[path],
        ...(quantity === "rows" && path === "emulate" && { steps: 1 }),
        [quantity]: value,
      };
      const runnable = path === "emulate" ? await emulation(sizes) : training(path, sizes);
      await runnable.run();
      found.push({ quantity, path, value, times: [], runnable });
    }
  }
  for (let round = 0; round < Number(values.rounds); round++)
    for (const { times, runnable } of found) times.push(await measured(runnable));
  for (const { runnable } of found) await runnable.dispose();
  return found.map(({ runnable: _, ...rest }) => rest);
}

/** Least squares of ln y over ln x. */
function slope(points: readonly Case[]): number {
  const [x, y] = [points.map(({ value }) => Math.log(value)), points.map(({ times }) => Math.log(median(times)))];
  const mean = (list: readonly number[]): number => list.reduce((sum, value) => sum + value, 0) / list.length;
  const [mx, my] = [mean(x), mean(y)];
  return mean(x.map((value, i) => (value - mx) * (y[i]! - my))) / mean(x.map((value) => (value - mx) ** 2));
}

async function draw(all: readonly Case[], output: string): Promise<void> {
  const used = (Object.keys(paths) as Path[]).filter((path) => all.some((each) => each.path === path));
  const panels = [...new Set(all.map(({ quantity }) => quantity))].map((quantity) => ({
    ...{ width: 200, height: 170 },
    data: {
      values: all
        .filter((each) => each.quantity === quantity)
        .map(({ path, value, times }) => ({ path: paths[path], value, ms: median(times) })),
    },
    mark: { type: "line", point: true },
    encoding: {
      x: logarithmic("value", quantity),
      y: logarithmic("ms", "ms of the processor"),
      color: colours(
        "path",
        used.map((path) => paths[path]),
      ),
    },
  }));
  const spec = figureSpec({ concat: panels, columns: 3, background: ink.surface });
  writeFileAtomic(output, `${await renderSvg(spec)}\n`);
}

const all: Case[] = values.from ? JSON.parse(readFileSync(values.from, "utf8")).cases : [];
try {
  for (const quantity of values.from ? [] : (values.only.split(",") as Quantity[])) {
    all.push(...(await measure(quantity)));
    process.stderr.write(`${quantity}: measured\n`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (!values.from)
  writeFileAtomic("bench/growth.json", `${JSON.stringify({ settings: values, cases: all }, null, 1)}\n`);
const names = [...new Set(all.map(({ quantity, path }) => `${quantity}, ${paths[path]}`))];
const series = names.map((name) => all.filter(({ quantity, path }) => `${quantity}, ${paths[path]}` === name));
const milliseconds = (points: readonly Case[]): string =>
  points.map(({ value, times }) => `${value}: ${median(times).toPrecision(3)}`).join(", ");
process.stdout.write(
  `${formatTable<(typeof series)[number]>(
    [
      { title: "what", value: (points) => names[series.indexOf(points)]! },
      { title: "exponent", value: (points) => slope(points).toFixed(2) },
      { title: "of the last two", value: (points) => slope(points.slice(-2)).toFixed(2) },
      { title: "ms of the processor", value: (points) => milliseconds(points) },
    ],
    series,
  )}\n`,
);
if (values.draw) await draw(all, values.draw);
