import { describe, expect, it } from "vitest";
import { abundanceBounds, latentBounds } from "../../src/models/bounds.ts";
import { checkPair } from "../../src/models/companion.ts";
import { readAutoencoder, readEmulator } from "../../src/models/weights-file.ts";
import { fixture } from "../helpers/fixtures.ts";

describe.each([1, 2, 3])("weights files of format %i", (version) => {
  const autoencoder = fixture(`formats/autoencoder-v${version}.safetensors`);
  const emulator = fixture(`formats/emulator-v${version}.safetensors`);

  it("are read, and belong together", () => {
    const weights = { autoencoder: readAutoencoder(autoencoder), emulator: readEmulator(emulator) };
    expect(weights.autoencoder).toMatchObject({
      model: { input_dim: 3, hidden_dims: [4, 2], latent_dim: 2 },
      species: ["H", "H2", "CO"],
      abundances_clipping: { lower: 1e-20, upper: 1 },
      steps: 12,
      provenance: { data_hash: "ab12", seed: 5, epoch: 7, best_metric: 0.125 },
    });
    expect(weights.autoencoder.trainable.slice(0, 3)).toEqual(Float32Array.of(-1, -0.875, -0.75));
    expect(weights.emulator).toMatchObject({
      model: { input_dim: 3, hidden_dim: 2, output_dim: 2 },
      physical_parameters: [{ name: "Density", range: [68481, 1284211415] }],
      window_size: 48,
      time_step_yr: 278.5,
    });
    checkPair({ path: "ae", weights: weights.autoencoder }, { path: "em", weights: weights.emulator });
  });

  it("have the one latent range of all latents, and the scaling of each from format 2 on", () => {
    expect(readAutoencoder(autoencoder).latent_range).toEqual([-2, 6]);
    const scaling = version === 1 ? undefined : { shift: [1, 2], scale: [0.5, 4] };
    expect(readEmulator(emulator).latent_scaling).toEqual(scaling);
  });

  it("know the ranges of the training data from format 3 on; what comes out of older ones is not bounded", () => {
    const isBounded = version >= 3;
    expect(abundanceBounds(readAutoencoder(autoencoder)) !== null).toBe(isBounded);
    expect(latentBounds(readEmulator(emulator)) !== null).toBe(isBounded);
  });

  it("know neither start nor elements, and their step is a median that nobody checked", () => {
    expect(readAutoencoder(autoencoder)).toMatchObject({ model_name: "autoencoder" });
    expect(readAutoencoder(autoencoder).elements).toBeUndefined();
    const { start, time_step_found, model_name, physical_parameters } = readEmulator(emulator);
    expect({ start, time_step_found, model_name }).toEqual({
      start: undefined,
      time_step_found: "median",
      model_name: "emulator",
    });
    expect(physical_parameters[0]!.trained).toBeUndefined();
  });
});
