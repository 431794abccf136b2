import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { readMetrics } from "../../src/analysis/metrics-file.ts";
import { tableOfWeights } from "../../src/chemistry/element-table.ts";
import { main } from "../../src/commands/main.ts";
import { writeNpy } from "../../src/formats/npy.ts";
import { readAutoencoder, writeAutoencoder } from "../../src/models/weights-file.ts";
import { writePth } from "../faults/make-pth.ts";
import { testFolder } from "../helpers/folder.ts";
import { autoencoderLayouts } from "../helpers/models.ts";
import { writeRawRows } from "../helpers/raw-frame.ts";
import { Buffered } from "./buffers.ts";

const folder = testFolder();
const at = (name: string): string => join(folder, name);
/** In ALCHEMIC's names: `g` is the ice. */
const species = ["H", "H2", "CO", "gCO", "gH2O", "CO2(ice)"];
const phases = ["gas", "gas", "gas", "surface", "surface", "surface"];
const words = [
  ...["dataset.species_path=species.txt", "dataset.names=alchemic", "dataset.start=first_row"],
  ...["dataset.dataset_path=clean.h5", "dataset.preprocessing.input_path=raw.h5"],
];
const shape = ["hidden_dims=[4,3]", "latent_dim=2"];

async function astrochem(...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const [stdout, stderr] = [new Buffered(), new Buffered()];
  const { signal } = new AbortController();
  const code = await main(args, { cwd: folder, env: {}, now: () => new Date(), stdout, stderr, signal });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

beforeAll(async () => {
  writeFileSync(at("species.txt"), `${species.join("\n")}\n`);
  const rows = Array.from({ length: 48 }, (_, i) => {
    const [tracer, row] = [Math.floor(i / 8), i % 8];
    const abundances = species.map((name, s) => [name, 10 ** (-s - Math.sin(tracer + row / 3 + s) ** 2)]);
    const conditions = { Density: 1e5, radfield: 1, Av: 2, gasTemp: 20 + tracer };
    return { Tracer: tracer, Time: 100 * (row + 1), ...conditions, ...Object.fromEntries(abundances) };
  });
  await writeRawRows(at("raw.h5"), rows);
  const training = [
    "recipe=original",
    "model.batch_size=8",
    "model.max_epochs=1",
    "model.save_model_path=ae.safetensors",
  ];
  for (const args of [
    ["preprocess", ...words],
    ["train-autoencoder", ...words, ...training, ...shape.map((key) => `model.${key}`)],
  ]) {
    const { code, stderr } = await astrochem(...args);
    expect(code, stderr).toBe(0);
  }
});

it("a training writes where its species are, as the names' convention says", () => {
  const { elements } = readAutoencoder(at("ae.safetensors"));
  expect(elements!.phases).toEqual(phases);
  expect(elements!.atoms[4]).toEqual(elements!.elements.map((element) => ({ H: 2, O: 1 })[element] ?? 0));
});

it("an evaluation groups the ice as ice, whatever its own configuration says of names", async () => {
  const { code, stderr } = await astrochem(
    ...["evaluate", ...words.filter((word) => !word.startsWith("dataset.names")), "species=[gCO]", "run_dir=run"],
    ...["autoencoder=ae.safetensors", "emulator=null"],
  );
  expect(code, stderr).toBe(0);
  const { species: found, predictions } = readMetrics(at("run"));
  expect(found.map(({ phase }) => phase)).toEqual(phases);
  expect(predictions.reconstruction!.phases.map(({ phase }) => phase)).toEqual(["gas", "surface"]);
});

it("inspect counts it as ice, too", async () => {
  const { stdout } = await astrochem("inspect", "ae.safetensors", "--json");
  expect(JSON.parse(stdout).species).toMatchObject({ gas: 3, surface: 3, bulk: 0 });
});

it("weights of before tell it by the names alone", () => {
  const weights = readAutoencoder(at("ae.safetensors"));
  const { phases: _, ...elements } = weights.elements!;
  writeAutoencoder(at("before.safetensors"), { ...weights, elements });
  expect(tableOfWeights(readAutoencoder(at("before.safetensors"))).phases).toEqual([
    ...["gas", "gas", "gas", "gas", "gas", "surface"],
  ]);
  writeAutoencoder(at("short.safetensors"), { ...weights, elements: { ...elements, phases: ["gas"] } });
  expect(() => readAutoencoder(at("short.safetensors"))).toThrow("names 1 phases, and its model takes 6");
});

it("import-weights writes it, and tells what it made of the names", async () => {
  const { model, trainable, statistics } = readAutoencoder(at("ae.safetensors"));
  const layouts = autoencoderLayouts(model);
  const parts = [
    [layouts.trainable, trainable],
    [layouts.statistics, statistics],
  ] as const;
  writePth(at("ae.pth"), parts);
  writeNpy(at("range.npy"), { shape: [2], data: Float32Array.of(-1, 1) });
  writeFileSync(at("kida.txt"), "H\nH2\nCO\nJCO\nKH2O\nJCO2\n");
  const { code, stderr } = await astrochem(
    ...["import-weights", "--autoencoder", "ae.pth", "--latents-minmax", "range.npy"],
    ...["dataset.species_path=kida.txt", ...shape.map((key) => `autoencoder.${key}`)],
    "autoencoder.save_model_path=kida.safetensors",
  );
  expect([code, stderr]).toEqual([
    0,
    expect.stringContaining("read J and K as surface and mantle of the ice: JCO, KH2O"),
  ]);
  expect(readAutoencoder(at("kida.safetensors")).elements!.phases).toEqual([
    ...["gas", "gas", "gas", "surface", "bulk", "surface"],
  ]);
});
