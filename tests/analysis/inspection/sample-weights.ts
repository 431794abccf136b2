import { join } from "node:path";
import { RandomStream } from "../../../src/data/random.ts";
import { autoencoderHash, writeAutoencoder, writeEmulator } from "../../../src/models/weights-file.ts";
import { initialAutoencoder, initialEmulator } from "../../helpers/models.ts";

/** Writes an untrained pair for three species: autoencoder.safetensors, emulator.safetensors. */
export function writeSampleWeights(folder: string): { autoencoder: string; emulator: string } {
  const paths = {
    autoencoder: join(folder, "autoencoder.safetensors"),
    emulator: join(folder, "emulator.safetensors"),
  };
  const species = ["H", "#CO", "@CO"];
  const provenance = { data_hash: "ab", seed: 3, epoch: 5, best_metric: 0.25, versions: { astrochem: "0.1.0" } };
  const model = { input_dim: 3, hidden_dims: [4, 3] as [number, number], latent_dim: 2 };
  const autoencoder = {
    model_name: "autoencoder",
    model,
    species,
    abundances_clipping: { lower: 1e-20, upper: 1 },
    latent_range: [-0.2, 1.5] as [number, number],
    steps: 7,
    provenance,
    ...initialAutoencoder(model, new RandomStream(1)),
  };
  writeAutoencoder(paths.autoencoder, autoencoder);
  const emulator = { input_dim: 3, hidden_dim: 5, output_dim: 2 };
  writeEmulator(paths.emulator, {
    model_name: "emulator",
    model: emulator,
    species,
    physical_parameters: [{ name: "Density", range: [1, 1e6] }],
    window_size: 4,
    time_step_yr: 92.9,
    autoencoder_hash: autoencoderHash(autoencoder),
    provenance,
    trainable: initialEmulator(emulator, new RandomStream(2)),
  });
  return paths;
}
