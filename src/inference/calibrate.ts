import type { ComputeRequest } from "../backend/compute.ts";
import { counted } from "../counted.ts";
import { type CleanData, openCleanData } from "../data/clean-data.ts";
import { checkStepsOf } from "../data/data-facts.ts";
import type { Frame } from "../data/frame.ts";
import { derivedSeed, RandomStream } from "../data/random.ts";
import { DataError, NumericsError } from "../errors.ts";
import { whileWriting } from "../formats/lock.ts";
import type { Trust } from "../models/trust.ts";
import { type EmulatorWeights, readEmulator, readTraining, writeEmulator } from "../models/weights-file.ts";
import {
  farthest,
  largestDifference,
  quantile,
  quantileLine,
  type Rows,
  whitened,
  whitening,
} from "./calibration-fit.ts";
import { Inference } from "./inference.ts";
import { meanErrors } from "./state-errors.ts";
import { emulatedGroup, evenly, tracerGroups } from "./tracer-groups.ts";
import { elementTotals, seenRows } from "./trust.ts";

/** Rows that the sample is chosen from, and its size; starts that are kept; pairs of training states; rows of the calibration at most. */
const [candidates, sampleSize, mostStarts, pairs, calibrationRows] = [16_384, 512, 64, 2000, 65_536];
/** The expected error is what this part of the states does not exceed. */
const level = 0.9;
/** Of a signal, what this part of the calibration's states does not exceed is its reference. */
const referenceLevel = 0.99;
/** Tracers at most that are left out one by one. */
const mostLeftOut = 32;

/** What to calibrate and on what; absolute paths. */
export interface CalibrationRequest {
  readonly autoencoder: string;
  /** Where the emulator's weights are, or will be. */
  readonly emulator: string;
  /** Clean file: `/train` as the weights were trained with, `/val`. */
  readonly dataset: string;
  /** Take rows for steps of the surrogate, however far apart. */
  readonly ignoreTimeStep?: boolean;
  readonly compute: ComputeRequest;
}

/** The effects of a calibration. */
export interface CalibrationTools {
  readonly log: (message: string) => void;
  readonly signal: AbortSignal;
}

/** Calibrates the emulator's file, and writes it anew. @throws CheckpointError, DataError, ConfigError */
export async function calibrateFile(request: CalibrationRequest, tools: CalibrationTools): Promise<Trust> {
  const { emulator } = request;
  // Nobody else writes it from the reading on: what is written is what was calibrated.
  return whileWriting(emulator, async () => {
    const weights = readEmulator(emulator);
    const trust = await calibrationOf(weights, request, tools);
    writeEmulator(emulator, { ...weights, trust }, readTraining(emulator));
    return trust;
  });
}

/**
 * Finds what the expected error of a state is made of, from training tracers and from validation tracers.
 * @throws CheckpointError, DataError, ConfigError
 */
export async function calibrationOf(
  weights: EmulatorWeights,
  request: CalibrationRequest,
  tools: CalibrationTools,
): Promise<Trust> {
  const { autoencoder, emulator, dataset, compute } = request;
  const onWarning = (message: string, kind: string) => kind === "compute" && tools.log(`warning: ${message}`);
  // As in a training: what is written has the same bits whether compiled kernels are installed or not.
  const surrogate = await Inference.of({ ...compute, autoencoder, emulator, onWarning }, weights, {
    takesKernels: false,
  });
  try {
    const columns = {
      metadata: ["Model", "Time"],
      phys: surrogate.physicalParameters.map(({ name }) => name),
      species: surrogate.species,
    };
    const clean = await openCleanData(dataset, columns, tools.log);
    try {
      const { timeStepYears } = surrogate;
      if (!request.ignoreTimeStep && timeStepYears !== null)
        for (const frame of [clean.train, clean.val])
          await checkStepsOf(frame, ["Index", "Model", "Time"], timeStepYears);
      const { data_hash } = weights.provenance;
      if (data_hash !== null && data_hash !== clean.hash)
        tools.log("warning: the weights were trained with another file: tracers that trained them calibrate nothing");
      return await calibration(surrogate, clean, tools);
    } finally {
      clean.close();
    }
  } finally {
    await surrogate.dispose();
  }
}

