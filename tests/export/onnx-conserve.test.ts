import { join } from "node:path";
import { expect, it } from "vitest";
import { readSpeciesList } from "../../src/chemistry/species.ts";
import { RandomStream } from "../../src/data/random.ts";
import { exportOnnx } from "../../src/export/export-onnx.ts";
import { initialEvolver } from "../../src/models/evolver.ts";
import { autoencoderHash, writeAutoencoder, writeEmulator } from "../../src/models/weights-file.ts";
import { testFolder } from "../helpers/folder.ts";
import { emulatorOf, initialAutoencoder } from "../helpers/models.ts";

it("a rollout is written whose far states have their totals by other weights than in Inference", async () => {
  const folder = testFolder();
  // Every ninth of the network: enough elements for random states that need eight or nine iterations.
  const species = readSpeciesList("utils/species.txt").filter((_, k) => k % 9 === 0);
  const provenance = { data_hash: null, seed: 0, epoch: 1, best_metric: null, versions: {} };
  const shape = { input_dim: species.length, hidden_dims: [16, 8] as [number, number], latent_dim: 3 };
  const initial = initialAutoencoder(shape, new RandomStream(4));
  const autoencoder = {
    ...{ species, provenance, model_name: "autoencoder", model: shape, steps: 3, ...initial },
    abundances_clipping: { lower: 1e-20, upper: 1 },
    abundance_range: { lower: species.map(() => -20), upper: species.map(() => 0) },
    latent_range: [-0.2, 1.4] as [number, number],
    trainable: initial.trainable.map((weight) => 2 * weight),
  };
  const evolver = emulatorOf({ input_dim: 6, output_dim: 3, hidden_dim: 19 });
  writeAutoencoder(join(folder, "autoencoder.safetensors"), autoencoder);
  writeEmulator(join(folder, "emulator.safetensors"), {
    ...{ model_name: "emulator", model: evolver.shape, species, provenance, window_size: 5, time_step_yr: null },
    trainable: initialEvolver(evolver, new RandomStream(3), 2),
    physical_parameters: [
      { name: "Density", range: [10, 1e9] },
      { name: "Timestep", range: [10, 1000] },
      { name: "Av", range: [0.1, 100] },
    ],
    scaled_latent_range: { lower: [0, 0, 0], upper: [1, 1, 1] },
    autoencoder_hash: autoencoderHash(autoencoder),
  });
  const request = {
    cwd: folder,
    only: "rollout" as const,
    scaling: true,
    steps: 4,
    threads: undefined,
    output: "onnx",
  };
  const weights = { autoencoder: "autoencoder.safetensors", emulator: "emulator.safetensors" };
  const signal = new AbortController().signal;
  const tools = { log: () => {}, signal, whileBlocking: <T>(work: () => T): T => work() };
  const { files } = await exportOnnx({ ...request, ...weights }, tools as never);
  expect(files[0]!.deviation).toBeLessThan(1e-5);
});
