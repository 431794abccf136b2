import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type NamedTensor, readSafetensors, writeSafetensors } from "../../src/formats/safetensors.ts";
import { checkPair } from "../../src/models/companion.ts";
import {
  type AutoencoderWeights,
  autoencoderHash,
  type EmulatorWeights,
  latentRange,
  latentsOf,
  readAutoencoder,
  readEmulator,
  writeAutoencoder,
  writeEmulator,
} from "../../src/models/weights-file.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";
import { autoencoderLayouts, emulatorLayout } from "../helpers/models.ts";
import { lackingPython, python } from "../helpers/python.ts";

const folder = testFolder();
const path = (name: string): string => join(folder, name);

/** Distinct values that float32 holds exactly, negative ones among them. */
function counted(size: number, start: number): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => (start - i) / 8);
}

const shape = { input_dim: 3, hidden_dims: [4, 2], latent_dim: 1 } as const;
const layouts = autoencoderLayouts(shape);
const provenance = {
  data_hash: "ab12",
  seed: 5,
  epoch: 7,
  best_metric: 0.1,
  metric: "dex",
  versions: { astrochem: "0.1.0", node: "20" },
} as const;
const autoencoder: AutoencoderWeights = {
  model_name: "autoencoder",
  model: { ...shape, hidden_dims: [4, 2] },
  species: ["#H2O", "E-", "HCO+"],
  abundances_clipping: { lower: 1e-20, upper: 1 },
  latent_range: [-0.17, 78.467140197753906],
  elements: {
    elements: ["H", "C", "O"],
    atoms: [
      [2, 0, 1],
      [0, 0, 0],
      [1, 1, 1],
    ],
    charges: [0, -1, 1],
  },
  steps: 2 ** 33,
  provenance,
  trainable: counted(layouts.trainable.size, 3),
  statistics: counted(layouts.statistics.size, 100),
};
const emulatorShape = { input_dim: 3, hidden_dim: 2, output_dim: 1 };
const emulator: EmulatorWeights = {
  model_name: "emulator",
  model: emulatorShape,
  species: autoencoder.species,
  physical_parameters: [
    { name: "Density", range: [68481, 1284211415], trained: [70000, 1e9] },
    { name: "Av", range: [0.1, 6914] },
  ],
  window_size: 48,
  time_step_yr: 278.7,
  time_step_found: "even",
  start: { abundances: { "#H2O": 1e-20, "E-": 1.5e-4, "HCO+": 0 }, origin: "the first row of all 3 training tracers" },
  autoencoder_hash: autoencoderHash(autoencoder),
  provenance: { data_hash: null, seed: null, epoch: null, best_metric: null, versions: {} },
  trainable: counted(emulatorLayout(emulatorShape).size, 1),
};

/** The autoencoder's file with something changed in it. @returns its path */
function changed(
  name: string,
  change: (tensors: Map<string, NamedTensor>, metadata: Record<string, string>) => void,
): string {
  writeAutoencoder(path("whole.safetensors"), autoencoder);
  const { tensors, metadata } = readSafetensors(path("whole.safetensors"));
  change(tensors, metadata);
  writeSafetensors(path(name), tensors, metadata);
  return path(name);
}

/** Puts a value at the beginning of an array. */
function spoil(tensors: Map<string, NamedTensor>, name: string, value: number): void {
  const tensor = tensors.get(name)!;
  tensors.set(name, { ...tensor, data: (tensor.data as Float32Array).with(0, value) });
}

const float32 = (shape: readonly number[]): NamedTensor => ({
  dtype: "F32",
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
});

