import { stoichiometricMatrix } from "../chemistry/stoichiometry.ts";
import type { CleanData } from "../data/clean-data.ts";
import type { Frame } from "../data/frame.ts";
import { tracerRuns } from "../data/windows.ts";
import type { Inference } from "../inference/inference.ts";
import { MeanTrajectory, persistence, type TracerAbundances } from "./baselines.ts";
import { conservationError, ErrorAccumulator, type ErrorSummary } from "./metrics.ts";

/** One tracer of a clean split: row t holds the state at t and the conditions that lead to t + 1. */
export interface Tracer extends TracerAbundances {
  /** [rows, physical], physical units. */
  readonly physical: Float32Array;
}

/** How good a surrogate is on validation tracers, beside what needs no model. Predictions are of every row after the first. */
export interface Evaluation {
  readonly tracers: number;
  /** Encoded and decoded again. */
  readonly reconstruction: ErrorSummary;
  /** Emulated from the first row alone, as many steps as the emulator was trained for. */
  readonly emulation_as_trained: ErrorSummary;
  /** Emulated over the full length, from the first row alone. */
  readonly emulation: ErrorSummary;
  readonly persistence: ErrorSummary;
  readonly mean_trajectory: ErrorSummary;
  /** Mean relative error of the elements' totals in the emulated rows. */
  readonly conservation: number;
  /** Wall time of the emulation, for all tracers in one call. */
  readonly seconds: number;
}

/** @param now milliseconds */
export async function evaluateSurrogate(
  surrogate: Inference,
  clean: CleanData,
  now: () => number,
): Promise<Evaluation> {
  const { species } = surrogate;
  const stoichiometry = stoichiometricMatrix(species);
  const mean = new MeanTrajectory(species.length);
  for (const tracer of eachTracer(clean.train, surrogate)) mean.add(tracer);
  const tracers = [...eachTracer(clean.val, surrogate)].filter(({ rows }) => rows > 1);
  const accumulators = {
    reconstruction: new ErrorAccumulator(species),
    emulation_as_trained: new ErrorAccumulator(species),
    emulation: new ErrorAccumulator(species),
    persistence: new ErrorAccumulator(species),
    mean_trajectory: new ErrorAccumulator(species),
  };
  let [conservation, rows, seconds] = [0, 0, 0];
  for (const group of equalLengths(tracers)) {
    // Once to prepare the engine for these shapes, once to be timed.
    await emulateTogether(surrogate, group);
    const started = now();
    const emulated = await emulateTogether(surrogate, group);
    seconds += (now() - started) / 1000;
    for (const [k, tracer] of group.entries()) {
      const truth = tracer.abundances.subarray(species.length);
      const size = truth.length;
      const predicted = emulated.subarray(k * size, (k + 1) * size);
      accumulators.emulation.add(predicted, truth);
      const seen = Math.min((surrogate.windowSize ?? tracer.rows) - 1, tracer.rows - 1) * species.length;
      accumulators.emulation_as_trained.add(predicted.subarray(0, seen), truth.subarray(0, seen));
      accumulators.persistence.add(persistence(tracer), truth);
      accumulators.mean_trajectory.add(mean.predict(tracer.rows), truth);
      accumulators.reconstruction.add(await reconstruct(surrogate, truth), truth);
      const counted = { data: stoichiometry.data, species: species.length, elements: stoichiometry.elements.length };
      conservation += conservationError(predicted, truth, counted) * (tracer.rows - 1);
      rows += tracer.rows - 1;
    }
  }
  const [reconstruction, emulation] = [accumulators.reconstruction.summary(), accumulators.emulation.summary()];
  return {
    tracers: tracers.length,
    reconstruction,
    emulation_as_trained: accumulators.emulation_as_trained.summary(),
    emulation,
    persistence: accumulators.persistence.summary(),
    mean_trajectory: accumulators.mean_trajectory.summary(),
    conservation: conservation / rows,
    seconds,
  };
}

/** The tracers of a clean split, one at a time. */
export function* eachTracer(frame: Frame, { species, physicalParameters }: Inference): Generator<Tracer> {
  const phys = physicalParameters.map(({ name }) => name);
  for (const { start, rows } of tracerRuns(frame.labels("Model").codes)) {
    const abundances = new Float32Array(rows * species.length);
    const physical = new Float32Array(rows * phys.length);
    frame.read(start, rows, species, abundances);
    frame.read(start, rows, phys, physical);
    yield { rows, abundances, physical };
  }
}

/** Emulates tracers of one length from their first rows. @returns [tracers, rows − 1, species], linear */
export async function emulateTogether(surrogate: Inference, tracers: readonly Tracer[]): Promise<Float32Array> {
  const { species, physicalParameters } = surrogate;
  const [count, steps] = [tracers.length, tracers[0]!.rows - 1];
  const physical = new Float32Array(count * steps * physicalParameters.length);
  const first = new Float32Array(count * species.length);
  for (const [k, tracer] of tracers.entries()) {
    const width = steps * physicalParameters.length;
    physical.set(tracer.physical.subarray(0, width), k * width);
    first.set(tracer.abundances.subarray(0, species.length), k * species.length);
  }
  const { data } = await surrogate.emulate(
    { data: physical, shape: [count, steps, physicalParameters.length] },
    { data: first, shape: [count, species.length] },
  );
  return data;
}

async function reconstruct(surrogate: Inference, abundances: Float32Array): Promise<Float32Array> {
  const rows = abundances.length / surrogate.species.length;
  const latents = await surrogate.encode({ data: abundances, shape: [rows, surrogate.species.length] });
  return (await surrogate.decode(latents)).data;
}

function equalLengths(tracers: readonly Tracer[]): Tracer[][] {
  const groups = new Map<number, Tracer[]>();
  for (const tracer of tracers) {
    const group = groups.get(tracer.rows) ?? [];
    group.push(tracer);
    groups.set(tracer.rows, group);
  }
  return [...groups.values()];
}
