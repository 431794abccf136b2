import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { readMetrics } from "../../src/analysis/metrics-file.ts";
import { Interruption } from "../../src/commands/interruption.ts";
import { main } from "../../src/commands/main.ts";
import { writeNpy } from "../../src/formats/npy.ts";
import { readCheckpoint, writeCheckpoint } from "../../src/training/checkpoint.ts";
import { testFolder } from "../helpers/folder.ts";
import { type RawRow, writeRawRows } from "../helpers/raw-frame.ts";
import { Buffered, temporaryFolder } from "./buffers.ts";

/** @param interruptAt aborts once stderr holds that text */
async function command(cwd: string, args: readonly string[], interruptAt?: string) {
  const [stdout, stderr, controller] = [new Buffered(), new Buffered(), new AbortController()];
  const now = (): Date => {
    if (interruptAt !== undefined && stderr.text.includes(interruptAt)) controller.abort(new Interruption("SIGTERM"));
    return new Date();
  };
  const code = await main(args, { cwd, env: {}, now, stdout, stderr, signal: controller.signal });
  const shown = (text: string): string => text.replaceAll(cwd, "…");
  return { code, stdout: shown(stdout.text), stderr: shown(stderr.text) };
}

/** A user's own dataset, which says nothing of its name. */
const dataset = `# @package _global_.dataset
dataset_path: clean.h5
species_path: species.txt
initial_abundances_path: start.npy
stoichiometric_matrix_path: null
phys: [Density, Av]
physical_parameter_ranges: { Density: [1, 1e9], Av: [0.1, 1e3] }
preprocessing: { input_path: raw.h5 }
`;
const small = [
  "recipe=original",
  "model.batch_size=4",
  "model.max_epochs=2",
  "threads=1",
  "engine=eager",
  "device=wasm",
];
const words = {
  preprocess: ["preprocess", "dataset=mine"],
  autoencoder: ["train-autoencoder", "dataset=mine", ...small, "model.hidden_dims=[4,3]", "model.latent_dim=2"],
  emulator: [
    ...["train-emulator", "dataset=mine", ...small],
    ...["autoencoder.latent_dim=2", "model.hidden_dim=4", "model.window_size=3"],
  ],
  emulate: ["emulate", "raw.h5", "--overwrite"],
  evaluate: ["evaluate", "dataset=mine", "species=[CO]", "run_dir=evaluated"],
};

const made = testFolder();

beforeAll(async () => {
  const rows: RawRow[] = Array.from({ length: 48 }, (_, i) => {
    const [tracer, step] = [Math.floor(i / 6), i % 6];
    const conditions = { Density: 1e4 * (1 + tracer + step), Av: 1 + step };
    return {
      Tracer: tracer,
      Time: 100 * (step + 1),
      ...conditions,
      H: 0.4,
      H2: 0.3 - (step + tracer) / 100,
      CO: 1e-5 * (1 + i),
    };
  });
  await writeRawRows(join(made, "raw.h5"), rows);
  writeFileSync(join(made, "species.txt"), "H\nH2\nCO\n");
  writeNpy(join(made, "start.npy"), { shape: [3], data: Float64Array.from([0.4, 0.3, 1e-5]) });
  mkdirSync(join(made, "configs/datasets"), { recursive: true });
  for (const name of ["mine", "other"]) writeFileSync(join(made, `configs/datasets/${name}.yaml`), dataset);
  for (const args of [words.preprocess, words.autoencoder, words.emulator]) {
    const { code, stderr } = await command(made, args);
    expect(code, stderr).toBe(0);
  }
});

/** A folder with the data and weights, without runs. */
function folder(): string {
  const cwd = temporaryFolder();
  for (const name of ["raw.h5", "clean.h5", "species.txt", "start.npy", "configs", "weights"]) {
    cpSync(join(made, name), join(cwd, name), { recursive: true });
  }
  return cwd;
}

/** The same, as an earlier version left it. */
function oldFolder(): string {
  const cwd = folder();
  for (const name of readdirSync(join(cwd, "weights/mine"))) {
    renameSync(join(cwd, "weights/mine", name), join(cwd, "weights", name));
  }
  rmSync(join(cwd, "weights/mine"), { recursive: true });
  return cwd;
}

