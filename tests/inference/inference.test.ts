import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Conservation } from "../../src/chemistry/conservation.ts";
import { AbundanceScaling } from "../../src/chemistry/scaling.ts";
import { readSpeciesList } from "../../src/chemistry/species.ts";
import { Inference, type Matrix, type MatrixInput, type WarningKind } from "../../src/inference/inference.ts";
import {
  type AutoencoderWeights,
  autoencoderHash,
  type EmulatorWeights,
  writeAutoencoder,
  writeEmulator,
} from "../../src/models/weights-file.ts";
import { golden } from "../helpers/fixtures.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";
import { autoencoderLayouts, emulatorLayout } from "../helpers/models.ts";
import { engineRequest, engines, expectClose } from "../helpers/tensors.ts";

const folder = testFolder();
const path = (name: string): string => join(folder, `${name}.safetensors`);

const ofAutoencoder = golden("autoencoder").tensors;
const { tensors: ofEmulator, json } = golden<{ latents_minmax: [number, number] }>("emulator");
type Tensors = typeof ofEmulator;
const array = (tensors: Tensors, name: string): Float32Array => tensors.get(name)!.data as Float32Array;
const named = (tensors: Tensors, prefix: string): Map<string, { data: Float32Array }> =>
  new Map(
    [...tensors]
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, { data }]) => [name.slice(prefix.length), { data: data as Float32Array }]),
  );

const [species, latent, parameters] = [333, 14, 4];
const names = readSpeciesList("utils/species.txt");
const ranges: [string, [number, number]][] = [
  ["Density", [1e2, 1e9]],
  ["Radfield", [1e-4, 25]],
  ["Av", [0.1, 7000]],
  ["gasTemp", [10, 240]],
];
const provenance = { data_hash: null, seed: null, epoch: null, best_metric: null, versions: {} };

function autoencoderWeights(tensors: Tensors, prefix: string): AutoencoderWeights {
  const model = { input_dim: species, hidden_dims: [160, 80] as [number, number], latent_dim: latent };
  const { trainable, statistics } = autoencoderLayouts(model);
  return {
    model_name: "autoencoder",
    model,
    species: names,
    abundances_clipping: { lower: 1e-20, upper: 1 },
    latent_range: json.latents_minmax,
    steps: 0,
    provenance,
    trainable: trainable.gather(named(tensors, prefix)),
    statistics: statistics.gather(named(tensors, prefix)),
  };
}

function emulatorWeights(autoencoder: AutoencoderWeights): EmulatorWeights {
  const model = { input_dim: parameters + latent, hidden_dim: 180, output_dim: latent };
  return {
    model_name: "emulator",
    model,
    species: names,
    physical_parameters: ranges.map(([name, range]) => ({ name, range })),
    window_size: 16,
    time_step_yr: null,
    autoencoder_hash: autoencoderHash(autoencoder),
    provenance,
    trainable: emulatorLayout(model).gather(named(ofEmulator, "state.")),
  };
}

const matrix = (data: ArrayLike<number>, ...shape: number[]): MatrixInput => ({ data, shape });

// The golden arrays. Those of the emulator are scaled: 12 windows of 15 steps.
const [rows, windows, steps] = [96, 12, 15];
const features = array(ofAutoencoder, "features");
const evalLatents = array(ofAutoencoder, "eval_latents");
const evalDecoded = array(ofAutoencoder, "eval_decoded");
const scaledPhysical = array(ofEmulator, "phys");
const [low, high] = json.latents_minmax;
const rawLatents = (scaled: Float32Array): Float32Array => scaled.map((z) => z * (high - low) + low);
const startLatents = rawLatents(array(ofEmulator, "latents"));
const goldenRollout = rawLatents(array(ofEmulator, "rollout"));
/** 20 dex a unit, from 1e-20. */
const linear = (scaled: Float32Array): number[] => Array.from(scaled, (s) => 10 ** (20 * s - 20));
const physicalUnits = Array.from(scaledPhysical, (s, i) => {
  const [lower, upper] = ranges[i % parameters]![1];
  return lower * (upper / lower) ** s;
});
const physical = matrix(physicalUnits, windows, steps, parameters);
/** Starting abundances of the windows. */
const abundances = matrix(linear(features.subarray(0, windows * species)), windows, species);

