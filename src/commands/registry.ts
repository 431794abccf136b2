import type { Command } from "./command.ts";

/** A command as the top-level help lists it; the rest is loaded when it is called. */
export interface CommandEntry {
  readonly name: string;
  /** Its positionals, as yargs writes them: `<source> [overrides..]`. `overrides` go to the configuration. */
  readonly usage: string;
  /** One line, as an imperative. */
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** All commands, in the order of their use. A new one is a file beside this one and an entry here. */
export const commands: readonly CommandEntry[] = [
  {
    name: "init",
    usage: "<name> <files..>",
    summary: "write the configuration of a dataset of your own, from its raw files",
    load: async () => (await import("./init.ts")).initCommand,
  },
  {
    name: "preprocess",
    usage: "[overrides..]",
    summary: "make the clean dataset of raw files",
    load: async () => (await import("./preprocess.ts")).preprocess,
  },
  {
    name: "train-autoencoder",
    usage: "[overrides..]",
    summary: "train the autoencoder on a clean dataset",
    load: async () => (await import("./train-autoencoder.ts")).trainAutoencoderCommand,
  },
  {
    name: "train-emulator",
    usage: "[overrides..]",
    summary: "train the emulator through the trained autoencoder",
    load: async () => (await import("./train-emulator.ts")).trainEmulatorCommand,
  },
  {
    name: "evaluate",
    usage: "[overrides..]",
    summary: "tell how good a surrogate is, and where it fails",
    load: async () => (await import("./evaluate.ts")).evaluateCommand,
  },
  {
    name: "calibrate",
    usage: "<dataset>",
    summary: "find how far to believe each state, from tracers that trained nothing",
    load: async () => (await import("./calibrate.ts")).calibrateCommand,
  },
  {
    name: "compare",
    usage: "<runs..>",
    summary: "compare evaluations, or weights, on the same rows",
    load: async () => (await import("./compare.ts")).compareCommand,
  },
  {
    name: "emulate",
    usage: "[input..]",
    summary: "emulate the chemistry along physical histories",
    load: async () => (await import("./emulate.ts")).emulateCommand,
  },
  {
    name: "inspect",
    usage: "<file> [overrides..]",
    summary: "say what a data, weights or run file holds",
    load: async () => (await import("./inspect.ts")).inspectCommand,
  },
  {
    name: "watch",
    usage: "[folder]",
    summary: "show runs in a browser while they go on",
    load: async () => (await import("./watch.ts")).watchCommand,
  },
  {
    name: "export",
    usage: "<format>",
    summary: "write the trained models as ONNX files, C and Fortran, or Python",
    load: async () => (await import("./export.ts")).exportCommand,
  },
  {
    name: "import-weights",
    usage: "[overrides..]",
    summary: "bring in PyTorch weights of the original package",
    load: async () => (await import("./import-weights.ts")).importWeightsCommand,
  },
  {
    name: "sweep",
    usage: "<action> <folder> [point]",
    summary: "say where a sweep stands, cancel it, gather its results",
    load: async () => (await import("./sweep.ts")).sweepCommand,
  },
  {
    name: "tune",
    usage: "<training> [overrides..]",
    summary: "find better values for the keys of a training",
    load: async () => (await import("./tune.ts")).tuneCommand,
  },
  {
    name: "reproduce",
    usage: "<run>",
    summary: "run again what a run folder holds, and compare",
    load: async () => (await import("./reproduce.ts")).reproduceCommand,
  },
  {
    name: "backend",
    usage: "[action] [kind]",
    summary: "list what can compute here; install or remove compiled kernels, native TensorFlow",
    load: async () => (await import("./backend.ts")).backendCommand,
  },
  {
    name: "demo",
    usage: "",
    summary: "run the whole path on the bundled sample, in under 5 minutes",
    load: async () => (await import("./demo.ts")).demo,
  },
];