const told = (text: string): string[] => text.split("\n").filter((line) => line.startsWith("using "));
const errorOf = (text: string): string => text.slice(text.indexOf("error:"));
const both = "mkdir -p weights/mine && mv weights/autoencoder.* weights/emulator.* weights/mine/";
const where = "where earlier versions put the weights of every dataset";

describe("the weights of two datasets", () => {
  it("lie apart, in folders that are called like the datasets' files", async () => {
    const cwd = folder();
    const { code, stderr } = await command(cwd, [...words.autoencoder, "dataset=other", "seed=3"]);
    expect(code, stderr).toBe(0);
    expect(readdirSync(join(cwd, "weights")).sort()).toEqual(["mine", "other"]);
    const bytes = (at: string, name: string) => readFileSync(join(at, `weights/${name}/autoencoder.safetensors`));
    expect(bytes(cwd, "mine").equals(bytes(made, "mine"))).toBe(true);
    expect(bytes(cwd, "other").equals(bytes(made, "mine"))).toBe(false);
  });

  it("are where a user's model file says, nevertheless", async () => {
    const cwd = folder();
    mkdirSync(join(cwd, "configs/models"));
    const text =
      "# @package _global_.model\ndefaults: [autoencoder]\nsave_model_path: weights/autoencoder.safetensors\n";
    writeFileSync(join(cwd, "configs/models/own.yaml"), text);
    const { stdout } = await command(cwd, [...words.autoencoder, "model=own", "seed=3"]);
    expect(stdout).toContain("weights: weights/autoencoder.safetensors\n");
  });
});