describe("a weights file", () => {
  it("gives back what was written", () => {
    writeAutoencoder(path("ae.safetensors"), autoencoder);
    writeEmulator(path("deeper/emulator.safetensors"), emulator);
    expect(readAutoencoder(path("ae.safetensors"))).toEqual(autoencoder);
    expect(readEmulator(path("deeper/emulator.safetensors"))).toEqual(emulator);
    expect(readdirSync(path("deeper"))).toEqual(["emulator.safetensors"]);
  });

  it("keeps what is not known as unknown", () => {
    const unknown = { ...autoencoder, latent_range: null };
    writeAutoencoder(path("unknown.safetensors"), unknown);
    expect(readAutoencoder(path("unknown.safetensors"))).toEqual(unknown);
    writeEmulator(path("timeless.safetensors"), { ...emulator, time_step_yr: null });
    expect(readEmulator(path("timeless.safetensors")).time_step_yr).toBeNull();
  });

  it("holds PyTorch's names and shapes, and the batch norms' counters", () => {
    writeAutoencoder(path("names.safetensors"), autoencoder);
    const { tensors, metadata } = readSafetensors(path("names.safetensors"));
    const norms = ["encoder_bn1", "encoder_bn2", "encoder_norm3", "decoder_bn1", "decoder_bn2"];
    const parts = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"];
    expect([...tensors.keys()].sort()).toEqual(
      [
        "decoder_bias1",
        "decoder_bias2",
        "decoder_bias3",
        "encoder_fc1.weight",
        "encoder_fc2.weight",
        "encoder_fc3.weight",
        "encoder_fc3.bias",
        ...norms.flatMap((norm) => parts.map((part) => `${norm}.${part}`)),
      ].sort(),
    );
    // Linear layers are [out, in]: 3 species → 4 → 2 → 1 latent.
    expect(tensors.get("encoder_fc1.weight")!.shape).toEqual([4, 3]);
    expect(tensors.get("encoder_fc3.weight")!.shape).toEqual([1, 2]);
    expect(tensors.get("decoder_bn2.running_var")!.shape).toEqual([4]);
    const counter = tensors.get("encoder_norm3.num_batches_tracked")!;
    expect(counter).toEqual({ dtype: "I64", shape: [], data: BigInt64Array.of(8589934592n) });
    expect(metadata).toMatchObject({ format: "pt", format_version: "4", kind: "autoencoder" });
    writeEmulator(path("names.safetensors"), emulator);
    expect([...readSafetensors(path("names.safetensors")).tensors].map(([name, { shape }]) => [name, shape])).toEqual([
      ["net.0.bias", [2]],
      ["net.0.weight", [2, 3]],
      ["net.3.bias", [2]],
      ["net.3.weight", [2, 2]],
      ["net.6.bias", [1]],
      ["net.6.weight", [1, 2]],
    ]);
  });

  const lacking = lackingPython("safetensors", "numpy");
  it.skipIf(lacking)(`is read by Python's safetensors${lacking ? ` (${lacking})` : ""}`, () => {
    writeAutoencoder(path("python.safetensors"), autoencoder);
    const code = `
import json, sys
from safetensors import safe_open
with safe_open(sys.argv[1], framework="numpy") as f:
    arrays = {name: f.get_tensor(name) for name in f.keys()}
    meta = f.metadata()
print(json.dumps({
    "first": arrays["decoder_bias1"].tolist(),
    "fc2": arrays["encoder_fc2.weight"].tolist(),
    "counter": arrays["encoder_bn1.num_batches_tracked"].tolist(),
    "model": json.loads(meta["model"]),
    "species": json.loads(meta["species"]),
    "range": json.loads(meta["latent_range"]),
}))`;
    expect(JSON.parse(python(code, path("python.safetensors")))).toEqual({
      // The vector counts down in eighths from 3: two biases, four, three, 12 weights, and then fc2, [2, 4].
      first: [3 / 8, 2 / 8],
      fc2: [
        [-18 / 8, -19 / 8, -20 / 8, -21 / 8],
        [-22 / 8, -23 / 8, -24 / 8, -25 / 8],
      ],
      counter: 2 ** 33,
      model: { input_dim: 3, hidden_dims: [4, 2], latent_dim: 1 },
      species: ["#H2O", "E-", "HCO+"],
      range: [-0.17, 78.467140197753906],
    });
  });

  it("that cannot be written leaves nothing behind", async () => {
    writeFileSync(path("a-file"), "");
    expect(await thrownBy(() => writeAutoencoder(path("a-file/ae.safetensors"), autoencoder), folder)).toMatch(
      /^DataError: cannot write …\/a-file\/ae\.safetensors: /,
    );
    expect(readdirSync(folder).filter((name) => name.endsWith(".part"))).toEqual([]);
  });
});

