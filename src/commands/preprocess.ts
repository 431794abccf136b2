import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { PreprocessOptions, PreprocessSummary, Progress } from "../data/preprocess.ts";
import { cut, drawBar } from "../training/terminal-text.ts";
import type { Command, CommandContext } from "./command.ts";
import { composeConfig } from "./compose.ts";
import { type Run, withRun } from "./run-folder.ts";
import { formatNumber, formatTable } from "./tables.ts";

/** Makes the clean dataset of a raw UCLCHEM file. The short names are those of the original's documentation. */
export const preprocess: Command = {
  describe:
    "Makes the clean dataset of a raw UCLCHEM file: columns renamed and picked, a start row before each tracer,\n" +
    "abundances clipped, tracers split into /train and /val.",
  positionals: { overrides: "settings: key=value, +key=value, ~key, dataset=name" },
  options: {},
  config: {
    root: "config",
    aliases: {
      input_path: "dataset.preprocessing.input_path",
      input_key: "dataset.preprocessing.input_key",
      output_path: "dataset.preprocessing.output_path",
      columns_to_drop: "dataset.preprocessing.columns_to_drop",
      train_split: "dataset.preprocessing.train_split",
      min_radfield: "dataset.preprocessing.min_radfield",
      seed: "dataset.preprocessing.seed",
    },
  },
  examples: [
    ["astrochem preprocess dataset=sample", "the bundled sample"],
    ["astrochem preprocess dataset=sample train_split=0.8 output_path=clean.h5", "more tracers to train, elsewhere"],
  ],
  async run(context) {
    const loaded = await composeConfig(preprocess, context);
    await withRun("preprocess", loaded, context, async (run) => {
      const { preprocessDataset } = await import("../data/preprocess.ts");
      const options = await preprocessOptions(loaded.config.dataset, context);
      const summary = await preprocessDataset(options, (message, details) => run.log.info(details ?? {}, message), showRows(context));
      printSummary(summary, run, context);
      return summary;
    });
  },
};
