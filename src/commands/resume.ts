import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { load } from "js-yaml";
import { z } from "zod";
import { differingKeys, valueAt } from "../config/difference.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { TrainingRoot } from "../config/schemas.ts";
import { AstrochemError, CheckpointError, ConfigError } from "../errors.ts";
import { soundFile } from "../formats/checked-content.ts";
import { isCompletedRun, runFoldersIn } from "../formats/run-folders.ts";
import { type Checkpoint, readCheckpoint } from "../training/checkpoint.ts";
import { checkpointPaths } from "../training/checkpoint-keeper.ts";
import type { CommandContext } from "./command.ts";
import { composeReading } from "./old-weights.ts";
import { say } from "./report-lines.ts";

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
 * files (the words that began the run, again), what they say, which must come to the same; with `--resume` alone the newest unfinished run of this command and configuration
 * goes on. Where there is none, `--resume-or-fresh` begins a new one.
 * @throws ConfigError, CheckpointError
 */
export async function composeTraining<R extends TrainingRoot>(
  root: R,
  context: CommandContext,
): Promise<TrainingStart<R>> {
  const wanted = context.args.resume;
  const orFresh = context.args["resume-or-fresh"] === true;
  if (typeof wanted !== "string" && !orFresh) return { loaded: await composeReading(root, context), resumed: null };
  if (typeof wanted !== "string" || wanted === "") {
    const loaded = await composeReading(root, context);
    return { loaded, resumed: newestUnfinished(loaded, context, orFresh) };
  }
  const resumed = openResumed(resolve(context.cwd, wanted), context);
  const own = join(resumed.folder, "config.yaml");
  const loaded = await composeReading(root, context, choosesFile(context.overrides, own) ? undefined : own);
  if (resumed.from) checkConfig(resumed.from.path, resumed.from.checkpoint.config, loaded, context);
  return { loaded, resumed };
}

