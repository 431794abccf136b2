import { rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { ComputeRequest } from "../backend/compute.ts";
import { hasRole, timestepColumn } from "../chemistry/physical-parameters.ts";
import { checkStepsOf } from "../data/data-facts.ts";
import { detectFile, isFrameFile } from "../data/files/detect-file.ts";
import { expandInputs } from "../data/files/expand-inputs.ts";
import { type Frame, openFrame } from "../data/frame.ts";
import { openHdf5 } from "../data/hdf5.ts";
import { respelt } from "../data/respelt-frame.ts";
import { checkStartState, type StartState } from "../data/start-rows.ts";
import { tracerRuns } from "../data/windows.ts";
import { DataError } from "../errors.ts";
import { readNpy } from "../formats/npy.ts";
import { makeTemporaryFolder } from "../formats/temporary-folder.ts";
import type { Inference } from "./inference.ts";
import { rawFileError } from "./raw-file-errors.ts";

/** What to emulate, with what, and where to. Relative paths start from `cwd`. */
export interface EmulateRequest {
  readonly cwd: string;
  /** A file or a pattern; several are one set of tracers. */
  readonly input?: string | readonly string[] | undefined;
  readonly key?: string | undefined;
  readonly physical?: string | undefined;
  readonly abundances?: string | undefined;
  /** A state of all species for tracers that start at Time 0 without a row there: .npy; undefined: the one in the weights. */
  readonly start?: string | undefined;
  /** Take each row for one step of the surrogate, however far apart rows are. */
  readonly ignoreTimeStep?: boolean | undefined;
  /** Refuse conditions outside the trained ranges. */
  readonly strict?: boolean | undefined;
  /** Every row keeps the totals of its tracer's first row. */
  readonly conserve?: boolean | undefined;
  /** dex: mark the states whose expected error is above, for the solver; needs calibrated weights. */
  readonly fallback?: number | undefined;
  readonly output: string;
  readonly autoencoder: string;
  readonly emulator: string;
  readonly compute: ComputeRequest;
}

/** The effects of an emulation. */
export interface EmulateTools {
  readonly log: (message: string) => void;
  readonly signal: AbortSignal;
  /** Milliseconds. */
  readonly now: () => number;
}

/** Histories of one length, to be emulated in one call. */
export interface HistoryGroup {
  /** Tracer ids, [b]. */
  readonly models: readonly number[];
  /** Rows of each, the first one included. */
  readonly rows: number;
  /** [b, rows], years; NaN where it is not known. */
  readonly times: Float32Array;
  /** [b, rows, physical], physical units: the conditions that lead from each row to the next. */
  readonly physical: Float32Array;
  /** [b, species], linear: the state at the first row. */
  readonly abundances: Float32Array;
}

/** Where histories come from. */
export interface Histories {
  readonly tracers: number;
  /** All rows, the first ones included. */
  readonly rows: number;
  /** Whether all ids are integers, of which none is beyond 2^53. */
  readonly hasIntegerIds: boolean;
  /** Whether `preprocess` has looked at all abundances and told its doubts. */
  readonly isChecked: boolean;
  groups(): AsyncIterable<HistoryGroup> | Iterable<HistoryGroup>;
  close(): void;
}

const metadata = ["Index", "Model", "Time"];

/** Values of a group's output: 64 MB. */
const valuesAtOnce = 2 ** 24;

function historiesAtOnce(rows: number, species: number): number {
  return Math.max(1, Math.floor(valuesAtOnce / (rows * species)));
}

/** Opens what a request names. @throws DataError */
export async function openHistories(
  request: EmulateRequest,
  surrogate: Inference,
  tools: EmulateTools,
): Promise<Histories> {
  if (request.input === undefined) return arrayHistories(request, surrogate);
  const paths = expandInputs(request.input, (name) => resolve(request.cwd, name));
  const path = paths[0]!;
  const isFrame = isFrameFile(await detectFile(path));
  const key = request.key ?? (isFrame ? await onlyKey(path) : "");
  if (paths.length > 1 || !isFrame) return rawHistories({ paths, key, request }, surrogate, tools);
  const frame = await openFrame(path, key);
  if (!isClean(frame)) {
    frame.close();
    return rawHistories({ paths, key, request }, surrogate, tools);
  }
  return checkedHistories(respelt(frame, surrogate.species, tools.log), request, surrogate);
}

/** @throws DataError where rows are not one step of the surrogate apart; the frame is closed then */
async function checkedHistories(
  frame: Frame,
  { ignoreTimeStep, input }: EmulateRequest,
  surrogate: Inference,
  remove?: () => void,
): Promise<Histories> {
  try {
    const { timeStepYears } = surrogate;
    if (!ignoreTimeStep && timeStepYears !== null) await checkStepsOf(frame, metadata, timeStepYears, inputText(input));
    return new FrameHistories([frame], surrogate, remove);
  } catch (error) {
    frame.close();
    throw error;
  }
}

/** What was given, in an error. */
export function inputText(input: EmulateRequest["input"]): string | undefined {
  return typeof input === "object" ? input.join(", ") : input;
}

async function onlyKey(path: string): Promise<string> {
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

/** A clean file carries the row numbers that `preprocess` gave. */
function isClean(frame: Frame): boolean {
  return frame.columns.includes("Index") && frame.columns.includes("Model");
}

/** A raw file is preprocessed first, into a temporary folder: renamed, sorted, with start rows and shifted conditions. */
async function rawHistories(
  { paths, key, request }: { paths: readonly string[]; key: string; request: EmulateRequest },
  surrogate: Inference,
  tools: EmulateTools,
): Promise<Histories> {
  const { frame, remove } = await openRaw(
    { paths, key, startState: startStateOf(request, surrogate), isStartGiven: request.start !== undefined },
    surrogate,
    tools,
  );
  return await checkedHistories(frame, request, surrogate, remove).catch((error: unknown) => {
    remove();
    throw rawFileError(error, namesOf(paths), dirname(frame.path));
  });
}

const namesOf = (paths: readonly string[]): string => (paths.length === 1 ? paths[0]! : `'[${paths.join(",")}]'`);

/** Raw files as a surrogate reads them. */
export interface RawInput {
  readonly paths: readonly string[];
  readonly key: string;
  /** Of tracers that start at Time 0 without a row there; null: none is known. */
  readonly startState: StartState | null;
  readonly isStartGiven: boolean;
}

/** Preprocesses raw files into a temporary folder. @returns a frame of all tracers, and what removes the folder */
export async function openRaw(
  { paths, key, startState, isStartGiven }: RawInput,
  surrogate: Inference,
  { log, signal }: Pick<EmulateTools, "log" | "signal">,
): Promise<{ readonly frame: Frame; readonly remove: () => void }> {
  const { preprocessDataset } = await import("../data/preprocess.ts");
  const folder = makeTemporaryFolder("emulate");
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const clean = join(folder, "clean.h5");
    await preprocessDataset(
      {
        inputPath: paths[0]!,
        moreInputs: paths.slice(1),
        inputKey: key,
        outputPath: clean,
        metadata,
        phys: surrogate.physicalParameters.map(({ name }) => name),
        species: [...surrogate.species],
        columnsToDrop: [],
        ...surrogate.rawColumns,
        isKindred: true,
        startState,
        start: isStartGiven ? "configured" : "auto",
        unevenSteps: "unchecked",
        clipping: surrogate.abundancesClipping,
        trainSplit: 1,
        seed: 0,
        minRadfield: surrogate.physicalParameters.find(({ name }) => hasRole(name, "radfield"))?.range[0] ?? 0,
      },
      log,
      () => signal.throwIfAborted(),
    );
    // Every tracer is in /train; /val is empty.
    return { frame: await openFrame(clean, "train"), remove };
  } catch (error) {
    remove();
    throw rawFileError(error, namesOf(paths), folder);
  }
}

/** A raw file whose tracers are to be emulated from their own starts, or from the training's where they have none. */
export async function openRawFile(
  path: string,
  surrogate: Inference,
  tools: Pick<EmulateTools, "log" | "signal">,
): Promise<{ readonly frame: Frame; readonly remove: () => void }> {
  const key = isFrameFile(await detectFile(path)) ? await onlyKey(path) : "";
  return openRaw({ paths: [path], key, startState: trainedStart(surrogate), isStartGiven: false }, surrogate, tools);
}

/** The state at Time 0 of tracers whose file has none; null where nothing tells it. @throws ConfigError for one of other species */
function startStateOf({ start, cwd }: EmulateRequest, surrogate: Inference): StartState | null {
  if (start !== undefined) {
    const { data } = readNpy(resolve(cwd, start));
    const state = { abundances: Float64Array.from<number | bigint>(data, Number), name: start };
    checkStartState(state, surrogate.species);
    return state;
  }
  return trainedStart(surrogate);
}

function trainedStart({ startState }: Inference): StartState | null {
  if (startState?.abundances == null) return null;
  return { abundances: startState.abundances, name: "the start state of the training, as the weights hold it" };
}

interface Run {
  readonly frame: Frame;
  readonly model: number;
  readonly start: number;
  readonly rows: number;
}

/** The tracers of clean frames in the order of their ids, those of one length next to each other together. */
class FrameHistories implements Histories {
  readonly tracers: number;
  readonly rows: number;
  readonly hasIntegerIds: boolean;
  readonly isChecked: boolean;
  readonly #runs: readonly Run[];
  readonly #frames: readonly Frame[];
  readonly #surrogate: Inference;
  readonly #remove: () => void;

  /** @param remove where the frames are temporary, made by `preprocess` */
  constructor(frames: readonly Frame[], surrogate: Inference, remove?: () => void) {
    [this.#frames, this.#surrogate, this.#remove] = [frames, surrogate, remove ?? (() => {})];
    this.isChecked = remove !== undefined;
    this.#runs = frames.flatMap(runsOf).sort((a, b) => a.model - b.model);
    this.tracers = this.#runs.length;
    this.hasIntegerIds = this.#runs.every(({ model }) => Number.isSafeInteger(model));
    this.rows = this.#runs.reduce((sum, { rows }) => sum + rows, 0);
  }

  *groups(): Generator<HistoryGroup> {
    const width = this.#surrogate.species.length;
    for (let from = 0; from < this.#runs.length; ) {
      const { rows } = this.#runs[from]!;
      const most = historiesAtOnce(rows, width);
      let to = from + 1;
      while (to < this.#runs.length && to - from < most && this.#runs[to]!.rows === rows) to += 1;
      yield this.#group(this.#runs.slice(from, to), rows);
      from = to;
    }
  }

  close(): void {
    for (const frame of this.#frames) frame.close();
    this.#remove();
  }

  #group(runs: readonly Run[], rows: number): HistoryGroup {
    const { species, physicalParameters } = this.#surrogate;
    const names = physicalParameters.map(({ name }) => name);
    const group = {
      models: runs.map(({ model }) => model),
      rows,
      times: new Float32Array(runs.length * rows),
      physical: new Float32Array(runs.length * rows * names.length),
      abundances: new Float32Array(runs.length * species.length),
    };
    for (const [b, { frame, start }] of runs.entries()) {
      const part = (target: Float32Array): Float32Array =>
        target.subarray((b * target.length) / runs.length, ((b + 1) * target.length) / runs.length);
      frame.read(start, rows, ["Time"], part(group.times));
      frame.read(start, rows, names, part(group.physical));
      frame.read(start, 1, species, part(group.abundances));
    }
    return group;
  }
}

function runsOf(frame: Frame): Run[] {
  const { values, codes } = frame.labels("Model");
  return tracerRuns(codes).map(({ start, rows }) => {
    const id = values[codes[start]!]!;
    return { frame, start, rows, model: typeof id === "number" ? id : codes[start]! };
  });
}

/** Histories from arrays; a single start serves all of them. */
function arrayHistories({ cwd, physical, abundances }: EmulateRequest, surrogate: Inference): Histories {
  const [conditions, starts] = [readNpy(resolve(cwd, physical!)), readNpy(resolve(cwd, abundances!))];
  const [parameters, species] = [surrogate.physicalParameters.length, surrogate.species.length];
  const [batch, steps, width] = conditions.shape;
  if (conditions.shape.length !== 3 || width !== parameters || !batch || !steps) {
    throw new DataError(`--physical has shape [${conditions.shape}], not [b, t, ${parameters}]`, {
      where: physical,
      fix: `the parameters are ${surrogate.physicalParameters.map(({ name }) => name).join(", ")}`,
    });
  }
  const [given, wide] = starts.shape;
  if (starts.shape.length !== 2 || wide !== species || (given !== batch && given !== 1)) {
    throw new DataError(`--abundances has shape [${starts.shape}], not [${batch}, ${species}] or [1, ${species}]`, {
      where: abundances,
      fix: "one start for each history, or one for all, in the order of the species",
    });
  }
  const rows = steps + 1;
  const one = Float32Array.from<number | bigint>(starts.data, Number);
  const times = arrayTimes(conditions.data, batch, steps, surrogate);
  function* groups(): Generator<HistoryGroup> {
    const most = historiesAtOnce(rows, species);
    for (let from = 0; from < batch!; from += most) {
      const count = Math.min(most, batch! - from);
      const part = conditions.data.subarray(from * steps! * parameters, (from + count) * steps! * parameters);
      yield {
        models: Array.from({ length: count }, (_, b) => from + b),
        rows,
        times: times.subarray(from * rows, (from + count) * rows),
        physical: withLastHeld(Float32Array.from<number | bigint>(part, Number), count, steps!, parameters),
        abundances:
          given === batch
            ? one.subarray(from * species, (from + count) * species)
            : Float32Array.from({ length: count * species }, (_, i) => one[i % species]!),
      };
    }
  }
  return { tracers: batch, rows: batch * rows, hasIntegerIds: true, isChecked: false, groups, close: () => {} };
}

/** Years since the start, [b, t + 1], by the surrogate's step or the steps that are given; NaN where neither is known. */
function arrayTimes(
  conditions: ArrayLike<number | bigint>,
  batch: number,
  steps: number,
  { physicalParameters, timeStepYears }: Inference,
): Float32Array {
  const [width, column] = [
    physicalParameters.length,
    physicalParameters.findIndex(({ name }) => name === timestepColumn),
  ];
  const times = new Float32Array(batch * (steps + 1));
  for (let b = 0; b < batch; b++) {
    let time = 0;
    for (let t = 1; t <= steps; t++) {
      const step =
        column < 0 ? (timeStepYears ?? Number.NaN) : Number(conditions[(b * steps + t - 1) * width + column]);
      time = column < 0 ? t * step : time + step;
      times[b * (steps + 1) + t] = time;
    }
  }
  return times;
}

/** [b, t, physical] → [b, t + 1, physical]: the last state has no conditions of its own, and shows those that led to it. */
function withLastHeld(physical: Float32Array, batch: number, steps: number, parameters: number): Float32Array {
  const out = new Float32Array(batch * (steps + 1) * parameters);
  for (let b = 0; b < batch; b++) {
    const given = physical.subarray(b * steps * parameters, (b + 1) * steps * parameters);
    out.set(given, b * (steps + 1) * parameters);
    out.set(given.subarray(-parameters), (b * (steps + 1) + steps) * parameters);
  }
  return out;
}
