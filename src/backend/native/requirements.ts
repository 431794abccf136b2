import { accessSync, constants, existsSync, statfsSync } from "node:fs";
import { dirname, join } from "node:path";
import { addonPackage, addonVersion, type NativeKind } from "./paths.ts";
import { runTool, type ToolResult, type ToolSurroundings } from "./run-tool.ts";
import type { StageName } from "./stages.ts";
import { wheelOf, wheelOptions } from "./wheel.ts";

/** Something that an installation needs and that is not there, with what to do. */
export interface Problem {
  readonly what: string;
  readonly fix: string;
}

/** What is to be done, hence what is needed. */
export interface Plan {
  readonly kind: NativeKind;
  /** Where; need not exist yet. */
  readonly root: string;
  /** Stage `tensorflow` is one that fetches it. */
  readonly stages: readonly StageName[];
}

/** Disk space in GB that stays, or is needed on the way, measured and rounded up. CUDA's libraries are most of their figure. */
const gigabytes = { package: 0.5, cpu: 2, cuda: 10 };

/** Everything that is missing, so that all of it can be mended at once. Downloads nothing. */
export async function missingRequirements(plan: Plan, surroundings: ToolSurroundings): Promise<Problem[]> {
  const problems = [systemProblem(), diskProblem(plan)];
  const tools = await toolProblems(plan.stages, surroundings);
  problems.push(...tools);
  // Only tools that are there can say whether they reach anything.
  if (tools.length === 0) {
    if (plan.stages.includes("package")) problems.push(await npmProblem(surroundings));
    if (plan.stages.includes("tensorflow")) problems.push(await pipProblem(plan.kind, surroundings));
  }
  return problems.filter((problem) => problem !== null);
}

function systemProblem(): Problem | null {
  if (process.platform === "linux" && ["x64", "arm64"].includes(process.arch)) return null;
  return {
    what: `a native TensorFlow is supported on Linux only; this is ${process.platform} ${process.arch}`,
    fix: "use the compiled engine, which needs no installation, or Linux (WSL on Windows)",
  };
}

async function toolProblems(stages: readonly StageName[], surroundings: ToolSurroundings): Promise<Problem[]> {
  const [build, fetch] = [stages.includes("addon"), stages.includes("tensorflow")];
  const compiler = surroundings.env.CXX || "g++";
  const cluster = "on a cluster `module load gcc`";
  const wanted: [boolean, string, string[], string, string][] = [
    [build, compiler, ["--version"], `${compiler} (a C++ compiler)`, `install the package g++ or gcc-c++; ${cluster}`],
    [build, "make", ["--version"], "make", "install the package make"],
    [
      build || fetch,
      "python3",
      ["--version"],
      "python3",
      "install the package python3, or activate a Python environment",
    ],
    [
      fetch,
      "python3",
      ["-m", "pip", "--version"],
      "pip (python3 -m pip)",
      "`python3 -m ensurepip --user`, or the package python3-pip",
    ],
    [build || stages.includes("package"), "npm", ["--version"], "npm", "install npm, which comes with Node"],
  ];
  const tried = await Promise.all(
    wanted.map(async ([needed, command, args, what, fix]) => {
      if (!needed) return null;
      const { ok } = await runTool(command, args, { ...surroundings, timeoutSeconds: 60 });
      return ok ? null : { what: `${what} was not found`, fix };
    }),
  );
  return tried.filter((problem) => problem !== null);
}

function diskProblem({ kind, root, stages }: Plan): Problem | null {
  const needed =
    (stages.includes("package") ? gigabytes.package : 0.1) + (stages.includes("tensorflow") ? gigabytes[kind] : 0);
  let folder = root;
  while (!existsSync(folder)) folder = dirname(folder);
  const elsewhere = "give another folder with --prefix";
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    return { what: `${folder} cannot be written to`, fix: elsewhere };
  }
  const { bavail, bsize } = statfsSync(folder);
  const free = (bavail * bsize) / 1e9;
  if (free >= needed) return null;
  return {
    what: `${needed.toFixed(1)} GB of disk space are needed, ${free.toFixed(1)} GB are free in ${folder}`,
    fix: elsewhere,
  };
}

const impatient = { timeoutSeconds: 90 };

async function npmProblem(surroundings: ToolSurroundings): Promise<Problem | null> {
  const args = ["view", `${addonPackage}@${addonVersion}`, "version", "--fetch-retries=1", "--fetch-timeout=20000"];
  const result = await runTool("npm", args, { ...surroundings, ...impatient });
  if (result.ok) return null;
  return {
    what: `npm cannot reach ${addonPackage}: ${lastLine(result, /\b(E[A-Z0-9]{3,}|network|code)\b/)}`,
    fix: "check the network, the proxy (https_proxy) and npm's registry (`npm config get registry`)",
  };
}

async function pipProblem(kind: NativeKind, surroundings: ToolSurroundings): Promise<Problem | null> {
  const name = wheelOf(kind).name;
  const args = ["-m", "pip", "index", "versions", name, ...wheelOptions, "--timeout", "20", "--retries", "1"];
  const result = await runTool("python3", args, { ...surroundings, ...impatient });
  // Old versions of pip have no such command; they may install well.
  if (result.ok || /unknown command/i.test(result.stderr)) return null;
  return {
    what: `pip cannot reach ${name}: ${lastLine(result, /error/i)}`,
    fix: "check the network, the proxy (https_proxy) and pip's index (`pip config list`), or give an existing TensorFlow with --tensorflow DIR",
  };
}

function lastLine({ stderr, ended }: ToolResult, telling: RegExp): string {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "");
  return (lines.findLast((line) => telling.test(line)) ?? lines.at(-1) ?? ended).trim().slice(0, 200);
}

/**
 * The folder whose `include/node` has the headers of the Node that runs, or null: node-gyp then finds or fetches them itself.
 */
export function nodeHeaders(): string | null {
  const prefix = dirname(dirname(process.execPath));
  return existsSync(join(prefix, "include", "node", "node_api.h")) ? prefix : null;
}
