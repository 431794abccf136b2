import { ConfigError } from "../errors.ts";
import type { Command } from "./command.ts";
import { trainingOptions } from "./training.ts";

/** Trains the autoencoder. */
export const trainAutoencoderCommand: Command = {
  describe:
    "Trains the autoencoder that compresses the abundances to latents. Writes the best weights with all that is needed to " +
    "use them, and beside them the log of the epochs.",
  positionals: {},
  options: trainingOptions,
  config: { root: "config" },
  canSweep: true,
  examples: [
    [
      "astrochem train-autoencoder dataset=sample dataset.name=mine working_path=outputs/demo",
      "on the demo's data, into weights/mine below outputs/demo",
    ],
    ["astrochem train-autoencoder dataset=sample working_path=outputs/demo --cfg job", "which settings that has"],
  ],
  async run(context) {
    checkStart(context.args);
    const [
      { composeTraining },
      { autoencoderJob, tablesOf },
      { checkOutputs, runTraining },
      { trainAutoencoder },
      data,
    ] = await Promise.all([
      import("./resume.ts"),
      import("./jobs.ts"),
      import("./training.ts"),
      import("../training/autoencoder-run.ts"),
      import("../data/autoencoder-cache.ts"),
    ]);
    const start = await composeTraining("config", context);
    const job = autoencoderJob(start.loaded, context.args["warm-start"] === true);
    const inputs = [job.dataset, ...tablesOf(start.loaded)];
    const caches = data.autoencoderCachePaths(job.cacheFolder);
    await checkOutputs(job, { kind: "autoencoder", inputs, caches }, context);
    await runTraining(start, context, "rows", (tools) => trainAutoencoder(job, tools));
  },
};

/** @throws ConfigError where both starts are asked for */
export function checkStart(args: Readonly<Record<string, unknown>>): void {
  if (args["warm-start"] && args.fresh)
    throw new ConfigError("--warm-start and --fresh exclude each other", { fix: "give one" });
  const given = ["resume", "resume-or-fresh", "fresh"].filter((name) => typeof args[name] === "string" || args[name]);
  if (given.length > 1) throw new ConfigError(`--${given.join(" and --")} exclude each other`, { fix: "give one" });
}
