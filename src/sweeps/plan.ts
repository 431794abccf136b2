import { availableParallelism } from "node:os";
import { join } from "node:path";
import { compose } from "../config/compose.ts";
import { valueAt } from "../config/difference.ts";
import { type LoadedConfig, type LoadOptions, loadConfig } from "../config/load.ts";
import { printValue } from "../config/override-values.ts";
import { evaluationShards, packageConfigs, resolveIn } from "../config/paths.ts";
import type { LauncherConfig } from "../config/schema-launcher.ts";
import type { RootName } from "../config/schemas.ts";
import { searchPath } from "../config/search-path.ts";
import { cacheHash } from "../data/cache.ts";
import { ConfigError } from "../errors.ts";
import { type Point, sweepPoints } from "./points.ts";

/** The points of a sweep, and what its words say of the sweep itself. */
export interface PlannedSweep {
  readonly launcher: LauncherConfig;
  /** Folder of the sweep, where the words give one. */
  readonly run_dir: string | null;
  /** The words of the command alone, as given. */
  readonly own: readonly string[];
  readonly points: readonly Point[];
  readonly notes: readonly string[];
}

const ofSweep = /^\+*(launchers?[.@=]|run_dir=|hydra\.run\.dir=)/;

/**
 * Composes every point before any is run, so that no mistake is found after hours. Points compute with the threads that their launcher
 * gives them; trainings keep their weights in their run folders; caches that differ lie apart.
 * @param pointsOf what the points are; the product of all values, where nothing else is said
 * @throws ConfigError where a point cannot be composed, or two would write the same file
 */
export function planSweep(
  command: string,
  options: Omit<LoadOptions<RootName>, "from">,
  pointsOf: typeof sweepPoints = sweepPoints,
): PlannedSweep {
  const { overrides } = options;
  const own = overrides.filter((text) => !ofSweep.test(text));
  const shards = shardKeys[command];
  if (shards !== undefined) own.push(...sharesOf(own, shards));
  const points = pointsOf(own, (key) => optionsOfGroup(key, options));
  const words = overrides.filter((text) => ofSweep.test(text));
  const { launcher, run_dir } = loadConfig({ ...options, overrides: [...points[0]!.overrides, ...words] }).config;
  const loaded = points.map((point) => loadConfig({ ...options, overrides: point.overrides }));
  const sets = (key: string): boolean => own.some((text) => text.replace(/^\+*/, "").startsWith(`${key}=`));
  const added: string[] = [];
  if (!sets("threads")) added.push(`threads=${threadsOf(launcher, points.length)}`);
  if (shards !== undefined) checkApart(loaded, shards);
  else if (sets("model.save_model_path")) checkApart(loaded, weights);
  // The run folders have the best weights anyway, each its own.
  else if (command.startsWith("train-")) added.push("model.save_model=false");
  const caches = cacheFolders(loaded);
  return {
    launcher,
    run_dir,
    own,
    points: points.map((point, i) => ({ ...point, overrides: [...point.overrides, ...added, ...caches[i]!] })),
    notes: [...new Set(loaded.flatMap(({ notes }) => notes))],
  };
}

function optionsOfGroup(
  key: string,
  { configDirs, cwd, root }: Omit<LoadOptions<RootName>, "from">,
): readonly string[] {
  const source = searchPath(configDirs, ["configs", packageConfigs], cwd);
  const group = compose(source, root, [], []).groups[key];
  return source.options(group ?? key);
}

/** The points of a command that writes files elsewhere than into its run folder. */
interface Written {
  /** The key that says where, and a value that tells points apart. */
  readonly where: string;
  readonly apart: string;
  /** What a point writes; null where that is nothing. */
  readonly file: (config: LoadedConfig["config"]) => string | null;
}

// biome-ignore lint/suspicious/noTemplateCurlyInString: an interpolation of the configuration.
const bySeed = "…/${dataset.preprocessing.seed}.h5";

