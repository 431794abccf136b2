import type { Command } from "./command.ts";
import { formatNumber } from "./tables.ts";

/** Emulates physical histories from a file. */
export const emulateCommand: Command = {
  describe:
    "Emulates the chemistry along physical histories: from the first row of each tracer in a clean or raw HDF5 file, or from " +
    ".npy arrays. Writes the emulated abundances as a frame that pandas reads: pandas.read_hdf(OUTPUT, 'emulated').",
  positionals: { input: "clean or raw HDF5 file; leave it out with --physical and --abundances" },
  options: {
    key: { type: "string", describe: "key of the frame; default: val in a clean file, else the only one there is" },
    physical: {
      type: "string",
      describe: ".npy, [b, t, physical]: conditions, in the units and the order of the emulator",
    },
    abundances: { type: "string", describe: ".npy, [b, species] or [1, species]: linear abundances at the start" },
    output: { type: "string", describe: "HDF5 file to write (default: emulated.h5)" },
    autoencoder: { type: "string", describe: "weights (default: weights/autoencoder.safetensors)" },
    emulator: { type: "string", describe: "weights (default: weights/emulator.safetensors)" },
    device: { type: "string", describe: "where to compute", choices: ["auto", "cuda", "cpu", "wasm"] },
    engine: { type: "string", describe: "how to compute", choices: ["auto", "compiled", "eager"] },
    threads: {
      type: "number",
      describe: "threads to compute with (default: the least of the cores, SLURM_CPUS_PER_TASK and OMP_NUM_THREADS)",
    },
  },
  examples: [
    ["astrochem emulate data/sample_collapse_clean.h5", "the validation tracers of the sample"],
    ["astrochem emulate --physical histories.npy --abundances start.npy --output out.h5", "arrays of one's own"],
  ],
  async run(context) {
    const { emulateFile } = await import("../inference/emulate-file.ts");
    const text = (name: string): string | undefined => context.args[name] as string | undefined;
    const summary = await emulateFile(
      {
        cwd: context.cwd,
        input: text("input"),
        key: text("key"),
        physical: text("physical"),
        abundances: text("abundances"),
        output: text("output") ?? "emulated.h5",
        autoencoder: text("autoencoder") ?? "weights/autoencoder.safetensors",
        emulator: text("emulator") ?? "weights/emulator.safetensors",
        compute: {
          device: text("device") as "auto" | undefined,
          engine: text("engine") as "auto" | undefined,
          threads: context.args.threads as number | undefined,
        },
      },
      {
        log: (message) => context.stderr.write(`${message}\n`),
        signal: context.signal,
        now: () => context.now().getTime(),
      },
    );
    if (context.json) {
      context.stdout.write(`${JSON.stringify(summary)}\n`);
      return;
    }
    const { tracers, rows, seconds, output } = summary;
    const rate = formatNumber(Math.round(rows / seconds));
    context.stdout.write(
      `${formatNumber(tracers)} tracers, ${formatNumber(rows)} rows emulated at ${rate} rows/s\n${output}\n`,
    );
  },
};