/** Some words for people. */
export function describeCalibration({ tracers, left_out, intercept, slope }: Trust): string {
  const range = `${intercept.toPrecision(2)} to ${(intercept + slope).toPrecision(2)} dex within what it was trained for`;
  const check = left_out
    ? `; of a tracer left out ${(100 * left_out.coverage).toFixed(0)} ± ${(100 * left_out.error).toFixed(0)} %`
    : "";
  return `calibrated on ${counted(tracers, "validation tracer")}: ${100 * level} % of the states err less than expected${check}; expected: ${range}`;
}

async function calibration(surrogate: Inference, clean: CleanData, { signal }: CalibrationTools): Promise<Trust> {
  const trained = await trainingFacts(surrogate, clean.train, signal);
  const provisional = { ...trained, ...empty };
  const meter = surrogate.trustMeter(provisional);
  const found: Calibrated[] = [];
  let [steps, rows] = [1, 0];
  try {
    for (const tracers of tracerGroups(clean.val, surrogate, { mostRows: calibrationRows })) {
      signal.throwIfAborted();
      const { trajectories, errors } = await emulatedGroup(surrogate, tracers);
      const signals = await meter.signals(trajectories);
      steps = Math.max(steps, tracers.steps);
      rows += errors.length;
      for (let b = 0; b < tracers.count; b++) {
        const part = (values: ArrayLike<number> | undefined): Float64Array | null =>
          values ? runningMaximum(values, b * tracers.steps, tracers.steps) : null;
        found.push({
          errors: errors.slice(b * tracers.steps, (b + 1) * tracers.steps),
          distance: part(signals.distance)!,
          correction: part(signals.correction),
          spread: part(signals.spread),
          start: signals.start[b]!,
        });
      }
    }
  } finally {
    await meter.dispose();
  }
  if (found.length === 0) {
    throw new DataError("no validation tracer has a second row: there is nothing to calibrate on", {
      where: `${clean.path}, key val`,
      fix: "preprocess again with longer tracers, or a smaller train_split",
    });
  }
  return { ...trained, ...fitted(found), steps, rows, tracers: found.length };
}

/** A validation tracer: the error after each step, and its signals, of which what was stays. */
interface Calibrated {
  readonly errors: Float64Array;
  readonly distance: Float64Array;
  readonly correction: Float64Array | null;
  readonly spread: Float64Array | null;
  readonly start: number;
}

/** What stands in a calibration before it is found. */
const empty = {
  level,
  intercept: 0,
  slope: 0,
  reference: { distance: 1, start: 0 },
  steps: 1,
  tracers: 1,
  rows: 1,
  left_out: null,
};

/** The line through the errors, and the references. */
function fitted(found: readonly Calibrated[]): Pick<Trust, "level" | "intercept" | "slope" | "reference" | "left_out"> {
  const all = (pick: (tracer: Calibrated) => Float64Array | null): Float64Array =>
    Float64Array.from(found.flatMap((tracer) => [...(pick(tracer) ?? [])]).filter(Number.isFinite));
  const [distances, corrections, spreads] = [
    all(({ distance }) => distance),
    all(({ correction }) => correction),
    all(({ spread }) => spread),
  ];
  const distance = Math.max(quantile(distances, referenceLevel), 1e-6);
  const lineOf = (tracers: readonly Calibrated[]) => {
    const x = tracers.flatMap((tracer) => [...tracer.distance].map((value) => Math.min(value / distance, 1)));
    return quantileLine(
      x,
      tracers.flatMap(({ errors }) => [...errors]),
      level,
    );
  };
  const left = found.length < 2 ? [] : evenly(found.length, mostLeftOut);
  const coverages = left.map((out) => {
    const { intercept, slope } = lineOf(found.filter((_, i) => i !== out));
    const { errors, distance: own } = found[out]!;
    return (
      errors.filter((error, t) => error <= intercept + slope * Math.min(own[t]! / distance, 1)).length / errors.length
    );
  });
  return {
    level,
    ...lineOf(found),
    reference: {
      distance,
      start: quantile(
        found.map(({ start }) => start),
        referenceLevel,
      ),
      ...(corrections.length > 0 ? { correction: quantile(corrections, referenceLevel) } : {}),
      ...(spreads.length > 0 ? { spread: quantile(spreads, referenceLevel) } : {}),
    },
    left_out: coverages.length === 0 ? null : meanAndError(coverages),
  };
}

