import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eachTracer, emulateTogether, evaluateSurrogate } from "../../src/analysis/evaluate.ts";
import { type CleanData, openCleanData } from "../../src/data/clean-data.ts";
import { FrameWriter } from "../../src/data/frame.ts";
import { createHdf5 } from "../../src/data/hdf5.ts";
import { Inference } from "../../src/inference/inference.ts";
import { autoencoderLayouts } from "../../src/models/autoencoder.ts";
import { emulatorLayout } from "../../src/models/emulator.ts";
import type { Layout } from "../../src/models/layout.ts";
import {
  type AutoencoderWeights,
  autoencoderHash,
  writeAutoencoder,
  writeEmulator,
} from "../../src/models/weights-file.ts";
import { testFolder } from "../helpers/folder.ts";
import { expectClose } from "../helpers/tensors.ts";

/** Every element occurs in one species alone, but for C and N, which the first two share: HCN and CS. */
const species = ["HCN", "SIO", "HCL", "HE", "MG", "CS"];
const physicalNames = ["Density", "Av"];
const folder = testFolder();
const path = (name: string): string => join(folder, name);

/** Scaled abundances of all species but the first, whatever goes in. */
const constants = [0.5, 0.6, 0.7, 0.8, 0.9];
const logit = (p: number): number => Math.log(p / (1 - p));
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

function vector(layout: Layout, arrays: Record<string, number | readonly number[]>): Float32Array {
  const out = new Float32Array(layout.size);
  for (const [name, values] of Object.entries(arrays)) {
    const view = layout.view(out, name);
    if (typeof values === "number") view.fill(values);
    else view.set(values);
  }
  return out;
}

/**
 * Weights of which the surrogate can be written down. Ten is added where GELU is then the identity: the latent is x₀ + 10 for the
 * first species' scaled abundance x₀, and decodes to σ(latent − 10) for the first species and to constants for the others. The
 * emulator adds the scaled density, here from 0 to 1, to the latent, whose range is [0, 1].
 */
function handMade(): void {
  const model = { input_dim: 6, hidden_dims: [1, 1] as [number, number], latent_dim: 1 };
  const layouts = autoencoderLayouts(model);
  const norms = ["encoder_bn1", "encoder_bn2", "encoder_norm3", "decoder_bn1", "decoder_bn2"];
  const autoencoder: AutoencoderWeights = {
    model,
    species,
    abundances_clipping: { lower: 1e-20, upper: 1 },
    latent_range: [0, 1],
    steps: 0,
    provenance: { data_hash: null, seed: null, epoch: null, best_metric: null, versions: {} },
    trainable: vector(layouts.trainable, {
      ...Object.fromEntries(norms.map((name) => [`${name}.weight`, 1])),
      "encoder_fc1.weight": [1, 0, 0, 0, 0, 0],
      "encoder_bn1.bias": 10,
      "encoder_fc2.weight": 1,
      "encoder_fc3.weight": 1,
      decoder_bias3: [-10, ...constants.map(logit)],
    }),
    // The variance that, with batch norm's epsilon, makes one.
    statistics: vector(layouts.statistics, Object.fromEntries(norms.map((name) => [`${name}.running_var`, 1 - 1e-5]))),
  };
  writeAutoencoder(path("autoencoder.safetensors"), autoencoder);
  const emulator = { input_dim: 3, hidden_dim: 1, output_dim: 1 };
  writeEmulator(path("emulator.safetensors"), {
    model: emulator,
    species,
    physical_parameters: physicalNames.map((name) => ({ name, range: [1, 100] })),
    window_size: 3,
    time_step_yr: null,
    autoencoder_hash: autoencoderHash(autoencoder),
    provenance: autoencoder.provenance,
    trainable: vector(emulatorLayout(emulator), { "net.0.weight": [1, 0, 0], "net.3.weight": 1, "net.6.weight": 1 }),
  });
}

/** A tracer: per row the scaled abundance of the first species and the scaled density. */
type Rows = readonly (readonly [x: number, density: number])[];
const train: Rows[] = [
  [
    [0.6, 0],
    [0.7, 0],
    [0.9, 0],
  ],
  [
    [0.6, 0],
    [0.5, 0],
  ],
];
/** Of the last one row alone: nothing can be emulated of it. */
const val: Rows[] = [
  [
    [0.8, 0.5],
    [0.7, 1],
    [0.6, 0.25],
  ],
  [
    [0.5, 0],
    [0.4, 0.5],
  ],
  [
    [0.75, 0.25],
    [0.85, 0],
    [0.95, 0.75],
  ],
  [[0.5, 0]],
];

/** Columns stand in another order than the models want them in. */
async function writeSplits(): Promise<string> {
  const file = await createHdf5(path("clean.h5"));
  const float32 = ["Av", "Density", ...species.toReversed(), "Time"];
  for (const [key, tracers] of Object.entries({ train, val })) {
    const rows = tracers.flatMap((tracer, model) => tracer.map((row) => ({ model, row })));
    const writer = new FrameWriter(
      file,
      key,
      { float32, int64: ["Index", "Model"], order: ["Index", "Model", ...float32] },
      rows.length,
    );
    const floats = rows.flatMap(({ row: [x, density] }, time) => {
      const abundances = [x, ...constants].map((s) => 10 ** (20 * s - 20));
      return [50, 100 ** density, ...abundances.toReversed(), time];
    });
    const integers = rows.flatMap(({ model }, index) => [BigInt(index), BigInt(model)]);
    writer.append(Float32Array.from(floats), BigInt64Array.from(integers), rows.length);
    writer.finish();
  }
  file.close();
  return path("clean.h5");
}

