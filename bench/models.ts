/**
 * Compares the evolvers: each is trained from several seeds, through one autoencoder a seed, and scored on tracers that chose nothing.
 * Writes bench/models.json and prints a table. Run: npm run build && npx tsx bench/models.ts --train raw.h5 --test raw.h5
 *   [--models emulator,latent_rnn --seeds 0,1,2 --minutes 5 --folder DIR --overrides "model.batch_size=32"]
 * What is there already in the folder (an autoencoder, a run that is done) is not made again.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { median } from "../src/analysis/prediction-metrics.ts";
import { chooseEngine } from "../src/backend/choose-engine.ts";
import { formatTable } from "../src/commands/tables.ts";
import { writeFileAtomic } from "../src/formats/atomic-file.ts";
import { evolvers } from "../src/models/evolvers.ts";
import { Roller } from "../src/models/runners.ts";
import { readEmulator } from "../src/models/weights-file.ts";

const { values } = parseArgs({
  options: {
    train: { type: "string" },
    test: { type: "string" },
    models: { type: "string", default: Object.keys(evolvers).join() },
    seeds: { type: "string", default: "0,1,2" },
    minutes: { type: "string" },
    folder: { type: "string", default: "outputs/models" },
    overrides: { type: "string", default: "" },
    threads: { type: "string", default: "1" },
  },
});
if (!values.train || !values.test) throw new Error("--train and --test are raw files");
const folder = resolve(values.folder);
mkdirSync(folder, { recursive: true });
const list = (text: string): string[] => text.split(",").filter(Boolean);

/** Models without an autoencoder. */
const onAbundances = new Set(["autoregressive"]);

function astrochem(...words: string[]): void {
  const cli = resolve("dist/cli.js");
  const child = spawnSync(process.execPath, [cli, ...words, `working_path=${folder}`, `threads=${values.threads}`], {
    encoding: "utf8",
    cwd: folder,
    maxBuffer: 2 ** 28,
  });
  if (child.status !== 0) throw new Error(`astrochem ${words.join(" ")} failed (npm run build?)\n${child.stderr}`);
}

function preprocess(raw: string, name: string, ...more: string[]): string {
  const clean = join(folder, `${name}.h5`);
  const words = ["preprocess", "dataset=grav", `dataset.preprocessing.input_path=${resolve(raw)}`];
  if (!existsSync(clean)) {
    const path = [`working_path=${folder}`, `run_dir=${join(folder, name)}`];
    const child = spawnSync(process.execPath, [
      resolve("dist/cli.js"),
      ...words,
      `dataset.dataset_path=${clean}`,
      ...path,
      ...more,
    ]);
    if (child.status !== 0) throw new Error(String(child.stderr));
  }
  return clean;
}

const training = preprocess(values.train, "train");
const test = preprocess(
  values.test,
  "test",
  "dataset.preprocessing.train_split=0",
  "dataset.preprocessing.test_split=1",
);
const data = ["dataset=grav", `dataset.dataset_path=${training}`];

interface Result {
  readonly model: string;
  readonly seed: number;
  readonly parameters: number;
  readonly minutes: number;
  /** Of the whole trajectory and of windows, on the test tracers; the validation tracers' beside. */
  readonly dex: number;
  readonly windows_dex: number;
  readonly p99_dex: number;
  readonly validation_dex: number;
  readonly microseconds_1: number;
  readonly microseconds_1024: number;
}

function autoencoderOf(seed: number): string {
  const weights = join(folder, `autoencoder-${seed}.safetensors`);
  if (!existsSync(weights)) {
    const run = `run_dir=${join(folder, `autoencoder-${seed}`)}`;
    astrochem("train-autoencoder", ...data, `seed=${seed}`, `model.save_model_path=${weights}`, run);
  }
  return weights;
}