describe("emulate and export without a dataset", () => {
  it("take the only weights there are, and say which", async () => {
    const cwd = folder();
    const { code, stdout, stderr } = await command(cwd, words.emulate);
    expect([code, told(stderr)], stderr).toEqual([0, ["using the weights in weights/mine"]]);
    expect(stdout).toContain("emulated.h5");
  });

  it("list several, of which --weights names one", async () => {
    const cwd = folder();
    cpSync(join(cwd, "weights/mine"), join(cwd, "weights/other"), { recursive: true });
    const several = await command(cwd, words.emulate);
    expect(`${several.code} ${several.stderr}`).toMatchInlineSnapshot(`
      "2 error: 2 datasets have weights: weights/mine, weights/other
        at   …/weights
        fix  choose one: --weights weights/mine
      "
    `);
    const exported = await command(cwd, ["export", "onnx", "--only", "encoder"]);
    expect([exported.code, exported.stderr]).toEqual([2, several.stderr]);
    const chosen = await command(cwd, [...words.emulate, "--weights", "weights/other"]);
    expect([chosen.code, told(chosen.stderr)], chosen.stderr).toEqual([0, []]);
    const elsewhere = ["--emulator", "weights/other/emulator.safetensors", "--weights"];
    expect((await command(cwd, [...words.emulate, ...elsewhere, "weights/mine"])).code).toBe(0);
    const absent = await command(cwd, [...words.emulate, ...elsewhere, "absent"]);
    expect([absent.code, absent.stderr]).toEqual([4, expect.stringContaining("there is no autoencoder in …/absent")]);
    // Its autoencoder is found by its hash.
    rmSync(join(cwd, "weights/other/autoencoder.safetensors"));
    const alone = await command(cwd, [...words.emulate, "--emulator", "weights/other/emulator.safetensors"]);
    expect(alone.code, alone.stderr).toBe(0);
  });

  it("take the run folder of a training", async () => {
    const [day] = readdirSync(join(made, "outputs"));
    const runs = readdirSync(join(made, "outputs", day!));
    const run = (command: string) => join(made, "outputs", day!, runs.find((name) => name.endsWith(command))!);
    const cwd = temporaryFolder();
    cpSync(join(made, "raw.h5"), join(cwd, "raw.h5"));
    const good = await command(cwd, [...words.emulate, "--weights", run("train-emulator")]);
    expect(good.code, good.stderr).toBe(0);
    const bad = await command(cwd, [...words.emulate, "--weights", run("train-autoencoder")]);
    expect([bad.code, bad.stderr]).toEqual([
      4,
      expect.stringMatching(/^error: there is no emulator in .*\n {2}at {3}--/),
    ]);
  });

  it("are evaluated by --weights as well: a folder, a run, an autoencoder alone", async () => {
    const cwd = folder();
    const [day] = readdirSync(join(made, "outputs"));
    const run = readdirSync(join(made, "outputs", day!)).find((name) => name.endsWith("train-emulator"))!;
    cpSync(join(cwd, "weights/mine"), join(cwd, "other"), { recursive: true });
    cpSync(join(made, "outputs", day!, run), join(cwd, "run"), { recursive: true });
    const evaluate = async (...more: string[]) => {
      const { code, stderr } = await command(cwd, [...words.evaluate, ...more]);
      const { provenance } = JSON.parse(readFileSync(join(cwd, "evaluated/metrics.json"), "utf8"));
      const files = [provenance.autoencoder.path, provenance.emulator?.path ?? null];
      return { code, stderr, files: files.map((path) => path?.replaceAll(cwd, "…").replaceAll(made, "made") ?? null) };
    };
    const places = ["…/other/autoencoder.safetensors", "…/other/emulator.safetensors"];
    expect(await evaluate("--weights", "other")).toMatchObject({ code: 0, files: places });
    expect(await evaluate("--weights", "run")).toMatchObject({
      code: 0,
      // The run says where its autoencoder was.
      files: ["made/weights/mine/autoencoder.safetensors", "…/run/checkpoints/best.safetensors"],
    });
    expect(await evaluate("--weights", "other", "emulator=null")).toMatchObject({ code: 0, files: [places[0], null] });
    rmSync(join(cwd, "other/emulator.safetensors"));
    const alone = await evaluate("--weights", "other");
    expect(alone).toMatchObject({ code: 0, files: [places[0], null] });
    expect(alone.stderr).toContain("no emulator in other: evaluating the autoencoder alone\n");
    const twice = await evaluate("--weights", "other", "emulator=weights/mine/emulator.safetensors");
    expect([twice.code, twice.stderr]).toEqual([
      2,
      expect.stringContaining("--weights has no meaning beside emulator=weights/mine/emulator.safetensors"),
    ]);
  });

  it("refuse flags of which one has no meaning, and a folder without weights", async () => {
    const cwd = folder();
    const files = ["autoencoder", "emulator"].flatMap((kind) => [`--${kind}`, `weights/mine/${kind}.safetensors`]);
    const all = await command(cwd, [...words.emulate, ...files, "--weights", "weights/mine"]);
    const none = await command(cwd, [...words.emulate, "--weights", "configs"]);
    rmSync(join(cwd, "weights"), { recursive: true });
    const nothing = await command(cwd, words.emulate);
    expect([all, none, nothing].map(({ code, stderr }) => `${code} ${stderr}`).join("")).toMatchInlineSnapshot(`
      "2 error: --weights has no meaning beside both --autoencoder and --emulator
        fix  leave it out
      4 error: there is no emulator in …/configs
        at   --weights
        fix  give a folder with emulator.safetensors and autoencoder.safetensors, or the run folder of a train-emulator
      4 error: there is no weights file …/weights/*/emulator.safetensors
        at   …/weights
        fix  train (astrochem train-autoencoder, astrochem train-emulator), or give --weights FOLDER
      "
    `);
  });
});

