import { existsSync } from "node:fs";
import { CheckpointError } from "../errors.ts";
import { autoencoderHash, readAutoencoder } from "./weights-file.ts";

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
