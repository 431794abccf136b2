import { availableParallelism } from "node:os";
import { join } from "node:path";
import { compose } from "../config/compose.ts";
import { valueAt } from "../config/difference.ts";
import { type LoadedConfig, type LoadOptions, loadConfig } from "../config/load.ts";
import { printValue } from "../config/override-values.ts";
import { packageConfigs, resolveIn } from "../config/paths.ts";
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
  own.push(...sharesOf(command, own));
  const points = pointsOf(own, (key) => optionsOfGroup(key, options));
  const words = overrides.filter((text) => ofSweep.test(text));
  const { launcher, run_dir } = loadConfig({ ...options, overrides: [...points[0]!.overrides, ...words] }).config;
  const loaded = points.map((point) => loadConfig({ ...options, overrides: point.overrides }));
  const sets = (key: string): boolean => own.some((text) => text.replace(/^\+*/, "").startsWith(`${key}=`));
  const added: string[] = [];
  if (!sets("threads")) added.push(`threads=${threadsOf(launcher, points.length)}`);
  if (command === "preprocess") checkApart(loaded, "dataset.preprocessing.output_path");
  else if (sets("model.save_model_path")) checkApart(loaded, "model.save_model_path");
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

/** Commands whose work is shared out: the key that says among how many, and the one that says which part. */
const shares: Readonly<Record<string, readonly [string, string]>> = {
  preprocess: ["dataset.preprocessing.shards", "dataset.preprocessing.shard"],
  "train-emulator": ["members", "member"],
};
const ofShare = /^\+*(dataset\.preprocessing\.shard|member)=/;

/** `shards=4` makes a point of each shard, `members=4` of each member. */
function sharesOf(command: string, own: readonly string[]): string[] {
  const [all, one] = shares[command] ?? [];
  const words = own.map((text) => text.replace(/^\+*/, "").split("="));
  const count = words.filter(([key]) => key === all).at(-1)?.[1] ?? "";
  // An ensemble of one is a training.
  return /^\d+$/.test(count) && `${all}=${count}` !== "members=1" && !own.some((text) => ofShare.test(text))
    ? [`${one}=range(0,${count})`]
    : [];
}

/** A run that joins what points made. */
interface Joining {
  readonly words: readonly string[];
  /** In their order. */
  readonly points: readonly number[];
}

/** What joins the shards or members that the points of a sweep made: a run for each whole; none where nothing was shared out. */
export function joiningOf({ points }: { readonly points: readonly Pick<Point, "overrides">[] }): readonly Joining[] {
  const wholes = new Map<string, number[]>();
  for (const [point, { overrides }] of points.entries()) {
    const words = overrides.filter((text) => !ofShare.test(text));
    if (words.length === overrides.length) continue;
    const whole = JSON.stringify(words);
    wholes.set(whole, [...(wholes.get(whole) ?? []), point]);
  }
  return [...wholes].map(([whole, parts]) => ({ words: JSON.parse(whole) as string[], points: parts }));
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
function checkApart(loaded: readonly LoadedConfig[], key: string): void {
  const seen = new Map<string, number>();
  for (const [i, { config }] of loaded.entries()) {
    const path = resolveIn(config.working_path, String(valueAt(config, key)));
    const { shard } = config.dataset.preprocessing;
    const member = "member" in config ? config.member : null;
    const file = shard !== null ? `${path}, shard ${shard}` : member !== null ? `${path}, member ${member}` : path;
    const other = seen.get(file);
    if (other !== undefined) {
      const fix = `name what is swept over in it: '${key}=…/\${dataset.preprocessing.seed}.h5'`;
      throw new ConfigError(`points ${other} and ${i} would both write ${file}`, { where: key, fix });
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
