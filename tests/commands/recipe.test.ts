import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { readSpeciesList } from "../../src/chemistry/species.ts";
import { main } from "../../src/commands/main.ts";
import { openFrame } from "../../src/data/frame.ts";
import { Inference } from "../../src/inference/inference.ts";
import { readEmulator } from "../../src/models/weights-file.ts";
import type { EpochRecord } from "../../src/training/observer.ts";
import { testFolder } from "../helpers/folder.ts";
import { writeRawRows } from "../helpers/raw-frame.ts";
import { expectClose } from "../helpers/tensors.ts";
import { Buffered } from "./buffers.ts";

const species = readSpeciesList("utils/species.txt");
const folder = testFolder();
const common = ["dataset.dataset_path=clean.h5", "recipe=brief"];
const words = {
  autoencoder: ["train-autoencoder", ...common, "model.hidden_dims=[8,4]", "model.latent_dim=3"],
  emulator: ["train-emulator", ...common, "autoencoder.latent_dim=3", "model.hidden_dim=8", "model.window_size=6"],
};
/** Every kind of phase, a few steps each. */
const recipes = {
  autoencoder: `
name: brief
optimizer: muon
skip_overflow: true
validation_items: 30
output_bias: mean
phases:
  - { epochs: 2, epoch_steps: 7, batch_size: 16, schedule: cosine, lr_scale: 5, noise: 0.02, dropout: 0.1,
      loss: { name: exponential, cap: 0.5, worst_weight: 0.1, conservation_weight: 0.1 } }
`,
  emulator: `
name: brief
optimizer: muon
skip_overflow: true
metric: dex
latent_scaling: standard
last_layer: 0.1
validation_items: 10
phases:
  - { window: 2, epochs: 2, epoch_steps: 5, batch_size: 16, schedule: cosine, edges: 0.5, noise: 0.01,
      loss: { of: latents, name: huber } }
  - { window: 100, epochs: 1, epoch_steps: 4, batch_size: 8, schedule: cosine, loss: { of: latents, name: mse } }
  - { epochs: 2, epoch_steps: 4, batch_size: 8, schedule: cosine, decoded_steps: 2, averaging: 0.9,
      loss: { of: abundances, name: l1 } }
`,
};