/** Commands whose work is shared out among shards, and the keys that say so. */
const shardKeys: Readonly<Record<string, Written & { readonly prefix: string }>> = {
  preprocess: {
    prefix: "dataset.preprocessing.",
    where: "dataset.preprocessing.output_path",
    apart: bySeed,
    file({ working_path, dataset: { preprocessing } }) {
      const path = resolveIn(working_path, preprocessing.output_path);
      return preprocessing.shard === null ? path : `${path}, shard ${preprocessing.shard}`;
    },
  },
  evaluate: {
    prefix: "",
    where: "shards_path",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: an interpolation of the configuration.
    apart: "shards/${split}-${seed}",
    file: (config) =>
      "shards_path" in config && config.shard !== null ? `${evaluationShards(config)}, shard ${config.shard}` : null,
  },
};

const weights: Written = {
  where: "model.save_model_path",
  apart: bySeed,
  file: (config) => resolveIn(config.working_path, String(valueAt(config, "model.save_model_path"))),
};

const ofShard = /^\+*(dataset\.preprocessing\.)?shard=/;

/** `shards=4` makes a point of each shard. */
function sharesOf(own: readonly string[], { prefix }: { readonly prefix: string }): string[] {
  const words = own.map((text) => text.replace(/^\+*/, ""));
  const start = `${prefix}shards=`;
  const count =
    words
      .filter((text) => text.startsWith(start))
      .at(-1)
      ?.slice(start.length) ?? "";
  return !/^\d+$/.test(count) || own.some((text) => ofShard.test(text)) ? [] : [`${prefix}shard=range(0,${count})`];
}

/** What joins the shards that the points of a sweep made: the words of a run for each clean file; none where no shards were made. */
export function joiningOf({ points }: { readonly points: readonly Pick<Point, "overrides">[] }): readonly string[][] {
  const kinds = points
    .filter(({ overrides }) => overrides.some((text) => ofShard.test(text)))
    .map(({ overrides }) => JSON.stringify(overrides.filter((text) => !ofShard.test(text))));
  return [...new Set(kinds)].map((kind) => JSON.parse(kind) as string[]);
}

/** The cores of the machine, divided; of Slurm, what a task asks for. */
function threadsOf(launcher: LauncherConfig, points: number): number {
  if (launcher.name === "slurm") return launcher.cpus;
  return Math.max(1, Math.floor(availableParallelism() / jobsOf(launcher, points)));
}

/** Points at a time on this machine. */
export function jobsOf({ jobs }: LauncherConfig, points: number): number {
  return Math.max(1, Math.min(points, jobs ?? availableParallelism()));
}

/** @throws ConfigError where two points would write the same file */
function checkApart(loaded: readonly LoadedConfig[], { where, apart, file: fileOf }: Written): void {
  const seen = new Map<string, number>();
  for (const [i, { config }] of loaded.entries()) {
    const file = fileOf(config);
    if (file === null) continue;
    const other = seen.get(file);
    if (other !== undefined) {
      const fix = `name what is swept over in it: '${where}=${apart}'`;
      throw new ConfigError(`points ${other} and ${i} would both write ${file}`, { where, fix });
    }
    seen.set(file, i);
  }
}

/** Points whose caches differ would replace each other's: each kind has a folder of its own. */
function cacheFolders(loaded: readonly LoadedConfig[]): string[][] {
  const keys = ["dataset", "autoencoder", "recipe.latent_scaling", "model.window_size"];
  const hashes = loaded.map(({ config }) =>
    cacheHash(Object.fromEntries(keys.map((key) => [key, valueAt(config, key) ?? null]))),
  );
  if (new Set(hashes).size === 1) return loaded.map(() => []);
  return loaded.map(({ config }, i) =>
    "cache_dir" in config ? [`cache_dir=${printValue(join(config.cache_dir, hashes[i]!.slice(0, 12)))}`] : [],
  );
}
