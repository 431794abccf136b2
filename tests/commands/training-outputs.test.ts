import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { tableOfNames } from "../../src/chemistry/element-table.ts";
import { main } from "../../src/commands/main.ts";
import { encodeNpy, readNpy, writeNpy } from "../../src/formats/npy.ts";
import { writeClean } from "../data/clean-sample.ts";
import { testFolder } from "../helpers/folder.ts";
import { Buffered } from "./buffers.ts";

const folder = testFolder();
const at = (name: string): string => join(folder, name);
const words = [
  ...["train-autoencoder", "recipe=original", "dataset.dataset_path=clean.h5", "dataset.species_path=species.txt"],
  ...["dataset.phys=[Density, Av]", "model.batch_size=4", "model.hidden_dims=[4,3]", "model.latent_dim=2", "threads=1"],
  ...["model.save_model_path=ae.safetensors", "model.latents_minmax_path=range.npy", "model.max_epochs=1"],
];

async function train(...more: string[]): Promise<{ code: number; error: string }> {
  const [stdout, stderr] = [new Buffered(), new Buffered()];
  const signal = new AbortController().signal;
  const code = await main([...words, ...more], { cwd: folder, env: {}, now: () => new Date(), stdout, stderr, signal });
  const error = stderr.text.slice(Math.max(0, stderr.text.indexOf("error: "))).replaceAll(folder, "…");
  return { code, error };
}

beforeAll(async () => {
  await writeClean(folder, "clean.h5", { tracers: [7, 6, 8] }, { tracers: [6] });
  writeFileSync(at("species.txt"), "H\nH2\nCO\n");
  expect(await train()).toMatchObject({ code: 0 });
});

it("replaces its own caches, weights, log of epochs and range of the latents", async () => {
  expect(await train("seed=1", "dataset.abundances_clipping={lower: 1e-15, upper: 1}")).toMatchObject({ code: 0 });
});

it.each([
  ["data/autoencoder_train_preprocessed.h5", Buffer.from("the original's"), "cache"],
  ["data/autoencoder_val_preprocessed.h5", Buffer.from("the original's"), "cache"],
  ["ae.json", Buffer.from('{"lr": 1}'), "log of epochs"],
  [
    "range.npy",
    Buffer.concat(encodeNpy({ shape: [2], data: Float32Array.of(-1, 1) })),
    "latent range of these weights",
  ],
])("leaves a file of somebody else's at %s as it is, before anything is computed", async (name, bytes, content) => {
  const before = readFileSync(at(name));
  writeFileSync(at(name), bytes);
  const { code, error } = await train();
  expect(code).toBe(2);
  expect(error).toBe(
    `error: …/${name} exists, and is no ${content} that astrochem wrote\n  at   …/${name}\n` +
      "  fix  give another name, or replace it with --overwrite\n",
  );
  expect(readFileSync(at(name))).toEqual(bytes);
  expect(await train("--overwrite")).toMatchObject({ code: 0 });
  if (name.endsWith(".h5")) writeFileSync(at(name), before);
});

it("never replaces a table that it reads, nor with --overwrite", async () => {
  const { atoms } = tableOfNames(["H", "H2", "CO"]);
  const matrix = { shape: [3, atoms[0]!.length], data: Float64Array.from(atoms.flat()) };
  writeNpy(at("matrix.npy"), matrix);
  const names = ["dataset.stoichiometric_matrix_path=matrix.npy", "model.latents_minmax_path=./matrix.npy"];
  expect(await train(...names, "--overwrite")).toEqual({
    code: 2,
    error: expect.stringContaining("the output would replace the input …/matrix.npy"),
  });
  expect(readNpy(at("matrix.npy")).shape).toEqual(matrix.shape);
});
