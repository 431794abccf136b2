import { execFile, spawn } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { readSpeciesList } from "../../src/chemistry/species.ts";
import { Interruption } from "../../src/commands/interruption.ts";
import { main } from "../../src/commands/main.ts";
import { FrameWriter, openFrame } from "../../src/data/frame.ts";
import { createHdf5 } from "../../src/data/hdf5.ts";
import { readNpy, writeNpy } from "../../src/formats/npy.ts";
import { Inference } from "../../src/inference/inference.ts";
import { readAutoencoder, readEmulator } from "../../src/models/weights-file.ts";
import { sharedFile } from "../helpers/fixtures.ts";
import { testFolder } from "../helpers/folder.ts";
import { madeRows, type RawRow, writeRawRows } from "../helpers/raw-frame.ts";
import { expectClose } from "../helpers/tensors.ts";
import { Buffered, temporaryFolder } from "./buffers.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const program = process.env.ASTROCHEM_SKIP_BUILD
  ? ["--import", import.meta.resolve("tsx"), join(root, "src/cli.ts")]
  : [join(root, "dist/cli.js")];
const species = readSpeciesList(join(root, "utils/species.txt"));
const initial = join(root, "utils/initial_abundances.npy");
const physical = ["Density", "Radfield", "Av", "gasTemp"];
const [tracers, rowsEach] = [8, 12];

const common = ["recipe=original", "dataset.dataset_path=clean.h5", "model.batch_size=16", "model.max_epochs=2"];
const words = {
  preprocess: ["preprocess", "input_path=raw.h5", "output_path=clean.h5", "dataset.start=configured"],
  autoencoder: ["train-autoencoder", ...common, "model.hidden_dims=[8,4]", "model.latent_dim=3"],
  emulator: ["train-emulator", ...common, "autoencoder.latent_dim=3", "model.hidden_dim=8", "model.window_size=6"],
};

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** The built program as a user runs it. */
function astrochem(args: readonly string[], cwd: string): Promise<Outcome> {
  const { NO_COLOR, FORCE_COLOR, ...env } = process.env;
  return new Promise((done) => {
    execFile(process.execPath, [...program, ...args], { cwd, env }, (error, stdout, stderr) => {
      done({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr });
    });
  });
}

/** The same within this process, which is quicker; `…` stands for the folder. */
async function command(args: readonly string[], cwd: string): Promise<Outcome> {
  const [stdout, stderr] = [new Buffered(), new Buffered()];
  const signal = new AbortController().signal;
  const code = await main(args, { cwd, env: {}, now: () => new Date(), stdout, stderr, signal });
  const shown = (text: string): string => text.replaceAll(cwd, "…");
  return { code, stdout: shown(stdout.text), stderr: shown(stderr.text) };
}

/** The lines of an error alone. */
function errorOf({ stderr }: Outcome): string {
  return stderr.slice(stderr.indexOf("error:"));
}

/** What each of the commands says that fails, with its exit code; nothing of it on stdout. */
async function refusals(cases: readonly (readonly string[])[], cwd: string): Promise<string> {
  const told: string[] = [];
  for (const args of cases) {
    const outcome = await command(args, cwd);
    expect(outcome.stdout, args.join(" ")).toBe("");
    told.push(`${outcome.code} ${errorOf(outcome)}`);
  }
  return told.join("");
}

function rawRows(count = tracers): RawRow[] {
  return madeRows(count, () => rowsEach);
}

/** The folder of the whole path, which every test reads and none changes. */
const made = testFolder();
const outcomes: Record<string, Outcome> = {};

beforeAll(async () => {
  await writeRawRows(join(made, "raw.h5"), rawRows());
  outcomes.preprocess = await astrochem(words.preprocess, made);
  outcomes.autoencoder = await astrochem(words.autoencoder, made);
  outcomes.emulator = await astrochem([...words.emulator, "--json"], made);
  outcomes.emulate = await astrochem(["emulate", "clean.h5", "--output", "clean-out.h5"], made);
});

/** A folder of the test's own with some of what was made in it. */
function folderWith(...names: readonly string[]): string {
  const cwd = temporaryFolder();
  for (const name of names) cpSync(join(made, name), join(cwd, name), { recursive: true });
  return cwd;
}

/** The one run folder of that command. */
function runFolder(cwd: string, name: string): string {
  const days = readdirSync(join(cwd, "outputs")).flatMap((day) =>
    readdirSync(join(cwd, "outputs", day)).map((run) => join(cwd, "outputs", day, run)),
  );
  const runs = days.filter((run) => run.endsWith(`-${name}`));
  expect(runs).toHaveLength(1);
  return runs[0]!;
}

/** Every file below a folder, but for those of the runs. */
function filesIn(cwd: string): string[] {
  return readdirSync(cwd, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(cwd.length + 1))
    .filter((name) => !name.startsWith("outputs/"))
    .sort();
}

function json(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(path, "utf8"));
}

/** Columns of a frame, [rows, columns], and its tracers. */
async function readFrame(path: string, key: string, columns: readonly string[]) {
  const frame = await openFrame(path, key);
  const values = new Float32Array(frame.rows * columns.length);
  frame.read(0, frame.rows, columns, values);
  const models = new Float32Array(frame.rows);
  frame.read(0, frame.rows, ["Model"], models);
  const result = { rows: frame.rows, columns: frame.columns, values, models: [...models] };
  frame.close();
  return result;
}

