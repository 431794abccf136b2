import { rmSync } from "node:fs";
import { join } from "node:path";
import { hasRole } from "../chemistry/physical-parameters.ts";
import { type Frame, openFrame } from "../data/frame.ts";
import { openHdf5 } from "../data/hdf5.ts";
import type { StartState } from "../data/start-rows.ts";
import { DataError } from "../errors.ts";
import { makeTemporaryFolder } from "../formats/temporary-folder.ts";
import type { Inference } from "./inference.ts";
import { rawFileError } from "./raw-file-errors.ts";

/** Raw files that a surrogate is to be tried on. */
export interface RawFiles {
  readonly paths: readonly string[];
  /** Of pandas frames; undefined: the only one there is. */
  readonly key?: string | undefined;
  /** The state at Time 0 of all tracers that have no row there; undefined: the training's, of those that it fits. */
  readonly start?: StartState | undefined;
  /** Conditions and the least radiation field, for a surrogate that knows none. */
  readonly conditions?: { readonly phys: readonly string[]; readonly minRadfield: number };
}

/** A clean frame in a temporary folder. */
export interface CleanedRaw {
  readonly frame: Frame;
  /** Removes the folder; the frame is closed before. */
  remove(): void;
}

/**
 * Preprocesses raw files as the dataset of the surrogate's training was: renamed, sorted, with start rows and shifted conditions. Steps
 * are the caller's to check.
 * @param command what wants it: `emulate`
 * @throws DataError
 */
export async function cleanRaw(
  { paths, key, start, conditions }: RawFiles,
  surrogate: Inference,
  command: string,
  { log, signal }: { readonly log: (message: string) => void; readonly signal?: AbortSignal },
): Promise<CleanedRaw> {
  const { preprocessDataset } = await import("../data/preprocess.ts");
  const folder = makeTemporaryFolder(command);
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  const parameters = surrogate.physicalParameters;
  const known = parameters.length > 0 ? undefined : conditions;
  try {
    const clean = join(folder, "clean.h5");
    await preprocessDataset(
      {
        inputPath: paths[0]!,
        moreInputs: paths.slice(1),
        inputKey: key ?? (await onlyKey(paths[0]!)),
        outputPath: clean,
        metadata: ["Index", "Model", "Time"],
        phys: known?.phys ?? parameters.map(({ name }) => name),
        species: [...surrogate.species],
        columnsToDrop: [],
        ...surrogate.rawColumns,
        isKindred: true,
        startState: start ?? trainedStart(surrogate),
        start: start === undefined ? "auto" : "configured",
        unevenSteps: "unchecked",
        clipping: surrogate.abundancesClipping,
        // All tracers are of one split.
        trainSplit: 0,
        testSplit: 1,
        seed: 0,
        minRadfield: known?.minRadfield ?? parameters.find(({ name }) => hasRole(name, "radfield"))?.range[0] ?? 0,
      },
      log,
      () => signal?.throwIfAborted(),
    );
    return { frame: await openFrame(clean, "test"), remove };
  } catch (error) {
    remove();
    throw rawFileError(error, paths.length === 1 ? paths[0]! : `'[${paths.join(",")}]'`, folder, command);
  }
}

/** The key to read of a file: a split of a clean one, or the only frame; empty where it is no HDF5 of frames. @throws DataError */
export async function onlyKey(path: string): Promise<string> {
  const { detectFile, isFrameFile } = await import("../data/files/detect-file.ts");
  if (!isFrameFile(await detectFile(path))) return "";
  const file = await openHdf5(path);
  try {
    const keys = file.keys();
    for (const split of ["val", "test"]) if (keys.includes(split)) return split;
    if (keys.length === 1) return keys[0]!;
    throw new DataError(`the file holds ${keys.length} frames: ${keys.join(", ")}`, {
      where: path,
      fix: "choose one with --key",
    });
  } finally {
    file.close();
  }
}

/** The state at Time 0 of tracers whose file has none; null where nothing tells it. */
function trainedStart({ startState }: Inference): StartState | null {
  if (startState?.abundances == null) return null;
  return { abundances: startState.abundances, name: "the start state of the training, as the weights hold it" };
}
