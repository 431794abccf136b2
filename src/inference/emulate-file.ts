import { resolve } from "node:path";
import { AbundanceUnits } from "../chemistry/abundance-units.ts";
import { FrameWriter } from "../data/frame.ts";
import { createHdf5 } from "../data/hdf5.ts";
import { raiseRounding, roundingText } from "../data/value-checks.ts";
import { ConfigError } from "../errors.ts";
import { beginFile } from "../formats/atomic-file.ts";
import type { Expected } from "../models/trust.ts";
import {
  type EmulateRequest,
  type EmulateTools,
  type Histories,
  type HistoryGroup,
  inputText,
  openHistories,
} from "./histories.ts";
import { Inference } from "./inference.ts";
import { describeUnknown, trainedRanges } from "./training-facts.ts";
import { uncalibrated } from "./trust.ts";

/** What an emulation did. */
export interface EmulateSummary {
  readonly output: string;
  readonly tracers: number;
  /** Emulated rows, the given first ones not counted. */
  readonly rows: number;
  /** Of computing alone. */
  readonly seconds: number;
  /** With a fallback: the emulated states whose expected error is above the threshold, and the tracers that have any. */
  readonly solver?: { readonly threshold_dex: number; readonly states: number; readonly tracers: number };
}

/** The column of the expected error, and those of the flags and of the states that belong to the solver. */
const [errorColumn, flagsColumn, solverColumn] = ["expected_error_dex", "trust_flags", "solver"];

/**
 * Emulates every history of a file or of arrays and writes the result as a frame `emulated`: per tracer the given first row and
 * the emulated ones, with the columns of a clean file. The file appears whole or not at all.
 * @throws ConfigError, DataError, CheckpointError
 */
export async function emulateFile(request: EmulateRequest, tools: EmulateTools): Promise<EmulateSummary> {
  const path = (name: string): string => resolve(request.cwd, name);
  checkSource(request);
  const { compute } = request;
  const surrogate = await Inference.load({
    ...compute,
    autoencoder: path(request.autoencoder),
    emulator: path(request.emulator),
    // Here tracers and rows have names, so that input is checked and told below.
    onWarning: (message, kind) => (kind === "compute" || kind === "conservation") && tools.log(`warning: ${message}`),
  });
  try {
    if (surrogate.trustLevel === null) {
      if (request.fallback !== undefined) throw uncalibrated();
      tools.log("these weights are not calibrated: no column says how far to believe a row (astrochem calibrate)");
    }
    if (surrogate.unknownFacts.length > 0) tools.log(describeUnknown(surrogate));
    tools.log(`${surrogate.compute.engine} engine on ${surrogate.compute.device}: ${surrogate.compute.reason}`);
    const histories = await openHistories(request, surrogate, tools);
    try {
      await checkConditions(histories, surrogate, request, tools);
      return await emulateAll(histories, surrogate, { ...request, output: path(request.output) }, tools);
    } finally {
      histories.close();
    }
  } finally {
    await surrogate.dispose();
  }
}

/** @throws ConfigError where nothing is given to emulate, or too much */
export function checkSource({
  input,
  physical,
  abundances,
  key,
}: Pick<EmulateRequest, "input" | "physical" | "abundances" | "key">): void {
  const hasArrays = physical !== undefined || abundances !== undefined;
  if (input !== undefined && hasArrays) {
    throw new ConfigError("both a file and arrays were given", { fix: "give a file, or --physical and --abundances" });
  }
  if (input === undefined && (physical === undefined || abundances === undefined)) {
    throw new ConfigError(hasArrays ? "--physical and --abundances go together" : "nothing to emulate was given", {
      fix: "astrochem emulate FILE, or astrochem emulate --physical P.npy --abundances A.npy",
    });
  }
  if (input === undefined && key !== undefined)
    throw new ConfigError("--key is for HDF5 files", { fix: "leave it out" });
}

async function emulateAll(
  histories: Histories,
  surrogate: Inference,
  request: EmulateRequest,
  tools: EmulateTools,
): Promise<EmulateSummary> {
  const names = surrogate.physicalParameters.map(({ name }) => name);
  const isTrusted = surrogate.trustLevel !== null;
  const floats = ["Time", ...names, ...surrogate.species, ...(isTrusted ? [errorColumn!] : [])];
  const marks = [...(isTrusted ? [flagsColumn!] : []), ...(request.fallback === undefined ? [] : [solverColumn!])];
  const { lower } = surrogate.abundancesClipping;
  const units = new AbundanceUnits(surrogate.species);
  const pending = beginFile(request.output);
  try {
    const file = await createHdf5(pending.temporaryPath);
    let [seconds, index, raised, solver] = [0, 0, 0, { states: 0, tracers: 0 }];
    const models: number[] = [];
    try {
      const order = ["Index", "Model", ...floats, ...marks];
      const columns = histories.hasIntegerIds
        ? { float32: floats, int64: ["Index", "Model", ...marks], order }
        : { float32: floats, int64: ["Index", ...marks], float64: ["Model"], order };
      const writer = new FrameWriter(file, "emulated", columns, histories.rows);
      for await (const group of histories.groups()) {
        tools.signal.throwIfAborted();
        units.add(group.abundances, {
          rows: group.models.length,
          width: surrogate.species.length,
          firstRow: models.length,
        });
        raised += raiseRounding(group.abundances, lower);
        const started = tools.now();
        const emulated = await emulateGroup(surrogate, group, { ...request, trust: isTrusted });
        seconds += (tools.now() - started) / 1000;
        const rows = group.models.length * group.rows;
        const { integers, states, tracers } = integerRows(group, emulated, histories.hasIntegerIds, request, index);
        solver = { states: solver.states + states, tracers: solver.tracers + tracers };
        const ids = histories.hasIntegerIds ? [] : [idRows(group)];
        writer.append(frameRows(group, emulated, names.length), integers, rows, ...ids);
        index += rows;
        for (const model of group.models) models.push(model);
      }
      writer.finish();
    } finally {
      file.close();
    }
    pending.commit();
    if (raised > 0) tools.log(roundingText(raised, lower));
    const doubt = histories.isChecked ? null : units.doubt((start) => `the first row of tracer ${models[start]}`);
    if (doubt !== null) tools.log(`warning: ${doubt}`);
    return {
      ...{ output: request.output, tracers: models.length, rows: index - models.length, seconds },
      ...(request.fallback === undefined ? {} : { solver: { threshold_dex: request.fallback, ...solver } }),
    };
  } catch (error) {
    pending.discard();
    throw error;
  }
}

