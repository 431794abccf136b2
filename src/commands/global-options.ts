import type { Command, OptionSpec } from "./command.ts";

/** Flags of every command. */
export const globalOptions = {
  json: { type: "boolean", describe: "print the results as JSON, and nothing else, on stdout" },
  debug: { type: "boolean", describe: "log every detail; show stack traces of errors" },
  help: { type: "boolean", describe: "show this help (also -h)" },
  version: { type: "boolean", describe: "show the version" },
} as const satisfies Record<string, OptionSpec>;

/** Flags of the commands that have a configuration. */
export const configOptions = {
  cfg: {
    type: "string",

    choices: ["job"],
    describe: "job: print the composed configuration as YAML and stop",
  },
  resolve: { type: "boolean", describe: "with --cfg: resolve its interpolations" },
  "config-dir": {
    type: "string",

    repeatable: true,
    describe: "search this folder for configuration files first; may be repeated",
  },
} as const satisfies Record<string, OptionSpec>;

/** Flags of the commands that can sweep. */
const sweepOptions = {
  multirun: {
    type: "boolean",
    describe: "a sweep (also -m): a run for each combination of values, key=1,2 key=range(0,8); see docs/sweeps.md",
  },
  resume: {
    type: "string",
    optionalValue: true,
    describe: "with -m: take up a sweep, its folder or nothing for the newest",
  },
} as const satisfies Record<string, OptionSpec>;

/** The flags that are `command`'s own, by name. */
export function ownOptions({ canSweep, options }: Command): Readonly<Record<string, OptionSpec>> {
  return canSweep ? { ...sweepOptions, ...options } : options;
}

/** All flags that `command` takes, by name. */
export function optionsOf(command: Command): Readonly<Record<string, OptionSpec>> {
  return { ...ownOptions(command), ...(command.config ? configOptions : {}), ...globalOptions };
}