/** The b-th of an array's first dimension, as a batch of one. */
function single({ data, shape }: MatrixInput, b: number): MatrixInput {
  const size = data.length / shape[0]!;
  return matrix(Array.from(data).slice(b * size, (b + 1) * size), 1, ...shape.slice(1));
}

/** Smooth conditions of many steps, scaled, that differ between trajectories. */
function longDriving(batch: number, length: number): MatrixInput {
  const data = Float32Array.from({ length: batch * length * parameters }, (_, i) => {
    const t = Math.floor(i / parameters) % length;
    return 0.5 + 0.4 * Math.sin(t / 11 + (i % parameters) + Math.floor(i / (length * parameters)));
  });
  return matrix(data, batch, length, parameters);
}

beforeAll(() => {
  writeAutoencoder(path("alone"), autoencoderWeights(ofAutoencoder, "state."));
  const autoencoder = autoencoderWeights(ofEmulator, "autoencoder.");
  writeAutoencoder(path("autoencoder"), autoencoder);
  writeEmulator(path("emulator"), emulatorWeights(autoencoder));
});

describe.each(engines)("on the %s engine", (engine) => {
  const compute = engineRequest(engine);
  let alone: Inference;
  let surrogate: Inference;

  beforeAll(async () => {
    alone = await Inference.load({ ...compute, autoencoder: path("alone") });
    surrogate = await Inference.load({ ...compute, autoencoder: path("autoencoder"), emulator: path("emulator") });
    expect(surrogate.compute).toMatchObject({ device: compute.device, engine: compute.engine });
  });
  afterAll(() => {
    alone.dispose();
    surrogate.dispose();
  });

  describe("encoding", () => {
    it("of scaled abundances gives the original's latents", async () => {
      const { data, shape } = await alone.encode(matrix(features, rows, species), { scaled: true });
      expect(shape).toEqual([rows, latent]);
      expectClose(data, evalLatents, { relative: 1e-5 });
    });

    it("of linear abundances gives the same, in any array of numbers", async () => {
      const { data } = await alone.encode(matrix(linear(features), rows, species));
      expectClose(data, evalLatents, { relative: 1e-5 });
    });

    it("raises what is below the clipping range to it, zeros included, and lowers what is above", async () => {
      const row = linear(features.subarray(0, species));
      const outside = row.with(3, 0).with(200, 1e-30).with(332, 7);
      const clipped = row.with(3, 1e-20).with(200, 1e-20).with(332, 1);
      const encode = async (values: number[]) => (await alone.encode(matrix(values, 1, species))).data;
      expect(await encode(outside)).toEqual(await encode(clipped));
    });
  });

  describe("decoding", () => {
    const latents = matrix(evalLatents, rows, latent);

    it("gives the original's scaled abundances", async () => {
      const { data, shape } = await alone.decode(latents, { scaled: true });
      expect(shape).toEqual([rows, species]);
      expectClose(data, evalDecoded, { absolute: 1e-5 });
    });

    it("gives linear abundances, of which the scaled ones are the scaling", async () => {
      const [{ data }, scaled] = [await alone.decode(latents), await alone.decode(latents, { scaled: true })];
      // 1e-5 of a scaled unit is 2e-4 dex.
      expectClose(
        data.map(Math.log10),
        Float64Array.from(evalDecoded, (s) => 20 * s - 20),
        { absolute: 2e-4 },
      );
      const rescaled = new Float32Array(data.length);
      new AbundanceScaling({ lower: 1e-20, upper: 1 }).scaleInto(data, rescaled);
      expectClose(rescaled, scaled.data, { absolute: 1e-6 });
    });

    it("of [b, t, latent] is that of its rows, in that shape", async () => {
      const { data, shape } = await alone.decode(matrix(evalLatents, 12, 8, latent));
      expect(shape).toEqual([12, 8, species]);
      expect(data).toEqual((await alone.decode(latents)).data);
    });
  });

  describe("emulating latents", () => {
    it("gives the original's rollout", async () => {
      const { data, shape } = await surrogate.latentEmulate(
        matrix(scaledPhysical, windows, steps, parameters),
        matrix(startLatents, windows, latent),
        { scaled: true },
      );
      expect(shape).toEqual([windows, steps, latent]);
      expectClose(data, goldenRollout, { relative: 1e-5 });
    });

    it("takes physical units, and raw latents either way", async () => {
      const { data } = await surrogate.latentEmulate(physical, matrix(startLatents, windows, latent));
      expectClose(data, goldenRollout, { relative: 1e-5 });
    });

    it("over 130 steps is the same as 130 times over one", async () => {
      const driving = longDriving(2, 130);
      const { data } = await surrogate.latentEmulate(driving, matrix(startLatents.subarray(0, 2 * latent), 2, latent), {
        scaled: true,
      });
      const stepwise = new Float32Array(data.length);
      let state: Float32Array = startLatents.slice(0, 2 * latent);
      for (let t = 0; t < 130; t++) {
        const row = [0, 1].flatMap((b) => {
          const from = (b * 130 + t) * parameters;
          return Array.from(driving.data).slice(from, from + parameters);
        });
        const next = await surrogate.latentEmulate(matrix(row, 2, 1, parameters), matrix(state, 2, latent), {
          scaled: true,
        });
        state = next.data;
        for (const b of [0, 1]) stepwise.set(state.subarray(b * latent, (b + 1) * latent), (b * 130 + t) * latent);
      }
      expectClose(data, stepwise, { relative: 1e-5 });
    });

    it("of 11 trajectories is the same as of each alone", async () => {
      const driving = longDriving(11, 5);
      const start = matrix(startLatents.subarray(0, 11 * latent), 11, latent);
      const { data } = await surrogate.latentEmulate(driving, start, { scaled: true });
      const singly: number[] = [];
      for (let b = 0; b < 11; b++) {
        singly.push(...(await surrogate.latentEmulate(single(driving, b), single(start, b), { scaled: true })).data);
      }
      expectClose(data, singly, { relative: 1e-5 });
    });
  });

  describe("emulating abundances", () => {
    it("keeps the totals of the start where asked to, on this engine as in float64", async () => {
      const conservation = new Conservation(surrogate.elementTable);
      const plain = await surrogate.emulate(physical, abundances, { conserve: false });
      const kept = await surrogate.emulate(physical, abundances);
      const [, steps] = physical.shape as [number, number];
      for (let row = 0; row < kept.data.length / species; row++) {
        const begin = Math.floor(row / steps) * species;
        const totals = conservation.totals(Float32Array.from(abundances.data).slice(begin, begin + species));
        const expected = plain.data.slice(row * species, (row + 1) * species);
        conservation.project(expected, totals);
        const found = kept.data.subarray(row * species, (row + 1) * species);
        const sums = conservation.totals(found);
        for (let k = 0; k < totals.length - 1; k++) expect(Math.abs(sums[k]! / totals[k]! - 1)).toBeLessThan(1e-6);
        expectClose([...found].map(Math.log10), [...expected].map(Math.log10), { absolute: 1e-3 });
      }
    });

    it("keeps the totals of hostile starts: elements that are absent, no charges, all at the bounds, far too much", async () => {
      const conservation = new Conservation(surrogate.elementTable);
      const { elements, atoms, charges } = surrogate.elementTable;
      const start = Float32Array.from(abundances.data).slice(0, species);
      const scaledBy = (factor: number, holds: (s: number) => boolean) =>
        start.map((x, s) => (holds(s) ? factor * x : x));
      const metals = (s: number) => atoms[s]!.some((count, e) => count > 0 && !["H", "HE"].includes(elements[e]!));
      const only = (s: number) => start.map((_, each) => (each === s ? 0.5 : 0));
      const starts = [
        scaledBy(0.1, metals),
        scaledBy(0, metals),
        scaledBy(1e3, () => true),
        scaledBy(0, (s) => charges[s]! < 0),
        only(charges.findIndex((charge) => charge < 0)),
        only(atoms.findIndex((counts) => counts.filter((count) => count > 0).length > 1)),
        start.map(() => 1e-20),
        start.map(() => 1),
        start.map(() => 0),
      ];
      const count = starts.length;
      const all = Float32Array.from(starts.flatMap((each) => [...each]));
      const driving = matrix(physicalUnits.slice(0, count * steps * parameters), count, steps, parameters);
      const { data, correction } = await surrogate.emulate(driving, matrix(all, count, species));
      expect(data.every((x) => x > 0)).toBe(true);
      expect(correction!.every((size) => size >= 0 && size < 100)).toBe(true);
      for (const [b, given] of starts.entries()) {
        const totals = conservation.totals(given);
        for (let t = 0; t < steps; t++) {
          const from = (b * steps + t) * species;
          const off = conservation.off(data.subarray(from, from + species), totals);
          expect(Math.max(...off), `start ${b}, step ${t}`).toBeLessThan(1e-6);
        }
      }
    });

    it("is encoding, emulating latents and decoding", async () => {
      const { data, shape } = await surrogate.emulate(physical, abundances, { conserve: false });
      expect(shape).toEqual([windows, steps, species]);
      const evolved = await surrogate.latentEmulate(physical, await surrogate.encode(abundances));
      expect(data).toEqual((await surrogate.decode(evolved)).data);
      expect(await surrogate.emulate(physical, abundances)).toEqual(
        await surrogate.decode(evolved, { totalsOf: abundances }),
      );
    });

    it("takes and gives scaled values with { scaled: true }", async () => {
      const scaled = await surrogate.emulate(
        matrix(scaledPhysical, windows, steps, parameters),
        matrix(features.subarray(0, windows * species), windows, species),
        { scaled: true },
      );
      const { data } = await surrogate.emulate(physical, abundances);
      expectClose(
        data.map(Math.log10),
        scaled.data.map((s) => 20 * s - 20),
        { absolute: 2e-4 },
      );
    });

    it("of 11 trajectories is the same as of each alone", async () => {
      const [driving, start] = [longDriving(11, 3), matrix(features.subarray(0, 11 * species), 11, species)];
      const { data } = await surrogate.emulate(driving, start, { scaled: true });
      const singly: number[] = [];
      for (let b = 0; b < 11; b++) {
        singly.push(...(await surrogate.emulate(single(driving, b), single(start, b), { scaled: true })).data);
      }
      expectClose(data, singly, { absolute: 1e-5 });
    });
  });

  it("overlapping calls give what they give one after another", async () => {
    const fresh = await Inference.load({ ...compute, autoencoder: path("autoencoder"), emulator: path("emulator") });
    const latents = matrix(startLatents, windows, latent);
    const calls: (() => Promise<Matrix>)[] = [
      () => fresh.emulate(physical, abundances),
      () => fresh.encode(abundances),
      () => fresh.emulate(single(physical, 3), single(abundances, 3)),
      () => fresh.latentEmulate(physical, latents),
      () => fresh.decode(latents),
      () => fresh.emulate(physical, abundances),
    ];
    const together = await Promise.all(calls.map((call) => call()));
    for (const [i, call] of calls.entries()) expect(await call()).toEqual(together[i]);
    fresh.dispose();
  });

  it("what a caller does to its arrays after a call changes nothing", async () => {
    const [ownPhysical, ownAbundances] = [physicalUnits.slice(), Array.from(abundances.data)];
    const pending = surrogate.emulate(
      matrix(ownPhysical, windows, steps, parameters),
      matrix(ownAbundances, windows, species),
    );
    ownPhysical.fill(1);
    ownAbundances.fill(1);
    expect(await pending).toEqual(await surrogate.emulate(physical, abundances));
  });

  it("a result belongs to the caller", async () => {
    const first = await surrogate.encode(abundances);
    const kept = first.data.slice();
    first.data.fill(0);
    expect((await surrogate.encode(abundances)).data).toEqual(kept);
  });

  it("a result lies in the array that the caller gives, scaled or not, conserved or not, of one block of rows or several", async () => {
    const count = 1100;
    const latents = matrix(
      Float32Array.from({ length: count * latent }, (_, i) => evalLatents[i % 1000]!),
      count,
      latent,
    );
    const into = new Float32Array(count * species);
    const isSame = (a: Float32Array, b: Float32Array): boolean =>
      a.length === b.length && a.every((x, k) => x === b[k]);
    for (const options of [{}, { scaled: true }]) {
      const { data } = await surrogate.decode(latents, options);
      into.fill(Number.NaN);
      expect((await surrogate.decode(latents, { ...options, into })).data).toBe(into);
      expect(isSame(into, data)).toBe(true);
    }
    const part = into.subarray(7, 7 + windows * steps * species);
    for (const conserve of [true, false]) {
      const { data } = await surrogate.emulate(physical, abundances, { conserve });
      expect((await surrogate.emulate(physical, abundances, { conserve, into: part })).data).toBe(part);
      expect(isSame(part, data)).toBe(true);
    }
  });

  it("every call after dispose is an error, and a second dispose is not", async () => {
    const gone = await Inference.load({ ...compute, autoencoder: path("autoencoder"), emulator: path("emulator") });
    gone.dispose();
    gone.dispose();
    const latents = matrix(startLatents, windows, latent);
    expect(await thrownBy(() => gone.emulate(physical, abundances), folder)).toMatchInlineSnapshot(`
      "ConfigError: this Inference was disposed
        fix  load it again: Inference.load(…)"
    `);
    for (const call of [
      () => gone.encode(abundances),
      () => gone.decode(latents),
      () => gone.latentEmulate(physical, latents),
    ]) {
      expect(await thrownBy(call, folder)).toContain("ConfigError: this Inference was disposed");
    }
  });
});

