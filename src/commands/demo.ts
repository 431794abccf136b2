import { join, relative } from "node:path";
import type { Evaluation } from "../analysis/evaluate.ts";
import type { Command, CommandContext } from "./command.ts";
import { preprocess } from "./preprocess.ts";
import { formatNumber, formatTable } from "./tables.ts";
import { trainAutoencoderCommand } from "./train-autoencoder.ts";
import { trainEmulatorCommand } from "./train-emulator.ts";

const folder = "outputs/demo";
/**
 * The training's limits: the whole demo stays under five minutes on two cores, whatever engine computes. To see that everything
 * works, the original's recipe is quicker: its epochs are once through the sample.
 */
const limits = {
  whole: { autoencoder: ["model.max_minutes=1.75"], emulator: ["model.max_minutes=2"] },
  quick: {
    autoencoder: ["recipe=original", "model.max_epochs=3"],
    emulator: ["recipe=original", "model.max_epochs=2"],
  },
};

/** Runs the whole path on the bundled sample. */
export const demo: Command = {
  describe:
    "Runs the whole path on the bundled sample of real chemistry: preprocess, train the autoencoder, train the emulator, " +
    `emulate; then a summary. Takes under 5 minutes and writes to ${folder} only.`,
  positionals: {},
  options: {
    quick: { type: "boolean", describe: "a few epochs only, to see that everything works; the errors stay huge" },
  },
  examples: [
    ["astrochem demo", "under 5 minutes on 2 cores"],
    ["astrochem demo --quick", "a few seconds"],
  ],
  async run(context) {
    const limit = context.args.quick === true ? limits.quick : limits.whole;
    const common = ["dataset=sample", `working_path=${folder}`];
    const steps: [Command, string, string[]][] = [
      [preprocess, "preprocess", common],
      [trainAutoencoderCommand, "train-autoencoder", [...common, "model=autoencoder_sample", ...limit.autoencoder]],
      [trainEmulatorCommand, "train-emulator", [...common, "model=emulator_sample", ...limit.emulator]],
    ];
    for (const [command, name, overrides] of steps) {
      context.stderr.write(`\n$ astrochem ${name} ${overrides.join(" ")}\n`);
      // Their results are steps on the way here: with the logs, not on stdout.
      await command.run({ ...context, command: name, overrides, stdout: context.stderr, args: {}, json: false });
      context.signal.throwIfAborted();
    }
    context.stderr.write("\nemulating the validation tracers from their first rows\n");
    const { evaluation, engine } = await evaluateDemo(context);
    if (context.json) context.stdout.write(`${JSON.stringify({ ...evaluation, engine })}\n`);
    else context.stdout.write(`\n${summaryText(evaluation, engine)}\n`);
  },
};

async function evaluateDemo({ cwd, now }: CommandContext): Promise<{ evaluation: Evaluation; engine: string }> {
  const [{ Inference }, { evaluateSurrogate }, { openCleanData }] = await Promise.all([
    import("../inference/inference.ts"),
    import("../analysis/evaluate.ts"),
    import("../data/clean-data.ts"),
  ]);
  const path = (name: string): string => join(cwd, folder, name);
  const surrogate = await Inference.load({
    autoencoder: path("weights/autoencoder.safetensors"),
    emulator: path("weights/emulator.safetensors"),
  });
  const columns = {
    metadata: ["Index", "Model", "Time"],
    phys: surrogate.physicalParameters.map(({ name }) => name),
    species: surrogate.species,
  };
  const clean = await openCleanData(path("data/sample_collapse_clean.h5"), columns);
  try {
    const evaluation = await evaluateSurrogate(surrogate, clean, () => now().getTime());
    return { evaluation, engine: `${surrogate.compute.engine} engine` };
  } finally {
    clean.close();
    surrogate.dispose();
  }
}

/** What the solver takes for one tracer, in CPU seconds: tuned build, and as shipped. See data/README.md. */
const solverSeconds = { tuned: 47, shipped: "107 to 126" };

/** The summary that a person reads. */
export function summaryText(evaluation: Evaluation, engine: string): string {
  const {
    tracers,
    reconstruction,
    emulation_as_trained,
    emulation,
    persistence,
    mean_trajectory,
    conservation,
    seconds,
  } = evaluation;
  const rows = [
    { name: "autoencoder alone (encode, decode)", ...reconstruction },
    { name: "surrogate, as many steps as trained for", ...emulation_as_trained },
    { name: "surrogate, whole trajectory", ...emulation },
    { name: "mean trajectory of the training tracers", ...mean_trajectory },
    { name: "persistence (nothing changes)", ...persistence },
  ];
  const table = formatTable(
    [
      { title: "on the validation tracers", value: (row: (typeof rows)[number]) => row.name },
      { title: "error, dex", value: (row) => row.mean_dex },
      { title: "relative error, median species", value: (row) => row.median_relative },
      { title: "mean over species", value: (row) => row.mean_relative },
    ],
    rows,
  );
  const worst = emulation.worst.map(({ species, mean_dex }) => `${species} ${mean_dex.toFixed(2)}`).join(", ");
  const each = seconds / tracers;
  const beaten = emulation.mean_dex < mean_trajectory.mean_dex && emulation.mean_dex < persistence.mean_dex;
  return [
    table,
    "",
    `worst species (dex): ${worst}`,
    `elements conserved to ${(100 * conservation).toPrecision(2)} % on average`,
    `${tracers} tracers emulated in ${(1000 * seconds).toFixed(0)} ms (${engine}), ${(1000 * each).toPrecision(2)} ms each;`,
    `  the solver takes ${solverSeconds.tuned} CPU s each in a tuned build (${formatNumber(Math.round(solverSeconds.tuned / each))} times as long), ${solverSeconds.shipped} as shipped`,
    beaten
      ? "the surrogate beats both baselines"
      : "the surrogate does not beat the baselines yet: this is a few minutes of the original's recipe, which needs hours",
    `everything is in ${relative(".", folder) || folder}`,
  ].join("\n");
}
