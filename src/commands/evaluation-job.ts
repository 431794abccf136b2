import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import type { EvaluationRequest } from "../analysis/evaluation-setup.ts";
import type { FileReference } from "../analysis/evaluation-types.ts";
import type { EvaluationSamples, TrainingEpoch } from "../analysis/sample-types.ts";
import { resolveIn } from "../config/paths.ts";
import type { ConfigOf } from "../config/schemas.ts";
import { type CleanColumns, type CleanSplit, openCleanData, openCleanSplit } from "../data/clean-data.ts";
import { checkStepsOf } from "../data/data-facts.ts";
import { detectFile, isFrameFile } from "../data/files/detect-file.ts";
import { openHdf5 } from "../data/hdf5.ts";
import { ConfigError, DataError, nearest } from "../errors.ts";
import { Inference } from "../inference/inference.ts";
import { describeUnknown } from "../inference/training-facts.ts";
import { epochLogPath, epochRecord } from "../training/epoch-log.ts";
import { packageVersion } from "../version.ts";
import type { Checks } from "./check-options.ts";

/** An evaluation that is ready to run. */
export interface OpenedEvaluation {
  readonly request: EvaluationRequest;
  /** The epoch logs beside the weights. */
  readonly training: EvaluationSamples["training"];
  close(): Promise<void>;
}

/**
 * Loads the weights and opens the dataset that a configuration names.
 * @param log  told what is doubtful: "warning: …"
 * @throws CheckpointError, DataError, ConfigError
 */
export async function openEvaluation(
  config: ConfigOf<"config_evaluate">,
  { ignoreTimeStep, strict }: Checks = { ignoreTimeStep: false, strict: false },
  log: (message: string) => void = () => {},
): Promise<OpenedEvaluation> {
  const path = (name: string): string => resolveIn(config.working_path, name);
  const [autoencoder, emulator] = [path(config.autoencoder), config.emulator === null ? null : path(config.emulator)];
  const { device, engine, threads, dataset } = config;
  const surrogate = await Inference.load({
    autoencoder,
    emulator: emulator ?? undefined,
    device,
    engine,
    threads,
    // The evaluation itself looks at its conditions, which have tracers and rows.
    onWarning: (message, kind) => (kind === "compute" || kind === "conservation") && log(`warning: ${message}`),
  });
  if (surrogate.unknownFacts.length > 0) log(describeUnknown(surrogate));
  try {
    checkSpecies(config.species, surrogate.species);
    const phys = surrogate.windowSize === null ? dataset.phys : surrogate.physicalParameters.map(({ name }) => name);
    const columns = { metadata: ["Model", "Time"], phys, species: surrogate.species };
    const clean = await openCleanData(path(dataset.dataset_path), columns, log);
    const test = await openTest(config, columns, surrogate, log).catch((error: unknown) => {
      clean.close();
      throw error;
    });
    if (!ignoreTimeStep && surrogate.timeStepYears !== null) {
      try {
        // The baselines are made of training tracers, step by step.
        for (const frame of [test?.frame ?? clean.val, clean.train])
          await checkStepsOf(frame, ["Index", "Model", "Time"], surrogate.timeStepYears);
      } catch (error) {
        clean.close();
        test?.frame.close();
        test?.remove();
        throw error;
      }
    }
    return {
      request: {
        surrogate,
        clean,
        test,
        physical: dataset.phys,
        physicalRanges: dataset.physical_parameter_ranges,
        chosen: config.species,
        maxTracers: config.max_tracers,
        maxRows: config.max_rows,
        maxWindows: config.max_windows,
        seed: config.seed,
        conserve: config.conserve,
        strict,
        files: { autoencoder: reference(autoencoder), emulator: emulator === null ? null : reference(emulator) },
        version: packageVersion,
      },
      training: { autoencoder: epochLog(autoencoder), emulator: emulator === null ? null : epochLog(emulator) },
      async close() {
        clean.close();
        test?.frame.close();
        test?.remove();
        await surrogate.dispose();
      },
    };
  } catch (error) {
    await surrogate.dispose();
    throw error;
  }
}

/** The test tracers that are to be scored, of a clean file or of a raw one, which is preprocessed first; null where the validation tracers are. */
async function openTest(
  config: ConfigOf<"config_evaluate">,
  columns: CleanColumns,
  surrogate: Inference,
  log: (message: string) => void,
): Promise<(CleanSplit & { remove: () => void }) | null> {
  const { split, test_path, dataset, working_path } = config;
  if (split === "val") {
    if (test_path === null) return null;
    throw new ConfigError("test_path is given, but the validation tracers of the dataset are to be scored", {
      where: "test_path",
      fix: "add split=test, or leave test_path out",
    });
  }
  const file = resolveIn(working_path, test_path ?? dataset.dataset_path);
  if (!existsSync(file)) {
    const fix = "make it: astrochem preprocess train_split=0 test_split=1 input_path=… output_path=…";
    throw new DataError(`there is no file ${file}`, {
      where: test_path === null ? "dataset.dataset_path" : "test_path",
      fix,
    });
  }
  const keys = isFrameFile(await detectFile(file)) ? await keysOf(file) : [];
  if (keys.includes("test")) return { ...(await openCleanSplit(file, "test", columns)), remove: () => {} };
  if (test_path === null || keys.includes("train") || surrogate.windowSize === null) {
    throw new DataError(
      `the file has no test tracers: it has ${keys.map((key) => `/${key}`).join(", ") || "nothing"}`,
      {
        where: file,
        fix: "preprocess again with test_split=0.1, or give test_path: a raw file, or a file made with train_split=0 test_split=1",
      },
    );
  }
  const { openRawFile } = await import("../inference/histories.ts");
  const { frame, remove } = await openRawFile(file, surrogate, { log, signal: new AbortController().signal });
  return { path: file, frame, hash: frame.attribute("astrochem_hash")!, remove };
}

async function keysOf(path: string): Promise<readonly string[]> {
  const file = await openHdf5(path);
  try {
    return file.keys();
  } finally {
    file.close();
  }
}

function checkSpecies(chosen: readonly string[], known: readonly string[]): void {
  const missing = chosen.filter((name) => !known.includes(name));
  if (missing.length === 0) return;
  const near = nearest(missing[0]!, known);
  throw new ConfigError(`the weights know no species ${missing.join(", ")}`, {
    where: "species",
    fix: near === undefined ? "species=[] shows none in particular" : `did you mean ${near}?`,
  });
}

function reference(path: string): FileReference {
  return { path, hash: createHash("sha256").update(readFileSync(path)).digest("hex") };
}

/** The training log beside weights; null where there is none, or it is no list of epochs. @throws DataError for a newer version */
function epochLog(weights: string): TrainingEpoch[] | null {
  const path = epochLogPath(weights);
  if (!existsSync(path)) return null;
  let records: unknown;
  try {
    records = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    // A log is for curves only: a damaged one is none.
    return null;
  }
  return Array.isArray(records) ? records.map((record) => epochRecord(record, path)) : null;
}
