import type { RootName } from "../config/schemas.ts";
import { ConfigError } from "../errors.ts";
import { packageVersion } from "../version.ts";
import type { Blocking, CommandContext, OutputStream } from "./command.ts";
import { parseCommandLine, type Request } from "./command-line.ts";
import { composeConfig } from "./compose.ts";
import { reportFailure } from "./failure.ts";
import { Interruption } from "./interruption.ts";
import { type CommandEntry, commands } from "./registry.ts";
import { StatusLine } from "./status-line.ts";

/** The program's ways to the outside. */
export interface Surroundings {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => Date;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** Aborted with an `Interruption`. */
  readonly signal: AbortSignal;
  /** See `CommandContext`. */
  readonly whileBlocking?: Blocking | undefined;
  /** Whether a checkpoint was asked for since this was last called. */
  readonly takeCheckpointRequest?: (() => boolean) | undefined;
}

/**
 * The program but for its process: reads the words, runs the command, tells what went wrong.
 * @param words after `astrochem`
 * @returns the exit code
 */
export async function main(
  words: readonly string[],
  surroundings: Surroundings,
  entries: readonly CommandEntry[] = commands,
): Promise<number> {
  const { stdout, stderr, signal } = surroundings;
  try {
    const width = Math.min(stdout.columns || 100, 120);
    const request = await parseCommandLine(words, entries, { version: packageVersion, width, place: surroundings });
    if (request.kind === "text") {
      stdout.write(`${request.text}\n`);
      return request.exitCode ?? 0;
    }
    const runProgram = (others: readonly string[], cwd: string) => main(others, { ...surroundings, cwd }, entries);
    await runCommand(request, words, surroundings, runProgram);
    return signal.aborted && signal.reason instanceof Interruption ? signal.reason.exitCode : 0;
  } catch (error) {
    // Node's own functions wrap the reason of an abort.
    const isAbort = signal.aborted && error instanceof Error && error.name === "AbortError";
    return reportFailure(isAbort ? signal.reason : error, {
      stderr,
      debug: words.includes("--debug"),
      version: packageVersion,
    });
  }
}

async function runCommand(
  request: Request & { kind: "command" },
  words: readonly string[],
  surroundings: Surroundings,
  runProgram: CommandContext["runProgram"],
): Promise<void> {
  const { name, command, overrides } = request;
  const { json, debug, cfg, resolve, "config-dir": configDirs, ...args } = request.args;
  const statusLine = new StatusLine(surroundings.stderr, () => surroundings.now().getTime());
  const context: CommandContext = {
    ...surroundings,
    runProgram,
    command: name,
    commandLine: words,
    args,
    overrides,
    configDirs: (configDirs as readonly string[] | undefined) ?? [],
    statusLine,
    json: json === true,
    debug: debug === true,
  };
  try {
    if (command.runsMany) return await command.run({ ...context, args: { ...args, cfg } });
    checkSweepWords(context);
    if (args.multirun === true) await (await import("./multirun.ts")).multirun(command, context, cfg !== undefined);
    else if (cfg !== undefined && command.config) await printConfig(command.config.root, context, resolve === true);
    else if (resolve === true)
      throw new ConfigError("--resolve is for --cfg", { fix: "add `--cfg job`, or leave it out" });
    else await command.run(context);
  } finally {
    statusLine.clear();
  }
}

/** @throws ConfigError for what only a sweep has */
function checkSweepWords({ command, args, overrides }: CommandContext): void {
  if (args.multirun === true) return;
  const word =
    overrides.find((text) => /^\+*launchers?[.@=]/.test(text)) ??
    (args.resume !== undefined && !/^train-/.test(command) && "--resume");
  if (word) throw new ConfigError(`${word} is for sweeps`, { fix: "add -m, or leave it out" });
}

async function printConfig(root: RootName, context: CommandContext, resolve: boolean): Promise<void> {
  const loaded = await composeConfig(root, context);
  const json = () => `${JSON.stringify(resolve ? loaded.config : loaded.raw.composed, null, 2)}\n`;
  context.stdout.write(context.json ? json() : loaded.toYaml({ resolve }));
}
