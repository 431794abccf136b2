import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { decodeRows, encodeRows, rolloutLatents } from "../../src/analysis/surrogate-predictions.ts";
import { Conservation } from "../../src/chemistry/conservation.ts";
import { RandomStream } from "../../src/data/random.ts";
import { Inference } from "../../src/inference/inference.ts";
import { initialEvolver } from "../../src/models/evolver.ts";
import { joinMembers } from "../../src/models/members.ts";
import {
  autoencoderHash,
  type EmulatorWeights,
  writeAutoencoder,
  writeEmulator,
} from "../../src/models/weights-file.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";
import { emulatorOf, initialAutoencoder } from "../helpers/models.ts";
import { engineRequest, engines, expectClose } from "../helpers/tensors.ts";

const folder = testFolder();
const path = (name: string): string => join(folder, `${name}.safetensors`);
const species = ["H2", "H", "CO", "C", "O", "H2O"];
const [latent, members, batch, steps] = [2, 3, 4, 9];
const provenance = { data_hash: null, seed: 0, epoch: 1, best_metric: null, versions: {} };
const shape = { input_dim: species.length, hidden_dims: [5, 4] as [number, number], latent_dim: latent };
const autoencoder = {
  species,
  provenance,
  model_name: "autoencoder",
  model: shape,
  abundances_clipping: { lower: 1e-20, upper: 1 },
  latent_range: [-1, 1] as [number, number],
  steps: 3,
  ...initialAutoencoder(shape, new RandomStream(4)),
};
const evolver = emulatorOf({ input_dim: 2 + latent, hidden_dim: 8, output_dim: latent });
const alone = Array.from(
  { length: members },
  (_, m): EmulatorWeights => ({
    model_name: "emulator",
    model: evolver.shape,
    species,
    physical_parameters: [
      { name: "Density", range: [10, 1e9] },
      { name: "Av", range: [0.1, 100] },
    ],
    window_size: steps + 1,
    time_step_yr: 100,
    latent_scaling: { shift: [-1, -0.5], scale: [2, 3] },
    autoencoder_hash: autoencoderHash(autoencoder),
    provenance,
    trainable: initialEvolver(evolver, new RandomStream(m), 2),
  }),
);
const physical = {
  data: Float32Array.from({ length: batch * steps * 2 }, (_, i) => (i % 2 ? 1 + (i % 7) : 1e3 * (1 + i))),
  shape: [batch, steps, 2],
};
const start = {
  data: Float32Array.from({ length: batch * species.length }, (_, i) => 10 ** -(1 + (i % species.length))),
  shape: [batch, species.length],
};

beforeAll(() => {
  writeAutoencoder(path("autoencoder"), autoencoder);
  for (const [m, weights] of alone.entries()) writeEmulator(path(`${m}`), weights);
  writeEmulator(path("ensemble"), joinMembers(alone, []));
});

const load = (emulator: string, engine: (typeof engines)[number]): Promise<Inference> =>
  Inference.load({
    autoencoder: path("autoencoder"),
    emulator: path(emulator),
    ...engineRequest(engine),
    onWarning: () => {},
  });

