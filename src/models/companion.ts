import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { CheckpointError } from "../errors.ts";
import { bestWeightsOfRuns } from "../formats/run-folders.ts";
import { type AutoencoderWeights, autoencoderHash, type EmulatorWeights, readAutoencoder } from "./weights-file.ts";

/** The first of some files that holds the autoencoder of that hash; null where none does. Files that cannot be read are none. */
export function autoencoderAmong(candidates: readonly string[], hash: string): string | null {
  for (const path of candidates.filter((each) => existsSync(each))) {
    try {
      if (autoencoderHash(readAutoencoder(path)) === hash) return path;
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
    }
  }
  return null;
}

/** Copies of weights that a later training replaced: `autoencoder.1a2b3c4d.safetensors` beside them. */
export function keptCopies(folder: string, name: string): string[] {
  const pattern = /^[0-9a-f]{8}\.safetensors$/;
  try {
    return readdirSync(folder)
      .filter((file) => file.startsWith(`${name}.`) && pattern.test(file.slice(name.length + 1)))
      .map((file) => join(folder, file));
  } catch {
    return [];
  }
}

/**
 * @throws CheckpointError where the emulator was trained with another autoencoder; it names the one that it was, where a run folder or a
 *   copy beside the weights still has it
 */
export function checkPair(
  autoencoder: { path: string; weights: AutoencoderWeights },
  emulator: { path: string; weights: EmulatorWeights },
): void {
  const wanted = emulator.weights.autoencoder_hash;
  if (autoencoderHash(autoencoder.weights) === wanted) return;
  const beside = [...new Set([dirname(emulator.path), dirname(autoencoder.path)])];
  const outputs = [
    ...new Set(["outputs", ...beside.flatMap((folder) => ["..", "../.."].map((up) => join(folder, up, "outputs")))]),
  ];
  const candidates = [
    ...beside.flatMap((folder) => keptCopies(folder, "autoencoder")),
    ...outputs.flatMap((folder) => bestWeightsOfRuns(folder, "train-autoencoder")),
  ];
  const found = autoencoderAmong(candidates, wanted);
  throw new CheckpointError(`${emulator.path} was trained with another autoencoder than ${autoencoder.path}`, {
    where: emulator.path,
    fix:
      found === null
        ? "load the autoencoder that belongs to it, or train the emulator again: astrochem train-emulator"
        : `the one that belongs to it is ${found}: load that, or train the emulator again: astrochem train-emulator`,
  });
}