describe("the path from a raw file to emulated histories", () => {
  it("ends with exit code 0 at each step and leaves whole files only", () => {
    expect(Object.entries(outcomes).map(([name, { code }]) => [name, code])).toEqual([
      ["preprocess", 0],
      ["autoencoder", 0],
      ["emulator", 0],
      ["emulate", 0],
    ]);
    expect(filesIn(made)).toEqual([
      "clean-out.h5",
      "clean.h5",
      "data/autoencoder_train_preprocessed.h5",
      "data/autoencoder_val_preprocessed.h5",
      "data/training_seq.h5",
      "data/validation_seq.h5",
      "raw.h5",
      "weights/grav/autoencoder.json",
      "weights/grav/autoencoder.safetensors",
      "weights/grav/emulator.json",
      "weights/grav/emulator.safetensors",
    ]);
  });

  it("tells the results on stdout and the rest on stderr", () => {
    const { stdout, stderr } = outcomes.autoencoder!;
    // 333·8 + 8·4 + 4·3 weights, a bias of 3, decoder biases 4 + 8 + 333, and two numbers for each of 8+4+3+4+8 normalized units.
    expect(stdout).toMatch(
      /^3,110 parameters, 2 epochs, ended: max_epochs; best mean relative error [\d.e+]+ in epoch [12]\nweights: weights\/grav\/autoencoder\.safetensors\nrun: outputs\/.*-train-autoencoder\n$/,
    );
    expect(stderr).toMatch(/\nepoch 2\/2 train_loss /);
    expect(stderr).toContain("78 training rows,");
    // 6 tracers of 13 rows give 8 windows of 6 rows each.
    expect(outcomes.emulator!.stderr).toContain("48 training windows,");
    expect(outcomes.emulate!.stdout).toMatch(/^2 tracers, 24 rows emulated at [\d,]+ rows\/s\n.*clean-out\.h5\n$/);
  });

  it("prints one JSON object with --json", () => {
    const { stdout } = outcomes.emulator!;
    expect(stdout.split("\n")).toHaveLength(2);
    expect(JSON.parse(stdout)).toEqual({
      weights: join(made, "weights/grav/emulator.safetensors"),
      epochs: 2,
      steps: 6,
      best_epoch: expect.toBeOneOf([0, 1]),
      best_metric: expect.any(Number),
      metric: "relative",
      // (4 + 3)·8 + 8, 8·8 + 8, 8·3 + 3
      parameters: 163,
      reason: "max_epochs",
      run: runFolder(made, "train-emulator"),
    });
  });

  it.each(["autoencoder", "emulator"])("leaves epochs, best weights and a summary in the run folder: %s", (kind) => {
    const run = runFolder(made, `train-${kind}`);
    expect(readdirSync(run).sort()).toEqual([
      "checkpoints",
      "config.yaml",
      "environment.json",
      "epochs.jsonl",
      "overrides.yaml",
      "run.log",
      "summary.json",
    ]);
    const weights = join(made, `weights/grav/${kind}.safetensors`);
    expect(readFileSync(join(run, "checkpoints/best.safetensors")).equals(readFileSync(weights))).toBe(true);
    const epochs = readFileSync(join(run, "epochs.jsonl"), "utf8").trimEnd().split("\n");
    const log: unknown = JSON.parse(readFileSync(join(made, `weights/grav/${kind}.json`), "utf8"));
    expect(epochs.map((line) => JSON.parse(line))).toEqual(log);
    expect(log).toHaveLength(2);
    expect(json(join(run, "summary.json"))).toMatchObject({ outcome: "completed", epochs: 2, reason: "max_epochs" });
    expect(json(join(run, "environment.json"))).toMatchObject({
      seed: 0,
      backend: { name: expect.stringMatching(/compiled|eager/) },
    });
  });

  it("writes all that is needed to use the weights into them", async () => {
    const autoencoder = readAutoencoder(join(made, "weights/grav/autoencoder.safetensors"));
    expect(autoencoder).toMatchObject({
      model: { input_dim: 333, hidden_dims: [8, 4], latent_dim: 3 },
      species,
      abundances_clipping: { lower: 1e-20, upper: 1 },
      provenance: { seed: 0 },
    });
    // 78 rows in batches of 16: 5 steps an epoch.
    expect(autoencoder.steps).toBe(5 * (autoencoder.provenance.epoch! + 1));
    expect(readEmulator(join(made, "weights/grav/emulator.safetensors"))).toMatchObject({
      model: { input_dim: 7, hidden_dim: 8, output_dim: 3 },
      physical_parameters: [
        { name: "Density", range: [68481, 1284211415] },
        { name: "Radfield", range: [1e-4, 26] },
        { name: "Av", range: [0.1, 6914] },
        { name: "gasTemp", range: [13, 133] },
      ],
      window_size: 6,
      time_step_yr: 100,
    });
    // The latent range is that of the training rows, through the weights that were written.
    const surrogate = await Inference.load({ autoencoder: join(made, "weights/grav/autoencoder.safetensors") });
    const train = await readFrame(join(made, "clean.h5"), "train", species);
    const { data } = await surrogate.encode({ data: train.values, shape: [train.rows, 333] });
    surrogate.dispose();
    const [low, high] = autoencoder.latent_range!;
    expectClose([Math.min(...data), Math.max(...data)], [low, high], { relative: 1e-5 });
    // So are the ranges that bound what comes out.
    const column = (values: ArrayLike<number>, width: number, k: number) =>
      Array.from({ length: train.rows }, (_, row) => values[row * width + k]!);
    const dex = (value: number) => Math.log10(Math.min(Math.max(value, 1e-20), 1));
    for (const s of [0, 100, 332]) {
      const values = column(train.values, 333, s).map(dex);
      const { lower, upper } = autoencoder.abundance_range!;
      expectClose([lower[s]!, upper[s]!], [Math.min(...values), Math.max(...values)], { absolute: 1e-4 });
    }
    const { lower, upper } = readEmulator(join(made, "weights/grav/emulator.safetensors")).scaled_latent_range!;
    for (const k of [0, 1, 2]) {
      const values = column(data, 3, k).map((z) => (z - low) / (high - low));
      expectClose([lower[k]!, upper[k]!], [Math.min(...values), Math.max(...values)], { absolute: 1e-5 });
    }
  });
});

