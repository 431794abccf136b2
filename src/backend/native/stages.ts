import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { writeFileAtomic } from "../../formats/atomic-file.ts";
import { addonVersion, type NativeFolder } from "./paths.ts";

/** The stages of an installation in their order: each builds on those before it. */
export const stageNames = ["package", "tensorflow", "addon", "check"] as const;
export type StageName = (typeof stageNames)[number];

/** What a stage left for those after it. */
export interface StageResults {
  readonly package: Record<string, never>;
  readonly tensorflow: TensorFlowResult;
  readonly addon: Record<string, never>;
  readonly check: CheckResult;
}

export interface TensorFlowResult {
  /** The folder `tensorflow` with the libraries in it. */
  readonly folder: string;
  readonly version: string;
  readonly source: "pip" | "existing";
}

/** What the check in a process of its own found. */
export interface CheckResult {
  readonly usesGpu: boolean;
  /** Seconds that loading took. */
  readonly loadSeconds: number;
}

interface Marker<S extends StageName> {
  /** What the stage depended on: another value here makes it out of date. */
  readonly inputs: unknown;
  readonly result: StageResults[S];
}

/** The marker of a finished stage, or null. A damaged one counts as none: the stage is then done again. */
export function readStage<S extends StageName>({ stages }: NativeFolder, stage: S): Marker<S> | null {
  try {
    return JSON.parse(readFileSync(join(stages, `${stage}.json`), "utf8")) as Marker<S>;
  } catch {
    return null;
  }
}

/** The result of a stage that is finished and was done with the same inputs, or null. */
export function finishedStage<S extends StageName>(
  folder: NativeFolder,
  stage: S,
  inputs: unknown,
): StageResults[S] | null {
  const marker = readStage(folder, stage);
  return marker !== null && isDeepStrictEqual(marker.inputs, inputs) ? marker.result : null;
}

/** Notes a stage as finished: the last thing that it does. */
export function finishStage<S extends StageName>(
  folder: NativeFolder,
  stage: S,
  inputs: unknown,
  result: StageResults[S],
): void {
  writeFileAtomic(join(folder.stages, `${stage}.json`), `${JSON.stringify({ inputs, result }, null, 2)}\n`);
}

/** Takes back a stage and all after it: the first thing that doing it again does. */
export function forgetFrom(folder: NativeFolder, stage: StageName): void {
  mkdirSync(folder.stages, { recursive: true });
  for (const later of stageNames.slice(stageNames.indexOf(stage)).reverse()) {
    rmSync(join(folder.stages, `${later}.json`), { force: true });
  }
}

/** A finished installation. */
export interface Installation {
  readonly folder: NativeFolder;
  readonly tensorflow: TensorFlowResult;
  readonly check: CheckResult;
}

/** The installation in that folder, null where none is finished, or why it does not fit (any more). */
export function readInstallation(folder: NativeFolder): Installation | Error | null {
  const [tensorflow, check] = [readStage(folder, "tensorflow"), readStage(folder, "check")];
  if (tensorflow === null || check === null) return null;
  const built = finishedStage(folder, "addon", addonInputs(tensorflow.result));
  if (built === null) return new Error(`it was built for another system, or for tfjs-node other than ${addonVersion}`);
  // A module that is no longer loaded, an environment that was deleted.
  const libraries = join(folder.addon, "deps", "lib", libraryFile);
  if (!existsSync(libraries)) return new Error(`the TensorFlow that it uses, ${tensorflow.result.folder}, is gone`);
  if (!existsSync(join(folder.addon, "lib"))) return new Error("its addon is gone");
  return { folder, tensorflow: tensorflow.result, check: check.result };
}

/** What an addon was built for. Not Node's version: it uses the stable N-API, which every later Node has. */
export function addonInputs({ folder, version }: TensorFlowResult): unknown {
  const resolved = existsSync(folder) ? realpathSync(folder) : folder;
  return { tfjsNode: addonVersion, tensorflow: resolved, version, system: `${process.platform} ${process.arch}` };
}

/** The library with the whole C API, under the name that the addon asks for. */
export const libraryFile = "libtensorflow_cc.so.2";
