import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { AstrochemError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic-file.ts";
import { bestWeightsOfRuns } from "../formats/run-folders.ts";
import { readSafetensorsIndex } from "../formats/safetensors-index.ts";
import { trainingMetadata } from "../models/weights-file.ts";

/**
 * Sees to it that weights which a training is about to replace are not lost: says of which run they are, which keeps them, or puts a copy
 * beside them.
 * @param command of the training, and where its runs are
 * @returns to be called when the training has ended: a copy of what was not replaced, or by its equal, goes again
 */
export function keepReplaced(
  path: string,
  { command, outputs }: { command: string; outputs: string },
  tell: (message: string) => void,
): () => void {
  const facts = factsOf(path);
  if (facts === null) return () => {};
  const run = bestWeightsOfRuns(outputs, command).find((each) => factsOf(each) === facts);
  if (run !== undefined) {
    tell(`${path} holds the weights of ${dirname(dirname(run))}, which keeps them: ${run}`);
    return () => {};
  }
  const bytes = readFileSync(path);
  const name = path.replace(/\.safetensors$/, "");
  const copy = `${name}.${createHash("sha256").update(bytes).digest("hex").slice(0, 8)}.safetensors`;
  if (!existsSync(copy)) writeFileAtomic(copy, bytes);
  tell(`${path} holds weights of no run in ${outputs}: a copy is kept as ${copy}`);
  return () => {
    if (existsSync(path) && readFileSync(path).equals(bytes)) rmSync(copy, { force: true });
  };
}

/** All that a file says of its weights, the state of a training left out; null where there are none of ours. */
function factsOf(path: string): string | null {
  if (!existsSync(path)) return null;
  try {
    const { [trainingMetadata]: _, ...rest } = readSafetensorsIndex(path).metadata;
    return rest.format_version === undefined ? null : JSON.stringify(Object.entries(rest).sort());
  } catch (error) {
    if (error instanceof AstrochemError) return null;
    throw error;
  }
}