/** Whether an override chooses a file, `dataset=sample`: a run's own configuration is composed, there is nothing to choose in it. */
function choosesFile(overrides: readonly string[], own: string): boolean {
  const composed = z.record(z.string(), z.unknown()).safeParse(load(readFileSync(own, "utf8"))).data;
  return overrides.some((text) => {
    const key = /^([\w@/]+)=(?![{[])/.exec(text)?.[1];
    return key !== undefined && (/[@/]/.test(key) || typeof composed?.[key] === "object");
  });
}

/** @param path a run's folder, or a checkpoint in it */
function openResumed(path: string, context: CommandContext): ResumedRun {
  const { command } = context;
  const isFile = existsSync(path) && statSync(path).isFile();
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
  if (!existsSync(file)) say(context, `${path} was ended before its first checkpoint: it begins again`);
  return { folder, from: existsSync(file) ? { path: file, checkpoint: readCheckpoint(file) } : null };
}

/** The command of a run, from its environment.json; null where that does not tell. */
function commandOf(folder: string): string | null {
  return soundFile(z.looseObject({ command: z.string() }), join(folder, "environment.json"))?.command ?? null;
}

/** A run of this command, and the keys in which its configuration differs. */
interface Candidate {
  readonly folder: string;
  readonly path: string;
  readonly checkpoint: Checkpoint;
  readonly differing: readonly string[];
}

/** So many of the newest checkpoints are read to name the nearest. */
const mostRead = 50;

/**
 * The newest run that has a checkpoint, no end, and the same configuration.
 * @throws ConfigError naming the nearest run where there is none, unless a new one may begin
 */
function newestUnfinished(loaded: LoadedConfig, context: CommandContext, orFresh: boolean): ResumedRun | null {
  const [{ cwd, command }, { config }] = [context, loaded];
  const note = (text: string): void => say(context, text);
  const folders = config.run_dir ? [resolve(cwd, config.run_dir)] : runsIn(join(cwd, "outputs"), command);
  const seen: Candidate[] = [];
  for (const { folder, path } of withCheckpoint(folders, command).slice(0, mostRead)) {
    const checkpoint = readOrSay(path, note);
    if (checkpoint === null) continue;
    const then = loaded.inCurrentWords(checkpoint.config);
    const differing = differingKeys(then, config, (key) => isOwn(key) || isLaterKey(key, then, config));
    if (differing.length === 0 && !isCompletedRun(folder)) {
      note(`going on with ${relative(cwd, folder) || folder}`);
      return { folder, from: { path, checkpoint } };
    }
    seen.push({ folder, path, checkpoint, differing });
  }
  // One that could go on is nearer than one that has ended.
  const nearest = seen.toSorted((a, b) => rank(a) - rank(b))[0];
  const none = `no unfinished run of this configuration has a checkpoint${nearest ? `; ${described(nearest, config, cwd)}` : ""}`;
  if (!orFresh) throw nothingToResume(none, nearest, folders.length, context);
  note(`${none}: beginning anew`);
  return null;
}

function rank({ folder, differing }: Candidate): number {
  return differing.length + (isCompletedRun(folder) ? 1e6 : 0);
}

/** Those that have a checkpoint, the newest first. */
function withCheckpoint(folders: readonly string[], command: string): { folder: string; path: string }[] {
  return folders
    .map((folder) => ({ folder, path: checkpointPaths(join(folder, "checkpoints")).last }))
    .filter(({ folder, path }) => existsSync(path) && (commandOf(folder) ?? command) === command)
    .sort((a, b) => statSync(b.path).mtimeMs - statSync(a.path).mtimeMs);
}

/** So many keys are spelt out. */
const shownKeys = 8;

function described({ folder, checkpoint, differing }: Candidate, config: unknown, cwd: string): string {
  const name = relative(cwd, folder) || folder;
  const state = isCompletedRun(folder) ? "has completed" : "is unfinished";
  const value = (from: unknown, key: string): string => JSON.stringify(valueAt(from, key)) ?? "absent";
  const shown = differing
    .slice(0, shownKeys)
    .map((key) => `${key} (${value(checkpoint.config, key)} there, ${value(config, key)} here)`);
  const more = differing.length > shownKeys ? ` and ${differing.length - shownKeys} more keys` : "";
  return `the nearest, ${name}, ${state}${shown.length > 0 ? ` and differs in ${shown.join(", ")}${more}` : ""}`;
}

function nothingToResume(
  what: string,
  nearest: Candidate | undefined,
  runs: number,
  { command, cwd }: CommandContext,
): ConfigError {
  const anew = "--resume-or-fresh in its place begins a new run";
  if (nearest === undefined) {
    const looked =
      runs === 0
        ? "no run is there"
        : `${runs} ${runs === 1 ? "run was" : "runs were"} ended before a first checkpoint`;
    return new ConfigError(`${what} (${looked})`, {
      where: join(cwd, "outputs"),
      fix: `give a run's folder, or ${anew}`,
    });
  }
  const folder = relative(cwd, nearest.folder) || nearest.folder;
  const fix = isCompletedRun(nearest.folder)
    ? `${anew}; with a raised limit a completed run goes on: astrochem ${command} --resume ${folder} model.max_epochs=…`
    : `astrochem ${command} --resume ${folder} goes on with it as it was begun; ${anew}`;
  return new ConfigError(what, { where: nearest.folder, fix });
}

/** All runs of a command below `outputs`. */
function runsIn(outputs: string, command: string): string[] {
  return runFoldersIn(outputs).filter((folder) =>
    basename(folder)
      .replace(/^\d{2}-\d{2}-\d{2}-/, "")
      .startsWith(command),
  );
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

/** Keys that say where a run keeps things and how often, and what follows it: of no account for what it computes. */
const isOwn = (key: string): boolean => /^(run_dir|checkpoint_minutes|calibrate|(logger|launcher)(\..*)?)$/.test(key);

/** Whether a key differs only because earlier versions did not have it, or had one folder for the weights of every dataset. */
function isLaterKey(key: string, found: unknown, wanted: unknown): boolean {
  const [before, now] = [valueAt(found, key), valueAt(wanted, key)];
  if (/^(dataset\.name|members?)$/.test(key)) return before === undefined;
  const [, file] =
    (/^(?:model|autoencoder)\.\w+_model_path$/.test(key) && /^weights\/([a-z]+\.safetensors)$/.exec(String(before))) ||
    [];
  return file !== undefined && now === `weights/${valueAt(wanted, "dataset.name")}/${file}`;
}

/** Keys that may change when a run goes on: limits, places (what lies there is compared by its hash), what computes. */
const free: readonly (string | RegExp)[] = [
  /^(run_dir|checkpoint_minutes|calibrate|working_path|cache_dir|mode|members?|(logger|launcher)(\..*)?)$/,
  /^dataset\.(name|dataset_path|initial_abundances_path|species_path|stoichiometric_matrix_path|preprocessing\..*)$/,
  /^model\.(max_epochs|max_minutes|stagnant_epoch_patience|save_model|save_model_path|pretrained_model_path|latents_minmax_path)$/,
  /^autoencoder\./,
];
const computing = /^(device|engine|threads)$/;

/** @throws CheckpointError naming the keys that may not change within a run */
function checkConfig(path: string, found: unknown, wanted: LoadedConfig, context: CommandContext): void {
  const differing = differingKeys(wanted.inCurrentWords(found), wanted.config, (key) =>
    free.some((each) => key.match(each)),
  );
  const fixed = differing.filter((key) => !computing.test(key));
  if (fixed.length > 0) {
    throw new CheckpointError(`these keys cannot change within a run: ${fixed.join(", ")}`, {
      where: path,
      fix: "leave them as they were, or begin a new run from the weights: --warm-start",
    });
  }
  if (differing.length > 0)
    say(context, `warning: other ${differing.join(", ")} than before: the same training, but not the same bits`);
}
