import type { Command } from "./command.ts";

/** Finds better values for keys of a training. */
export const tuneCommand: Command = {
  describe:
    "Tunes a training by successive halving: draws trials, trains all of them a little, a third of them three times as long, and so on. " +
    "Validation tracers choose. The default is trained beside them; the best trial becomes a configuration file.",
  positionals: { training: "train-autoencoder or train-emulator" },
  options: {
    trials: { type: "number", describe: "trials that are drawn, besides the default (27)" },
    minutes: {
      type: "number",
      describe: "begin nothing after so many minutes, and tell what there is; --resume goes on",
    },
    objective: {
      type: "string",
      choices: ["dex", "cost", "both"],
      describe:
        "what is to be small: validation error (the default), microseconds a step of one tracer, or a front of both",
    },
    seed: { type: "number", describe: "of the draws (0); the training's own is the override seed=…" },
    resume: {
      type: "string",
      optionalValue: true,
      describe: "take up a tuning: its folder, or nothing for the newest",
    },
  },
  config: { root: "config_emulator" },
  runsMany: true,
  examples: [
    [
      "astrochem tune train-emulator dataset=sample working_path=outputs/demo model=emulator_sample 'model.lr=tag(log, interval(3e-4, 3e-3))' 'model.hidden_dim=range(64, 257, 32)' --minutes 30",
      "the best learning rate and width within half an hour, on the demo's data",
    ],
    [
      "astrochem tune train-autoencoder dataset=sample working_path=outputs/demo model=autoencoder_sample 'model.hidden_dims=choice([160,80],[80,40])' --objective both",
      "small and good: errors beside the time that a row takes",
    ],
  ],
  async run(context) {
    await (await import("./tuning.ts")).tune(context);
  },
};
