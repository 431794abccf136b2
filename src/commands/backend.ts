import { resolve } from "node:path";
import type { InstallReport } from "../backend/native/install.ts";
import type { BackendState } from "../backend/native/list.ts";
import type { NativeFolder, NativeKind } from "../backend/native/paths.ts";
import { ConfigError, nearest } from "../errors.ts";
import type { Command, CommandContext } from "./command.ts";
import { forTerminal, say } from "./report-lines.ts";

const actions = ["list", "install", "remove"] as const;

/** Shows what can compute here; installs and removes native TensorFlow. */
export const backendCommand: Command = {
  describe:
    "Lists what can compute on this machine, and why not the rest. `install` provides a native TensorFlow for the eager engine, " +
    "on the CPU or on CUDA: it takes the TensorFlow of --tensorflow or of the active Python environment, or fetches one with " +
    "pip, builds tfjs-node's addon against it and checks it. Needs Linux, g++, make, python3 with pip, and npm; what is missing " +
    "is said before anything is downloaded. `install kernels` needs a C compiler alone (cc, or that of CC): inference and evaluation then run " +
    "in C that it compiles for each shape of model (engine=native-c). An interrupted installation goes on where it stopped. Everything is in one folder, " +
    "$XDG_CACHE_HOME/astrochem or ~/.cache/astrochem, or that of --prefix, which runs find by the variable ASTROCHEM_CACHE.",
  positionals: { action: "list (the default), install or remove", kind: "cpu, cuda or kernels" },
  options: {
    prefix: { type: "string", describe: "folder to install to, list and remove from (default: the cache folder)" },
    tensorflow: {
      type: "string",
      describe: "an existing TensorFlow: the folder `tensorflow` in a Python environment's site-packages",
    },
  },
  examples: [
    ["astrochem backend", "what can compute here, and how to get the rest"],
    ["astrochem backend --json", "the same, for a script"],
  ],
  async run(context) {
    const action = word(context.args.action ?? "list", actions, "action");
    if (context.args.tensorflow !== undefined && action !== "install") {
      throw new ConfigError("--tensorflow is for `install`", { fix: "leave it out" });
    }
    const { cacheFolder, nativeFolder, nativeKinds } = await import("../backend/native/paths.ts");
    const prefix = context.args.prefix as string | undefined;
    const cache = cacheFolder(context.env, prefix === undefined ? undefined : resolve(context.cwd, prefix));
    if (action === "list") {
      if (context.args.kind !== undefined)
        throw new ConfigError("`list` shows all kinds", { fix: "astrochem backend" });
      return list(cache, context);
    }
    if (context.args.kind === undefined) {
      throw new ConfigError(`which one is to be ${action === "install" ? "installed" : "removed"}?`, {
        fix: `astrochem backend ${action} cpu, cuda or kernels`,
      });
    }
    const kind = word(context.args.kind, [...nativeKinds, "kernels"] as const, "kind");
    if (kind === "kernels") return kernels(action, cache, context);
    const folder = nativeFolder(cache, kind);
    await (action === "install" ? install(folder, cache, context) : remove(folder, context));
  },
};

function word<T extends string>(given: unknown, known: readonly T[], what: string): T {
  const found = known.find((each) => each === given);
  if (found !== undefined) return found;
  const near = nearest(String(given), known);
  throw new ConfigError(`unknown ${what} \`${given}\``, {
    fix: near === undefined ? `one of ${known.join(", ")}` : `did you mean \`${near}\`?`,
  });
}

async function list(cache: string, { stdout, json }: CommandContext): Promise<void> {
  const [{ listBackends }, { formatTable }] = await Promise.all([
    import("../backend/native/list.ts"),
    import("./tables.ts"),
  ]);
  const rows = await listBackends(cache);
  const automatic = rows.find(({ runs }) => runs)!.name;
  if (json) {
    stdout.write(`${JSON.stringify({ backends: rows, auto: automatic, cache })}\n`);
    return;
  }
  const table = formatTable<BackendState>(
    [
      { title: "backend", value: ({ name }) => name },
      { title: "runs here", value: ({ runs }) => (runs ? "yes" : "no") },
      { title: "asked for with", value: ({ request }) => request },
      { title: "", value: ({ why }) => why },
    ],
    rows,
  );
  const remedies = rows.filter(({ fix }) => fix !== null).map(({ name, fix }) => `  ${name}: ${fix}\n`);
  const missing = remedies.length === 0 ? "" : `\nfor the rest:\n${remedies.join("")}`;
  stdout.write(`${table}\n\ndevice=auto takes ${automatic}\n${forTerminal(missing, stdout)}`);
}

