import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { load } from "js-yaml";
import { differingKeys } from "../config/difference.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { TrainingRoot } from "../config/schemas.ts";
import { AstrochemError, CheckpointError, ConfigError } from "../errors.ts";
import { type Checkpoint, readCheckpoint } from "../training/checkpoint.ts";
import { checkpointPaths } from "../training/checkpoint-keeper.ts";
import type { CommandContext } from "./command.ts";
import { composeConfig } from "./compose.ts";

/** A run that goes on. */
export interface ResumedRun {
  /** Absolute. */
  readonly folder: string;
  /** Null where the run was ended before its first checkpoint: it begins again. */
  readonly from: { readonly path: string; readonly checkpoint: Checkpoint } | null;
}

/** A training's configuration, and the run that it goes on with; null for a new one. */
export interface TrainingStart<R extends TrainingRoot> {
  readonly loaded: LoadedConfig<R>;
  readonly resumed: ResumedRun | null;
}

/**
 * Composes the configuration of a training. With `--resume DIR` it is the run's own, with the overrides on top, or, where these choose
 * files (the words that began the run, again), what they say, which must come to the same; with `--resume` alone the newest unfinished run of this command and configuration goes on, where there is one.
 * @throws ConfigError, CheckpointError
 */
export async function composeTraining<R extends TrainingRoot>(
  root: R,
  context: CommandContext,
): Promise<TrainingStart<R>> {
  const wanted = context.args.resume;
  if (typeof wanted !== "string") return { loaded: await composeConfig(root, context), resumed: null };
  if (wanted === "") {
    const loaded = await composeConfig(root, context);
    return { loaded, resumed: newestUnfinished(loaded, context) };
  }
  const resumed = openResumed(resolve(context.cwd, wanted), context);
  const own = join(resumed.folder, "config.yaml");
  const loaded = await composeConfig(root, context, choosesFile(context.overrides, own) ? undefined : own);
  if (resumed.from) checkConfig(resumed.from.path, resumed.from.checkpoint.config, loaded.config, context);
  return { loaded, resumed };
}

/** Whether an override chooses a file, `dataset=sample`: a run's own configuration is composed, there is nothing to choose in it. */
function choosesFile(overrides: readonly string[], own: string): boolean {
  const composed = load(readFileSync(own, "utf8")) as Record<string, unknown> | null;
  return overrides.some((text) => {
    const key = /^([\w@/]+)=(?![{[])/.exec(text)?.[1];
    return key !== undefined && (/[@/]/.test(key) || typeof composed?.[key] === "object");
  });
}

/** @param path a run's folder, or a checkpoint in it */
function openResumed(path: string, { command }: CommandContext): ResumedRun {
  const isFile = statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
  const folder = isFile ? dirname(dirname(path)) : path;
  if (!existsSync(join(folder, "config.yaml"))) {
    throw new ConfigError(`--resume ${path}: no run of astrochem is there`, {
      where: folder,
      fix: "give the folder of a run (outputs/<date>/<time>-<command>), or --resume alone for the newest unfinished one",
    });
  }
  const ran = commandOf(folder);
  if (ran !== null && ran !== command) {
    throw new ConfigError(`--resume ${path}: that is a run of ${ran}`, { fix: `astrochem ${ran} --resume ${path}` });
  }
  const file = isFile ? path : checkpointPaths(join(folder, "checkpoints")).last;
  return { folder, from: existsSync(file) ? { path: file, checkpoint: readCheckpoint(file) } : null };
}

/** The command of a run, from its environment.json; null where that does not tell. */
function commandOf(folder: string): string | null {
  const { command } = readJson(join(folder, "environment.json"));
  return typeof command === "string" ? command : null;
}

/** The newest run that has a checkpoint, no end, and the same configuration. */
function newestUnfinished({ config }: LoadedConfig, context: CommandContext): ResumedRun | null {
  const { command, cwd } = context;
  const note = (text: string): unknown => context.stderr.write(`${text}\n`);
  const folders = config.run_dir ? [resolve(cwd, config.run_dir)] : runsIn(join(cwd, "outputs"), command);
  const candidates = folders
    .map((folder) => ({ folder, path: checkpointPaths(join(folder, "checkpoints")).last }))
    .filter(
      ({ folder, path }) => existsSync(path) && !isCompleted(folder) && (commandOf(folder) ?? command) === command,
    )
    .sort((a, b) => statSync(b.path).mtimeMs - statSync(a.path).mtimeMs);
  for (const { folder, path } of candidates) {
    const checkpoint = readOrSay(path, note);
    if (checkpoint === null || differingKeys(checkpoint.config, config, isOwn).length > 0) continue;
    note(`going on with ${relative(cwd, folder) || folder}`);
    return { folder, from: { path, checkpoint } };
  }
  const others = candidates.length === 0 ? "" : ` (${candidates.length} of another configuration)`;
  note(`no unfinished run of this configuration has a checkpoint${others}: beginning anew`);
  return null;
}

/** All runs of a command below `outputs`. */
function runsIn(outputs: string, command: string): string[] {
  const list = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);
  const folders = list(outputs).flatMap((day) =>
    /^\d{4}-\d{2}-\d{2}$/.test(day) ? list(join(outputs, day)).map((run) => join(outputs, day, run)) : [],
  );
  return folders.filter((folder) =>
    basename(folder)
      .replace(/^\d{2}-\d{2}-\d{2}-/, "")
      .startsWith(command),
  );
}

function isCompleted(folder: string): boolean {
  return readJson(join(folder, "summary.json")).outcome === "completed";
}

function readOrSay(path: string, note: (text: string) => unknown): Checkpoint | null {
  try {
    return readCheckpoint(path);
  } catch (error) {
    if (!(error instanceof AstrochemError)) throw error;
    note(`passed over: ${error.message}`);
    return null;
  }
}

function readJson(path: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** Keys that say where a run keeps things and how often: of no account for what it computes. */
const isOwn = (key: string): boolean => key === "run_dir" || key === "checkpoint_minutes";

/** Keys that may change when a run goes on: limits, places (what lies there is compared by its hash), what computes. */
const free: readonly (string | RegExp)[] = [
  /^(run_dir|checkpoint_minutes|working_path|cache_dir|mode)$/,
  /^dataset\.(dataset_path|initial_abundances_path|species_path|stoichiometric_matrix_path|preprocessing\..*)$/,
  /^model\.(max_epochs|max_minutes|stagnant_epoch_patience|save_model|save_model_path|pretrained_model_path|latents_minmax_path)$/,
  /^autoencoder\./,
];
const computing = /^(device|engine|threads)$/;

/** @throws CheckpointError naming the keys that may not change within a run */
function checkConfig(path: string, found: unknown, wanted: unknown, { stderr }: CommandContext): void {
  const differing = differingKeys(found, wanted, (key) => free.some((each) => key.match(each)));
  const fixed = differing.filter((key) => !computing.test(key));
  if (fixed.length > 0) {
    throw new CheckpointError(`these keys cannot change within a run: ${fixed.join(", ")}`, {
      where: path,
      fix: "leave them as they were, or begin a new run from the weights: --warm-start",
    });
  }
  if (differing.length > 0)
    stderr.write(`warning: other ${differing.join(", ")} than before: the same training, but not the same bits\n`);
}
