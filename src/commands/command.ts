import type { RootName } from "../config/schemas.ts";
import type { StatusLine } from "./status-line.ts";

/** A flag of the command line. */
export interface OptionSpec {
  readonly type: "string" | "number" | "boolean";
  readonly describe: string;
  readonly choices?: readonly string[];
  /** Text that may be left out: `""` then. What reads like an override after it is one. */
  readonly optionalValue?: boolean;
  /** May be given several times; its value is then always an array. */
  readonly repeatable?: boolean;
}

/** What a command is, before anything heavy is loaded: enough for its help, completion and the check of its arguments. */
export interface Command {
  /** What each positional of the registry's `usage` is, but for the overrides. */
  readonly positionals: Readonly<Record<string, string>>;
  /** One paragraph for the help. */
  readonly describe: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** Two that run as they stand, with what they do. */
  readonly examples: readonly (readonly [command: string, effect: string])[];
  /** The configuration the command is composed from; without it there are no overrides, `--cfg` or `--config-dir`. */
  readonly config?: CommandConfig;
  /** Whether `-m` runs it for every combination of values. */
  readonly canSweep?: boolean;
  /** Whether it runs another command many times: it takes `launcher=…` and `--resume`, and answers `--cfg` itself. */
  readonly runsMany?: boolean;
  /** Does the work. Everything heavy is imported here, so that the help is there at once. */
  run(context: CommandContext): Promise<void>;
}

/** Which configuration a command reads, and the short names it takes for some of the keys. */
export interface CommandConfig {
  readonly root: RootName;
  /** Short name → full key: `train_split` → `dataset.preprocessing.train_split`. */
  readonly aliases?: Readonly<Record<string, string>>;
}

/** Where text goes: a terminal, a pipe, or a test's buffer. */
export interface OutputStream extends NodeJS.WritableStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Runs something that computes for long without a turn of the event loop, and leaves nothing half done. */
export type Blocking = <T>(action: () => T) => T;

/** What a repeated run takes from the earlier one. */
export interface RepeatedRun {
  /** The composed configuration, which stands in for the root's file. */
  readonly config: string;
  /** What the training was made from: another data set is told before hours are spent; null where it is not known. */
  readonly inputs: Readonly<Record<string, unknown>> | null;
  /** Optimizer steps, where time ended it. */
  readonly maxSteps?: number | undefined;
}

/** A command's effects, as arguments: what it was asked, and its ways to the outside. */
export interface CommandContext {
  readonly command: string;
  /** The words after `astrochem`, as typed. */
  readonly commandLine: readonly string[];
  /** The values of the command's flags and positionals by name; absent ones are missing. */
  readonly args: Readonly<Record<string, unknown>>;
  /** Configuration overrides, short names already replaced. */
  readonly overrides: readonly string[];
  /** Folders of `--config-dir`, searched first. */
  readonly configDirs: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => Date;
  /** Results only. */
  readonly stdout: OutputStream;
  /** Logs, warnings, progress. */
  readonly stderr: OutputStream;
  /** The bottom line of the terminal, for a progress bar; log lines pass above it. */
  readonly statusLine: StatusLine;
  /** Aborted at the first SIGINT or SIGTERM: finish the step, save, return. */
  readonly signal: AbortSignal;
  /** Meanwhile a signal, which could not be heard, ends the process at once; absent: nothing listens to signals. */
  readonly whileBlocking?: Blocking | undefined;
  /** Whether a checkpoint was asked for (SIGUSR1) since this was last called; absent: never. */
  readonly takeCheckpointRequest?: (() => boolean) | undefined;
  /** The whole program with other words, in another folder: gives its exit code. Absent in a part of another command. */
  readonly runProgram?: ((words: readonly string[], cwd: string) => Promise<number>) | undefined;
  /** Set where an earlier run is repeated. */
  readonly repeat?: RepeatedRun | undefined;
  readonly json: boolean;
  readonly debug: boolean;
}
