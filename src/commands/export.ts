import { resolve } from "node:path";
import { ConfigError } from "../errors.ts";
import { chosenWeights, weightsOptions } from "./chosen-weights.ts";
import type { Command, CommandContext } from "./command.ts";
import { checkDestination, overwriteOption } from "./destination.ts";
import { forTerminal, say } from "./report-lines.ts";

/** Writes the trained models in a format that other programs run. */
export const exportCommand: Command = {
  describe:
    "Writes the trained models as ONNX files, which ONNX Runtime and others run without this program: encoder, decoder, one step " +
    "of the emulator, and the rollout. They take any batch and say in their metadata what goes in and out. Each is compared " +
    "with this program's own results before it is written. `export c` (or `fortran`, the same) writes a folder of source in C99 and " +
    "Fortran 2003 with the weights inside, which needs no library, and a check of its own (`make check`). `export python` writes one file " +
    "that needs numpy alone and checks itself when it is run.",
  positionals: { format: "onnx, c, fortran or python" },
  options: {
    name: {
      type: "string",
      describe: "c, python: what the names of files, and in C of functions, begin with (default: surrogate)",
    },
    only: {
      type: "string",
      describe: "onnx: write this one file (default: all)",
      choices: ["encoder", "decoder", "step", "rollout"],
    },
    scaling: {
      type: "boolean",
      describe:
        "onnx: linear abundances and physical units in and out, instead of scaled values; the rollout then decodes",
    },
    "no-conserve": {
      type: "boolean",
      describe:
        "onnx with --scaling: states of the rollout as decoded, without the totals of the elements and the charge of their start",
    },
    steps: {
      type: "number",
      describe: "onnx: steps of the rollout (default: those of the emulator's training window)",
    },
    output: { type: "string", describe: "folder to write to (default: outputs/onnx, outputs/c, outputs/python)" },
    ...overwriteOption,
    threads: {
      type: "number",
      describe: "threads to check with (default: the least of the cores, SLURM_CPUS_PER_TASK and OMP_NUM_THREADS)",
    },
    ...weightsOptions,
  },
  examples: [
    ["astrochem export c --weights outputs/demo/weights/sample --output outputs/c", "source in C and Fortran"],
    ["astrochem export python --weights outputs/demo/weights/sample", "one file on numpy alone"],
  ],
  async run(context) {
    const { args, cwd, signal, whileBlocking } = context;
    if (["c", "fortran", "python"].includes(args.format as string)) {
      await exportSource(context);
      return;
    }
    if (args.format !== "onnx") {
      throw new ConfigError(`unknown format \`${args.format}\``, {
        fix: "astrochem export onnx, export c or export python",
      });
    }
    refuse(args, ["name"], "export onnx");
    const [{ exportOnnx }, { needsEmulator, partKinds }] = await Promise.all([
      import("../export/export-onnx.ts"),
      import("../export/onnx-parts.ts"),
    ]);
    const text = (name: string): string | undefined => args[name] as string | undefined;
    const folder = text("output") ?? "outputs/onnx";
    const kinds = partKinds.filter((each) => (text("only") ?? each) === each);
    const weights = await chosenWeights(context, kinds.some(needsEmulator) ? "emulator" : "autoencoder");
    for (const kind of kinds) {
      const path = resolve(cwd, folder, `${kind}.onnx`);
      const inputs = [weights.autoencoder, weights.emulator];
      await checkDestination({ path, kind: "onnx", inputs, overwrite: args.overwrite === true });
    }
    const summary = await exportOnnx(
      {
        cwd,
        only: text("only") as "encoder" | undefined,
        scaling: args.scaling === true,
        conserve: args["no-conserve"] !== true,
        steps: args.steps as number | undefined,
        threads: args.threads as number | undefined,
        output: folder,
        ...weights,
      },
      { log: (message) => say(context, message), signal, whileBlocking },
    );
    await report(summary, context);
  },
};

/** Source in C and Fortran, or in Python. */
async function exportSource(context: CommandContext): Promise<void> {
  const { args, cwd, stdout, json } = context;
  refuse(args, ["only", "scaling", "no-conserve", "steps"], `export ${args.format}`);
  const isPython = args.format === "python";
  const [{ checkName, exportC, filesOfC }, { exportPython }] = await Promise.all([
    import("../export/c/export-c.ts"),
    import("../export/python/export-python.ts"),
  ]);
  const name = (args.name as string) ?? "surrogate";
  const output = (args.output as string) ?? (isPython ? "outputs/python" : "outputs/c");
  checkName(name);
  const weights = await chosenWeights(context, "emulator");
  const inputs = [weights.autoencoder, weights.emulator];
  for (const file of isPython ? [`${name}.py`] : filesOfC(name)) {
    await checkDestination({
      path: resolve(cwd, output, file),
      kind: "source",
      inputs,
      overwrite: args.overwrite === true,
    });
  }
  const threads = args.threads as number | undefined;
  const summary = await (isPython ? exportPython : exportC)({ cwd, name, output, threads, ...weights }, (text) =>
    say(context, text),
  );
  if (json) {
    stdout.write(`${JSON.stringify(summary)}\n`);
    return;
  }
  const [{ formatTable }, { relative }] = await Promise.all([import("./tables.ts"), import("node:path")]);
  const columns = [
    { title: "file", value: ({ path }: { path: string }) => relative(cwd, path) },
    { title: "bytes", value: ({ bytes }: { bytes: number }) => bytes },
  ];
  stdout.write(formatTable(columns, summary.files));
  const folder = relative(cwd, summary.folder) || ".";
  stdout.write(
    isPython
      ? `\n\`python3 ${folder}/${name}.py\` compares its results\n`
      : `\n\`make check\` in ${folder} compiles them and compares their results\n`,
  );
}

/** @throws ConfigError for options of another format */
function refuse(args: CommandContext["args"], names: readonly string[], command: string): void {
  const found = names.find((each) => args[each] !== undefined);
  if (found)
    throw new ConfigError(`--${found} means nothing to ${command}`, { where: `--${found}`, fix: "leave it out" });
}

type Summary = import("../export/export-onnx.ts").ExportSummary;

async function report(summary: Summary, { stdout, json, cwd }: CommandContext): Promise<void> {
  if (json) {
    stdout.write(`${JSON.stringify(summary)}\n`);
    return;
  }
  const [{ formatTable }, { relative }] = await Promise.all([import("./tables.ts"), import("node:path")]);
  const ports = (all: Summary["files"][number]["inputs"]): string =>
    Object.entries(all)
      .map(([name, shape]) => `${name} [${shape.join(",")}]`)
      .join(", ");
  stdout.write(
    formatTable(
      [
        { title: "file", value: ({ path }) => relative(cwd, path) },
        { title: "in", value: ({ inputs }) => ports(inputs) },
        { title: "out", value: ({ outputs }) => ports(outputs) },
        { title: "bytes", value: ({ bytes }) => bytes },
        { title: "deviation", value: ({ deviation }) => deviation.toExponential(1) },
      ],
      summary.files,
    ),
  );
  const { opset, scaling, batches, tolerance } = summary;
  const note =
    `opset ${opset}, ${scaling ? "scaling inside" : "scaled values in and out"}; deviation from Inference in scaled units, at ` +
    `batches of ${batches.join(", ")}; ${tolerance.toExponential(0)} is allowed`;
  stdout.write(`\n${forTerminal(note, stdout)}\n`);
}
