import { join } from "node:path";
import { RandomStream } from "../src/data/random.ts";
import { autoencoderHash, writeAutoencoder, writeEmulator } from "../src/models/weights-file.ts";
import { initialAutoencoder, initialEmulator } from "../tests/helpers/models.ts";

/** Weights of the default sizes that nobody trained, as files of a folder: what a computation costs does not depend on them. */
export function writeRandomWeights(
  folder: string,
  count: number,
  latents = 14,
): { autoencoder: string; emulator: string } {
  const random = new RandomStream(2);
  const species = Array.from({ length: count }, (_, k) => `C${k + 1}H`);
  const provenance = { data_hash: null, seed: null, epoch: null, best_metric: null, versions: {} };
  const columns = (length: number, low: number, high: number) => ({
    lower: new Array<number>(length).fill(low),
    upper: new Array<number>(length).fill(high),
  });
  const shape = { input_dim: count, hidden_dims: [160, 80] as [number, number], latent_dim: latents };
  const compressor = {
    model_name: "autoencoder",
    model: shape,
    species,
    abundances_clipping: { lower: 1e-20, upper: 1 },
    abundance_range: columns(count, -20, 0),
    latent_range: [-0.17, 3] as [number, number],
    steps: 0,
    provenance,
    ...initialAutoencoder(shape, random),
  };
  const evolver = { input_dim: 4 + latents, hidden_dim: 180, output_dim: latents };
  const paths = {
    autoencoder: join(folder, "autoencoder.safetensors"),
    emulator: join(folder, "emulator.safetensors"),
  };
  writeAutoencoder(paths.autoencoder, compressor);
  writeEmulator(paths.emulator, {
    model_name: "emulator",
    model: evolver,
    species,
    physical_parameters: ["Density", "Radfield", "Av", "gasTemp"].map((name) => ({ name, range: [1, 100] })),
    window_size: 240,
    time_step_yr: null,
    scaled_latent_range: columns(latents, 0, 1),
    autoencoder_hash: autoencoderHash(compressor),
    provenance,
    trainable: initialEmulator(evolver, random),
  });
  return paths;
}