describe("what stands to be read", () => {
  it("is the order of species and physical parameters, elements, and what computes", async () => {
    const surrogate = await Inference.load({
      device: "wasm",
      engine: "eager",
      autoencoder: path("autoencoder"),
      emulator: path("emulator"),
    });
    expect(surrogate.species).toEqual(names);
    expect(surrogate.physicalParameters).toEqual([
      { name: "Density", range: [1e2, 1e9] },
      { name: "Radfield", range: [1e-4, 25] },
      { name: "Av", range: [0.1, 7000] },
      { name: "gasTemp", range: [10, 240] },
    ]);
    expect(surrogate.elements).toEqual(["H", "HE", "C", "N", "O", "S", "SI", "MG", "CL"]);
    expect(surrogate.latentDim).toBe(14);
    expect(surrogate.abundancesClipping).toEqual({ lower: 1e-20, upper: 1 });
    expect(surrogate.compute).toMatchObject({ device: "wasm", engine: "eager", threads: 1 });
    surrogate.dispose();
  });
});

describe("loading", () => {
  it("refuses an emulator of another autoencoder", async () => {
    const load = () =>
      Inference.load({ device: "wasm", engine: "eager", autoencoder: path("alone"), emulator: path("emulator") });
    expect(await thrownBy(load, folder)).toMatchInlineSnapshot(`
      "CheckpointError: …/emulator.safetensors was trained with another autoencoder than …/alone.safetensors
        at   …/emulator.safetensors
        fix  load the autoencoder that belongs to it, or train the emulator again: astrochem train-emulator"
    `);
  });

  it("refuses an autoencoder whose training has not ended, but only where its latent range is needed", async () => {
    const unfinished = { ...autoencoderWeights(ofEmulator, "autoencoder."), latent_range: null };
    writeAutoencoder(path("unfinished"), unfinished);
    writeEmulator(path("premature"), emulatorWeights(unfinished));
    const load = () =>
      Inference.load({ device: "wasm", engine: "eager", autoencoder: path("unfinished"), emulator: path("premature") });
    expect(await thrownBy(load, folder)).toMatchInlineSnapshot(`
      "CheckpointError: …/unfinished.safetensors holds no latent range: the training that wrote it did not end
        at   …/unfinished.safetensors
        fix  let the training end, or start it again: astrochem train-autoencoder"
    `);
    const alone = await Inference.load({ device: "wasm", engine: "eager", autoencoder: path("unfinished") });
    expect((await alone.encode(abundances)).shape).toEqual([windows, latent]);
    alone.dispose();
  });

  it("refuses a device that cannot run here", async () => {
    const load = () => Inference.load({ device: "cuda", autoencoder: path("alone") });
    expect(await thrownBy(load, folder)).toMatch(/^ConfigError: /);
  });
});

