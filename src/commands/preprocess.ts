import { statSync } from "node:fs";
import type { LoadedConfig } from "../config/load.ts";
import { resolveIn, resolveInput } from "../config/paths.ts";
import { displayPath } from "../config/search-path.ts";
import type { PreprocessSummary } from "../data/preprocess.ts";
import type { PreprocessOptions } from "../data/preprocess-options.ts";
import type { ShardSummary } from "../data/preprocess-shards.ts";
import { splitNames } from "../data/splits.ts";
import { whileWriting } from "../formats/lock.ts";
import { strictOption } from "./check-options.ts";
import type { Command, CommandContext } from "./command.ts";
import { composeConfig } from "./compose.ts";
import { checkDestination, overwriteOption } from "./destination.ts";
import { type Run, withRun } from "./run-folder.ts";
import { commandOfShard, tellShard } from "./shard-words.ts";
import { formatTable } from "./tables.ts";
import { cut, drawBar } from "./terminal-text.ts";

/** Makes the clean dataset of a raw UCLCHEM file. The short names are those of the original's documentation. */
export const preprocess: Command = {
  describe:
    "Makes the clean dataset of raw data (a pandas frame, UCLCHEM's output, tables of text): columns renamed and picked, a start row before each tracer, " +
    "abundances clipped, tracers split into /train, /val and, with test_split, /test.",
  positionals: {},
  options: { strict: strictOption, ...overwriteOption },
  config: {
    root: "config",
    aliases: {
      input_path: "dataset.preprocessing.input_path",
      input_key: "dataset.preprocessing.input_key",
      output_path: "dataset.preprocessing.output_path",
      columns_to_drop: "dataset.preprocessing.columns_to_drop",
      train_split: "dataset.preprocessing.train_split",
      test_split: "dataset.preprocessing.test_split",
      min_radfield: "dataset.preprocessing.min_radfield",
      seed: "dataset.preprocessing.seed",
      shards: "dataset.preprocessing.shards",
      shard: "dataset.preprocessing.shard",
    },
  },
  canSweep: true,
  examples: [
    ["astrochem preprocess dataset=sample", "the bundled sample"],
    [
      "astrochem preprocess -m dataset=sample train_split=0.7,0.8 'output_path=data/split-$" +
        "{dataset.preprocessing.train_split}.h5'",
      "a sweep: with fewer and with more tracers to train on",
    ],
  ],
  async run(context) {
    const loaded = await composeConfig("config", context);
    await withRun("preprocess", loaded, context, async (run) => {
      // The split's seed is the only one that plays a part here.
      run.writeEnvironment({ seed: loaded.config.dataset.preprocessing.seed });
      const { preprocessDataset } = await import("../data/preprocess.ts");
      const { shards: count, shard } = loaded.config.dataset.preprocessing;
      const command = (index: number) => commandOfShard(index, context);
      const options = {
        ...(await optionsFrom(loaded, run.tell)),
        strict: context.args.strict === true,
        shards: count === null ? null : { count, command },
      };
      const { tablesOf } = await import("./jobs.ts");
      const inputs = [options.inputPath, ...(options.moreInputs ?? []), ...tablesOf(loaded)];
      const overwrite = context.args.overwrite === true;
      await checkDestination({ path: options.outputPath, kind: "clean", inputs, overwrite });
      if (count !== null && shard !== null) return makeShard(options, { index: shard, count }, run, context);
      const summary = await whileWriting(options.outputPath, () =>
        preprocessDataset(options, run.tell, showRows(context)),
      );
      context.statusLine.clear();
      printSummary(summary, run.folder, context);
      return summary;
    });
  },
};

/** One shard; the clean file stays as it is. */
async function makeShard(
  options: PreprocessOptions,
  shard: { readonly index: number; readonly count: number },
  run: Run,
  context: CommandContext,
): Promise<ShardSummary> {
  const [{ writeShard }, { shardPath }] = await Promise.all([
    import("../data/preprocess-shards.ts"),
    import("../data/shard-format.ts"),
  ]);
  const path = shardPath(options.outputPath, shard.index, shard.count);
  const summary = await whileWriting(path, () => writeShard(options, shard, run.tell, showRows(context)));
  tellShard(summary, run.folder, context);
  return summary;
}

async function optionsFrom(loaded: LoadedConfig<"config">, log: (message: string) => void): Promise<PreprocessOptions> {
  const [{ chemistryOf }, { readNpy }, { expandInputs }] = await Promise.all([
    import("./jobs.ts"),
    import("../formats/npy.ts"),
    import("../data/files/expand-inputs.ts"),
  ]);
  const input = (path: string) => resolveInput(loaded.config.working_path, path);
  const { species, notes } = chemistryOf(loaded);
  for (const note of notes) log(note);
  const { working_path, dataset } = loaded.config;
  const { preprocessing } = dataset;
  const [inputPath, ...moreInputs] = expandInputs(preprocessing.input_path, input);
  if (moreInputs.length > 0) log(`${moreInputs.length + 1} files, ${inputPath} to ${moreInputs.at(-1)}`);
  return {
    inputPath: inputPath!,
    moreInputs,
    inputKey: preprocessing.input_key,
    outputPath: resolveIn(working_path, preprocessing.output_path),
    metadata: dataset.metadata,
    phys: dataset.phys,
    columns: dataset.columns,
    units: dataset.units,
    species,
    naming: { elements: dataset.elements, names: dataset.names },
    columnsToDrop: preprocessing.columns_to_drop,
    startState:
      dataset.start === "first_row"
        ? null
        : {
            abundances: Float64Array.from<number | bigint>(
              readNpy(input(dataset.initial_abundances_path)).data,
              Number,
            ),
            name: dataset.initial_abundances_path,
          },
    start: dataset.start,
    unevenSteps: preprocessing.uneven_steps,
    clipping: dataset.abundances_clipping,
    trainSplit: preprocessing.train_split,
    testSplit: preprocessing.test_split,
    seed: preprocessing.seed,
    minRadfield: preprocessing.min_radfield,
    physicalRanges: dataset.physical_parameter_ranges,
  };
}

/** The bar of the passes over the rows; also where an interrupted run ends, between two blocks of rows. */
function showRows({ statusLine, signal }: CommandContext): (done: number, total: number) => void {
  return (done, total) => {
    signal.throwIfAborted();
    const share = done / total;
    const percent = `${Math.floor(share * 100)}%`.padStart(4);
    statusLine.update(() => cut(`rows ${percent}|${drawBar(share, 30)}|`, statusLine.width));
  };
}

function printSummary(summary: PreprocessSummary, folder: string, { stdout, json, cwd }: CommandContext): void {
  if (json) {
    stdout.write(`${JSON.stringify({ ...summary, run: folder })}\n`);
    return;
  }
  const splits = splitNames.flatMap((name) => {
    const split = summary[name];
    return split === undefined || split.hash === "" ? [] : [{ name: `/${name}`, ...split }];
  });
  const table = formatTable(
    [
      { title: "split", value: (split: (typeof splits)[number]) => split.name },
      { title: "tracers", value: (split) => split.tracers },
      { title: "rows", value: (split) => split.rows },
      { title: "columns", value: () => summary.columns },
    ],
    splits,
  );
  const size = (statSync(summary.outputPath).size / 1e6).toFixed(1);
  stdout.write(`${table}\n${displayPath(summary.outputPath, cwd)} (${size} MB)\nrun: ${displayPath(folder, cwd)}\n`);
}
