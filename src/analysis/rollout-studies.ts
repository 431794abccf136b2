import { derivedSeed, RandomStream } from "../data/random.ts";
import type { Inference } from "../inference/inference.ts";
import { abundanceMargin_dex } from "../models/bounds.ts";
import { cappedDex } from "./error-groups.ts";
import type { StepErrors } from "./error-types.ts";
import type { ErrorGrowth, LongRollout, Sensitivity } from "./evaluation-types.ts";
import { decodeRows, encodeRows, rolloutLatents, type Starts, stateWidth } from "./surrogate-predictions.ts";

/** How much longer than trained a long rollout is. */
const lengthening = 10;
/** The training range is widened by so much before a value counts as out of it, dex; float32 has some 1e-6 of a scaled unit. */
const margin = abundanceMargin_dex + 1e-3;
/** Steps that are kept of a long rollout, at most. */
const keptSteps = 500;
const perturbation_dex = 0.01;

/** Tracers to roll out from their starts, and what is known of the data. */
export interface RolloutStudy {
  readonly surrogate: Inference;
  /** Physical histories in physical units, one a tracer, [rows, physical]. */
  readonly histories: readonly Float32Array[];
  /** Scaled first rows, [tracers, species]. */
  readonly first: Float32Array;
  /** Steps that the emulator was trained for. */
  readonly trainedSteps: number;
  readonly stepYr: number | null;
  /** dex of one scaled unit. */
  readonly span: number;
  /** Least and largest scaled abundance of the training rows, [species]. */
  readonly low: Float32Array;
  readonly high: Float32Array;
}

/** A rollout ten times longer than trained: is it finite, does it stay where the training data were, does it settle? */
export async function longRollout(study: RolloutStudy, history: "held" | "repeated"): Promise<LongRollout> {
  const { surrogate, histories, trainedSteps } = study;
  const steps = lengthening * trainedSteps;
  const latents = await encodeRows(surrogate, study.first);
  const physical = lengthened(histories, steps, surrogate.physicalParameters.length, history);
  const rolled = await rolloutLatents(surrogate, { count: histories.length, steps, physical, latents });
  const found = new StepBounds(study, steps);
  const width = stateWidth(surrogate);
  for (const [k] of histories.entries()) {
    const part = rolled.subarray(k * steps * width, (k + 1) * steps * width);
    found.add(await decodeRows(surrogate, part, surrogate.members));
  }
  const kept = keptOf(steps);
  const shareAtEnd = found.share(steps - 1);
  return {
    history,
    tracers: histories.length,
    steps,
    trained_steps: trainedSteps,
    step_yr: study.stepYr,
    finite: found.firstNonFinite === null,
    first_non_finite_step: found.firstNonFinite,
    bounded: found.firstNonFinite === null && shareAtEnd <= 0.01,
    at_steps: kept.map((at) => at + 1),
    out_of_range: kept.map((at) => found.share(at)),
    excursion_dex: kept.map((at) => found.excursion(at)),
    change_dex: kept.map((at) => found.change(at)),
  };
}

/** Per step, over tracers and species: how far outside of the training range, and how much changed. */
class StepBounds {
  firstNonFinite: number | null = null;
  readonly #study: RolloutStudy;
  readonly #outside: Float64Array;
  readonly #excursion: Float64Array;
  readonly #change: Float64Array;
  #tracers = 0;

  constructor(study: RolloutStudy, steps: number) {
    this.#study = study;
    this.#outside = new Float64Array(steps);
    this.#excursion = new Float64Array(steps);
    this.#change = new Float64Array(steps);
  }

  /** @param scaled [steps, species] of the next tracer */
  add(scaled: Float32Array): void {
    const { low, high, span, first } = this.#study;
    const width = low.length;
    const start = first.subarray(this.#tracers * width, (this.#tracers + 1) * width);
    for (let step = 0; step < this.#outside.length; step++) {
      for (let s = 0; s < width; s++) {
        const value = scaled[step * width + s]!;
        const before = step === 0 ? start[s]! : scaled[(step - 1) * width + s]!;
        if (!Number.isFinite(value)) this.firstNonFinite = Math.min(this.firstNonFinite ?? step + 1, step + 1);
        const excursion = Math.max((low[s]! - value) * span, (value - high[s]!) * span, 0);
        this.#excursion[step]! += cappedDex(excursion);
        this.#outside[step]! += excursion <= margin ? 0 : 1;
        this.#change[step]! += Math.abs(cappedDex((value - before) * span));
      }
    }
    this.#tracers += 1;
  }

  share(step: number): number {
    return this.#outside[step]! / this.#values();
  }

  excursion(step: number): number {
    return this.#excursion[step]! / this.#values();
  }

  change(step: number): number {
    return this.#change[step]! / this.#values();
  }

  #values(): number {
    return this.#tracers * this.#study.low.length;
  }
}

