/** Short forms that users of Hydra, and of most programs, type. */
const short: Readonly<Record<string, string>> = {
  "-h": "--help",
  "-c": "--cfg",
  "-cd": "--config-dir",
  "-m": "--multirun",
};

/** The words with short flags in their long form; behind `--` there are no flags. */
export function withLongFlags(words: readonly string[]): string[] {
  const end = words.includes("--") ? words.indexOf("--") : words.length;
  return words.map((word, at) => (at < end ? word.replace(/^-\w+(?==|$)/, (flag) => short[flag] ?? flag) : word));
}

const rootFix =
  "settings of your own: a file of a group (configs/datasets/NAME.yaml, then dataset=NAME), or a config.yaml in a folder for --config-dir";
const sweepFix = "sweeps are for preprocess, train-autoencoder, train-emulator and evaluate";

/** Hydra's flags that have another name here, or none. */
const flags: Readonly<Record<string, string>> = {
  "config-name": rootFix,
  cn: rootFix,
  "config-path": "--config-dir DIR searches a folder of yours first",
  cp: "--config-dir DIR searches a folder of yours first",
  info: "--cfg job prints the composed configuration, and errors name the file and line of each key",
  i: "--cfg job prints the composed configuration",
  package: "--cfg job prints the whole configuration; with --json for programs that pick a part",
  p: "--cfg job prints the whole configuration; with --json for programs that pick a part",
  multirun: sweepFix,
  run: "leave it out: a command runs once",
  r: "leave it out: a command runs once",
  "hydra-help": "--help",
  "shell-completion": "astrochem completion",
  sc: "astrochem completion",
  "experimental-rerun": "astrochem reproduce RUN, or --resume RUN of a training",
};

/** What stands here for a flag of Hydra's; undefined for any other flag. */
export function insteadOfHydra(flag: string): string | undefined {
  return Object.hasOwn(flags, flag) ? flags[flag] : undefined;
}
