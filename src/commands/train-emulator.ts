import type { Command } from "./command.ts";
import { checkStart } from "./train-autoencoder.ts";
import { trainingOptions } from "./training.ts";

/** Trains the emulator. */
export const trainEmulatorCommand: Command = {
  describe:
    "Trains the emulator that steps the latents through time under the physical history, through the decoder of the " +
    "autoencoder trained before (autoencoder.pretrained_model_path).",
  positionals: {},
  options: trainingOptions,
  config: { root: "config_emulator" },
  canSweep: true,
  examples: [
    [
      "astrochem train-emulator dataset=sample working_path=outputs/demo model=emulator_sample",
      "once more on the demo's data; the earlier weights are kept",
    ],
    ["astrochem train-emulator dataset=sample working_path=outputs/demo model.window_size=40", "shorter windows"],
  ],
  async run(context) {
    checkStart(context.args);
    const [{ composeTraining }, { emulatorJob, tablesOf }, { checkOutputs, runTraining }, { trainEmulator }, data] =
      await Promise.all([
        import("./resume.ts"),
        import("./jobs.ts"),
        import("./training.ts"),
        import("../training/emulator-run.ts"),
        import("../data/emulator-cache.ts"),
      ]);
    const start = await composeTraining("config_emulator", context);
    const job = emulatorJob(start.loaded, context.args["warm-start"] === true);
    const inputs = [job.autoencoder, job.dataset, ...tablesOf(start.loaded)];
    const caches = data.emulatorCachePaths(job.cacheFolder);
    await checkOutputs(job, { kind: "emulator", inputs, caches }, context);
    await runTraining(start, context, "windows", (tools) => trainEmulator(job, tools));
  },
};
