import { resolve } from "node:path";
import type { ComputeRequest } from "../backend/compute.ts";
import { AstrochemError } from "../errors.ts";
import type { Trust } from "../models/trust.ts";
import type { EmulatorWeights } from "../models/weights-file.ts";
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
  options: {
    ...trainingOptions,
    join: {
      type: "string",
      repeatable: true,
      describe:
        "run folder of a member that was trained alone (member=…), one for each in their order: join them, train none",
    },
  },
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
    await runTraining(start, context, "windows", (tools) => {
      const { config } = start.loaded;
      const calibrate = (weights: EmulatorWeights) => calibrationAfter(job, weights, tools, config);
      const isCalibrated = config.calibrate && config.member === null;
      const joined = (context.args.join as readonly string[] | undefined)?.map((run) => resolve(context.cwd, run));
      return trainEmulator(job, { ...tools, joined, calibrate: isCalibrated ? calibrate : undefined });
    });
  },
};

/** The calibration of weights that were trained; undefined where that cannot be done: what was trained for hours is not lost. */
async function calibrationAfter(
  job: EmulatorJob,
  weights: EmulatorWeights,
  { log, signal }: RunTools,
  { device, engine, threads }: ComputeRequest,
): Promise<Trust | undefined> {
  const { calibrationOf, describeCalibration } = await import("../inference/calibrate.ts");
  log("calibrating");
  const compute = { device, engine, threads: threads ?? undefined };
  const { autoencoder, dataset, weights: emulator } = job;
  try {
    const trust = await calibrationOf(
      weights,
      { autoencoder, emulator, dataset, ignoreTimeStep: true, compute },
      { log, signal },
    );
    log(describeCalibration(trust));
    return trust;
  } catch (error) {
    if (!(error instanceof AstrochemError)) throw error;
    log(`warning: not calibrated: ${error.message.split("\n")[0]}; then: astrochem calibrate ${dataset}`);
    return undefined;
  }
}
