import yargs, { type Argv, type Options } from "yargs";
import { ConfigError } from "../errors.ts";
import { expandAliases } from "./aliases.ts";
import type { Command, OptionSpec } from "./command.ts";
import type { CompletionPlace } from "./completion.ts";
import { configOptions, globalOptions, optionsOf, ownOptions } from "./global-options.ts";
import { helpSections } from "./help.ts";
import { withLongFlags } from "./hydra-habits.ts";
import type { CommandEntry } from "./registry.ts";
import {
  checkFlags,
  missingArguments,
  noCommand,
  type Parsed,
  unknownCommand,
  usageError,
  usageOf,
} from "./usage-errors.ts";

/** What the words of a command line ask for: a text (help, version, completion), or a command to be run. */
export type Request =
  | { readonly kind: "text"; readonly text: string /** 0 where it is left out. */; readonly exitCode?: number }
  | {
      readonly kind: "command";
      readonly name: string;
      readonly command: Command;
      /** Flags and positionals by name. */
      readonly args: Readonly<Record<string, unknown>>;
      readonly overrides: readonly string[];
    };

/** How the help is to look, and what to answer to `--version`. */
export interface CommandLineOptions {
  readonly version: string;
  /** Width of the help in characters. */
  readonly width: number;
  /** Where the completion of overrides looks for files. */
  readonly place: CompletionPlace;
}

const completionFlag = "get-yargs-completions";

/**
 * Reads the words after `astrochem`.
 * @throws ConfigError for unknown commands and flags, missing or superfluous arguments, values of the wrong kind
 */
export async function parseCommandLine(
  typed: readonly string[],
  entries: readonly CommandEntry[],
  options: CommandLineOptions,
): Promise<Request> {
  // As git and npm do: the help, and a code that is no success.
  if (typed.length === 0) return { ...((await parseCommandLine(["--help"], entries, options)) as Text), exitCode: 2 };
  const words = typed[0] === `--${completionFlag}` ? typed : withLongFlags(typed);
  const called: Called = {};
  const { parsed, text } = await parse(makeParser(entries, options, called), words, called);
  const [name, ...rest] = parsed._.map(String);
  if (completionFlag in parsed) return { kind: "text", text: await completions(text, words, entries, options.place) };
  if (name === "completion") return { kind: "text", text: (await import("./completion.ts")).forOverrides(text) };
  const entry = entries.find((each) => each.name === name);
  if (name !== undefined && entry === undefined) throw unknownCommand(name, entries);
  const command = entry && called.command;
  checkFlags(parsed, command, words);
  // Not by yargs, which would break the examples: they are there to be copied.
  if (parsed.help === true) return { kind: "text", text: `${text}\n\n${helpSections(command)}` };
  if (text !== "") return { kind: "text", text };
  if (entry === undefined || command === undefined) throw noCommand(entries);
  return request(entry, command, parsed, rest);
}

type Text = Request & { kind: "text" };

/** yargs' own completions, or those of an override. @param words  the flag, `astrochem`, and what was typed after it */
async function completions(
  text: string,
  words: readonly string[],
  entries: readonly CommandEntry[],
  place: CompletionPlace,
): Promise<string> {
  const [, , name, ...rest] = words;
  const config = rest.length > 0 ? (await entries.find((entry) => entry.name === name)?.load())?.config : undefined;
  if (config === undefined) return text;
  const { completeOverride } = await import("./completion.ts");
  return completeOverride(rest, config.root, config.aliases ?? {}, place)?.join("\n") ?? text;
}

function request(entry: CommandEntry, command: Command, parsed: Parsed, rest: readonly string[]): Request {
  const known = new Set([...Object.keys(command.positionals), ...Object.keys(optionsOf(command))]);
  const args = Object.fromEntries(Object.entries(parsed).filter(([key]) => known.has(key)));
  const mistaken = takeOverrides(args, command);
  checkRequired(entry, args);
  checkEmpty(command, args);
  // Words after `--` are in `rest`; any others there are too many.
  if (rest.length > 0 && command.config === undefined) {
    throw new ConfigError(`unexpected argument \`${rest[0]}\``, { fix: `astrochem ${usageOf(entry)}` });
  }
  const typed = [...mistaken, ...((parsed.overrides as string[] | undefined) ?? []), ...rest];
  const given = command.config ? typed : [];
  return {
    kind: "command",
    name: entry.name,
    command,
    args,
    overrides: expandAliases(given, command.config?.aliases),
  };
}

/** yargs counts the words only: an empty one says nothing, and overrides may have stood for files. @throws ConfigError */
function checkRequired(entry: CommandEntry, args: Readonly<Record<string, unknown>>): void {
  const required = [...entry.usage.matchAll(/<(\w+)(?:\.\.)?>/g)].map(([, name]) => args[name!]);
  const missing = required.filter((value) => [value].flat().every((word) => word === undefined || word === "")).length;
  if (missing > 0) throw missingArguments(missing, entry);
}

