import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "../../errors.ts";
import { withLock } from "../../formats/lock.ts";
import { buildAddon, installPackage } from "./build.ts";
import { chooseTensorFlow } from "./choose-tensorflow.ts";
import { addonVersion, leftover, type NativeFolder, type NativeKind, otherCommand } from "./paths.ts";
import { missingRequirements, type Problem } from "./requirements.ts";
import { checkInstallation } from "./run-check.ts";
import type { ToolSurroundings } from "./run-tool.ts";
import {
  addonInputs,
  type CheckResult,
  finishedStage,
  finishStage,
  forgetFrom,
  type StageName,
  type TensorFlowResult,
} from "./stages.ts";
import { fetchTensorFlow, wheelOf } from "./wheel.ts";

export interface InstallRequest extends ToolSurroundings {
  readonly folder: NativeFolder;
  /** A `tensorflow` folder, or the one that it is in; absent: the active Python environment's, else pip fetches one. */
  readonly tensorflow?: string | undefined;
  /** Told what is being done. */
  readonly say: (message: string) => void;
}

/** What an installation did. */
export interface InstallReport {
  readonly kind: NativeKind;
  readonly folder: string;
  readonly tensorflow: TensorFlowResult;
  readonly check: CheckResult;
  /** Seconds of each stage that had to be done; empty where everything was there. */
  readonly done: Partial<Readonly<Record<StageName, number>>>;
}

/**
 * Installs a native TensorFlow, or what is missing of it: stages that an earlier call finished are kept.
 * @throws ConfigError with everything that is missing, before anything is downloaded; or naming the log of the tool that failed
 */
export async function installNative(request: InstallRequest): Promise<InstallReport> {
  const { folder } = request;
  prepareFolder(folder);
  return withLock(folder.lock, { holder: otherCommand }, async () => {
    removeLeftovers(folder);
    const tensorflow = await chooseTensorFlow(request);
    const stages = stagesToDo(folder, tensorflow);
    await refuseIfLacking(request, stages);
    return doStages(request, stages, tensorflow);
  });
}

const packageInputs = { tfjsNode: addonVersion };
/** The addon itself does not depend on Node's version, but a new one deserves a new check. */
const checkInputs = { node: process.version };

/** Stages that are not finished, or with other inputs, and those after them. */
function stagesToDo(folder: NativeFolder, tensorflow: TensorFlowResult | null): readonly StageName[] {
  const hasPackage = finishedStage(folder, "package", packageInputs) !== null && existsSync(folder.addon);
  const hasAddon =
    hasPackage && tensorflow !== null && finishedStage(folder, "addon", addonInputs(tensorflow)) !== null;
  const fits = hasAddon && existsSync(join(folder.addon, "lib")) && existsSync(join(folder.addon, "deps", "lib"));
  const isChecked = fits && finishedStage(folder, "check", checkInputs) !== null;
  const lacking: [StageName, boolean][] = [
    ["package", hasPackage],
    ["tensorflow", tensorflow !== null],
    ["addon", fits],
    ["check", isChecked],
  ];
  return lacking.filter(([, isDone]) => !isDone).map(([name]) => name);
}

async function doStages(
  request: InstallRequest,
  stages: readonly StageName[],
  present: TensorFlowResult | null,
): Promise<InstallReport> {
  const { folder, say } = request;
  const done: Partial<Record<StageName, number>> = {};
  const stage = async <T>(name: StageName, message: string, work: () => Promise<T>): Promise<T> => {
    request.signal.throwIfAborted();
    say(message);
    // Its marker, and those of all that builds on it, go before anything is changed.
    forgetFrom(folder, name);
    const start = performance.now();
    const result = await work();
    done[name] = Math.round((performance.now() - start) / 100) / 10;
    return result;
  };

  // The small download first: what is wrong with it shows before the large one.
  if (stages.includes("package")) {
    await stage("package", `fetching tfjs-node ${addonVersion} with npm`, () => installPackage(folder, request));
    finishStage(folder, "package", packageInputs, {});
  }
  const message = `fetching ${wheelOf(folder.kind).requirement} with pip (${downloads[folder.kind]})`;
  const tensorflow = present ?? (await stage("tensorflow", message, () => fetchTensorFlow(folder, request)));
  if (stages.includes("addon")) {
    const { version, folder: libraries } = tensorflow;
    forgetFrom(folder, "addon");
    finishStage(folder, "tensorflow", {}, tensorflow);
    const build = (): Promise<void> => buildAddon(folder, libraries, request);
    await stage("addon", `building the addon against TensorFlow ${version}`, build);
    finishStage(folder, "addon", addonInputs(tensorflow), {});
  }
  let check = stages.includes("check") ? null : finishedStage(folder, "check", checkInputs);
  if (check === null) {
    const run = (): Promise<CheckResult> => checkInstallation(folder, tensorflow.version, request);
    check = await stage("check", "checking it with a product and a gradient", run);
    finishStage(folder, "check", checkInputs, check);
  }
  return { kind: folder.kind, folder: folder.root, tensorflow, check, done };
}

const downloads = { cpu: "0.3 GB", cuda: "3 GB" };

async function refuseIfLacking(request: InstallRequest, stages: readonly StageName[]): Promise<void> {
  if (stages.every((name) => name === "check")) return;
  const { kind, root } = request.folder;
  const problems = await missingRequirements({ kind, root, stages }, request);
  if (problems.length === 0) return;
  const list = problems.map(({ what, fix }: Problem) => `\n  - ${what}\n    ${fix}`).join("");
  throw new ConfigError(`the native backend \`${kind}\` cannot be installed yet:${list}`, {
    fix: `mend that and call \`astrochem backend install ${kind}\` again; nothing was downloaded`,
  });
}

/** @throws ConfigError where it cannot be made, or has something in it that is not ours */
function prepareFolder({ root, stages }: NativeFolder): void {
  const fix = "give another folder with --prefix";
  try {
    if (existsSync(root) && !existsSync(stages) && readdirSync(root).length > 0) {
      throw new ConfigError("the folder holds something else", { where: root, fix });
    }
    mkdirSync(stages, { recursive: true });
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`the folder cannot be made: ${(error as Error).message}`, { where: root, fix, cause: error });
  }
}

/** What an interrupted call left; under the lock nobody else can be at it. */
function removeLeftovers({ root }: NativeFolder): void {
  for (const name of readdirSync(root)) {
    if (leftover.test(name)) rmSync(join(root, name), { recursive: true, force: true });
  }
}