let clean: CleanData;
let surrogate: Inference;
beforeAll(async () => {
  handMade();
  const columns = { metadata: ["Index", "Model", "Time"], phys: physicalNames, species };
  clean = await openCleanData(await writeSplits(), columns);
  surrogate = await Inference.load({
    engine: "eager",
    autoencoder: path("autoencoder.safetensors"),
    emulator: path("emulator.safetensors"),
  });
});
afterAll(() => {
  clean.close();
  surrogate.dispose();
});

/** Mean over rows of |Δ log10| of the first species, over all species: the others are met exactly. */
const meanDex = (errors: readonly number[]): number =>
  (20 * errors.reduce((sum, error) => sum + Math.abs(error), 0)) / errors.length / species.length;
/** The mean relative error of the first species, over all species. */
const meanRelative = (errors: readonly number[]): number =>
  errors.reduce((sum, error) => sum + Math.abs(10 ** (20 * error) - 1), 0) / errors.length / species.length;

describe("the tracers of a split", () => {
  it("come one at a time, with the columns in the models' order", () => {
    const tracers = [...eachTracer(clean.val, surrogate)];
    expect(tracers.map(({ rows }) => rows)).toEqual([3, 2, 3, 1]);
    const { abundances, physical } = tracers[1]!;
    const scaled = [0.5, ...constants, 0.4, ...constants];
    expectClose(
      abundances.map(Math.log10),
      scaled.map((s) => 20 * s - 20),
      { absolute: 1e-5 },
    );
    expectClose(physical, [1, 50, 10, 50], { absolute: 1e-5 });
  });

  it("of one length are emulated together, from their first rows and the conditions of all but the last", async () => {
    const tracers = [...eachTracer(clean.val, surrogate)].filter(({ rows }) => rows === 3);
    const data = await emulateTogether(surrogate, tracers);
    const scaled = [0.8 + 0.5, 0.8 + 0.5 + 1, 0.75 + 0.25, 0.75 + 0.25 + 0].flatMap((x) => [sigmoid(x), ...constants]);
    expectClose(
      data.map(Math.log10),
      scaled.map((s) => 20 * s - 20),
      { absolute: 1e-4 },
    );
  });
});

describe("an evaluation", () => {
  // Of the first species, scaled, in the order of groups of one length: the true rows after the first, and what is predicted.
  const truth = [0.7, 0.6, 0.85, 0.95, 0.4];
  const minus = (predicted: readonly number[]): number[] => predicted.map((x, i) => x - truth[i]!);
  const wanted = {
    reconstruction: minus(truth.map(sigmoid)),
    emulation: minus([1.3, 2.3, 1, 1, 0.5].map(sigmoid)),
    persistence: minus([0.8, 0.8, 0.75, 0.75, 0.5]),
    // Geometric means of the training tracers: of 0.7 and 0.5, then 0.9 alone.
    mean_trajectory: minus([0.6, 0.9, 0.6, 0.9, 0.6]),
  };

  it("has the errors that follow by hand, of surrogate and baselines", async () => {
    const evaluation = await evaluateSurrogate(surrogate, clean, () => 0);
    expect(evaluation.tracers).toBe(3);
    for (const [name, errors] of Object.entries(wanted)) {
      const { rows, mean_dex, mean_relative, worst } = evaluation[name as keyof typeof wanted];
      expect(rows, name).toBe(5);
      expect(mean_dex / meanDex(errors), name).toBeCloseTo(1, 4);
      expect(mean_relative / meanRelative(errors), name).toBeCloseTo(1, 3);
      expect(worst[0]!.species, name).toBe("HCN");
      expect(worst[0]!.mean_dex / (6 * meanDex(errors)), name).toBeCloseTo(1, 4);
    }
  });

  it("has the elements' conservation of the emulated rows", async () => {
    const { conservation } = await evaluateSurrogate(surrogate, clean, () => 0);
    const linear = (s: number): number => 10 ** (20 * s - 20);
    const [sio, hcl, , , cs] = constants.map(linear) as [number, number, number, number, number];
    expect(sio).toBeLessThan(hcl);
    // HCN alone is wrong: it holds all N, and H beside HCL and C beside CS. Nine elements.
    const sum = wanted.emulation.reduce((all, error, i) => {
      const [was, is] = [linear(truth[i]!), linear(truth[i]! + error)];
      const wrong = Math.abs(is - was);
      return all + wrong / (was + hcl) + wrong / (was + cs) + wrong / was;
    }, 0);
    expect(conservation / (sum / 5 / 9)).toBeCloseTo(1, 3);
  });

  it("times the emulation alone, once a group of one length", async () => {
    let clock = 0;
    const { seconds } = await evaluateSurrogate(surrogate, clean, () => {
      clock += 250;
      return clock;
    });
    // Two lengths, a quarter of a second each.
    expect(seconds).toBe(0.5);
    expect(clock).toBe(1000);
  });
});