/** An empty word would pass for none at all, and so for the default: a shell variable that is not set. @throws ConfigError */
function checkEmpty(command: Command, args: Readonly<Record<string, unknown>>): void {
  const options = Object.entries(ownOptions(command)).filter(([, { optionalValue }]) => !optionalValue);
  const names = [...Object.keys(command.positionals), ...options.map(([name]) => name)];
  const empty = names.find((name) => [args[name]].flat().includes(""));
  if (empty === undefined) return;
  throw new ConfigError(`\`${empty in command.positionals ? "" : "--"}${empty}\` is empty`, {
    fix: "give it a value, or leave it out: is a shell variable not set?",
  });
}

/**
 * Overrides among what yargs took for something else: the value of a flag that needs none (`--resume model.max_epochs=9`), one of any
 * number of files (`compare a b dataset=sample`). Takes them out of `args`.
 */
function takeOverrides(args: Record<string, unknown>, command: Command): string[] {
  const { positionals, config } = command;
  if (!config) return [];
  const taken: string[] = [];
  for (const name of Object.keys(positionals)) {
    const words = args[name];
    if (!Array.isArray(words)) continue;
    taken.push(...words.filter(readsAsOverride));
    args[name] = words.filter((word) => !readsAsOverride(word));
  }
  for (const [name, { optionalValue }] of Object.entries(ownOptions(command))) {
    const value = args[name];
    if (!optionalValue || typeof value !== "string" || !readsAsOverride(value)) continue;
    taken.push(value);
    args[name] = "";
  }
  return taken;
}

/** `key=value`, `~key`; not a path such as `./a=b`. */
function readsAsOverride(word: string): boolean {
  return /^(~[^/]*$|[^/.][^/]*=)/.test(word);
}

/** The command that the words name: found while yargs reads them. */
interface Called {
  entry?: CommandEntry;
  command?: Command;
  /** Why it could not be loaded. */
  failure?: unknown;
}

async function parse(
  parser: Argv,
  words: readonly string[],
  called: Called,
): Promise<{ parsed: Parsed; text: string }> {
  let text = "";
  try {
    const parsed = await parser.parseAsync([...words], {}, (_error: unknown, _parsed: unknown, output: string) => {
      text = output;
    });
    return { parsed, text };
  } catch (error) {
    throw "failure" in called ? called.failure : usageError(error, called.entry);
  }
}

function makeParser(entries: readonly CommandEntry[], options: CommandLineOptions, called: Called): Argv {
  const parser = yargs()
    .scriptName("astrochem")
    .locale("en")
    .exitProcess(false)
    .fail(false)
    .parserConfiguration({
      "boolean-negation": false,
      "camel-case-expansion": false,
      "dot-notation": false,
      "greedy-arrays": false,
      "parse-positional-numbers": false,
      "short-option-groups": false,
    })
    .usage(
      "Learns fast surrogates of astrochemical reaction networks, and runs them.\n\nastrochem <command> [overrides..]",
    )
    .help("help", globalOptions.help.describe)
    .version("version", globalOptions.version.describe, options.version)
    .options(toYargs({ ...configOptions, ...globalOptions }))
    .wrap(options.width);
  for (const entry of entries) {
    parser.command(`${entry.name} ${entry.usage}`.trim(), entry.summary, async (builder: Argv) => {
      called.entry = entry;
      called.command = await entry.load().catch((error: unknown) => {
        called.failure = error;
        throw error;
      });
      return describeCommand(builder, entry, called.command);
    });
  }
  return parser.completion("completion", "print a script that completes commands and flags in your shell");
}

function describeCommand(builder: Argv, entry: CommandEntry, command: Command): Argv {
  builder
    .usage(`${command.describe}\n\nastrochem ${usageOf(entry)}`)
    .options(toYargs(ownOptions(command)))
    .group(Object.keys(ownOptions(command)), "Options:")
    .group(Object.keys({ ...configOptions, ...globalOptions }), "Global options:");
  for (const [name, describe] of Object.entries(command.positionals))
    builder.positional(name, { type: "string", describe });
  // They have a section of their own.
  if (entry.usage.includes("overrides"))
    builder.positional("overrides", { type: "string", array: true }).hide("overrides");
  if (command.config === undefined) for (const name of Object.keys(configOptions)) builder.hide(name);
  return builder;
}

/** yargs has help and version of its own. Choices are checked by us, who suggest the nearest. */
function toYargs(options: Readonly<Record<string, OptionSpec>>): Record<string, Options> {
  const entries = Object.entries(options)
    .filter(([name]) => name !== "help" && name !== "version")
    .map(([name, { type, describe, choices = [], repeatable = false, optionalValue = false }]): [string, Options] => [
      name,
      {
        type,
        describe: choices.length > 1 ? `${describe}: ${choices.join(", ")}` : describe,
        requiresArg: type !== "boolean" && !optionalValue,
        ...(repeatable ? { array: true } : {}),
      },
    ]);
  return Object.fromEntries(entries);
}
