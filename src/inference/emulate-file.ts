import { resolve } from "node:path";
import { AbundanceUnits } from "../chemistry/abundance-units.ts";
import { FrameWriter } from "../data/frame.ts";
import { createHdf5 } from "../data/hdf5.ts";
import { raiseRounding, roundingText } from "../data/value-checks.ts";
import { ConfigError } from "../errors.ts";
import { beginFile } from "../formats/atomic-file.ts";
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

/** What an emulation did. */
export interface EmulateSummary {
  readonly output: string;
  readonly tracers: number;
  /** Emulated rows, the given first ones not counted. */
  readonly rows: number;
  /** Of computing alone. */
  readonly seconds: number;
}

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
  const floats = ["Time", ...names, ...surrogate.species];
  const { lower } = surrogate.abundancesClipping;
  const units = new AbundanceUnits(surrogate.species);
  const pending = beginFile(request.output);
  try {
    const file = await createHdf5(pending.temporaryPath);
    let [seconds, index, raised] = [0, 0, 0];
    const models: number[] = [];
    try {
      const order = ["Index", "Model", ...floats];
      const columns = histories.hasIntegerIds
        ? { float32: floats, int64: ["Index", "Model"], order }
        : { float32: floats, int64: ["Index"], float64: ["Model"], order };
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
        const emulated = await emulateGroup(surrogate, group, request.conserve === true);
        seconds += (tools.now() - started) / 1000;
        const rows = group.models.length * group.rows;
        const values = frameRows(group, emulated, names.length);
        if (histories.hasIntegerIds) writer.append(values, indexRows(group, index), rows);
        else
          writer.append(
            values,
            BigInt64Array.from({ length: rows }, (_, i) => BigInt(index + i)),
            rows,
            idRows(group),
          );
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
    return { output: request.output, tracers: models.length, rows: index - models.length, seconds };
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

/** @returns [b, rows − 1, species], linear; empty for tracers of one row */
async function emulateGroup(
  surrogate: Inference,
  { models, rows, physical, abundances }: HistoryGroup,
  conserve: boolean,
): Promise<Float32Array> {
  if (rows < 2) return new Float32Array(0);
  const [batch, steps, parameters] = [models.length, rows - 1, surrogate.physicalParameters.length];
  const driving = new Float32Array(batch * steps * parameters);
  for (let b = 0; b < batch; b++) {
    const from = b * rows * parameters;
    driving.set(physical.subarray(from, from + steps * parameters), b * steps * parameters);
  }
  const { data } = await surrogate.emulate(
    { data: driving, shape: [batch, steps, parameters] },
    { data: abundances, shape: [batch, surrogate.species.length] },
    { conserve },
  );
  return data;
}

/** [b · rows, 1 + physical + species]: time, conditions, and the first or the emulated abundances. */
function frameRows(group: HistoryGroup, emulated: Float32Array, parameters: number): Float32Array {
  const { models, rows, times, physical, abundances } = group;
  const species = abundances.length / models.length;
  const width = 1 + parameters + species;
  const out = new Float32Array(models.length * rows * width);
  for (let b = 0; b < models.length; b++) {
    for (let row = 0; row < rows; row++) {
      const [place, at] = [b * rows + row, (b * rows + row) * width];
      out[at] = times[place]!;
      out.set(physical.subarray(place * parameters, (place + 1) * parameters), at + 1);
      const from = row === 0 ? b * species : (b * (rows - 1) + row - 1) * species;
      out.set((row === 0 ? abundances : emulated).subarray(from, from + species), at + 1 + parameters);
    }
  }
  return out;
}

/** Tracer ids that are no integers, [b · rows]. */
function idRows({ models, rows }: HistoryGroup): Float64Array {
  return Float64Array.from({ length: models.length * rows }, (_, place) => models[Math.floor(place / rows)]!);
}

/** Row numbers and tracer ids, [b · rows, 2]. */
function indexRows({ models, rows }: HistoryGroup, first: number): BigInt64Array {
  const out = new BigInt64Array(models.length * rows * 2);
  for (let place = 0; place < models.length * rows; place++) {
    out[2 * place] = BigInt(first + place);
    out[2 * place + 1] = BigInt(models[Math.floor(place / rows)]!);
  }
  return out;
}
