import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { tableOfNames } from "../../src/chemistry/element-table.ts";
import { RandomStream } from "../../src/data/random.ts";
import { initialEvolver } from "../../src/models/evolver.ts";
import { evolverOf } from "../../src/models/evolvers.ts";
import { joinMembers } from "../../src/models/members.ts";
import type { Trust } from "../../src/models/trust.ts";
import { autoencoderHash, writeAutoencoder, writeEmulator } from "../../src/models/weights-file.ts";
import { latent, parameters } from "./evolver-variants.ts";
import { initialAutoencoder } from "./models.ts";

export const species = ["H2", "#CO", "E-", "HCO+", "@H2O", "CS"];
const provenance = { data_hash: null, seed: 0, epoch: 1, best_metric: null, versions: {} };
const shape = { input_dim: species.length, hidden_dims: [5, 4] as [number, number], latent_dim: latent };

const plain = {
  model_name: "identity",
  model: { input_dim: species.length, latent_dim: species.length },
  trainable: new Float32Array(0),
  statistics: new Float32Array(0),
};

/** A calibration of rows all over the ranges: with enough of them errors are told by the distance alone. */
function calibration(latents: number, members: number): Trust {
  const [d, rows, random] = [parameters + latents, 512, new RandomStream(8)];
  const [matrix, sample, raw] = [new Float32Array(d * d), new Float32Array(rows * d), new Float32Array(rows * d)];
  for (let j = 0; j < d; j++) for (let i = 0; i <= j; i++) matrix[i * d + j] = i === j ? 2 : 0.3;
  const offset = new Float32Array(d).fill(-0.5);
  random.fillUniform(raw, 0, 1);
  for (let k = 0; k < rows * d; k++) {
    const [row, j] = [k - (k % d), k % d];
    sample[k] = offset[j]!;
    for (let i = 0; i < d; i++) sample[k]! += raw[row + i]! * matrix[i * d + j]!;
  }
  const { elements, atoms } = tableOfNames(species);
  const held = elements.map((_, e) => atoms.some((row) => row[e] !== 0));
  // That of the examples' column, too, where all but hydrogen is absent.
  const column = elements.map((_, e) =>
    atoms.reduce((sum, row, s) => sum + row[e]! * (species[s] === "H2" ? 0.25 : 1e-20), 0),
  );
  const starts = Float32Array.from([
    ...[-9.5, -9.3].flatMap((total) => held.map((isHeld) => (isHeld ? total : -20))),
    ...column.map((total) => Math.log10(Math.max(total, 1e-20))),
  ]);
  return {
    ...{ matrix, offset, sample, starts },
    ...{ level: 0.9, intercept: 0.02, slope: 0.03, ignorance: 1.5, change: 0.1, steps: 2, tracers: 3, rows: 40 },
    reference: { distance: 0.8, start: 0.2, correction: 0.05, ...(members > 1 ? { spread: 0.003 } : {}) },
    left_out: null,
  };
}

/** Weights of one model, as files. `identity`: the latents are the abundances. `members`: of an ensemble. */
export function writtenModels(
  place: string,
  model_name: string,
  model: object,
  identity = false,
  calibrated = false,
  members = 1,
) {
  mkdirSync(place, { recursive: true });
  const paths = { autoencoder: join(place, "autoencoder.safetensors"), emulator: join(place, "emulator.safetensors") };
  const evolver = evolverOf({ model_name, model });
  const ends = new Array<number>(identity ? species.length : latent);
  const autoencoder = {
    species,
    provenance,
    ...(identity ? plain : { model_name: "autoencoder", model: shape }),
    abundances_clipping: { lower: 1e-20, upper: 1 },
    abundance_range: { lower: species.map(() => -18), upper: species.map(() => -1) },
    latent_range: [-0.2, 1.4] as [number, number],
    steps: 3,
    ...(identity ? {} : initialAutoencoder(shape, new RandomStream(4))),
  };
  writeAutoencoder(paths.autoencoder, autoencoder as never);
  const alone = (m: number) => ({
    model_name,
    model: evolver.shape,
    trainable: initialEvolver(evolver, new RandomStream(3 + m), 0.3),
    species,
    provenance,
    physical_parameters: [
      { name: "Density", range: [10, 1e9] },
      { name: "Timestep", range: [10, 1000] },
      { name: "Av", range: [0.1, 100], trained: [0.2, 90] },
    ],
    window_size: 5,
    scaled_latent_range: { lower: ends.fill(0), upper: ends.map(() => 1) },
    time_step_yr: null,
    autoencoder_hash: autoencoderHash(autoencoder as never),
  });
  const weights = joinMembers(Array.from({ length: members }, (_, m) => alone(m)) as never, []);
  const trust = calibrated ? { trust: calibration(ends.length, members) } : {};
  writeEmulator(paths.emulator, { ...weights, ...trust });
  return { place, paths };
}
