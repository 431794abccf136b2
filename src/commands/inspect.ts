import { resolve } from "node:path";
import type { Hint } from "../analysis/inspection/hints.ts";
import type { Inspection } from "../analysis/inspection/inspection.ts";
import type { InspectionSettings } from "../analysis/inspection/settings.ts";
import { ConfigError } from "../errors.ts";
import type { Command, CommandContext } from "./command.ts";
import { composeConfig } from "./compose.ts";
import { printable } from "./printable.ts";
import { cut, drawBar } from "./terminal-text.ts";

/** Says what a file holds. */
export const inspectCommand: Command = {
  describe:
    "Says what a file holds, and what to do with it: data (raw, clean), weights, PyTorch files, arrays, caches, run folders and " +
    "their files. Data are compared with the configuration: species list, ranges, clipping. Nothing is changed, and nothing in a " +
    "file is run. `--json` is described in docs/inspect.md.",
  positionals: { file: "the file or folder" },
  options: {
    quick: { type: "boolean", describe: "structure only: no values are read, however large the file" },
    key: { type: "string", describe: "key of the frame to look at (default: all of them)" },
    csv: { type: "boolean", describe: "of a training's run, or its epochs.jsonl: print the epochs as CSV" },
  },
  config: { root: "config_emulator" },
  examples: [
    [
      "astrochem inspect outputs/demo/data/sample_collapse_clean.h5 dataset=sample",
      "the demo's clean file, against its configuration",
    ],
    ["astrochem inspect outputs/demo/weights/sample/emulator.safetensors --json", "an emulator, for a script"],
  ],
  async run(context) {
    const path = context.args.file as string;
    if (context.args.csv === true) {
      if (context.json) throw new ConfigError("--csv and --json are two formats", { fix: "give one of them" });
      const { epochsCsv } = await import("../analysis/inspection/epochs-csv.ts");
      context.stdout.write(epochsCsv(resolve(context.cwd, path)));
      return;
    }
    const [{ inspectFile }, { hintsFor }, settings] = await Promise.all([
      import("../analysis/inspection/inspect-file.ts"),
      import("../analysis/inspection/hints.ts"),
      readSettings(context),
    ]);
    const inspection = await inspectFile(resolve(context.cwd, path), {
      settings,
      isQuick: context.args.quick === true,
      key: context.args.key as string | undefined,
      progress: showProgress(context),
      whileBlocking: context.whileBlocking,
    });
    context.statusLine.clear();
    const hints = hintsFor(inspection, { settings, overrides: context.overrides, path });
    await print(inspection, hints, path, context);
  },
};

async function print(inspection: Inspection, hints: readonly Hint[], path: string, context: CommandContext) {
  const { stdout, json } = context;
  if (json) {
    stdout.write(`${printable(JSON.stringify({ ...inspection, hints }))}\n`);
    return;
  }
  const { inspectionText } = await import("./inspection-text.ts");
  stdout.write(inspectionText(inspection, hints, path));
}

async function readSettings(context: CommandContext): Promise<InspectionSettings> {
  const [{ conserves, speciesOf }, loaded] = await Promise.all([
    import("./jobs.ts"),
    composeConfig("config_emulator", context),
  ]);
  const { dataset, model } = loaded.config;
  return {
    metadata: dataset.metadata,
    phys: dataset.phys,
    columns: dataset.columns,
    units: dataset.units,
    ranges: dataset.physical_parameter_ranges,
    clipping: dataset.abundances_clipping,
    species: speciesOf(loaded),
    naming: { elements: dataset.elements, names: dataset.names },
    allowsNoFormula: !conserves(loaded),
    columnsToDrop: dataset.preprocessing.columns_to_drop,
    inputKey: dataset.preprocessing.input_key,
    minRadfield: dataset.preprocessing.min_radfield,
    window: model.window_size,
  };
}

/** Also where an interrupted command ends, between two blocks of rows. */
function showProgress({ statusLine, signal }: CommandContext): (done: number, total: number) => void {
  return (done, total) => {
    signal.throwIfAborted();
    const share = done / total;
    const percent = `${Math.floor(share * 100)}%`.padStart(4);
    statusLine.update(() => cut(`rows ${percent}|${drawBar(share, 30)}|`, statusLine.width));
  };
}
