import type { RandomStream } from "../../src/data/random.ts";
import type { Compressor, CompressorVectors } from "../../src/models/compressor.ts";
import { compressorOf } from "../../src/models/compressors.ts";
import { type Evolver, initialEvolver } from "../../src/models/evolver.ts";
import { evolverOf } from "../../src/models/evolvers.ts";

/** The original's autoencoder of these sizes. */
export const autoencoderOf = (model: object): Compressor => compressorOf({ model_name: "autoencoder", model });
/** The original's emulator of these sizes. */
export const emulatorOf = (model: object): Evolver => evolverOf({ model_name: "emulator", model });

export const autoencoderLayouts = (model: object): Compressor["layouts"] => autoencoderOf(model).layouts;
export const emulatorLayout = (model: object): Evolver["layout"] => emulatorOf(model).layout;

export function initialAutoencoder(
  model: object,
  random: RandomStream,
  outputMean: ArrayLike<number> | null = null,
): CompressorVectors {
  return autoencoderOf(model).initial(random, outputMean);
}

export function initialEmulator(model: object, random: RandomStream, lastLayer: number | null = null): Float32Array {
  return initialEvolver(emulatorOf(model), random, lastLayer);
}
