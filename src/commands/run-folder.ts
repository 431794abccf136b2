import { closeSync, existsSync, openSync, readdirSync, rmSync, statSync, writeSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { dump } from "js-yaml";
import { z } from "zod";
import { AstrochemError, ConfigError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic-file.ts";
import { soundFile } from "../formats/checked-content.ts";
import { latestVersion } from "../formats/format-version.ts";
import { withLock } from "../formats/lock.ts";
import { eventFilesIn } from "../formats/run-folders.ts";
import { runFormat } from "../formats/run-format.ts";
import { versioned } from "../training/epoch-log.ts";
import type { EpochRecord } from "../training/observer.ts";
import type { CommandContext } from "./command.ts";
import { type Backend, describeEnvironment } from "./environment.ts";
import { guardedRun, makeFolder, makeFreshFolder, removeDeadRunLocks, runLock } from "./fresh-folder.ts";
import { toJsonLine } from "./json-line.ts";
import { type Logger, openLog, type RunLogger } from "./logging.ts";

/** The part of a composed configuration that a run keeps. */
export interface RunConfig {
  readonly config: {
    readonly seed?: number | undefined;
    readonly run_dir?: string | null | undefined;
    /** Absolute. */
    readonly working_path?: string | undefined;
  };
  toYaml(options: { resolve: boolean }): string;
}

export type RunOutcome = "completed" | "interrupted" | "failed";

/** A run under way: its folder, its log, and what it leaves behind. */
export interface Run {
  /** Absolute. */
  readonly folder: string;
  readonly log: Logger;
  /** Logs a sentence; `warning: ` at its beginning makes it one. */
  readonly tell: (message: string, details?: object) => void;
  /** Adds a line to `epochs.jsonl`, at once. */
  appendEpoch(record: EpochRecord): void;
  /** Begins `epochs.jsonl` with the epochs that were done before. */
  resume(epochs: readonly EpochRecord[]): void;
  /** Says in `environment.json` which backend computes, and why. */
  describeBackend(backend: Backend): void;
  /** Adds to `environment.json`. */
  writeEnvironment(extra: Readonly<Record<string, unknown>>): void;
  /** Writes `summary.json` and closes the files; the first of `finish` and `fail` counts. */
  finish(outcome: RunOutcome, results?: object): void;
  /** The same for a run that ended with an error. It goes to run.log only: whoever catches it tells the user. */
  fail(error: unknown, outcome?: RunOutcome): void;
}

/** The folder of a new run: `outputs/<date>/<time>-<command>/` in local time, or `config.run_dir`. */
function makeRunFolder(command: string, { config }: RunConfig, { cwd, now }: CommandContext): string {
  removeDeadRunLocks(join(cwd, "outputs"));
  if (!config.run_dir) return makeFreshFolder(join(cwd, "outputs"), now(), command);
  return makeFolder(checkRunFolder(resolve(cwd, config.run_dir), command, config));
}

/**
 * A run replaces an earlier one in its folder, of the same command only, and none whose checkpoints it reads.
 * @throws ConfigError for a folder with something else in it
 */
function checkRunFolder(folder: string, command: string, config: RunConfig["config"]): string {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) return folder;
  const refuse = (holds: string): ConfigError =>
    new ConfigError(`run_dir is a folder that holds ${holds}: ${folder}`, {
      where: "run_dir",
      fix: `give a folder that is new or empty, or one of an earlier run of ${command}`,
    });
  const names = readdirSync(folder).filter((name) => name !== ".lock");
  // The environment is written first: a run that was killed while it began leaves a part of it at most.
  if (names.every((name) => /^\.environment\.json\..*\.part$/.test(name))) return folder;
  const earlier = commandOfRun(folder);
  if (earlier === null) throw refuse("something else than a run");
  if (earlier !== command) throw refuse(`a run of ${earlier}`);
  const read = pathsIn(config, config.working_path ?? ".").find(
    (path) => dirname(path) === join(folder, "checkpoints") && existsSync(path),
  );
  if (read !== undefined) throw refuse(`the input ${read}`);
  return folder;
}

/** What environment.json has of every run; `sessions` are the times that it went on. */
const begunRun = z.looseObject({
  command: z.string(),
  command_line: z.array(z.string()),
  sessions: z.array(z.looseObject({})).optional(),
});
/** What summary.json has of every run. */
const endedRun = z.object({ command: z.string(), outcome: z.string(), started_at: z.string() });

/** The command whose run a folder holds, by its environment, or by its summary where the folder was emptied under the run; null for no run. */
function commandOfRun(folder: string): string | null {
  const environment = soundFile(begunRun, join(folder, "environment.json"));
  if (environment?.command_line[0] === "astrochem") return environment.command;
  return soundFile(endedRun, join(folder, "summary.json"))?.command ?? null;
}

/** All texts of a configuration, as if they were paths. */
function pathsIn(value: unknown, workingPath: string): string[] {
  if (typeof value === "string") return [resolve(workingPath, value)];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap((each) => pathsIn(each, workingPath));
}

/**
 * Opens the folder of a run, with config.yaml (resolved), overrides.yaml, environment.json and run.log in it.
 * @param folder  of a run that goes on: what it was begun with stays, and is added to
 * @throws DataError where the folder cannot be made or written
 */
export function openRun(
  command: string,
  loaded: RunConfig,
  context: CommandContext,
  folder: string = makeRunFolder(command, loaded, context),
  isResumed = false,
): Run {
  const started = context.now();
  const environment = describeEnvironment({
    command,
    started_at: started.toISOString(),
    command_line: ["astrochem", ...context.commandLine],
    overrides: context.overrides,
    flags: context.args,
    cwd: context.cwd,
    seed: loaded.config.seed ?? null,
  });
  const before = isResumed ? soundFile(begunRun, join(folder, "environment.json")) : null;
  guardedRun(folder, () => {
    // What an earlier run left in a folder that was given would pass for this one's.
    const names = isResumed
      ? ["summary.json"]
      : ["summary.json", "epochs.jsonl", "checkpoints", ...eventFilesIn(folder)];
    for (const name of names) rmSync(join(folder, name), { recursive: true, force: true });
  });
  const { command: _, ...session } = environment;
  const whole = before ? { ...before, sessions: [...(before.sessions ?? []), session] } : environment;
  const run = new OpenRun(folder, command, whole, started, context);
  writeFileAtomic(join(folder, "config.yaml"), loaded.toYaml({ resolve: true }));
  if (!before) writeFileAtomic(join(folder, "overrides.yaml"), dump([...context.overrides]));
  return run;
}

/**
 * Runs `work` in a run folder of its own: what it throws is in run.log before it goes on, and the folder's summary tells how it
 * ended. No other process can work in the folder meanwhile.
 * @param work gives the results for the summary
 * @param resumed the run that goes on; null for a new one
 */
export async function withRun(
  command: string,
  loaded: RunConfig,
  context: CommandContext,
  work: (run: Run) => Promise<object>,
  resumed: { readonly folder: string } | null = null,
): Promise<void> {
  const folder = resumed?.folder ?? makeRunFolder(command, loaded, context);
  const lock = { holder: `another process works in the run folder ${folder}` };
  await withLock(runLock(folder), lock, () =>
    workIn(openRun(command, loaded, context, folder, resumed !== null), context, work),
  );
}

async function workIn(run: Run, context: CommandContext, work: (run: Run) => Promise<object>): Promise<void> {
  try {
    const results = await work(run);
    context.statusLine.clear();
    // A training that pauses ends as one that was interrupted.
    const isCutOff = context.signal.aborted || (results as { reason?: unknown }).reason === "interrupted";
    run.finish(isCutOff ? "interrupted" : "completed", results);
  } catch (error) {
    context.statusLine.clear();
    const isInterrupted = context.signal.aborted && error === context.signal.reason;
    run.fail(error, isInterrupted ? "interrupted" : "failed");
    throw error;
  }
}

class OpenRun implements Run {
  readonly folder: string;
  readonly log: Logger;
  readonly #command: string;
  readonly #started: Date;
  readonly #now: () => Date;
  readonly #logger: RunLogger;
  #environment: Readonly<Record<string, unknown>>;
  #epochs: number | null = null;
  #epochCount = 0;
  #isFinished = false;

  constructor(folder: string, command: string, environment: object, started: Date, context: CommandContext) {
    this.folder = folder;
    this.#command = command;
    this.#started = started;
    this.#now = context.now;
    this.#environment = { format_version: latestVersion(runFormat), ...environment };
    this.writeEnvironment({});
    this.#logger = guardedRun(folder, () =>
      openLog({
        file: join(folder, "run.log"),
        statusLine: context.statusLine,
        cwd: context.cwd,
        debug: context.debug,
        now: context.now,
      }),
    );
    this.log = this.#logger.log;
    this.log.debug({ folder, command_line: context.commandLine }, "run started");
  }

  readonly tell = (message: string, details: object = {}): void => {
    if (message.startsWith("warning: ")) this.log.warn(details, message.slice(9));
    else this.log.info(details, message);
  };

  resume(epochs: readonly EpochRecord[]): void {
    writeFileAtomic(
      join(this.folder, "epochs.jsonl"),
      epochs.map((record) => `${toJsonLine(versioned(record))}\n`).join(""),
    );
    this.#epochCount = epochs.length;
  }

  appendEpoch(record: EpochRecord): void {
    const path = join(this.folder, "epochs.jsonl");
    guardedRun(path, () => {
      this.#epochs ??= openSync(path, "a");
      writeSync(this.#epochs, `${toJsonLine(versioned(record))}\n`);
    });
    this.#epochCount += 1;
  }

  describeBackend(backend: Backend): void {
    this.writeEnvironment({ backend });
    this.log.info({ backend }, `backend ${backend.name}: ${backend.reason}`);
  }

  writeEnvironment(extra: Readonly<Record<string, unknown>>): void {
    this.#environment = { ...this.#environment, ...extra };
    writeFileAtomic(join(this.folder, "environment.json"), `${JSON.stringify(this.#environment, null, 2)}\n`);
  }

  fail(error: unknown, outcome: RunOutcome = "failed"): void {
    if (this.#isFinished) return;
    this.#logger.file.error({ err: error }, `run ${outcome}`);
    this.finish(outcome, describeError(error));
  }

  finish(outcome: RunOutcome, results: object = {}): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    const finished = this.#now();
    const summary = {
      format_version: latestVersion(runFormat),
      command: this.#command,
      outcome,
      started_at: this.#started.toISOString(),
      finished_at: finished.toISOString(),
      seconds: (finished.getTime() - this.#started.getTime()) / 1000,
      ...(this.#epochCount > 0 ? { epochs: this.#epochCount } : {}),
      ...results,
    };
    try {
      writeFileAtomic(join(this.folder, "summary.json"), `${JSON.stringify(summary, null, 2)}\n`);
      this.log.debug(summary, `run ${outcome}`);
    } finally {
      if (this.#epochs !== null) closeSync(this.#epochs);
      this.#logger.close();
    }
  }
}

function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { error: String(error) };
  return { error: error.message, ...(error instanceof AstrochemError ? {} : { stack: error.stack }) };
}