describe("a file that is no good", () => {
  it("is refused where it is absent or nothing of the kind", async () => {
    expect(await thrownBy(() => readAutoencoder(path("absent.safetensors")), folder)).toMatchInlineSnapshot(`
      "CheckpointError: there is no weights file …/absent.safetensors
        at   …/absent.safetensors
        fix  train it (astrochem train-autoencoder, astrochem train-emulator) or correct the path"
    `);
    writeFileSync(path("text.safetensors"), "these are no weights at all");
    expect(await thrownBy(() => readEmulator(path("text.safetensors")), folder)).toMatchInlineSnapshot(`
      "CheckpointError: …/text.safetensors is not a whole safetensors file: its header claims 8241904413164530000 bytes, and 19 follow
        at   …/text.safetensors
        fix  copy or make the file again; weights of other programs (.pth, safetensors, an index of shards) come in with: astrochem import-weights"
    `);
    expect(existsSync(path("absent.safetensors"))).toBe(false);
  });

  it("is refused without our metadata", async () => {
    writeSafetensors(path("bare.safetensors"), new Map([["net.0.bias", float32([2])]]));
    expect(await thrownBy(() => readEmulator(path("bare.safetensors")), folder)).toMatchInlineSnapshot(`
      "CheckpointError: …/bare.safetensors is not a weights file of astrochem: it has no metadata
        at   …/bare.safetensors
        fix  weights of other programs (.pth, safetensors, an index of shards) come in with: astrochem import-weights"
    `);
  });

  it("of version 1 is read as it was meant: the emulator's latents are scaled by the autoencoder's range", () => {
    writeEmulator(path("now.safetensors"), { ...emulator, latent_scaling: { shift: [2], scale: [3] } });
    const { tensors, metadata } = readSafetensors(path("now.safetensors"));
    expect(readEmulator(path("now.safetensors")).latent_scaling).toEqual({ shift: [2], scale: [3] });
    const { latent_scaling: _, ...before } = metadata;
    writeSafetensors(path("then.safetensors"), tensors, { ...before, format_version: "1" });
    const read = readEmulator(path("then.safetensors"));
    expect(read).not.toHaveProperty("latent_scaling");
    expect(latentsOf("ae", autoencoder, read)).toEqual({ shift: [-0.17], scale: [78.467140197753906 + 0.17] });
    expect(latentsOf("ae", autoencoder, { ...emulator, latent_scaling: { shift: [2], scale: [3] } })).toEqual({
      shift: [2],
      scale: [3],
    });
  });

  it("keeps the ranges of the training data", () => {
    const abundance_range = {
      lower: autoencoder.species.map((_, s) => -20 + s / 8),
      upper: autoencoder.species.map((_, s) => -4 + s / 8),
    };
    writeAutoencoder(path("ae.safetensors"), { ...autoencoder, abundance_range });
    expect(readAutoencoder(path("ae.safetensors")).abundance_range).toEqual(abundance_range);
    const scaled_latent_range = {
      lower: Array.from({ length: emulator.model.output_dim }, (_, k) => k / 4),
      upper: Array.from({ length: emulator.model.output_dim }, (_, k) => 1 + k / 4),
    };
    writeEmulator(path("em.safetensors"), { ...emulator, scaled_latent_range });
    expect(readEmulator(path("em.safetensors")).scaled_latent_range).toEqual(scaled_latent_range);
  });

  it.each([
    [
      "another number of them than species",
      { lower: [0], upper: [1] },
      /names 1 ranges of species, and its model takes/,
    ],
    ["ends of different lengths", { lower: [0, 0], upper: [1] }, /has ends of different lengths/],
    ["one that is upside down", { lower: [2], upper: [1] }, /has lower above upper/],
  ])("is refused with ranges of the training data that do not fit: %s", (_, abundance_range, message) => {
    writeAutoencoder(path("ae.safetensors"), { ...autoencoder, abundance_range });
    expect(() => readAutoencoder(path("ae.safetensors"))).toThrow(message);
  });

  it.each<[string, Partial<AutoencoderWeights>, RegExp]>([
    [
      "species",
      { elements: { elements: ["H"], atoms: [[1]], charges: [0] } },
      /names 1 rows of elements, and its model/,
    ],
    [
      "elements",
      { elements: { elements: ["H", "C"], atoms: [[1, 0], [1], [1, 0]], charges: [0, 0, 0] } },
      /names 1 counts of elements/,
    ],
  ])("is refused with a table of elements of other %s", (_, change, message) => {
    writeAutoencoder(path("ae.safetensors"), { ...autoencoder, ...change });
    expect(() => readAutoencoder(path("ae.safetensors"))).toThrow(message);
  });

  it("is refused with a start that lacks a species", () => {
    writeEmulator(path("em.safetensors"), { ...emulator, start: { abundances: { "E-": 1e-4 }, origin: "a file" } });
    expect(() => readEmulator(path("em.safetensors"))).toThrow(
      /names 1 abundances of the start, and its model takes 3/,
    );
  });

  it("is refused in another format version, whatever else is in it", async () => {
    const future = changed("future.safetensors", (tensors, metadata) => {
      metadata.format_version = "5";
      metadata.model = "{}";
      tensors.clear();
    });
    expect(await thrownBy(() => readAutoencoder(future), folder)).toMatchInlineSnapshot(`
      "CheckpointError: …/future.safetensors has weights format 5; this version reads 1 to 4
        at   …/future.safetensors
        fix  use the version of astrochem that wrote it, or a newer one"
    `);
  });

  it("is refused where it holds the other model", async () => {
    writeAutoencoder(path("ae.safetensors"), autoencoder);
    writeEmulator(path("em.safetensors"), emulator);
    expect(await thrownBy(() => readEmulator(path("ae.safetensors")), folder)).toMatchInlineSnapshot(`
      "CheckpointError: …/ae.safetensors holds an autoencoder, not an emulator
        at   …/ae.safetensors
        fix  give the emulator's file"
    `);
    expect(await thrownBy(() => readAutoencoder(path("em.safetensors")), folder)).toMatchInlineSnapshot(`
      "CheckpointError: …/em.safetensors holds an emulator, not an autoencoder
        at   …/em.safetensors
        fix  give the autoencoder's file"
    `);
  });

  it("is refused where arrays are missing, misshapen, integers or too many, all of them named", async () => {
    const wrong = changed("wrong.safetensors", (tensors) => {
      tensors.delete("decoder_bias2");
      tensors.set("encoder_fc1.weight", float32([3, 4]));
      tensors.set("decoder_bias1", { dtype: "I64", shape: [2], data: BigInt64Array.of(1n, 2n) });
      tensors.set("encoder_fc4.weight", float32([1]));
    });
    expect(await thrownBy(() => readAutoencoder(wrong), folder)).toMatchInlineSnapshot(`
      "CheckpointError: …/wrong.safetensors does not hold the model that its metadata names: missing array decoder_bias2; unexpected array encoder_fc4.weight; decoder_bias1 holds integers, not floats; encoder_fc1.weight is [3,4], not [4,3]
        at   …/wrong.safetensors
        fix  the file is damaged or was edited: restore it, or train again"
    `);
  });

  it("is refused where its metadata is damaged", async () => {
    const noJson = changed("no-json.safetensors", (_, metadata) => {
      metadata.species = "[";
    });
    expect(await thrownBy(() => readAutoencoder(noJson), folder)).toMatchInlineSnapshot(`
      "CheckpointError: …/no-json.safetensors has damaged metadata: species is not JSON
        at   …/no-json.safetensors"
    `);
    const wrong = changed("wrong-metadata.safetensors", (_, metadata) => {
      metadata.abundances_clipping = JSON.stringify({ lower: 0, upper: 1 });
      delete metadata.steps;
    });
    expect(await thrownBy(() => readAutoencoder(wrong), folder)).toMatchInlineSnapshot(`
      "CheckpointError: …/wrong-metadata.safetensors has damaged metadata: ✖ Invalid input: expected number, received undefined
        → at steps
      ✖ Too small: expected number to be >0
        → at abundances_clipping.lower
        at   …/wrong-metadata.safetensors"
    `);
  });

  it.each<[string, (tensors: Map<string, NamedTensor>, metadata: Record<string, string>) => void, string]>([
    [
      "values that are no numbers",
      (tensors) => spoil(tensors, "decoder_bias3", Number.NaN),
      "decoder_bias3 has the value NaN at 0",
    ],
    [
      "infinite values",
      (tensors) => spoil(tensors, "encoder_fc3.bias", Infinity),
      "encoder_fc3.bias has the value Infinity at 0",
    ],
    [
      "a negative variance",
      (tensors) => spoil(tensors, "encoder_bn1.running_var", -1),
      "encoder_bn1.running_var has a negative variance",
    ],
    [
      "too few species",
      (_, metadata) => void Object.assign(metadata, { species: '["H"]' }),
      "names 1 species, and its model takes 3",
    ],
    [
      "a latent range upside down",
      (_, metadata) => void Object.assign(metadata, { latent_range: "[1,-1]" }),
      "at latent_range",
    ],
    [
      "a clipping without width",
      (_, metadata) => void Object.assign(metadata, { abundances_clipping: '{"lower":1,"upper":1}' }),
      "at abundances_clipping",
    ],
  ])("is refused with %s", async (_, change, told) => {
    const file = changed("spoilt.safetensors", change);
    expect(await thrownBy(() => readAutoencoder(file), folder)).toContain(told);
  });

  it("is refused where the emulator's inputs do not add up, or a range has no logarithm", async () => {
    writeEmulator(path("one.safetensors"), { ...emulator, physical_parameters: emulator.physical_parameters.slice(1) });
    expect(await thrownBy(() => readEmulator(path("one.safetensors")), folder)).toContain(
      "names 1 physical parameters, and its model takes 2",
    );
    const parameters = emulator.physical_parameters.map(({ name }) => ({ name, range: [0, 1] as [number, number] }));
    writeEmulator(path("zero.safetensors"), { ...emulator, physical_parameters: parameters });
    expect(await thrownBy(() => readEmulator(path("zero.safetensors")), folder)).toContain("must be above 0");
  });

  it("is refused where it is cut off", async () => {
    writeEmulator(path("cut.safetensors"), emulator);
    const { readFileSync } = await import("node:fs");
    writeFileSync(path("cut.safetensors"), readFileSync(path("cut.safetensors")).subarray(0, -4));
    expect(await thrownBy(() => readEmulator(path("cut.safetensors")), folder)).toMatchInlineSnapshot(`
      "CheckpointError: …/cut.safetensors is not a whole safetensors file: array net.6.weight ends beyond the file: it is cut off
        at   …/cut.safetensors
        fix  copy or make the file again; weights of other programs (.pth, safetensors, an index of shards) come in with: astrochem import-weights"
    `);
  });
});

