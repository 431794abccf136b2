import type { ComputeRequest } from "../backend/compute.ts";
import { AstrochemError } from "../errors.ts";
import type { EmulatorJob } from "../training/emulator-run.ts";
import type { RunTools } from "../training/run-tools.ts";
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
    await runTraining(start, context, "windows", async (tools) => {
      const report = await trainEmulator(job, tools);
      if (report?.weights && report.reason !== "interrupted" && start.loaded.config.calibrate)
        await calibrateTrained(job, report.weights, tools, start.loaded.config);
      return report;
    });
  },
};

/** Calibrates weights where they are and in the run's folder. What was trained for hours is not lost where that cannot be done. */
async function calibrateTrained(
  job: EmulatorJob,
  weights: string,
  { checkpoints, log, signal }: RunTools,
  { device, engine, threads }: ComputeRequest,
): Promise<void> {
  const [{ calibrateFile, describeCalibration }, { checkpointPaths }] = await Promise.all([
    import("../inference/calibrate.ts"),
    import("../training/checkpoint-keeper.ts"),
  ]);
  const { best } = checkpointPaths(checkpoints.folder);
  log("calibrating");
  try {
    const trust = await calibrateFile(
      {
        autoencoder: job.autoencoder,
        emulator: weights,
        copies: weights === best ? [] : [best],
        dataset: job.dataset,
        ignoreTimeStep: true,
        compute: { device, engine, threads: threads ?? undefined },
      },
      { log, signal },
    );
    log(describeCalibration(trust));
  } catch (error) {
    if (!(error instanceof AstrochemError)) throw error;
    log(`warning: not calibrated: ${error.message.split("\n")[0]}; then: astrochem calibrate ${job.dataset}`);
  }
}
