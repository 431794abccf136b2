import { beforeAll, describe, expect, it } from "vitest";
import { hostTensor } from "../../src/backend/engine.ts";
import { tf } from "../../src/backend/tf.ts";
import { tableOfNames } from "../../src/chemistry/element-table.ts";
import { RandomStream } from "../../src/data/random.ts";
import type { Composition } from "../../src/models/compressor.ts";
import { compressorOf } from "../../src/models/compressors.ts";
import { runningNormalizer } from "../../src/models/normalization.ts";
import { adamWInputs } from "../../src/training/adamw.ts";
import { autoencoderTrainStep } from "../../src/training/autoencoder-steps.ts";
import { engineNamed, engines, expectClose, useWasm, withoutLeak } from "../helpers/tensors.ts";

const species = ["H2", "C+", "CO", "CO2", "O", "S"];
const table = tableOfNames(species);
const composition: Composition = {
  table,
  meanTotals: table.elements.map((name) => (name === "C" ? -4 : name === "O" ? -3.5 : -5)),
  log10_lower: -20,
  log10_upper: 0,
};
const model = { input_dim: 6, hidden_dims: [8, 6], latent_dim: 5, elements: ["C", "O"] };
const compressor = compressorOf({ model_name: "autoencoder_elements", model });
const initial = (more: object = {}, random = new RandomStream(3)) =>
  compressorOf({ model_name: "autoencoder_elements", model: { ...model, ...more } }).initial(random, null, composition);

beforeAll(useWasm);

function arrays(): Record<string, tf.Tensor> {
  const { trainable, statistics } = initial();
  const { layouts } = compressor;
  return {
    ...layouts.trainable.unpack(tf.tensor1d(trainable)),
    ...layouts.statistics.unpack(tf.tensor1d(statistics)),
  };
}

/** log10 abundances → scaled. */
const scaled = (dex: readonly number[]): number[] => dex.map((value) => (value + 20) / 20);
const encoded = (...rows: number[][]): number[][] =>
  withoutLeak(() => {
    const own = arrays();
    const x = tf.tensor2d(rows.map(scaled));
    return compressor.encode(own, x, runningNormalizer(own)).arraySync();
  });

describe("autoencoder_elements", () => {
  it("has the totals of the elements for its last latents, in dex from the training's mean", () => {
    // C: 1e-5 + 2e-5 + 1e-6; O: 2e-5 + 2 · 1e-6 + 3e-4.
    const row = [0.5, 1e-5, 2e-5, 1e-6, 3e-4, 1e-7].map(Math.log10);
    const [z] = encoded(row);
    expect(z).toHaveLength(5);
    expectClose(z!.slice(-2), [Math.log10(3.1e-5) + 4, Math.log10(3.22e-4) + 3.5], { absolute: 1e-4 });
  });

  it("has other latents that do not depend on the metallicity where all abundances follow it", () => {
    const row = [-0.3, -5, -4.7, -6, -3.5, -7];
    const poor = row.map((dex, s) => (s === 0 || s === 5 ? dex : dex - 0.7));
    const [a, b] = encoded(row, poor);
    expectClose(b!.slice(0, 3), a!.slice(0, 3), { absolute: 1e-5 });
    expectClose(b!.slice(-2), [a![3]! - 0.7, a![4]! - 0.7], { absolute: 1e-4 });
  });

  it("decodes to abundances that follow the elements, but for those that are none", () => {
    const decoded = withoutLeak(() => {
      const own: Record<string, tf.Tensor> = { ...arrays(), "decoder_elements.weight": tf.zeros([2, 6]) };
      own.decoder_bias3 = tf.tensor1d([0, 0, 0, 0, 0, -30]);
      const z = tf.tensor2d([
        [0.3, 0.1, 0.2, 0, 0],
        [0.3, 0.1, 0.2, 0.4, 0.2],
      ]);
      return compressor.decode(own, z, runningNormalizer(own)).arraySync();
    });
    // Of CO and CO2 the geometric mean of both elements counts.
    const change = decoded[1]!.map((value, s) => 20 * (value - decoded[0]![s]!));
    expectClose(change, [0, 0.4, 0.3, 0.3, 0.2, 0], { absolute: 1e-5 });
  });

  it("keeps what it knows of the elements while it is trained", async () => {
    const { trainable, statistics } = initial();
    const { layouts } = compressor;
    const engine = await engineNamed(engines[0]!);
    const settings = { betas: [0.9, 0.99] as [number, number], weight_decay: 0.1, gradient_clipping: 2 };
    const loss = { power_weight: 20, worst_weight: 2, conservation_weight: 100, log10_lower: -20, log10_upper: 0 };
    const zeros = (): ReturnType<typeof hostTensor> =>
      hostTensor(new Float32Array(trainable.length), [trainable.length]);
    const state = engine.state({
      parameters: hostTensor(trainable, [trainable.length]),
      statistics: hostTensor(statistics, [statistics.length]),
      first_moment: zeros(),
      second_moment: zeros(),
      stoichiometry: hostTensor(Float32Array.from(table.atoms.flat()), [6, table.elements.length]),
    });
    const rows = [0, 1, 2, 3].map((k) => scaled([-0.3, -5 - k / 3, -4.7 - k / 5, -6, -3.5, -7 + k]));
    const inputs = { features: hostTensor(Float32Array.from(rows.flat()), [4, 6]), ...adamWInputs(settings, 1e-2, 1) };
    await engine.program("step", autoencoderTrainStep(compressor, loss, settings)).run(state, inputs);
    const after = (await state.read("statistics")).data;
    for (const { name } of layouts.statistics.specs.filter((spec) => spec.name.startsWith("elements.")))
      expect(layouts.statistics.view(after, name), name).toEqual(layouts.statistics.view(statistics, name));
    expect(layouts.statistics.view(after, "encoder_bn1.running_mean")).not.toEqual(
      layouts.statistics.view(statistics, "encoder_bn1.running_mean"),
    );
  });

  it("says which element is missing, and that some latents have to be left", () => {
    expect(() => initial({ elements: ["C", "MG"] })).toThrow(/no species holds the element MG[\s\S]*among H, /);
    expect(() => initial({ latent_dim: 2 })).toThrow(/2 latents for 2 elements leave none to learn/);
  });
});