describe("training from one seed", () => {
  it("gives the same bytes anywhere, and others from another seed", async () => {
    const cwd = folderWith("clean.h5");
    // Another folder, another time, another program around it: nothing of that is in the files.
    expect((await command(words.autoencoder, cwd)).code).toBe(0);
    expect((await command(words.emulator, cwd)).code).toBe(0);
    for (const name of ["weights/grav/autoencoder.safetensors", "weights/grav/emulator.safetensors"]) {
      expect(readFileSync(join(cwd, name)).equals(readFileSync(join(made, name))), name).toBe(true);
    }
    expect((await command([...words.autoencoder, "seed=1"], cwd)).code).toBe(0);
    const other = readAutoencoder(join(cwd, "weights/grav/autoencoder.safetensors"));
    expect(other.trainable).not.toEqual(readAutoencoder(join(made, "weights/grav/autoencoder.safetensors")).trainable);

    // The emulator there still belongs to the autoencoder that was overwritten.
    const refused = await command(["emulate", "clean.h5"], cwd);
    expect([refused.code, refused.stdout]).toEqual([4, ""]);
    expect(errorOf(refused).replace(/\d{4}-\d\d-\d\d\/[\d-]+-train/, "<run>-train")).toMatchInlineSnapshot(`
      "error: …/weights/grav/emulator.safetensors was trained with another autoencoder than …/weights/grav/autoencoder.safetensors
        at   …/weights/grav/emulator.safetensors
        fix  the one that belongs to it is …/outputs/<run>-train-autoencoder/checkpoints/best.safetensors: load that, or train the emulator again: astrochem train-emulator
      "
    `);
    expect(existsSync(join(cwd, "emulated.h5"))).toBe(false);
  });

  it("is the same training in chunks that a worker reads, but for the order of the rows", async () => {
    const cwd = folderWith("clean.h5", "data", "weights");
    const { code, stderr } = await command([...words.autoencoder, "model.shuffle_chunk_size=0.5"], cwd);
    expect([code, stderr]).toEqual([0, expect.stringContaining("streamed in chunks of 39 rows")]);
    const emulator = await command([...words.emulator, "model.shuffle_chunk_size=0.5"], cwd);
    expect([emulator.code, emulator.stderr]).toEqual([0, expect.stringContaining("streamed in chunks of 39 rows")]);
  });
});

describe("the caches", () => {
  it("are all that mode=preprocess makes", async () => {
    const cwd = folderWith("clean.h5");
    const { code, stdout } = await command([...words.autoencoder, "mode=preprocess"], cwd);
    expect([code, stdout]).toEqual([0, "caches are ready; mode=train trains from them\n"]);
    const caches = ["data/autoencoder_train_preprocessed.h5", "data/autoencoder_val_preprocessed.h5"];
    expect(filesIn(cwd)).toEqual(["clean.h5", ...caches]);
    const shown = await command([...words.autoencoder, "mode=preprocess", "--json"], cwd);
    expect(Object.keys(JSON.parse(shown.stdout))).toEqual(["run"]);
    expect(shown.stderr).toContain("fits");
  });

  it("are wanted by mode=train, which says how to make them", async () => {
    const cwd = folderWith("clean.h5", "weights");
    const autoencoder = await command([...words.autoencoder, "mode=train"], cwd);
    expect([autoencoder.code, autoencoder.stdout]).toEqual([3, ""]);
    expect(errorOf(autoencoder)).toMatchInlineSnapshot(`
      "error: mode=train wants the cache …/data/autoencoder_train_preprocessed.h5, but it is absent
        at   …/data/autoencoder_train_preprocessed.h5
        fix  make it: astrochem train-autoencoder mode=preprocess (or mode=both)
      "
    `);
    const emulator = await command([...words.emulator, "mode=train"], cwd);
    expect(emulator.code).toBe(3);
    expect(errorOf(emulator)).toMatchInlineSnapshot(`
      "error: mode=train wants the cache …/data/training_seq.h5, but it is absent
        at   …/data/training_seq.h5
        fix  make it: astrochem train-emulator mode=preprocess (or mode=both)
      "
    `);
    expect(filesIn(cwd).filter((name) => name.startsWith("data/"))).toEqual([]);
  });

  it("are made anew for another clipping, or refused where mode=train must not", async () => {
    const cwd = folderWith("clean.h5", "data");
    const cache = join(cwd, "data/autoencoder_train_preprocessed.h5");
    const before = readFileSync(cache);
    const clipped = [...words.autoencoder, "dataset.abundances_clipping.lower=1e-18"];
    const refused = await command([...clipped, "mode=train"], cwd);
    expect(refused.code).toBe(3);
    expect(errorOf(refused)).toMatch(
      /^error: mode=train wants the cache …\/data\/autoencoder_train_\S+, but it was made /,
    );
    expect(readFileSync(cache).equals(before)).toBe(true);
    const made = await command([...clipped, "mode=preprocess"], cwd);
    expect([made.code, made.stderr]).toEqual([0, expect.stringContaining("making cache …/data/autoencoder_train_")]);
    expect(readFileSync(cache).equals(before)).toBe(false);
    expect((await command([...clipped, "mode=preprocess"], cwd)).stderr).not.toContain("making cache");
  });

  it("do not suit an emulator where no tracer is as long as the window", async () => {
    const cwd = folderWith("clean.h5", "weights");
    const outcome = await command([...words.emulator, "model.window_size=14"], cwd);
    expect(outcome.code).toBe(3);
    expect(errorOf(outcome)).toMatchInlineSnapshot(`
      "error: no tracer has the 14 rows of a window; the longest has 13
        at   …/clean.h5, key train
        fix  model.window_size=13 or less
      "
    `);
    expect(filesIn(cwd).filter((name) => name.startsWith("data/"))).toEqual([]);
  });
});

