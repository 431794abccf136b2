import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "../../errors.ts";
import { inspectTensorFlow, triedVersion } from "./locate.ts";
import type { NativeFolder, NativeKind } from "./paths.ts";
import { runTool, type ToolSurroundings } from "./run-tool.ts";
import type { TensorFlowResult } from "./stages.ts";

/** The package that pip installs. For the CPU its own dependencies are Python's alone; for CUDA they are the libraries. */
export function wheelOf(kind: NativeKind): { name: string; requirement: string; options: readonly string[] } {
  const version = `==${triedVersion}.*`;
  return kind === "cpu"
    ? { name: "tensorflow-cpu", requirement: `tensorflow-cpu${version}`, options: ["--no-deps"] }
    : { name: "tensorflow", requirement: `tensorflow[and-cuda]${version}`, options: [] };
}

/** Nothing of it runs in Python: the wheels for one version of Python serve whichever is at hand. */
export const wheelOptions = ["--python-version", "3.12", "--only-binary", ":all:"] as const;

/**
 * Fetches TensorFlow with pip. What was downloaded whole stays in pip's cache: after an interruption it is only unpacked again.
 * @throws ConfigError naming the log
 */
export async function fetchTensorFlow(
  { kind, python, log, root }: NativeFolder,
  surroundings: ToolSurroundings,
): Promise<TensorFlowResult> {
  const { requirement, options } = wheelOf(kind);
  const [part, temporary] = [`${python}.${process.pid}.part`, join(root, `tmp.${process.pid}.part`)];
  mkdirSync(temporary, { recursive: true });
  const args = ["-m", "pip", "install", ...options, ...wheelOptions, "--target", part, "--no-compile"];
  const quiet = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--no-warn-conflicts"];
  // pip unpacks in the temporary folder first: it shall be on the disk whose space was checked.
  const env = { ...surroundings.env, TMPDIR: temporary };
  try {
    const result = await runTool("python3", [...args, ...quiet, requirement], { ...surroundings, env, log });
    if (!result.ok) {
      throw new ConfigError(`pip could not install ${requirement}: ${result.ended}`, {
        where: log,
        fix: "see the end of that file; or give an existing TensorFlow with --tensorflow DIR",
      });
    }
    const found = inspectTensorFlow(part, kind);
    if (found instanceof Error) throw new ConfigError(`${requirement} is not as expected: ${found.message}`);
    if (existsSync(python)) rmSync(python, { recursive: true });
    renameSync(part, python);
    return { folder: join(python, "tensorflow"), version: found.version, source: "pip" };
  } finally {
    rmSync(part, { recursive: true, force: true });
    rmSync(temporary, { recursive: true, force: true });
  }
}