function meanAndError(values: readonly number[]): { coverage: number; error: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { coverage: mean, error: Math.sqrt(squares / (values.length * Math.max(1, values.length - 1))) };
}

/** What the training tracers tell. */
async function trainingFacts(
  surrogate: Inference,
  frame: Frame,
  signal: AbortSignal,
): Promise<Pick<Trust, "matrix" | "offset" | "sample" | "starts" | "ignorance" | "change">> {
  const seen: Float32Array[] = [];
  const totals: number[] = [];
  const states: Float32Array[] = [];
  const changes: number[] = [];
  for (const tracers of tracerGroups(frame, surrogate, { mostRows: candidates })) {
    signal.throwIfAborted();
    const { trajectories } = await emulatedGroup(surrogate, tracers);
    const { latents, evolved, steps } = trajectories;
    const members = evolved.length / (latents.length * steps);
    for (let member = 0; member < members; member++) seen.push(seenRows(trajectories, member, members));
    states.push(tracers.truth);
    for (let b = 0; b < tracers.count; b++) {
      const { abundances, species } = tracers.start(b);
      totals.push(...elementTotals(surrogate.elementTable, abundances));
      const own = tracers.truth.subarray(b * tracers.steps * species, (b + 1) * tracers.steps * species);
      if (tracers.steps > 1) changes.push(...meanErrors(own.subarray(species), own.subarray(0, -species), surrogate));
    }
  }
  const rows: Rows = { data: joined(seen), width: surrogate.physicalParameters.length + surrogate.latentDim };
  if (!rows.data.every(Number.isFinite)) {
    throw new NumericsError("emulated training tracers grow without bound: there is nothing to calibrate", {
      fix: "train the emulator again: weights of formats 1 and 2 know no bounds",
    });
  }
  const transform = whitening(rows, [surrogate.physicalParameters.length, surrogate.latentDim]);
  const starts = { data: Float32Array.from(totals), width: surrogate.elements.length };
  return {
    ...transform,
    sample: farthest(whitened(rows, transform), sampleSize),
    starts: starts.width === 0 ? new Float32Array(1) : farthest(starts, mostStarts, largestDifference, 1e-4),
    ignorance: quantile(pairErrors(joined(states), surrogate), level),
    change: changes.length === 0 ? 0 : changes.reduce((sum, value) => sum + value, 0) / changes.length,
  };
}

/** How far training states are from others, dex. */
function pairErrors(states: Float32Array, surrogate: Inference): Float64Array {
  const width = surrogate.species.length;
  const count = states.length / width;
  const random = new RandomStream(derivedSeed(0, "pairs of training states"));
  const [one, other] = [new Float32Array(pairs * width), new Float32Array(pairs * width)];
  for (let pair = 0; pair < pairs; pair++) {
    for (const side of [one, other]) {
      const row = Math.min(count - 1, Math.floor(random.uniform() * count));
      side.set(states.subarray(row * width, (row + 1) * width), pair * width);
    }
  }
  return meanErrors(one, other, surrogate);
}

function runningMaximum(values: ArrayLike<number>, from: number, count: number): Float64Array {
  let most = 0;
  return Float64Array.from({ length: count }, (_, t) => {
    most = Math.max(most, values[from + t]!);
    return most;
  });
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
