import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import type { NativeKind } from "./paths.ts";
import { runTool, type ToolSurroundings } from "./run-tool.ts";
import { libraryFile } from "./stages.ts";

/** A TensorFlow that an addon can be built against. */
export interface FoundTensorFlow {
  /** The folder `tensorflow` with the libraries and `include` in it. */
  readonly folder: string;
  /** "unknown" where the package that it came in says nothing. */
  readonly version: string;
}

/** The version that this was tried with; installed by pip where none is at hand. */
export const triedVersion = "2.21";

/** Everything in the folder that the build and the addon ask for. */
const needed = [libraryFile, "libtensorflow_framework.so.2", join("include", "tensorflow", "c", "c_api.h")];

/**
 * Looks into a folder for a TensorFlow that serves.
 * @param path  a `tensorflow` folder of site-packages, or site-packages itself
 * @returns     why it does not serve, as an error, where it does not
 */
export function inspectTensorFlow(path: string, kind: NativeKind): FoundTensorFlow | Error {
  const candidates = [path, join(path, "tensorflow")].filter((folder) => existsSync(join(folder, "include")));
  if (candidates.length === 0) return new Error(`no TensorFlow is in ${path}`);
  const folder = realpathSync(candidates.find((each) => existsSync(join(each, libraryFile))) ?? candidates[0]!);
  const missing = needed.filter((name) => !existsSync(join(folder, name)));
  if (missing.length > 0) return new Error(`the TensorFlow in ${folder} has no ${missing.join(" and no ")}`);
  if (kind === "cuda" && lacksCuda(folder)) return new Error(`the TensorFlow in ${folder} was built without CUDA`);
  return { folder, version: versionOf(folder) };
}

/** The folder of the TensorFlow that `python3` would import, or null. It is not imported: that takes seconds. */
export async function activeTensorFlow(surroundings: ToolSurroundings): Promise<string | null> {
  const code =
    "import importlib.util as u; s = u.find_spec('tensorflow'); print(s.submodule_search_locations[0] if s else '')";
  const { ok, stdout } = await runTool("python3", ["-c", code], { ...surroundings, timeoutSeconds: 30 });
  const folder = ok ? stdout.trim() : "";
  return folder === "" ? null : folder;
}

/** From the name of the metadata folder beside it: `tensorflow_cpu-2.21.0.dist-info`. */
function versionOf(folder: string): string {
  for (const name of readdirSync(dirname(folder))) {
    const match = /^tensorflow(?:_cpu|_gpu|_base)?-(\d+\.\d+[^-]*)(?:\.dist-info|\.egg-info|-py)/.exec(name);
    if (match) return match[1]!;
  }
  return "unknown";
}

/** A TensorFlow that says nothing of CUDA may have it. */
function lacksCuda(folder: string): boolean {
  const path = join(folder, "python", "platform", "build_info.py");
  return existsSync(path) && readFileSync(path, "utf8").includes("'is_cuda_build', False");
}