describe("weights where earlier versions put them", () => {
  it("serve a training, which says how to move them and writes to the dataset's folder", async () => {
    const cwd = oldFolder();
    const { code, stdout, stderr } = await command(cwd, [...words.emulator, "--warm-start"]);
    expect(code, stderr).toBe(0);
    expect(told(stderr)).toEqual([
      `using weights/autoencoder.safetensors and weights/emulator.safetensors, ${where}; to move: ${both}`,
    ]);
    expect(stdout).toContain("weights: weights/mine/emulator.safetensors\n");
    // The new emulator and the old autoencoder are a pair; what is written in the run's folder names the file that was read.
    expect((await command(cwd, words.emulate)).code).toBe(0);
    const [day] = readdirSync(join(cwd, "outputs"));
    const [run] = readdirSync(join(cwd, "outputs", day!));
    const again = await command(cwd, ["reproduce", `outputs/${day}/${run}`]);
    expect(again.code, again.stderr).toBe(0);
  });

  it("serve evaluate and emulate", async () => {
    const cwd = oldFolder();
    const evaluated = await command(cwd, words.evaluate);
    const { autoencoder, emulator } = readMetrics(join(cwd, "evaluated")).provenance;
    expect([autoencoder.path, emulator!.path]).toEqual(
      ["autoencoder", "emulator"].map((kind) => join(cwd, `weights/${kind}.safetensors`)),
    );
    expect(told(evaluated.stderr)).toEqual([
      `using weights/autoencoder.safetensors and weights/emulator.safetensors, ${where}; to move: ${both}`,
    ]);
    const emulated = await command(cwd, words.emulate);
    expect(emulated.code, emulated.stderr).toBe(0);
    expect(told(emulated.stderr)).toEqual([
      `using weights/emulator.safetensors, ${where}; to move: ${both.replaceAll("mine", "NAME")} (NAME: what the dataset is called)`,
    ]);
  });

  it("do not serve where the user gave a path, nor an emulator beside the dataset's own autoencoder", async () => {
    const cwd = oldFolder();
    const named = "weights/mine/autoencoder.safetensors";
    const explicit = [
      [...words.emulator, `autoencoder.pretrained_model_path=${named}`],
      [...words.evaluate, `autoencoder=${named}`, "emulator=null"],
      [...words.emulate, "--autoencoder", named],
    ];
    for (const args of explicit) {
      const { code, stderr } = await command(cwd, args);
      expect([code, errorOf(stderr)]).toEqual([4, expect.stringContaining(`there is no weights file …/${named}`)]);
    }
    mkdirSync(join(cwd, "weights/mine"), { recursive: true });
    cpSync(join(cwd, "weights/autoencoder.safetensors"), join(cwd, named));
    const { code, stderr } = await command(cwd, words.evaluate);
    expect([code, told(stderr)]).toEqual([4, []]);
    expect(stderr).toContain("there is no weights file …/weights/mine/emulator.safetensors");
  });

  it("do not keep a run of an earlier version from going on", async () => {
    const cwd = oldFolder();
    const place = "weights/autoencoder.safetensors";
    const old = [`model.save_model_path=${place}`, `model.pretrained_model_path=${place}`];
    expect((await command(cwd, [...words.autoencoder, ...old], "epoch 1/")).code).toBe(143);
    const [day] = readdirSync(join(cwd, "outputs"));
    const run = join("outputs", day!, readdirSync(join(cwd, "outputs", day!))[0]!);
    const config = join(cwd, run, "config.yaml");
    writeFileSync(config, readFileSync(config, "utf8").replace(/^ {2}name: mine\n/m, ""));
    expect(readFileSync(config, "utf8")).not.toContain("mine");
    const path = join(cwd, run, "checkpoints/last.safetensors");
    const checkpoint = readCheckpoint(path);
    const written = checkpoint.config as Record<string, object>;
    writeCheckpoint(path, { ...checkpoint, config: { ...written, dataset: { ...written.dataset, name: undefined } } });
    cpSync(join(cwd, run), join(cwd, "copy"), { recursive: true });
    const asWritten = await command(cwd, ["train-autoencoder", "--resume", "copy"]);
    expect([asWritten.code, asWritten.stdout], asWritten.stderr).toEqual([0, expect.stringContaining(`: ${place}\n`)]);
    const newest = await command(cwd, [...words.autoencoder, "--resume"]);
    expect(newest.stderr).toContain(`going on with ${run}`);
    expect(newest.stdout).toContain("weights: weights/mine/autoencoder.safetensors\n");
    expect(existsSync(join(cwd, "weights/mine/autoencoder.safetensors"))).toBe(true);
  });
});