/** Tells which conditions are outside the trained ranges, or refuses them: before anything is computed. */
async function checkConditions(
  histories: Histories,
  surrogate: Inference,
  { strict, input, physical: array }: EmulateRequest,
  { log, signal }: EmulateTools,
): Promise<void> {
  const ranges = trainedRanges(surrogate);
  for await (const { models, rows, physical } of histories.groups()) {
    signal.throwIfAborted();
    for (const [b, model] of models.entries()) {
      // The last row's lead nowhere.
      for (let row = 0; row < Math.max(1, rows - 1); row++) {
        ranges.add(physical, (b * rows + row) * ranges.width, () => `tracer ${model}, row ${row}`);
      }
    }
  }
  ranges.tell(log, strict === true, inputText(input) ?? array);
}

/** What comes of a group, b tracers of t + 1 rows. */
interface EmulatedGroup {
  /** [b, t, species], linear; empty for tracers of one row. */
  readonly data: Float32Array;
  /** Undefined without a calibration. */
  readonly trust?: Expected | undefined;
}

async function emulateGroup(
  surrogate: Inference,
  { models, rows, times, physical, abundances }: HistoryGroup,
  { conserve, trust, ignoreTimeStep }: Pick<EmulateRequest, "conserve" | "ignoreTimeStep"> & { trust: boolean },
): Promise<EmulatedGroup> {
  if (rows < 2) {
    const none = { expectedError: new Float32Array(0), flags: new Int32Array(0) };
    return { data: new Float32Array(0), trust: trust ? none : undefined };
  }
  const [batch, steps, parameters] = [models.length, rows - 1, surrogate.physicalParameters.length];
  const driving = new Float32Array(batch * steps * parameters);
  for (let b = 0; b < batch; b++) {
    const from = b * rows * parameters;
    driving.set(physical.subarray(from, from + steps * parameters), b * steps * parameters);
  }
  // Steps were compared with the trained one unless that was not wanted.
  const isTimed = ignoreTimeStep === true && times.every((time, at) => at % rows === 0 || time > times[at - 1]!);
  return surrogate.emulate(
    { data: driving, shape: [batch, steps, parameters] },
    { data: abundances, shape: [batch, surrogate.species.length] },
    { conserve, trust, times: isTimed ? { data: times, shape: [batch, rows] } : undefined },
  );
}

/** [b · rows, 1 + physical + species (+ 1)]: time, conditions, the first or the emulated abundances, and the expected error, 0 at the first row. */
function frameRows(group: HistoryGroup, { data, trust }: EmulatedGroup, parameters: number): Float32Array {
  const { models, rows, times, physical, abundances } = group;
  const species = abundances.length / models.length;
  const width = 1 + parameters + species + (trust ? 1 : 0);
  const out = new Float32Array(models.length * rows * width);
  for (let b = 0; b < models.length; b++) {
    for (let row = 0; row < rows; row++) {
      const [place, at] = [b * rows + row, (b * rows + row) * width];
      out[at] = times[place]!;
      out.set(physical.subarray(place * parameters, (place + 1) * parameters), at + 1);
      const state = b * (rows - 1) + row - 1;
      const from = row === 0 ? b * species : state * species;
      out.set((row === 0 ? abundances : data).subarray(from, from + species), at + 1 + parameters);
      if (trust && row > 0) out[at + width - 1] = trust.expectedError[state]!;
    }
  }
  return out;
}

/** Tracer ids that are no integers, [b · rows]. */
function idRows({ models, rows }: HistoryGroup): Float64Array {
  return Float64Array.from({ length: models.length * rows }, (_, place) => models[Math.floor(place / rows)]!);
}

/** [b · rows, …]: row numbers, tracer ids where they are integers, flags, and which states are the solver's; how many these are. */
function integerRows(
  { models, rows }: HistoryGroup,
  { trust }: EmulatedGroup,
  hasIntegerIds: boolean,
  { fallback }: Pick<EmulateRequest, "fallback">,
  first: number,
): { integers: BigInt64Array; states: number; tracers: number } {
  const integers: bigint[] = [];
  const tracers = new Set<number>();
  let states = 0;
  for (let place = 0; place < models.length * rows; place++) {
    const [b, row] = [Math.floor(place / rows), place % rows];
    const state = row === 0 ? -1 : b * (rows - 1) + row - 1;
    integers.push(BigInt(first + place));
    if (hasIntegerIds) integers.push(BigInt(models[b]!));
    if (trust) integers.push(BigInt(trust.flags[state] ?? 0));
    if (trust === undefined || fallback === undefined) continue;
    const isSolvers = (trust.expectedError[state] ?? 0) > fallback;
    integers.push(isSolvers ? 1n : 0n);
    if (!isSolvers) continue;
    states++;
    tracers.add(b);
  }
  return { integers: BigInt64Array.from(integers), states, tracers: tracers.size };
}