async function install(folder: NativeFolder, cache: string, context: CommandContext): Promise<void> {
  const { args, cwd, env, signal, stdout, json } = context;
  const { installNative } = await import("../backend/native/install.ts");
  const tensorflow = typeof args.tensorflow === "string" ? resolve(cwd, args.tensorflow) : undefined;
  const report = await installNative({ folder, tensorflow, env, signal, say: (line) => say(context, line) });
  const { cacheFolder } = await import("../backend/native/paths.ts");
  const isElsewhere = cacheFolder(env) !== cache;
  const variable = isElsewhere ? { ASTROCHEM_CACHE: cache } : {};
  if (json) stdout.write(`${JSON.stringify({ ...report, environment: variable })}\n`);
  else stdout.write(`${installedText(report)}${isElsewhere ? `runs find it with ASTROCHEM_CACHE=${cache}\n` : ""}`);
}

function installedText({ kind, tensorflow, check, done, folder }: InstallReport): string {
  const times = Object.entries(done).map(([stage, seconds]) => `${stage} ${seconds} s`);
  const origin = tensorflow.source === "pip" ? "fetched with pip" : `that of ${tensorflow.folder}`;
  const request: Record<NativeKind, string> = { cpu: "device=cpu engine=eager", cuda: "device=cuda" };
  const lines = [
    times.length === 0
      ? `it is there and fits: TensorFlow ${tensorflow.version} (${origin}), Node ${process.versions.node}`
      : `TensorFlow ${tensorflow.version} (${origin}) works: a product and a gradient are right (${times.join(", ")})`,
    `in ${folder}; it loads in ${check.loadSeconds.toFixed(1)} s; use it with ${request[kind]}`,
  ];
  if (kind === "cuda" && !check.usesGpu) {
    lines.push("it sees no CUDA device on this machine: device=cuda will be refused here");
  }
  return `${lines.join("\n")}\n`;
}

/** Installs or removes compiled kernels. */
async function kernels(action: "install" | "remove", cache: string, context: CommandContext): Promise<void> {
  const { args, env, signal, stdout, json } = context;
  const [{ installKernels, removeKernels }, { cacheFolder }] = await Promise.all([
    import("../backend/kernels/install.ts"),
    import("../backend/native/paths.ts"),
  ]);
  if (action === "remove") return removed(await removeKernels(cache), context);
  if (args.tensorflow !== undefined)
    throw new ConfigError("kernels need no TensorFlow", { fix: "leave --tensorflow out" });
  const report = await installKernels(cache, { env, signal, say: (line) => say(context, line) });
  const isElsewhere = cacheFolder(env) !== cache;
  if (json) {
    stdout.write(`${JSON.stringify({ ...report, environment: isElsewhere ? { ASTROCHEM_CACHE: cache } : {} })}\n`);
    return;
  }
  const { compiler, seconds, folder } = report;
  const what = seconds === 0 ? "it is there and fits" : `the addon works (${seconds} s)`;
  stdout.write(
    `${what}: ${compiler.version}\nin ${folder}; emulate, evaluate and Inference use it, as engine=native-c; each shape of model is compiled once\n`,
  );
  if (isElsewhere) stdout.write(`runs find it with ASTROCHEM_CACHE=${cache}\n`);
}

async function remove(folder: NativeFolder, context: CommandContext): Promise<void> {
  const { removeNative } = await import("../backend/native/remove.ts");
  removed(await removeNative(folder), context);
}

function removed(
  report: { readonly removed: boolean; readonly folder: string; readonly left: readonly string[] },
  { stdout, json }: CommandContext,
): void {
  if (json) {
    stdout.write(`${JSON.stringify(report)}\n`);
    return;
  }
  const left = report.left.length === 0 ? "" : `; left as not ours: ${report.left.join(", ")}`;
  stdout.write(`${report.removed ? "removed" : "nothing is installed in"} ${report.folder}${left}\n`);
}