describe.each(engines)("an ensemble, on the %s engine", (engine) => {
  it("gives the mean of its members' logarithms and their spread, by hand", async () => {
    const surrogate = await load("ensemble", engine);
    expect(surrogate.members).toBe(members);
    const found = await surrogate.emulate(physical, start, { conserve: false, spread: true });
    const each = await Promise.all(
      alone.map(async (_, m) => {
        const member = await load(`${m}`, engine);
        expect(member.members).toBe(1);
        const made = await member.emulate(physical, start, { conserve: false });
        expect(made).not.toHaveProperty("spread");
        await member.dispose();
        return made.data.map(Math.log10);
      }),
    );
    const mean = each[0]!.map((_, i) => each.reduce((sum, values) => sum + values[i]!, 0) / members);
    expectClose(found.data.map(Math.log10), mean, { absolute: 2e-5 });
    const spread = Float64Array.from({ length: batch * steps }, (_, row) => {
      const deviations = species.flatMap((_, s) => {
        const i = row * species.length + s;
        const squares = each.reduce((sum, values) => sum + (values[i]! - mean[i]!) ** 2, 0);
        return mean[i]! > -12 ? [Math.sqrt(squares / (members - 1))] : [];
      });
      return deviations.reduce((sum, value) => sum + value, 0) / deviations.length;
    });
    expect(found.spread!.shape).toEqual([batch, steps]);
    expectClose(found.spread!.data, spread, { absolute: 1e-4 });
    expect(Math.max(...spread)).toBeGreaterThan(0.01);
    await surrogate.dispose();
  });

  it("gives the totals of the start to the mean, and the same spread", async () => {
    const surrogate = await load("ensemble", engine);
    const kept = await surrogate.emulate(physical, start, { conserve: true, spread: true });
    const plain = await surrogate.emulate(physical, start, { conserve: false, spread: true });
    expectClose(kept.spread!.data, plain.spread!.data, { absolute: 1e-6 });
    const conservation = new Conservation(surrogate.elementTable);
    const wanted = conservation.totals(start.data.subarray(0, species.length));
    for (let row = 0; row < batch * steps; row++) {
      const totals = conservation.totals(kept.data.subarray(row * species.length, (row + 1) * species.length));
      for (const [k, total] of totals.entries()) expect(Math.abs(total / wanted[k]! - 1)).toBeLessThan(1e-5);
    }
    await surrogate.dispose();
  });

  it("rolls out the latents of all members, which decode to the mean, and goes on from them", async () => {
    const surrogate = await load("ensemble", engine);
    const latents = await surrogate.encode(start);
    const whole = await surrogate.latentEmulate(physical, latents);
    expect(whole.shape).toEqual([batch, steps, members, latent]);
    const decoded = await surrogate.decode(whole);
    expect(decoded.shape).toEqual([batch, steps, species.length]);
    const emulated = await surrogate.emulate(physical, start, { conserve: false });
    expectClose(decoded.data, emulated.data, { relative: 1e-5 });
    const one = { data: physical.data.subarray(0, steps * 2), shape: [1, steps, 2] };
    const from = { data: latents.data.subarray(0, latent), shape: [1, latent] };
    const first = await surrogate.latentEmulate({ data: one.data.subarray(0, 8), shape: [1, 4, 2] }, from);
    const after = { data: first.data.slice(3 * members * latent), shape: [1, members, latent] };
    const rest = await surrogate.latentEmulate({ data: one.data.subarray(8), shape: [1, steps - 4, 2] }, after);
    expectClose(rest.data, whole.data.subarray(4 * members * latent, steps * members * latent), { absolute: 1e-5 });
    // As an evaluation does.
    const encoded = await encodeRows(
      surrogate,
      start.data.map((x) => (Math.log10(x) + 20) / 20),
    );
    const states = await rolloutLatents(surrogate, { count: batch, steps, physical: physical.data, latents: encoded });
    const scaled = await decodeRows(surrogate, states, members);
    expectClose(
      scaled.map((value) => 20 * value - 20),
      emulated.data.map(Math.log10),
      { absolute: 1e-4 },
    );
    await surrogate.dispose();
  });
});

it("one emulator has no spread, and no latents of members", async () => {
  const surrogate = await load("0", "eager");
  expect(await thrownBy(() => surrogate.emulate(physical, start, { spread: true }), folder)).toMatchInlineSnapshot(`
    "ConfigError: one emulator has no spread
      fix  load an ensemble: astrochem train-emulator members=4"
  `);
  const latents = { data: new Float32Array(batch * members * latent), shape: [batch, 1, members, latent] };
  expect(await thrownBy(() => surrogate.decode(latents), folder)).toContain("latents has shape");
  await surrogate.dispose();
});
