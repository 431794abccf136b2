import type { Compressor, CompressorKind } from "./compressor.ts";
import { elementalAutoencoder } from "./compressors/elemental-autoencoder.ts";
import { identity } from "./compressors/identity.ts";
import { tiedAutoencoder } from "./compressors/tied-autoencoder.ts";
import { kindNamed } from "./kinds.ts";

/** Every compressor there is, by its `model_name`. */
export const compressors = {
  autoencoder: tiedAutoencoder,
  autoencoder_elements: elementalAutoencoder,
  identity,
} satisfies Record<string, CompressorKind>;

/** The kind of that `model_name`. @throws CheckpointError where this program does not know it */
export function kindOfCompressor(model_name: string, where?: string): CompressorKind {
  return kindNamed(compressors, model_name, "a compressor", where);
}

/** The compressor that a weights file holds. @throws as `evolverOf` */
export function compressorOf(
  { model_name, model }: { readonly model_name: string; readonly model: unknown },
  where?: string,
): Compressor {
  return kindOfCompressor(model_name, where).of(model);
}
