import { relative, resolve } from "node:path";
import { checkOptions, checksOf } from "./check-options.ts";
import { chosenWeights, weightsOptions } from "./chosen-weights.ts";
import type { Command } from "./command.ts";
import { say } from "./report-lines.ts";

/** Writes into weights how far to believe them. */
export const calibrateCommand: Command = {
  describe:
    "Emulates the training and the validation tracers of a clean file, and finds from the latter's errors what error to expect of any state, " +
    "in dex. Writes that into the emulator's weights, where emulate and evaluate find it. train-emulator does the same at its end.",
  positionals: { dataset: "clean file of the training: /train, and /val, which trained nothing" },
  options: { "ignore-time-step": checkOptions["ignore-time-step"]!, ...weightsOptions },
  examples: [
    [
      "astrochem calibrate outputs/demo/data/sample_collapse_clean.h5 --weights outputs/demo/weights/sample",
      "the demo's surrogate, once more",
    ],
    [
      "astrochem calibrate outputs/demo/data/*_clean.h5 --weights outputs/demo/weights/sample --json",
      "the same, the calibration as JSON",
    ],
  ],
  async run(context) {
    const { calibrateFile, describeCalibration } = await import("../inference/calibrate.ts");
    const { trustFacts } = await import("../models/trust.ts");
    const weights = await chosenWeights(context);
    const trust = await calibrateFile(
      {
        ...weights,
        dataset: resolve(context.cwd, String(context.args.dataset)),
        ignoreTimeStep: checksOf(context).ignoreTimeStep,
        compute: {},
      },
      { log: (message) => say(context, message), signal: context.signal },
    );
    const text = context.json
      ? JSON.stringify({ emulator: weights.emulator, ...trustFacts(trust) })
      : `${describeCalibration(trust)}\n${relative(context.cwd, weights.emulator) || weights.emulator}`;
    context.stdout.write(`${text}\n`);
  },
};