async function astrochem(...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const [stdout, stderr] = [new Buffered(), new Buffered()];
  const surroundings = { cwd: folder, env: {}, now: () => new Date(), stdout, stderr };
  const code = await main(args, { ...surroundings, signal: new AbortController().signal });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** Eight tracers of twelve rows of smooth made-up chemistry. */
function rawRows() {
  return Array.from({ length: 96 }, (_, i) => {
    const [tracer, step] = [Math.floor(i / 12), i % 12];
    const abundances = species.map((name, s) => [name, 10 ** (-4 - (s % 12) - 0.3 * Math.sin(tracer + step / 6 + s))]);
    const conditions = { Density: 1e5 * (1 + tracer + step), gasTemp: 20 + step, Av: 1 + step, radfield: 1 };
    return { Tracer: tracer, Time: 100 * (step + 1), ...conditions, ...Object.fromEntries(abundances) };
  });
}

const log = (name: string): EpochRecord[] =>
  JSON.parse(readFileSync(join(folder, `weights/grav/${name}.json`), "utf8"));
const file = (name: string): Buffer => readFileSync(join(folder, name));

beforeAll(async () => {
  for (const [model, text] of Object.entries(recipes)) {
    mkdirSync(join(folder, "configs/recipes", model), { recursive: true });
    writeFileSync(join(folder, "configs/recipes", model, "brief.yaml"), `# Made for a test.${text}`);
  }
  await writeRawRows(join(folder, "raw.h5"), rawRows());
  expect((await astrochem("preprocess", "input_path=raw.h5", "output_path=clean.h5")).code).toBe(0);
});

describe("a recipe of phases", () => {
  it("trains both models, phase by phase", async () => {
    const autoencoder = await astrochem(...words.autoencoder);
    expect([autoencoder.code, autoencoder.stdout]).toEqual([
      0,
      expect.stringContaining("2 epochs, ended: end of the recipe; best mean relative error"),
    ]);
    const emulator = await astrochem(...words.emulator);
    if (emulator.code !== 0) throw new Error(emulator.stderr.slice(-1500));
    expect([emulator.code, emulator.stdout]).toEqual([
      0,
      expect.stringMatching(/5 epochs, ended: end of the recipe; best mean error [\d.]+ dex in epoch \d\n/),
    ]);
    const epochs = log("emulator");
    expect(epochs.map(({ phase }) => phase)).toEqual([0, 0, 1, 2, 2]);
    for (const { metric, dex, skipped_steps } of epochs) expect([metric, skipped_steps]).toEqual([dex, 0]);
    // The last step of an epoch of five: 9/10 of the phase is over, and 5 % of it are the warm-up.
    const rate = 0.5e-3 * (1 + Math.cos((Math.PI * (0.9 - 0.05)) / 0.95));
    expect(epochs[1]!.learning_rate).toBeCloseTo(rate, 12);
  });

  it("gives the same bytes again", async () => {
    const before = [file("weights/grav/autoencoder.safetensors"), file("weights/grav/emulator.safetensors")];
    await astrochem(...words.autoencoder);
    await astrochem(...words.emulator);
    expect(file("weights/grav/autoencoder.safetensors").equals(before[0]!)).toBe(true);
    expect(file("weights/grav/emulator.safetensors").equals(before[1]!)).toBe(true);
  });

  it("scales each component of the training rows' latents to mean 0 and deviation 1", async () => {
    const { latent_scaling } = readEmulator(join(folder, "weights/grav/emulator.safetensors"));
    const surrogate = await Inference.load({ autoencoder: join(folder, "weights/grav/autoencoder.safetensors") });
    const frame = await openFrame(join(folder, "clean.h5"), "train");
    const values = new Float32Array(frame.rows * species.length);
    frame.read(0, frame.rows, species, values);
    const { data } = await surrogate.encode({ data: values, shape: [frame.rows, species.length] });
    surrogate.dispose();
    const column = (k: number): number[] => [...data].filter((_, i) => i % 3 === k);
    const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;
    const shift = [0, 1, 2].map((k) => mean(column(k)));
    const scale = shift.map((middle, k) => Math.sqrt(mean(column(k).map((z) => (z - middle) ** 2))));
    expectClose(latent_scaling!.shift, shift, { relative: 1e-5 });
    expectClose(latent_scaling!.scale, scale, { relative: 1e-4 });
  });

  it("makes an emulator that emulates, is exported and starts a further training", async () => {
    expect((await astrochem("emulate", "clean.h5", "--output", "out.h5")).code).toBe(0);
    const exported = await astrochem("export", "onnx", "--output", "onnx", "--json");
    expect([exported.code, exported.stderr]).toEqual([0, expect.any(String)]);
    const warm = await astrochem(...words.emulator, "--warm-start", "model.lr=1e-12", "recipe.weight_decay=0");
    expect([warm.code, warm.stdout]).toEqual([0, expect.stringContaining("5 epochs")]);
  });

  it("refuses to start from weights that know latents of another scaling", async () => {
    const { code, stderr } = await astrochem(...words.emulator, "--warm-start", "recipe.latent_scaling=minmax");
    expect(code).toBe(4);
    expect(stderr).toContain("was trained on latents of another scaling, standard");
    expect(stderr).toContain("fix  recipe.latent_scaling=standard, or start fresh");
  });

  it("is shortened as a whole by max_epochs", async () => {
    const { code, stdout } = await astrochem(...words.emulator, "model.max_epochs=3");
    expect([code, stdout]).toEqual([0, expect.stringContaining("3 epochs, ended: max_epochs")]);
    expect(log("emulator").map(({ phase }) => phase)).toEqual([0, 1, 2]);
  });

  it("ends within max_minutes, with every phase's part of it and the learning rate at its end", async () => {
    const { code } = await astrochem(...words.autoencoder, "model.max_minutes=0.0001");
    expect(code).toBe(0);
    const epochs = log("autoencoder");
    expect(epochs).toHaveLength(1);
  });
});
