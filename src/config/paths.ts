import { existsSync } from "node:fs";
import { isAbsolute, join, normalize, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The package's own folder: src/config and dist/config both lie two levels below it. */
export const packageFolder = fileURLToPath(new URL("../..", import.meta.url));

/** The package's own configuration files. */
export const packageConfigs = join(packageFolder, "configs");

/** What the package brings along: tables in utils, the sample. */
const bundled = /^(utils[\\/][^\\/]+|data[\\/]sample_collapse\.h5)$/;

/** Where the weights of a model are by default: in a folder of their dataset's own. The schemas' defaults, which composition interpolates. */
export const weightsPlaces = {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: interpolations of the configuration.
  autoencoder: "weights/${dataset.name}/autoencoder.safetensors",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: interpolations of the configuration.
  emulator: "weights/${dataset.name}/emulator.safetensors",
} as const;

/** Keys of what a dataset is made from: these paths may be relative to the dataset's own file, too. */
export const datasetInputs: readonly (readonly string[])[] = [
  ["dataset", "species_path"],
  ["dataset", "initial_abundances_path"],
  ["dataset", "stoichiometric_matrix_path"],
  ["dataset", "preprocessing", "input_path"],
];

/** Where a path of the configuration leads: outputs always below `workingPath` unless absolute. */
export function resolveIn(workingPath: string, path: string): string {
  return resolve(workingPath, path);
}

/**
 * Where an input is: below `workingPath`, or the package's own copy of a table or of the sample where the user's folder has none.
 * @returns a path below `workingPath` too where neither exists, so that the error about it names what the user wrote
 */
export function resolveInput(workingPath: string, path: string): string {
  const own = resolveIn(workingPath, path);
  if (isAbsolute(path) || !bundled.test(normalize(path)) || existsSync(own)) return own;
  const shipped = join(packageFolder, path);
  return existsSync(shipped) ? shipped : own;
}

/** Folder of the shards of an evaluation. */
export function evaluationShards(config: {
  readonly working_path: string;
  readonly shards_path: string | null;
  readonly autoencoder: string;
  readonly emulator: string | null;
}): string {
  const { working_path, shards_path, autoencoder, emulator } = config;
  return resolveIn(working_path, shards_path ?? `${emulator ?? autoencoder}.shards`);
}