async function result(model: string, seed: number): Promise<Result> {
  const ofNothing = onAbundances.has(model);
  const autoencoder = ofNothing ? join(folder, "identity.safetensors") : autoencoderOf(seed);
  const name = `${model}-${seed}`;
  const weights = join(folder, `${name}.safetensors`);
  if (!existsSync(weights)) {
    astrochem(
      "train-emulator",
      ...data,
      ...(ofNothing ? ["autoencoder=identity"] : []),
      `model=${model}`,
      `autoencoder.pretrained_model_path=${autoencoder}`,
      `seed=${seed}`,
      `model.save_model_path=${weights}`,
      `cache_dir=${join(folder, "caches", ofNothing ? "identity" : String(seed))}`,
      `run_dir=${join(folder, name)}`,
      ...(values.minutes ? [`model.max_minutes=${values.minutes}`] : []),
      ...values.overrides.split(" ").filter(Boolean),
    );
  }
  const log = JSON.parse(readFileSync(weights.replace(/safetensors$/, "json"), "utf8"));
  const seconds = log.reduce(
    (sum: number, epoch: { seconds_training: number; seconds_validation: number }) =>
      sum + epoch.seconds_training + epoch.seconds_validation,
    0,
  );
  const scores = (split: string, ...more: string[]) => {
    const run = join(folder, `${name}-${split}`);
    if (!existsSync(join(run, "metrics.json"))) {
      astrochem("evaluate", ...data, `autoencoder=${autoencoder}`, `emulator=${weights}`, `run_dir=${run}`, ...more);
    }
    return JSON.parse(readFileSync(join(run, "metrics.json"), "utf8")).predictions;
  };
  const tested = scores("test", "split=test", `test_path=${test}`);
  return {
    model,
    seed,
    parameters: readEmulator(weights).trainable.length,
    minutes: seconds / 60,
    dex: tested.emulation.overall.all.dex.mean,
    windows_dex: tested.windows.overall.all.dex.mean,
    p99_dex: tested.emulation.overall.all.dex.p99,
    validation_dex: scores("val").emulation.overall.all.dex.mean,
    microseconds_1: await microseconds(weights, 1, 296),
    microseconds_1024: await microseconds(weights, 1024, 64),
  };
}

/** Of one step of one trajectory. */
async function microseconds(path: string, batch: number, steps: number): Promise<number> {
  const weights = readEmulator(path);
  const { engine } = await chooseEngine({ device: "cpu", threads: Number(values.threads) });
  const roller = new Roller(engine, weights);
  const { input_dim, output_dim } = weights.model;
  const physical = new Float32Array(batch * steps * (input_dim - output_dim)).fill(0.5);
  const start = new Float32Array(batch * output_dim).fill(0.5);
  const times: number[] = [];
  for (let k = 0; k < 6; k++) {
    const begun = performance.now();
    await roller.rollout(physical, start, batch, steps);
    times.push(performance.now() - begun);
  }
  await roller.dispose();
  return (1000 * median(times.slice(1))) / (batch * steps);
}

const results: Result[] = [];
for (const seed of list(values.seeds).map(Number)) {
  for (const model of list(values.models)) {
    results.push(await result(model, seed));
    const { dex, validation_dex } = results.at(-1)!;
    process.stderr.write(`${model}, seed ${seed}: ${dex.toFixed(4)} dex (validation ${validation_dex.toFixed(4)})\n`);
    writeFileAtomic("bench/models.json", `${JSON.stringify(results, null, 1)}\n`);
  }
}

const rows = list(values.models).map((model) => ({ model, all: results.filter((each) => each.model === model) }));
/** The median over the seeds, and their range where there are several. */
const over = (all: readonly Result[], value: (each: Result) => number, digits = 4): string => {
  const numbers = all.map(value);
  const range = `${Math.min(...numbers).toFixed(digits)}–${Math.max(...numbers).toFixed(digits)}`;
  return numbers.length === 1 ? numbers[0]!.toFixed(digits) : `${median(numbers).toFixed(digits)} (${range})`;
};
process.stdout.write(
  `${formatTable(
    [
      { title: "model", value: (row: (typeof rows)[0]) => row.model },
      { title: "parameters", value: (row) => row.all[0]!.parameters },
      { title: "dex, whole", value: (row) => over(row.all, (each) => each.dex) },
      { title: "dex, windows", value: (row) => over(row.all, (each) => each.windows_dex) },
      { title: "99 %", value: (row) => over(row.all, (each) => each.p99_dex, 3) },
      { title: "validation", value: (row) => over(row.all, (each) => each.validation_dex) },
      { title: "minutes", value: (row) => over(row.all, (each) => each.minutes, 1) },
      { title: "µs a step, 1", value: (row) => over(row.all, (each) => each.microseconds_1, 1) },
      { title: "µs a step, 1024", value: (row) => over(row.all, (each) => each.microseconds_1024, 2) },
    ],
    rows,
  )}\n`,
);