describe("a training that cannot start", () => {
  it("says why, and what to do", async () => {
    const cwd = folderWith("clean.h5", "weights");
    const wrong = [
      ["autoencoder.pretrained_model_path=absent.safetensors"],
      ["autoencoder.latent_dim=5"],
      ["dataset.abundances_clipping.lower=1e-18"],
      ["device=cuda"],
      ["--warm-start", "model.pretrained_model_path=weights/grav/autoencoder.safetensors"],
      ["--warm-start", "model.hidden_dim=9"],
      ["--warm-start", "--fresh"],
    ];
    const cases = wrong.map((changes) => [...words.emulator, ...changes]);
    expect(await refusals(cases, cwd)).toMatchInlineSnapshot(`
      "4 error: there is no weights file …/absent.safetensors
        at   …/absent.safetensors
        fix  train it (astrochem train-autoencoder, astrochem train-emulator) or correct the path
      4 error: …/weights/grav/autoencoder.safetensors has 3 latents, the configuration 5
        at   …/weights/grav/autoencoder.safetensors
        fix  autoencoder.latent_dim=3
      4 error: …/weights/grav/autoencoder.safetensors is of another clipping range: [1e-20, 1], here [1e-18, 1]
        at   …/weights/grav/autoencoder.safetensors
        fix  use the dataset that it was trained with, or train it again: astrochem train-autoencoder
      2 error: no native TensorFlow for cuda is installed
        at   device
        fix  astrochem backend install cuda
      4 error: …/weights/grav/autoencoder.safetensors holds an autoencoder, not an emulator
        at   …/weights/grav/autoencoder.safetensors
        fix  give the emulator's file
      4 error: …/weights/grav/emulator.safetensors holds a model of other sizes
        at   …/weights/grav/emulator.safetensors
        fix  it has {"input_dim":7,"hidden_dim":8,"output_dim":3}, the configuration {"input_dim":7,"hidden_dim":9,"output_dim":3}: make them agree, or start fresh
      2 error: --warm-start and --fresh exclude each other
        fix  give one
      "
    `);
    expect(readdirSync(join(cwd, "weights/grav")).sort()).toEqual(readdirSync(join(made, "weights/grav")).sort());
  });

  it("tells the identity of another species list by the species, not by the latents that they are", async () => {
    const cwd = folderWith("clean.h5");
    const sizes = ["autoencoder=identity", "model.hidden_dim=8", "model.window_size=6", "mode=preprocess"];
    expect((await command(["train-emulator", ...common, ...sizes], cwd)).code).toBe(0);
    writeFileSync(join(cwd, "few.txt"), `${species.slice(0, 300).join("\n")}\n`);
    const few = ["train-emulator", ...common, ...sizes, "dataset.species_path=few.txt"];
    expect(await refusals([few], cwd)).toMatchInlineSnapshot(`
      "4 error: …/weights/grav/identity.safetensors is of another species list: 333 species, here 300
        at   …/weights/grav/identity.safetensors
        fix  remove it: the emulator's training makes it anew; or give another place: autoencoder.pretrained_model_path=FILE
      "
    `);
  });

  it("leaves no part of a file where it cannot write", async () => {
    const cwd = folderWith("clean.h5", "data", "weights");
    writeFileSync(join(cwd, "taken"), "");
    const before = filesIn(cwd);
    const weights = await command([...words.autoencoder, "model.save_model_path=taken/ae.safetensors"], cwd);
    expect([weights.code, errorOf(weights)]).toEqual([3, expect.stringMatching(/^error: cannot write …\/taken\/ae\./)]);
    const cache = await command([...words.autoencoder, "cache_dir=taken/data"], cwd);
    expect([cache.code, errorOf(cache)]).toEqual([3, expect.stringMatching(/^error: cannot write …\/taken\/data\//)]);
    const emulated = await command(["emulate", "clean.h5", "--output", "taken/out.h5"], cwd);
    expect([emulated.code, errorOf(emulated)]).toEqual([
      3,
      expect.stringMatching(/^error: cannot write …\/taken\/out/),
    ]);
    expect(filesIn(cwd)).toEqual(before);
  });
});

describe("a training that goes on", () => {
  it("from weights starts where they stood", async () => {
    const cwd = folderWith("clean.h5", "data", "weights");
    const outcome = await command([...words.autoencoder, "--warm-start", "model.lr=1e-12"], cwd);
    expect(outcome.code).toBe(0);
    expect(outcome.stderr).toContain(
      "starting from …/weights/grav/autoencoder.safetensors; the optimizer starts fresh",
    );
    const [before, after] = [made, cwd].map((folder) =>
      readAutoencoder(join(folder, "weights/grav/autoencoder.safetensors")),
    );
    // With next to no learning rate they stay, but for the running statistics.
    expectClose(after!.trainable, before!.trainable, { absolute: 1e-9 });
  });

  it("keeps its weights to itself with save_model=false", async () => {
    const cwd = folderWith("clean.h5", "data");
    const { code, stdout } = await command([...words.autoencoder, "model.save_model=false"], cwd);
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/\nweights: outputs\/.*\/checkpoints\/best\.safetensors\nrun: outputs\/.*\n$/),
    ]);
    expect(existsSync(join(cwd, "weights"))).toBe(false);
  });
});