it("what is doubtful about what computes is told by the same listener as doubtful input", async () => {
  const told: string[][] = [];
  const onWarning = (message: string, kind: WarningKind) => told.push([kind, message]);
  const surrogate = await Inference.load({ autoencoder: path("autoencoder"), threads: 4096, onWarning });
  expect(told).toEqual([
    ["compute", expect.stringMatching(/^threads=4096 is more than \d+ \(.*\): computing may be slower/)],
  ]);
  surrogate.dispose();
});

describe("doubtful abundances", () => {
  it("are told once of each kind by an instance, and computed all the same", async () => {
    const told: string[] = [];
    const files = { autoencoder: path("autoencoder"), emulator: path("emulator") };
    const surrogate = await Inference.load({ ...files, onWarning: (message) => told.push(message) });
    const dense = matrix(
      linear(features.subarray(0, windows * species)).map((x) => x * 1e9),
      windows,
      species,
    );
    const withValue = (value: number): MatrixInput =>
      matrix(Array.from(abundances.data).with(332, value), windows, species);
    await surrogate.encode(dense);
    await surrogate.emulate(physical, dense);
    expect(told).toEqual([expect.stringContaining(" in abundances[0] (the first of 12 such rows): number densities")]);
    const rounding = await surrogate.encode(withValue(-1e-30));
    const { data } = await surrogate.encode(withValue(1e-20));
    expect(rounding.data).toEqual(data);
    expect(told[1]).toBe(
      "raised 1 negative abundance (a solver's rounding, less than 1e-20 in size) to 1e-20, first in abundances[0, 332]",
    );
    await surrogate.encode(matrix(features, rows, species), { scaled: true });
    expect(told).toHaveLength(2);
    surrogate.dispose();
  });
});

