import { existsSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { shellWord } from "../analysis/inspection/shell-word.ts";
import { valueAt } from "../config/difference.ts";
import type { LoadedConfig } from "../config/load.ts";
import { resolveIn, weightsPlaces } from "../config/paths.ts";
import type { RootName } from "../config/schemas.ts";
import type { CommandContext } from "./command.ts";
import { composeConfig, composeQuietly } from "./compose.ts";

/**
 * As `composeConfig`. Where weights that the command reads are not in their dataset's folder, the default, but where earlier versions
 * put those of every dataset, `weights/`, the configuration names that file, and a line tells so.
 * @throws ConfigError telling every problem at once
 */
export async function composeReading<R extends RootName>(
  root: R,
  context: CommandContext,
  from?: string,
): Promise<LoadedConfig<R>> {
  const loaded = await composeConfig(root, context, from);
  const old = readKeys(root, context).flatMap((key) => oldPlace(loaded, key));
  if (old.length === 0) return loaded;
  const paths = old.map(({ path }) => path);
  context.stderr.write(`${describeOld(paths, dirname(old[0]!.absent), context.cwd)}\n`);
  const overrides = [...context.overrides, ...old.map(({ key, path }) => `${key}=weights/${basename(path)}`)];
  // What the configuration's words are read as was said the first time.
  return composeQuietly(root, { ...context, overrides }, from);
}

/** The keys of the weights that a command reads. */
function readKeys(root: RootName, { args }: CommandContext): string[] {
  if (root === "config_evaluate") return ["autoencoder", "emulator"];
  const own = args["warm-start"] === true ? ["model.pretrained_model_path"] : [];
  return root === "config" ? own : ["autoencoder.pretrained_model_path", ...own];
}

/** The file that stands in for the default of a key; none where that is there, or the path is the user's. Absolute. */
function oldPlace({ raw, config }: LoadedConfig, key: string): { key: string; path: string; absent: string }[] {
  const written = valueAt(raw.composed, key);
  if (!Object.values<unknown>(weightsPlaces).includes(written)) return [];
  const absent = resolveIn(config.working_path, String(valueAt(raw.interpolated, key)));
  const path = join(dirname(dirname(absent)), basename(absent));
  if (existsSync(absent) || !existsSync(path)) return [];
  // An emulator there is of another autoencoder than the dataset's own.
  const isOfAnother =
    written === weightsPlaces.emulator && existsSync(join(dirname(absent), "autoencoder.safetensors"));
  return isOfAnother ? [] : [{ key, path, absent }];
}

/**
 * What is used of where earlier versions put weights, and how to move it.
 * @param paths   absolute, in one folder
 * @param folder  where they belong; absolute
 */
export function describeOld(paths: readonly string[], folder: string, cwd: string): string {
  const short = (path: string): string => shellWord(relative(cwd, path) || ".");
  const old = dirname(paths[0]!);
  const moved = ["autoencoder", "emulator"].filter(
    (kind) => existsSync(join(old, `${kind}.safetensors`)) && !existsSync(join(folder, `${kind}.safetensors`)),
  );
  const files = moved.map((kind) => `${short(join(old, kind))}.*`).join(" ");
  return (
    `using ${paths.map(short).join(" and ")}, where earlier versions put the weights of every dataset; ` +
    `to move: mkdir -p ${short(folder)} && mv ${files} ${short(folder)}/`
  );
}