describe("an interrupted training", () => {
  const endless = ["model.max_epochs=null", "model.stagnant_epoch_patience=1000000"];

  /** What must be left of it in either case: its own best weights, and untouched the ones trained before. */
  function checkLeft(cwd: string, kind: "autoencoder" | "emulator", stdout: string): string {
    expect(stdout).toMatch(
      / epochs, ended: interrupted; .*\nweights: outputs\/.*\/checkpoints\/best\.safetensors\nrun: outputs\/.*\n$/,
    );
    const run = runFolder(cwd, `train-${kind}`);
    expect(json(join(run, "summary.json"))).toMatchObject({ outcome: "interrupted", reason: "interrupted" });
    const weights = `weights/grav/${kind}.safetensors`;
    expect(readFileSync(join(cwd, weights)).equals(readFileSync(join(made, weights)))).toBe(true);
    return join(run, "checkpoints/best.safetensors");
  }

  it("ends after the step at SIGINT, with exit code 130, and keeps the best weights", async () => {
    const cwd = folderWith("clean.h5", "data", "weights");
    const child = spawn(process.execPath, [...program, ...words.autoencoder, ...endless], { cwd });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      const isRunning = stderr.includes("epoch 2 ");
      stderr += chunk;
      if (!isRunning && stderr.includes("epoch 2 ")) child.kill("SIGINT");
    });
    const code = await new Promise((done) => child.on("close", done));
    expect([code, stderr]).toEqual([130, expect.stringContaining("SIGINT: ending after this step")]);
    // The range of the latents is still taken: the weights can be used.
    expect(readAutoencoder(checkLeft(cwd, "autoencoder", stdout)).latent_range).not.toBeNull();
  });

  it("keeps the best weights of an emulator too", async () => {
    const cwd = folderWith("clean.h5", "data", "weights");
    const [stdout, stderr, controller] = [new Buffered(), new Buffered(), new AbortController()];
    const now = (): Date => {
      // The clock is read at each step.
      if (stderr.text.includes("epoch 2 ")) controller.abort(new Interruption("SIGTERM"));
      return new Date();
    };
    const surroundings = { cwd, env: {}, now, stdout, stderr, signal: controller.signal };
    expect(await main([...words.emulator, ...endless], surroundings)).toBe(143);
    expect(readEmulator(checkLeft(cwd, "emulator", stdout.text)).window_size).toBe(6);
  });
});

