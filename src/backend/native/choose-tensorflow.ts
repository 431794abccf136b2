import { join } from "node:path";
import { ConfigError } from "../../errors.ts";
import { activeTensorFlow, type FoundTensorFlow, inspectTensorFlow, triedVersion } from "./locate.ts";
import type { NativeFolder } from "./paths.ts";
import type { ToolSurroundings } from "./run-tool.ts";
import { readStage, type TensorFlowResult } from "./stages.ts";

interface Request extends ToolSurroundings {
  readonly folder: NativeFolder;
  readonly tensorflow?: string | undefined;
  readonly say: (message: string) => void;
}

/**
 * The TensorFlow that is to be used: the one asked for, else that of an earlier call, else the active Python environment's.
 * @returns null where one has to be fetched
 * @throws ConfigError where the one asked for does not serve
 */
export async function chooseTensorFlow(request: Request): Promise<TensorFlowResult | null> {
  const { folder, say, tensorflow: asked } = request;
  if (asked !== undefined) {
    const found = inspectTensorFlow(asked, folder.kind);
    if (!(found instanceof Error)) return existing(found, say);
    throw new ConfigError(found.message, {
      where: "--tensorflow",
      fix: "give the folder `tensorflow` of a Python environment's site-packages, or leave the flag out to have one fetched",
    });
  }
  const before = readStage(folder, "tensorflow")?.result;
  const still = before && inspectTensorFlow(before.folder, folder.kind);
  // Its version is read again: an environment may have been upgraded in place.
  if (still && !(still instanceof Error)) return { ...before, version: still.version };
  const fetched = fetchedBefore(folder);
  if (fetched) return fetched;
  const active = await activeTensorFlow(request);
  if (active === null) return null;
  const found = inspectTensorFlow(active, folder.kind);
  if (!(found instanceof Error)) return existing(found, say);
  say(`passing over the active Python environment's: ${found.message}`);
  return null;
}

function existing({ folder, version }: FoundTensorFlow, say: (message: string) => void): TensorFlowResult {
  if (!version.startsWith(`${triedVersion}.`)) {
    say(`note: TensorFlow ${version} is used; ${triedVersion} is the version that this was tried with`);
  }
  return { folder, version, source: "existing" };
}

/** The one that a call fetched whole before it was interrupted: it got its name only then. */
function fetchedBefore({ python, kind }: NativeFolder): TensorFlowResult | null {
  const found = inspectTensorFlow(python, kind);
  if (found instanceof Error || !found.version.startsWith(`${triedVersion}.`)) return null;
  return { folder: join(python, "tensorflow"), version: found.version, source: "pip" };
}