/** Histories of `steps` rows: past their end the last conditions, or the history again from its start. @returns [tracers, steps, physical] */
export function lengthened(
  histories: readonly Float32Array[],
  steps: number,
  width: number,
  history: "held" | "repeated",
): Float32Array {
  const out = new Float32Array(histories.length * steps * width);
  for (const [k, known] of histories.entries()) {
    const rows = known.length / width;
    for (let step = 0; step < steps; step++) {
      const row = history === "held" ? Math.min(step, rows - 1) : step % rows;
      out.set(known.subarray(row * width, (row + 1) * width), (k * steps + step) * width);
    }
  }
  return out;
}

function keptOf(steps: number): number[] {
  const stride = Math.ceil(steps / keptSteps);
  const kept = Array.from({ length: Math.ceil(steps / stride) }, (_, i) => i * stride);
  return kept.at(-1) === steps - 1 ? kept : [...kept, steps - 1];
}

/** How far rollouts go apart whose starts differ by a little noise on the log abundances, over the trained steps. */
export async function sensitivity(study: RolloutStudy, seed: number): Promise<Sensitivity> {
  const { surrogate, histories, trainedSteps: steps, span, first } = study;
  const noise = new Float32Array(first.length);
  new RandomStream(derivedSeed(seed, "perturbed starts")).fillNormal(noise, perturbation_dex);
  const physical = lengthened(histories, steps, surrogate.physicalParameters.length, "held");
  const starts = (latents: Float32Array): Starts => ({ count: histories.length, steps, physical, latents });
  const plain = await rolloutLatents(surrogate, starts(await encodeRows(surrogate, first)));
  const moved = first.map((value, at) => value + noise[at]! / span);
  const perturbed = await rolloutLatents(surrogate, starts(await encodeRows(surrogate, moved)));
  const width = first.length / histories.length;
  const divergence = new Float64Array(steps);
  const size = steps * stateWidth(surrogate);
  for (const [k] of histories.entries()) {
    const [a, b] = [
      await decodeRows(surrogate, plain.subarray(k * size, (k + 1) * size), surrogate.members),
      await decodeRows(surrogate, perturbed.subarray(k * size, (k + 1) * size), surrogate.members),
    ];
    for (let at = 0; at < a.length; at++) {
      divergence[Math.floor(at / width)]! += Math.abs(cappedDex((a[at]! - b[at]!) * span));
    }
  }
  const divergence_dex = Array.from(divergence, (sum) => sum / first.length);
  const mean = noise.reduce((sum, each) => sum + Math.abs(each), 0) / noise.length;
  return {
    perturbation_dex,
    tracers: histories.length,
    divergence_dex,
    final_amplification: divergence_dex.at(-1)! / mean,
  };
}

/** Growth of the mean error within the steps that were trained for, and beyond them. Null over fewer than 3 steps. */
export function errorGrowth(
  steps: readonly StepErrors[],
  trainedSteps: number,
): { within_training: ErrorGrowth | null; beyond_training: ErrorGrowth | null } {
  return {
    within_training: growthOver(steps.slice(0, trainedSteps)),
    beyond_training: growthOver(steps.slice(trainedSteps)),
  };
}

function growthOver(steps: readonly StepErrors[]): ErrorGrowth | null {
  if (steps.length < 3) return null;
  const times = steps.map(({ time_yr }) => time_yr);
  const means = steps.map(({ dex }) => dex.mean);
  const rate = means.every((mean) => mean > 0) ? slope(times, means.map(Math.log)) : 0;
  return {
    from_step: steps[0]!.step,
    to_step: steps.at(-1)!.step,
    dex_per_kyr: 1000 * slope(times, means),
    e_folding_yr: rate > 0 ? 1 / rate : null,
  };
}

/** Least squares slope of y over x; 0 where x does not vary. */
function slope(x: readonly number[], y: readonly number[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, each) => sum + each, 0) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  let [products, squares] = [0, 0];
  for (const [i, each] of x.entries()) {
    products += (each - mx) * (y[i]! - my);
    squares += (each - mx) ** 2;
  }
  return squares > 0 ? products / squares : 0;
}