describe("a bad argument", () => {
  let surrogate: Inference;
  beforeAll(async () => {
    surrogate = await Inference.load({
      device: "wasm",
      engine: "eager",
      autoencoder: path("autoencoder"),
      emulator: path("emulator"),
    });
  });
  afterAll(() => surrogate.dispose());

  const latents = matrix(startLatents, windows, latent);
  const refused = (call: () => Promise<unknown>): Promise<string> => thrownBy(call, folder);
  /** The same with one value changed. */
  const changed = ({ data, shape }: MatrixInput, at: number, value: number): MatrixInput => ({
    data: Array.from(data).with(at, value),
    shape,
  });

  it("of no emulator, where none was loaded, is said first", async () => {
    const alone = await Inference.load({ device: "wasm", engine: "eager", autoencoder: path("alone") });
    expect(alone.physicalParameters).toEqual([]);
    expect(await refused(() => alone.emulate(physical, abundances))).toMatchInlineSnapshot(`
      "CheckpointError: no emulator was loaded
        fix  give its weights: Inference.load({ autoencoder, emulator })"
    `);
    expect(await refused(() => alone.latentEmulate(physical, latents))).toContain("no emulator was loaded");
    alone.dispose();
  });

  it("is refused with the wrong rank", async () => {
    expect(await refused(() => surrogate.encode(matrix(abundances.data, windows * species)))).toMatchInlineSnapshot(`
      "DataError: abundances has shape [3996], not [n, species=333]
        at   abundances
        fix  give [n, species=333]"
    `);
    expect(await refused(() => surrogate.decode(matrix(startLatents, 2, 2, 3, latent)))).toMatchInlineSnapshot(`
      "DataError: latents has shape [2, 2, 3, 14], not [n, latent_dim=14]
        at   latents
        fix  give [n, latent_dim=14]"
    `);
    expect(
      await refused(() => surrogate.emulate(matrix(physicalUnits, windows * steps, parameters), abundances)),
    ).toMatchInlineSnapshot(`
      "DataError: physical has shape [180, 4], not [b, t, physical=4]
        at   physical
        fix  give [b, t, physical=4]"
    `);
    expect(
      await refused(() => surrogate.latentEmulate(physical, matrix(startLatents, windows, 1, latent))),
    ).toMatchInlineSnapshot(`
      "DataError: latents has shape [12, 1, 14], not [b=12, latent_dim=14]
        at   latents
        fix  give [b=12, latent_dim=14]"
    `);
  });

  it("is refused with the wrong width", async () => {
    expect(await refused(() => surrogate.encode(matrix(new Float32Array(334), 1, 334)))).toMatchInlineSnapshot(`
      "DataError: abundances has shape [1, 334], not [n, species=333]
        at   abundances
        fix  give [n, species=333]"
    `);
    expect(await refused(() => surrogate.decode(matrix(new Float32Array(30), 2, 1, 15)))).toMatchInlineSnapshot(`
      "DataError: latents has shape [2, 1, 15], not [b, t, latent_dim=14]
        at   latents
        fix  give [b, t, latent_dim=14]"
    `);
    expect(
      await refused(() => surrogate.emulate(matrix(new Float32Array(30), 2, 5, 3), abundances)),
    ).toMatchInlineSnapshot(`
      "DataError: physical has shape [2, 5, 3], not [b, t, physical=4]
        at   physical
        fix  give [b, t, physical=4]"
    `);
    expect(
      await refused(() => surrogate.latentEmulate(physical, matrix(new Float32Array(12 * 13), 12, 13))),
    ).toMatchInlineSnapshot(`
      "DataError: latents has shape [12, 13], not [b=12, latent_dim=14]
        at   latents
        fix  give [b=12, latent_dim=14]"
    `);
  });

  it("is refused where times do not fit or do not increase, asked for trust or not", async () => {
    const rows = steps + 1;
    const times = matrix(
      Float64Array.from({ length: windows * rows }, (_, at) => 100 * (at % rows)),
      windows,
      rows,
    );
    const emulate = (given: MatrixInput) => surrogate.emulate(physical, abundances, { times: given });
    expect((await emulate(times)).shape).toEqual([windows, steps, species]);
    expect(await refused(() => emulate(matrix(times.data, windows * rows)))).toContain("times has shape [192]");
    expect(await refused(() => emulate(changed(times, 20, 0)))).toContain("times are finite and increase");
    expect(await refused(() => emulate({} as never))).toContain("times is not an array with a shape");
  });

  it("is refused where the result has no room in the caller's array, or the array may shrink or is shared", async () => {
    const latents = matrix(startLatents, windows, latent);
    const decode = (into: unknown) => refused(() => surrogate.decode(latents, { into: into as Float32Array }));
    expect(await decode(new Float32Array(5))).toMatchInlineSnapshot(`
      "DataError: into holds 5 values, not the 3996 of [12, 333]
        at   into
        fix  give new Float32Array(3996), and the same one again in later calls"
    `);
    expect(await decode(new Float64Array(windows * species))).toContain("into is no Float32Array");
    expect(await decode(new Float32Array(new SharedArrayBuffer(4 * windows * species)))).toContain("may shrink");
    const emulate = () => surrogate.emulate(physical, abundances, { into: new Float32Array(windows * species) });
    expect(await refused(emulate)).toContain("not the 59940 of [12, 15, 333]");
  });

  it("is refused where data and shape disagree", async () => {
    expect(await refused(() => surrogate.encode(matrix(new Float32Array(600), 2, species)))).toMatchInlineSnapshot(`
      "DataError: abundances holds 600 values, but its shape [2, 333] means 666
        at   abundances
        fix  make data and shape agree"
    `);
    expect(
      await refused(() => surrogate.emulate(matrix(physicalUnits, windows, steps + 1, parameters), abundances)),
    ).toMatchInlineSnapshot(`
      "DataError: physical holds 720 values, but its shape [12, 16, 4] means 768
        at   physical
        fix  make data and shape agree"
    `);
  });

  it("is refused where the batch is another one than that of physical", async () => {
    expect(
      await refused(() => surrogate.emulate(physical, matrix(new Float32Array(11 * species), 11, species))),
    ).toMatchInlineSnapshot(`
      "DataError: abundances has shape [11, 333], not [b=12, species=333]
        at   abundances
        fix  give [b=12, species=333]"
    `);
    expect(
      await refused(() => surrogate.latentEmulate(physical, matrix(new Float32Array(latent), 1, latent))),
    ).toMatchInlineSnapshot(`
      "DataError: latents has shape [1, 14], not [b=12, latent_dim=14]
        at   latents
        fix  give [b=12, latent_dim=14]"
    `);
  });

  it("is refused where abundances are NaN, negative or infinite, at the first of them", async () => {
    const bad = changed(changed(abundances, 2 * species + 5, Number.NaN), 7 * species, Number.NaN);
    expect(await refused(() => surrogate.encode(bad))).toMatchInlineSnapshot(`
      "DataError: abundances holds NaN; abundances are finite and not negative
        at   abundances[2, 5]
        fix  clean the input; values between -1e-20 and 1e-20 are raised to 1e-20, NaN and other negative ones are not guessed"
    `);
    expect(await refused(() => surrogate.emulate(physical, changed(abundances, 332, -1e-10)))).toMatchInlineSnapshot(`
      "DataError: abundances holds -1e-10; abundances are finite and not negative
        at   abundances[0, 332]
        fix  clean the input; values between -1e-20 and 1e-20 are raised to 1e-20, NaN and other negative ones are not guessed"
    `);
    expect(await refused(() => surrogate.encode(changed(abundances, species, Number.POSITIVE_INFINITY)))).toContain(
      "at   abundances[1, 0]",
    );
  });

  it("is refused where physical parameters are 0 or less, NaN or infinite", async () => {
    // Trajectory 1, step 2, parameter 3.
    const at = (1 * steps + 2) * parameters + 3;
    expect(await refused(() => surrogate.emulate(changed(physical, at, 0), abundances))).toMatchInlineSnapshot(`
      "DataError: physical holds 0; physical parameters are finite and above 0
        at   physical[1, 2, 3]
        fix  give cm^-3, Habing, mag and K, not their logarithms; or pass { scaled: true } with scaled values"
    `);
    for (const value of [-4, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(await refused(() => surrogate.latentEmulate(changed(physical, at, value), latents))).toContain(
        "at   physical[1, 2, 3]",
      );
    }
  });

  it("is refused where latents are not finite", async () => {
    expect(await refused(() => surrogate.decode(changed(latents, latent + 1, Number.NaN)))).toMatchInlineSnapshot(`
      "DataError: latents holds NaN; values must be finite
        at   latents[1, 1]
        fix  clean the input"
    `);
    const cube = changed(matrix(startLatents, 3, 4, latent), (2 * 4 + 1) * latent + 13, Number.NEGATIVE_INFINITY);
    expect(await refused(() => surrogate.decode(cube))).toContain("at   latents[2, 1, 13]");
    expect(await refused(() => surrogate.latentEmulate(physical, changed(latents, 0, Number.NaN)))).toContain(
      "at   latents[0, 0]",
    );
  });

  it("is refused where scaled values are not finite, while negative ones are theirs to have", async () => {
    const scaled = matrix(features.subarray(0, species), 1, species);
    expect(
      await refused(() => surrogate.encode(changed(scaled, 7, Number.NaN), { scaled: true })),
    ).toMatchInlineSnapshot(`
      "DataError: abundances holds NaN; values must be finite
        at   abundances[0, 7]
        fix  clean the input"
    `);
    const driving = matrix([-0.1, 0.5, 1.2, 0], 1, 1, parameters);
    expect((await surrogate.emulate(driving, changed(scaled, 7, -0.1), { scaled: true })).shape).toEqual([
      1,
      1,
      species,
    ]);
    expect(await refused(() => surrogate.emulate(changed(driving, 2, Number.NaN), scaled, { scaled: true }))).toContain(
      "at   physical[0, 0, 2]",
    );
  });
});