describe("emulate", () => {
  const columns = ["Time", ...physical, ...species];

  it("writes a frame with the columns of the clean file: the given first rows, then the emulated ones", async () => {
    const out = await readFrame(join(made, "clean-out.h5"), "emulated", columns);
    const clean = await readFrame(join(made, "clean.h5"), "val", columns);
    expect([...out.columns].sort()).toEqual([...clean.columns, "expected_error_dex", "trust_flags"].sort());
    expect([out.rows, out.models]).toEqual([clean.rows, clean.models]);
    const width = columns.length;
    for (let row = 0; row < out.rows; row++) {
      const cells = (from: number, to: number, { values }: { values: Float32Array }) =>
        values.subarray(row * width + from, row * width + to);
      expect(cells(0, 5, out)).toEqual(cells(0, 5, clean));
      const isFirst = row % (rowsEach + 1) === 0;
      if (isFirst) expect(cells(5, width, out)).toEqual(cells(5, width, clean));
      else expect(cells(5, width, out)).not.toEqual(cells(5, width, clean));
    }
    // Decoded abundances lie within the clipping range.
    expect(Math.min(...out.values)).toBeGreaterThanOrEqual(0);
  });

  it("preprocesses a raw file on the way: the same tracers come out the same", async () => {
    const cwd = folderWith("raw.h5", "weights");
    // Made-up chemistry conserves nothing, so that each tracer's first row would be taken for a start of its own.
    const { code, stdout } = await command(["emulate", "raw.h5", "--json", "--start", initial], cwd);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ output: "…/emulated.h5", tracers: 8, rows: 96, seconds: expect.any(Number) });
    expect(filesIn(cwd).filter((name) => !name.startsWith("weights/"))).toEqual(["emulated.h5", "raw.h5"]);
    const ours = await readFrame(join(cwd, "emulated.h5"), "emulated", species);
    const wanted = await readFrame(join(made, "clean-out.h5"), "emulated", species);
    expect(ours.models).toEqual([...ours.models].sort((a, b) => a - b));
    for (const model of new Set(wanted.models)) {
      const of = ({ models, values }: typeof ours) =>
        values.subarray(models.indexOf(model) * 333, (models.lastIndexOf(model) + 1) * 333);
      expectClose(of(ours), of(wanted), { relative: 1e-5, what: `model ${model}` });
    }
  });

  /** A clean file of three rows a tracer, whose ids are kept as float64. */
  async function withIds(path: string, ids: readonly number[]): Promise<void> {
    const { values } = await readFrame(join(made, "clean.h5"), "val", columns);
    const file = await createHdf5(path);
    const order = ["Index", "Model", ...columns];
    const frame = { float32: columns, int64: ["Index"], float64: ["Model"], order };
    const writer = new FrameWriter(file, "val", frame, 3 * ids.length);
    for (const id of ids) {
      writer.append(
        values.subarray(0, 3 * columns.length),
        BigInt64Array.of(0n, 1n, 2n),
        3,
        Float64Array.of(id, id, id),
      );
    }
    writer.finish();
    file.close();
  }

  it.each([
    [
      [1e12, -3, 0],
      [-3, 0, 1e12],
    ],
    [
      [1.5, -3, 1e12, 1e300],
      [-3, 1.5, 1e12, 1e300],
    ],
  ])("keeps tracer ids of any size, whole or not: %j", async (ids, sorted) => {
    const cwd = folderWith("weights");
    await withIds(join(cwd, "odd.h5"), ids);
    const { code, stdout, stderr } = await command(["emulate", "odd.h5"], cwd);
    expect([code, stdout], stderr).toEqual([0, expect.stringContaining(`${ids.length} tracers`)]);
    const frame = await openFrame(join(cwd, "emulated.h5"), "emulated");
    const { values, codes } = frame.labels("Model");
    frame.close();
    expect([values, [...codes]]).toEqual([sorted, sorted.flatMap((_, rank) => [rank, rank, rank])]);
  });

  it("refuses a tracer id that is no number", async () => {
    const cwd = folderWith("weights");
    await withIds(join(cwd, "nan.h5"), [1, Number.NaN]);
    const refused = await command(["emulate", "nan.h5"], cwd);
    expect([refused.code, errorOf(refused)]).toEqual([3, expect.stringContaining("column `Model` is NaN in row 3")]);
    expect(existsSync(join(cwd, "emulated.h5"))).toBe(false);
  });

  it("reads a raw file of a single tracer", async () => {
    const cwd = folderWith("weights");
    await writeRawRows(join(cwd, "one.h5"), rawRows(1));
    const { code, stdout, stderr } = await command(["emulate", "one.h5"], cwd);
    expect([code, stdout], stderr).toEqual([0, expect.stringMatching(/^1 tracers?, 11 rows emulated /)]);
  });

  it("takes arrays: conditions for each step, one start for all", async () => {
    const cwd = folderWith("weights");
    const clean = await readFrame(join(made, "clean.h5"), "val", physical);
    const starts = await readFrame(join(made, "clean.h5"), "val", species);
    // The conditions of the first tracer's rows but the last one, twice.
    const steps = clean.values.subarray(0, rowsEach * 4);
    writeNpy(join(cwd, "p.npy"), { shape: [2, rowsEach, 4], data: Float32Array.of(...steps, ...steps) });
    writeNpy(join(cwd, "a.npy"), { shape: [1, 333], data: starts.values.slice(0, 333) });
    const { code, stdout } = await command(["emulate", "--physical", "p.npy", "--abundances", "a.npy"], cwd);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^2 tracers, 24 rows emulated /)]);
    const out = await readFrame(join(cwd, "emulated.h5"), "emulated", species);
    expect(out.models).toEqual([...Array(13).fill(0), ...Array(13).fill(1)]);
    const wanted = (await readFrame(join(made, "clean-out.h5"), "emulated", species)).values.subarray(0, 13 * 333);
    expectClose(out.values.subarray(0, 13 * 333), wanted, { relative: 1e-5 });
    expectClose(out.values.subarray(13 * 333), wanted, { relative: 1e-5 });
    const times = await readFrame(join(cwd, "emulated.h5"), "emulated", ["Time", "Av"]);
    expect(times.values.filter((_, i) => i % 2 === 0).slice(0, 13)).toEqual(
      Float32Array.from({ length: 13 }, (_, t) => 100 * t),
    );
    expect(times.values.filter((_, i) => i % 2).slice(0, 13)).toEqual(
      Float32Array.from([...Array(12).keys(), 11], (k) => clean.values[4 * k + 2]!),
    );
  });

  it("tells starts in another unit and a solver's rounding, once, and goes on", async () => {
    const cwd = folderWith("weights");
    const start = (await readFrame(join(made, "clean.h5"), "val", species)).values.slice(0, 333);
    const starts = Float32Array.of(...start, ...start.map((x) => 2 * x), ...start.map((x) => 2 * x));
    starts[2 * 333] = -1e-31;
    writeNpy(join(cwd, "p.npy"), { shape: [3, 2, 4], data: Float32Array.from({ length: 24 }, () => 10) });
    writeNpy(join(cwd, "a.npy"), { shape: [3, 333], data: starts });
    const { code, stderr } = await command(["emulate", "--physical", "p.npy", "--abundances", "a.npy"], cwd);
    expect(code).toBe(0);
    const lines = stderr.split("\n").filter((line) => /warning|raised/.test(line) && !line.includes("trained range"));
    expect(lines).toEqual([
      "raised 1 negative abundance (a solver's rounding, less than 1e-20 in size) to 1e-20",
      expect.stringMatching(
        /^warning: hydrogen nuclei sum to 2 instead of 1 in the first row of tracer 1 \(the first of 2 such rows\): abundances relative to H2\?/,
      ),
    ]);
    const out = await readFrame(join(cwd, "emulated.h5"), "emulated", species);
    expect(out.values[6 * 333]).toBe(Math.fround(1e-20));
  });

  it("warns once of a raw file's rows in another unit", async () => {
    const cwd = folderWith("raw.h5", "weights");
    const { stderr } = await command(["emulate", "raw.h5"], cwd);
    expect(
      stderr.match(/hydrogen nuclei sum to .* in row 0, tracer \d+ \(the first of 96 such rows\): /g),
    ).toHaveLength(1);
  });

  it.each([
    ["is absent", "absent"],
    ["is a file", "raw.h5"],
  ])("names TMPDIR where that %s", async (_, name) => {
    const cwd = folderWith("raw.h5", "weights");
    vi.stubEnv("TMPDIR", join(cwd, name));
    const refused = await command(["emulate", "raw.h5"], cwd);
    vi.unstubAllEnvs();
    expect([refused.code, errorOf(refused)]).toEqual([
      3,
      expect.stringMatching(
        /^error: cannot make a temporary folder in …\/.*\n {2}at {3}….*\n {2}fix {2}set TMPDIR to /,
      ),
    ]);
  });

  it("gives a raw file's remedies in terms that it has", async () => {
    const cwd = folderWith("raw.h5", "weights");
    const rows = rawRows(1).map((row) => ({ ...row, Radfield: 1 }));
    await writeRawRows(join(cwd, "twice.h5"), rows);
    const refused = await command(["emulate", "twice.h5"], cwd);
    expect([refused.code, errorOf(refused)]).toEqual([
      3,
      expect.stringContaining("columns_to_drop: Radfield or radfield; these are settings of astrochem preprocess"),
    ]);
  });

  it("says what is wrong, and what to do", async () => {
    const cwd = folderWith("clean.h5", "weights");
    writeNpy(join(cwd, "p.npy"), { shape: [2, 1, 3], data: new Float32Array(6).fill(1) });
    writeNpy(join(cwd, "a.npy"), { shape: [1, 333], data: new Float32Array(333).fill(1e-8) });
    const cases = [
      [],
      ["clean.h5", "--physical", "p.npy"],
      ["--physical", "p.npy"],
      ["--physical", "p.npy", "--abundances", "a.npy", "--key", "val"],
      ["--physical", "p.npy", "--abundances", "a.npy"],
      ["clean.h5", "--key", "test"],
      ["absent.h5"],
      ["clean.h5", "--emulator", "absent.safetensors"],
      ["clean.h5", "--emulator", "weights/grav/autoencoder.safetensors"],
      ["clean.h5", "--device", "cuda"],
    ];
    const told = await refusals(
      cases.map((args) => ["emulate", ...args]),
      cwd,
    );
    expect(told).toMatchInlineSnapshot(`
      "2 error: nothing to emulate was given
        fix  astrochem emulate FILE, or astrochem emulate --physical P.npy --abundances A.npy
      2 error: both a file and arrays were given
        fix  give a file, or --physical and --abundances
      2 error: --physical and --abundances go together
        fix  astrochem emulate FILE, or astrochem emulate --physical P.npy --abundances A.npy
      2 error: --key is for HDF5 files
        fix  leave it out
      3 error: --physical has shape [2,1,3], not [b, t, 4]
        at   p.npy
        fix  the parameters are Density, Radfield, Av, gasTemp
      3 error: no key \`test\` in …/clean.h5
        fix  keys in the file: train, val
      3 error: no such file: …/absent.h5
        fix  check the path
      4 error: there is no weights file …/absent.safetensors
        at   …/absent.safetensors
        fix  train it (astrochem train-autoencoder, astrochem train-emulator) or correct the path
      4 error: …/weights/grav/autoencoder.safetensors holds an autoencoder, not an emulator
        at   …/weights/grav/autoencoder.safetensors
        fix  give the emulator's file
      2 error: no native TensorFlow for cuda is installed
        at   device
        fix  astrochem backend install cuda
      "
    `);
    expect(existsSync(join(cwd, "emulated.h5"))).toBe(false);
  });
});

