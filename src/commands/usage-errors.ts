import { ConfigError, nearest } from "../errors.ts";
import type { Command, OptionSpec } from "./command.ts";
import { configOptions, globalOptions, optionsOf } from "./global-options.ts";
import { insteadOfHydra } from "./hydra-habits.ts";
import type { CommandEntry } from "./registry.ts";

/** What yargs makes of the words. */
export type Parsed = Record<string, unknown> & { _: (string | number)[] };

/**
 * Finds flags that the command does not know and values that a flag does not take.
 * @param command undefined where none is given: then only the flags of all commands are known
 * @throws ConfigError for the first one, with the nearest flag
 */
export function checkFlags(parsed: Parsed, command: Command | undefined, words: readonly string[]): void {
  const options: Readonly<Record<string, OptionSpec>> = command
    ? optionsOf(command)
    : { ...configOptions, ...globalOptions };
  const positionals = new Set(["overrides", ...Object.keys(command?.positionals ?? {})]);
  for (const [name, value] of Object.entries(parsed)) {
    if (name === "_" || name === "$0" || positionals.has(name) || value === undefined) continue;
    const option = Object.hasOwn(options, name) ? options[name] : undefined;
    if (option === undefined) throw unknownFlag(name, value, { words, known: Object.keys(options), command });
    checkValue(name, value, option);
  }
}

function checkValue(name: string, value: unknown, option: OptionSpec): void {
  if (Array.isArray(value) && !option.repeatable) throw new ConfigError(`--${name} is given more than once`);
  if (option.type === "number" && !Number.isFinite(value)) throw new ConfigError(`--${name} takes a number`);
  if (option.choices && !option.choices.includes(String(value))) {
    throw new ConfigError(`--${name} does not take \`${value}\``, { fix: `give ${option.choices.join(" or ")}` });
  }
}

function unknownFlag(
  name: string,
  value: unknown,
  { words, known, command }: { words: readonly string[]; known: readonly string[]; command: Command | undefined },
): ConfigError {
  const typed = words.find((word) => /^--?([^=]*)/.exec(word)?.[1] === name)?.replace(/=.*/s, "") ?? `--${name}`;
  const ours = insteadOfHydra(name);
  if (ours) return new ConfigError(`unknown flag \`${typed}\`: it is Hydra's`, { fix: ours });
  const near = nearest(name, known);
  const setting = typeof value === "string" || typeof value === "number" ? `${name}=${value}` : `${name}=…`;
  const alternative = command?.config ? `settings are given without dashes: ${setting}` : `flags: ${flagList(known)}`;
  return new ConfigError(`unknown flag \`${typed}\``, { fix: near ? `did you mean \`--${near}\`?` : alternative });
}

function flagList(names: readonly string[]): string {
  return names.map((name) => `--${name}`).join(", ");
}

/** `name` is no command. */
export function unknownCommand(name: string, entries: readonly CommandEntry[]): ConfigError {
  const names = [...entries.map((entry) => entry.name), "completion"];
  const longer = names.filter((each) => each.startsWith(`${name}-`));
  const near = longer.length > 0 ? longer.join("` or `") : nearest(name, names);
  return new ConfigError(`unknown command \`${name}\``, {
    fix: `${near ? `did you mean \`${near}\`? ` : ""}commands: ${names.join(", ")}`,
  });
}

/** The command line holds flags only, or nothing. */
export function noCommand(entries: readonly CommandEntry[]): ConfigError {
  const names = entries.map((entry) => entry.name).join(", ");
  return new ConfigError("no command is given", { fix: `give one of ${names}; \`astrochem --help\` says more` });
}

/** Name and positionals, as yargs takes them and as people read them. */
export function usageOf({ name, usage }: CommandEntry): string {
  return `${name} ${usage}`.trimEnd();
}

/** yargs' complaints in our words. */
export function usageError(error: unknown, entry: CommandEntry | undefined): ConfigError {
  const message = error instanceof Error ? error.message : String(error);
  const usage = entry ? `astrochem ${usageOf(entry)}` : undefined;
  const flag = /^Not enough arguments following: (.+)$/.exec(message)?.[1];
  if (flag !== undefined) return new ConfigError(`--${flag} needs a value`, { cause: error });
  const counts = /^Not enough non-option arguments: got (\d+), need at least (\d+)/.exec(message);
  if (!counts) return new ConfigError(`cannot read the command line: ${message}`, { fix: usage, cause: error });
  return missingArguments(Number(counts[2]) - Number(counts[1]), entry, error);
}

/** So many positionals are not given. */
export function missingArguments(count: number, entry: CommandEntry | undefined, cause?: unknown): ConfigError {
  const fix = entry && `astrochem ${usageOf(entry)}`;
  return new ConfigError(`${count} ${count === 1 ? "argument is" : "arguments are"} missing`, { fix, cause });
}
