import { resolve } from "node:path";
import { counted } from "../counted.ts";
import { ConfigError } from "../errors.ts";
import { checkOptions, checksOf } from "./check-options.ts";
import { chosenWeights, weightsOptions } from "./chosen-weights.ts";
import type { Command } from "./command.ts";
import { checkDestination, overwriteOption } from "./destination.ts";
import { say } from "./report-lines.ts";
import { formatNumber } from "./tables.ts";

/** Emulates physical histories from a file. */
export const emulateCommand: Command = {
  describe:
    "Emulates the chemistry along physical histories: from the first row of each tracer in a clean or raw file (HDF5, UCLCHEM's output, " +
    "tables of text), or from .npy arrays. Writes the emulated abundances as a frame that pandas reads: pandas.read_hdf(OUTPUT, 'emulated').",
  positionals: {
    input: "clean or raw file, or several raw ones of one kind; leave it out with --physical and --abundances",
  },
  options: {
    key: { type: "string", describe: "key of the frame; default: val in a clean file, else the only one there is" },
    physical: {
      type: "string",
      describe: ".npy, [b, t, physical]: conditions, in the units and the order of the emulator",
    },
    abundances: { type: "string", describe: ".npy, [b, species] or [1, species]: linear abundances at the start" },
    start: {
      type: "string",
      describe:
        ".npy, [species]: linear abundances at Time 0 of a raw file's tracers (default: what the training started from)",
    },
    conserve: {
      type: "boolean",
      describe:
        "every row keeps the totals of the elements and the charge of its tracer's first row, to 1e-6 (default)",
    },
    fallback: {
      type: "number",
      describe:
        "dex: mark the states that are expected to be further off, for the solver (column `solver`), and count them",
    },
    "no-conserve": { type: "boolean", describe: "rows as decoded" },
    ...checkOptions,
    output: { type: "string", describe: "HDF5 file to write (default: emulated.h5)" },
    ...overwriteOption,
    ...weightsOptions,
    device: { type: "string", describe: "where to compute", choices: ["auto", "cuda", "webgpu", "cpu", "wasm"] },
    engine: { type: "string", describe: "how to compute", choices: ["auto", "compiled", "native-c", "eager"] },
    threads: {
      type: "number",
      describe: "threads to compute with (default: the least of the cores, SLURM_CPUS_PER_TASK and OMP_NUM_THREADS)",
    },
  },
  examples: [
    [
      "astrochem emulate outputs/demo/data/sample_collapse_clean.h5 --weights outputs/demo/weights/sample",
      "the demo's validation tracers from their first rows",
    ],
    [
      "astrochem emulate outputs/demo/data/*_clean.h5 --weights outputs/demo/weights/sample --json",
      "the same, the result as JSON",
    ],
  ],
  async run(context) {
    const { checkSource, emulateFile } = await import("../inference/emulate-file.ts");
    const text = (name: string): string | undefined => context.args[name] as string | undefined;
    const inputs = (context.args.input as string[] | undefined) ?? [];
    const source = {
      input: inputs.length > 1 ? inputs : inputs[0],
      key: text("key"),
      physical: text("physical"),
      abundances: text("abundances"),
    };
    checkSource(source);
    const request = {
      cwd: context.cwd,
      ...source,
      start: text("start"),
      ...checksOf(context),
      conserve: context.args["no-conserve"] !== true,
      fallback: fallbackOf(context.args.fallback),
      output: text("output") ?? "emulated.h5",
      ...(await chosenWeights(context)),
      compute: {
        device: text("device") as "auto" | undefined,
        engine: text("engine") as "auto" | undefined,
        threads: context.args.threads as number | undefined,
      },
    };
    const { physical, abundances, start, autoencoder, emulator } = request;
    const [{ expandInputs }, { displayPath }] = await Promise.all([
      import("../data/files/expand-inputs.ts"),
      import("../config/search-path.ts"),
    ]);
    const read = inputs.length === 0 ? [] : expandInputs(inputs, (name) => resolve(context.cwd, name));
    const path = (name: string): string => resolve(context.cwd, name);
    await checkDestination({
      path: path(request.output),
      kind: "emulated",
      inputs: [...read, physical, abundances, start, autoencoder, emulator].map((name) => (name ? path(name) : null)),
      overwrite: context.args.overwrite === true,
    });
    const summary = await emulateFile(request, {
      log: (message) => say(context, message),
      signal: context.signal,
      now: () => context.now().getTime(),
    });
    if (context.json) {
      context.stdout.write(`${JSON.stringify(summary)}\n`);
      return;
    }
    const { tracers, rows, seconds, output, solver } = summary;
    const rate = formatNumber(Math.round(rows / seconds));
    const share = solver && ((100 * solver.states) / Math.max(1, rows)).toFixed(1);
    const mask = solver
      ? `for the solver: ${counted(solver.states, "state")} of ${formatNumber(rows)} (${share} %) in ${counted(solver.tracers, "tracer")}, expected to be off by more than ${solver.threshold_dex} dex\n`
      : "";
    context.stdout.write(
      `${counted(tracers, "tracer")}, ${counted(rows, "row")} emulated at ${rate} rows/s\n${mask}${displayPath(output, context.cwd)}\n`,
    );
  },
};

/** @throws ConfigError for what is no error in dex */
function fallbackOf(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "number" && value >= 0 && Number.isFinite(value)) return value;
  throw new ConfigError(`--fallback ${value} is no error in dex`, { where: "--fallback", fix: "--fallback 0.3" });
}