describe("import-weights", () => {
  const pretrained = (name: string): string | undefined => sharedFile(`reference/pretrained/${name}`);
  const [autoencoder, minmax, emulator] = ["autoencoder.pth", "latents_minmax.npy", "mlp.pth"].map(pretrained);
  const lacking = autoencoder && minmax && emulator ? "" : " (the original's weights are not here)";

  it.skipIf(lacking !== "")(`brings the original's weights in, with its numbers${lacking}`, async () => {
    const cwd = temporaryFolder();
    const args = ["--autoencoder", autoencoder!, "--latents-minmax", minmax!, "--emulator", emulator!];
    const { code, stdout, stderr } = await command(["import-weights", ...args], cwd);
    expect([code, stdout], stderr).toEqual([
      0,
      "weights/grav/autoencoder.safetensors\nweights/grav/emulator.safetensors\n",
    ]);
    const paths = {
      autoencoder: join(cwd, "weights/grav/autoencoder.safetensors"),
      emulator: join(cwd, "weights/grav/emulator.safetensors"),
    };
    const [min, max] = readAutoencoder(paths.autoencoder).latent_range!;
    const surrogate = await Inference.load(paths);
    // The numbers that the original gives for the table of initial abundances.
    const start = Float32Array.from<number | bigint>(readNpy(join(root, "utils/initial_abundances.npy")).data, Number);
    const row = { data: start.map((value) => Math.min(Math.max(value, 1e-20), 1)), shape: [1, 333] };
    const latents = await surrogate.encode(row);
    expectClose(
      latents.data,
      [25.89201, 0.149318, -0.010722, 0, -0.002365, 25.582405, 0, 78.46714, 0, 0, 0, 0, -0.001162, 32.502628],
      { absolute: 1e-4 },
    );
    const decoded = await surrogate.decode(latents);
    const errors = [...decoded.data].map((value, s) => Math.abs(value - row.data[s]!) / row.data[s]!);
    expect(errors.reduce((a, b) => a + b) / 333).toBeCloseTo(0.0112, 4);
    expect(Math.max(...errors)).toBeCloseTo(0.3457, 3);
    expect(errors.sort((a, b) => a - b)[166]).toBeCloseTo(0.00093, 4);

    const steps = 296;
    const conditions = [0.364393, 0.155546, 0.538286, 0.45296];
    const data = Float32Array.from({ length: steps * 4 }, (_, i) => conditions[i % 4]!);
    const rolled = await surrogate.latentEmulate({ data, shape: [1, steps, 4] }, latents, { scaled: true });
    const scaledAt = (step: number) =>
      [...rolled.data.subarray(14 * (step - 1), 14 * step)].map((z) => (z - min) / (max - min));
    const first = [
      0.382738, 0.042453, 0.201157, -0.04662, 0.385124, -0.112676, 0.000681, 0.295183, -0.095563, 0.082113, -0.06352,
      0.020947, 0.159521, 0.014532,
    ];
    const last = [
      -0.011683, 0.062652, 0.034585, 0.170426, 0.080178, 0.064041, 0.11968, 0.050997, -0.007357, 0.050472, 0.015095,
      0.067949, -0.022397, 0.051931,
    ];
    expectClose(scaledAt(1), first, { absolute: 1e-4 });
    expectClose(scaledAt(steps), last, { absolute: 1e-4 });
    surrogate.dispose();
  });

  const formats = join(root, "tests/fixtures/formats");
  it("refuses what it cannot use", async () => {
    const cwd = temporaryFolder();
    for (const name of ["plain.pth", "hostile.pth", "row-i4.npy"]) cpSync(join(formats, name), join(cwd, name));
    const range = ["--latents-minmax", "row-i4.npy"];
    const cases = [
      [],
      ["--autoencoder", "plain.pth"],
      ["--autoencoder", "plain.pth", ...range],
      ["--autoencoder", "hostile.pth", ...range],
      ["--emulator", "plain.pth"],
      ["--autoencoder", "absent.pth", ...range],
    ];
    const told = await refusals(
      cases.map((args) => ["import-weights", ...args]),
      cwd,
    );
    expect(told).toMatchInlineSnapshot(`
      "2 error: no weights were given
        fix  --autoencoder FILE.pth --latents-minmax FILE.npy, --emulator FILE.pth
      2 error: --autoencoder and --latents-minmax go together
        fix  give both: latents are scaled by the range
      4 error: …/plain.pth does not hold the model of the configuration
        missing: decoder_bias1, decoder_bias2, decoder_bias3, encoder_fc1.weight, encoder_fc2.weight, encoder_fc3.weight, encoder_fc3.bias, encoder_bn1.weight, encoder_bn1.bias, encoder_bn2.weight, encoder_bn2.bias, encoder_norm3.weight, encoder_norm3.bias, decoder_bn1.weight, decoder_bn1.bias, decoder_bn2.weight, decoder_bn2.bias, encoder_bn1.running_mean, encoder_bn1.running_var, encoder_bn2.running_mean, encoder_bn2.running_var, encoder_norm3.running_mean, encoder_norm3.running_var, decoder_bn1.running_mean, decoder_bn1.running_var, decoder_bn2.running_mean, decoder_bn2.running_var
        unexpected: first.weight, first.bias, norm.weight, norm.bias, norm.running_mean, norm.running_var
        at   …/plain.pth
        fix  set what it was trained with: autoencoder.hidden_dims, autoencoder.latent_dim, model.hidden_dim, dataset.species_path
      4 error: the pickle asks for posix.system, which is not on the list of what may be loaded
        at   …/hostile.pth
        fix  pickles can run any program, so only plain arrays are loaded: use a file that holds nothing else, and do not trust this one unless you know its writer
      4 error: there is no weights file …/weights/grav/autoencoder.safetensors
        at   …/weights/grav/autoencoder.safetensors
        fix  train it (astrochem train-autoencoder, astrochem train-emulator) or correct the path
      4 error: there is no file …/absent.pth
        at   …/absent.pth
        fix  correct the path
      "
    `);
    expect(existsSync(join(cwd, "weights"))).toBe(false);
  });
});
