import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { load } from "js-yaml";
import { printValue } from "../config/override-values.ts";
import { CheckpointError } from "../errors.ts";
import { readSafetensorsIndex } from "../formats/safetensors-index.ts";
import { autoencoderAmong } from "../models/companion.ts";
import { compressors } from "../models/compressors.ts";
import { readEmulator } from "../models/weights-file.ts";
import { checkpointPaths } from "../training/checkpoint-keeper.ts";

/** The files of a surrogate, absolute; without an emulator the autoencoder alone. */
export interface SurrogateFiles {
  readonly autoencoder: string;
  readonly emulator: string | null;
}

/**
 * The surrogate that a path names: weights of an emulator, with the autoencoder that belongs to it; weights of an autoencoder; a folder
 * with `emulator.safetensors` or `autoencoder.safetensors`; a training's run folder, whose best weights are meant.
 * @param path   absolute
 * @param usual  autoencoders that are looked at last
 * @returns      null where the path names nothing of the kind
 * @throws CheckpointError where an emulator's autoencoder is not found, or a file is damaged
 */
export function surrogateFiles(path: string, usual: readonly string[]): SurrogateFiles | null {
  const file = weightsIn(path);
  if (file === null) return null;
  if (readSafetensorsIndex(file).metadata.kind !== "emulator") return { autoencoder: file, emulator: null };
  const { autoencoder_hash } = readEmulator(file);
  const candidates = [...autoencodersOf(path, file), ...usual];
  const autoencoder = autoencoderAmong(candidates, autoencoder_hash);
  if (autoencoder !== null) return { autoencoder, emulator: file };
  throw new CheckpointError(`the autoencoder that ${file} was trained with is in none of: ${candidates.join(", ")}`, {
    where: file,
    fix: "give it with the override autoencoder=FILE, or put it beside the emulator as autoencoder.safetensors",
  });
}

/** The configuration of an evaluation that names these files, as overrides. */
export function weightsOverrides({ autoencoder, emulator }: SurrogateFiles): string[] {
  return [`autoencoder=${printValue(autoencoder)}`, `emulator=${emulator === null ? "null" : printValue(emulator)}`];
}

/** The autoencoders that an emulator may belong to: beside its file, and what the run at `path` was trained through. */
export function autoencodersOf(path: string, file: string): string[] {
  const [usual, ...others] = Object.keys(compressors).map((name) => join(dirname(file), `${name}.safetensors`));
  return [usual!, ...others.filter((each) => existsSync(each)), ...autoencoderOfRun(path)];
}

/** The file of weights that a path names or holds; of an emulator rather than an autoencoder. Null where there is none. */
export function weightsIn(path: string): string | null {
  const isFolder = existsSync(path) && statSync(path).isDirectory();
  if (!isFolder) return path.endsWith(".safetensors") && existsSync(path) ? path : null;
  const candidates = [
    checkpointPaths(join(path, "checkpoints")).best,
    join(path, "emulator.safetensors"),
    join(path, "autoencoder.safetensors"),
  ];
  return candidates.find((each) => existsSync(each)) ?? null;
}

/** The autoencoder that a run's configuration names. */
function autoencoderOfRun(folder: string): string[] {
  const path = join(folder, "config.yaml");
  if (!existsSync(path)) return [];
  const config = load(readFileSync(path, "utf8")) as {
    working_path?: string;
    autoencoder?: { pretrained_model_path?: string | null };
  } | null;
  const name = config?.autoencoder?.pretrained_model_path;
  return typeof name === "string" ? [resolve(config?.working_path ?? folder, name)] : [];
}