describe("an autoencoder's latent range", () => {
  it("is that of the file", () => {
    expect(latentRange("ae", autoencoder)).toEqual([-0.17, 78.467140197753906]);
  });

  it("is absent until the training has ended", async () => {
    const unfinished = { ...autoencoder, latent_range: null };
    expect(await thrownBy(() => latentRange("…/best.safetensors", unfinished), folder)).toMatchInlineSnapshot(`
      "CheckpointError: …/best.safetensors holds no latent range: the training that wrote it did not end
        at   …/best.safetensors
        fix  let the training end, or start it again: astrochem train-autoencoder"
    `);
  });
});

describe("a pair of models", () => {
  const check = (weights: AutoencoderWeights): Promise<string> =>
    thrownBy(
      () => checkPair({ path: "ae.safetensors", weights }, { path: "em.safetensors", weights: emulator }),
      folder,
    );

  it("fits as it was trained, through files too", () => {
    writeAutoencoder(path("ae.safetensors"), { ...autoencoder, provenance: { ...provenance, seed: 9 }, steps: 1 });
    const weights = readAutoencoder(path("ae.safetensors"));
    checkPair({ path: "ae", weights }, { path: "em", weights: emulator });
  });

  it("is refused where the emulator was trained with another autoencoder", async () => {
    const other = { ...autoencoder, trainable: autoencoder.trainable.with(0, 0) };
    expect(await check(other)).toMatchInlineSnapshot(`
      "CheckpointError: em.safetensors was trained with another autoencoder than ae.safetensors
        at   em.safetensors
        fix  load the autoencoder that belongs to it, or train the emulator again: astrochem train-emulator"
    `);
  });

  it.each<[string, Partial<AutoencoderWeights>]>([
    ["statistics", { statistics: counted(layouts.statistics.size, 99) }],
    ["latent range", { latent_range: [-0.17, 78] }],
    ["species", { species: ["#H2O", "E-", "HOC+"] }],
    ["clipping", { abundances_clipping: { lower: 1e-19, upper: 1 } }],
  ])("is another one with another %s", async (_, change) => {
    expect(await check({ ...autoencoder, ...change })).toContain("was trained with another autoencoder");
  });
});
