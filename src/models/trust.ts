import { z } from "zod";
import { CheckpointError } from "../errors.ts";
import type { NamedTensor } from "../formats/safetensors.ts";

/**
 * The signals: what each says of a state, and its bit among the flags. A bit is set from the first step whose signal exceeds what 99 % of the
 * calibration's states show, to the end: an error that was made stays.
 */
export const trustSignals = [
  { name: "conditions", bit: 1, tells: "conditions outside the ranges of the training rows" },
  { name: "distance", bit: 2, tells: "conditions and chemistry together unlike every training row" },
  { name: "start", bit: 4, tells: "totals of the elements unlike every training start's" },
  { name: "correction", bit: 8, tells: "the elements had to be corrected by much" },
  { name: "spread", bit: 16, tells: "the members of the ensemble disagree" },
  { name: "time_step", bit: 32, tells: "time steps unlike the trained one" },
  { name: "length", bit: 64, tells: "more steps than the calibration has seen" },
] as const;
type SignalName = (typeof trustSignals)[number]["name"];

/** The bits of `flags` by the names of the signals. */
export const trustFlags = Object.fromEntries(trustSignals.map(({ name, bit }) => [name, bit])) as Readonly<
  Record<SignalName, number>
>;

/**
 * Signals in dex, and what an excess over the reference weighs. An abundance goes with the product of the two that it is made from: twice the
 * start's. A correction is about as large as the error that called for it. 9 of 10 values lie within some 2 deviations.
 */
export const excessWeights = { start: 2, correction: 1, spread: 2 } as const;
/** dex: what no abundance is off by. */
export const mostError = 20;
const dexSignals = ["start", "correction", "spread"] as const;

const positive = z.number().positive();
const level = z.number().nonnegative();

/** How an expected error is made of the signals; found by `astrochem calibrate`. */
export const trustMetadata = z.strictObject({
  /** The part of states whose error is at most the expected one. */
  level: z.number().gt(0).lt(1),
  /** dex: the expected error at no distance, and how much it grows up to the reference. */
  intercept: level,
  slope: level,
  /** 99 % of the calibration's states are at most there; left out where a signal is not to be had. */
  reference: z.strictObject({
    distance: positive,
    start: level,
    correction: level.optional(),
    spread: level.optional(),
  }),
  /** dex: the expected error at twice the reference distance, what `level` of all pairs of training states differ by. */
  ignorance: level,
  /** dex a step: the mean change of the training rows. */
  change: level,
  /** Steps of the longest trajectory. */
  steps: z.int().positive(),
  /** What it was calibrated on. */
  tracers: z.int().positive(),
  rows: z.int().positive(),
  /** Of each tracer with all but that tracer: the mean coverage, and its standard error; null for a single tracer. */
  left_out: z.strictObject({ coverage: z.number(), error: z.number() }).nullable(),
});

/** The arrays of a calibration, and their names in a file of weights. */
const trustArrays = ["matrix", "offset", "sample", "starts"] as const;
export const trustPrefix = "trust.";

/** What weights hold of trust. `d` columns: scaled conditions, then raw latents. */
export interface Trust extends z.output<typeof trustMetadata> {
  /** Whitens rows: row · matrix + offset; [d, d] and [d]. */
  readonly matrix: Float32Array;
  readonly offset: Float32Array;
  /** Whitened rows of the training, [n, d]. */
  readonly sample: Float32Array;
  /** log10 of the elements' totals of training starts, [m, elements]. */
  readonly starts: Float32Array;
}

/** What the metadata of a file holds of a calibration. */
export function trustFacts({ matrix, offset, sample, starts, ...metadata }: Trust): z.output<typeof trustMetadata> {
  return metadata;
}

/** The arrays as a file holds them. */
export function trustTensors({ matrix, offset, sample, starts }: Trust): [string, NamedTensor][] {
  const d = offset.length;
  const shapes = { matrix: [d, d], offset: [d], sample: [sample.length / d, d], starts: [starts.length] };
  const data = { matrix, offset, sample, starts };
  return trustArrays.map((name) => [
    trustPrefix + name,
    { dtype: "F32", shape: shapes[name], data: data[name].slice() },
  ]);
}

/**
 * The calibration in a file of weights.
 * @param columns  d, of the surrogate
 * @throws CheckpointError naming the file and the array that is not there or does not fit
 */
export function trustOf(
  path: string,
  metadata: z.output<typeof trustMetadata>,
  tensors: ReadonlyMap<string, NamedTensor>,
  columns: number,
): Trust {
  const array = (name: (typeof trustArrays)[number], fits: (shape: readonly number[]) => boolean): Float32Array => {
    const tensor = tensors.get(trustPrefix + name);
    if (tensor?.data instanceof Float32Array && fits(tensor.shape) && tensor.data.every(Number.isFinite))
      return tensor.data;
    throw new CheckpointError(
      `${path} has a damaged calibration: the array ${trustPrefix}${name} is absent or does not fit`,
      {
        where: path,
        fix: "calibrate it again: astrochem calibrate",
      },
    );
  };
  const isOf = (width: number) => (shape: readonly number[]) =>
    shape.length === 2 && shape[0]! > 0 && shape[1] === width;
  return {
    ...metadata,
    matrix: array("matrix", (shape) => isOf(columns)(shape) && shape[0] === columns),
    offset: array("offset", (shape) => shape.length === 1 && shape[0] === columns),
    sample: array("sample", isOf(columns)),
    starts: array("starts", (shape) => shape.length === 1),
  };
}

/** The signals of trajectories, step by step; what is left out is not known. */
export interface Signals {
  readonly batch: number;
  readonly steps: number;
  /** [b, t] */
  readonly distance: ArrayLike<number>;
  /** dex, [b] */
  readonly start: ArrayLike<number>;
  /** Whether conditions are outside, [b, t]. */
  readonly outside: ArrayLike<number>;
  /** dex, [b, t] */
  readonly correction?: ArrayLike<number> | undefined;
  readonly spread?: ArrayLike<number> | undefined;
  /** Steps in trained steps, [b, t]. */
  readonly stretch?: ArrayLike<number> | undefined;
}

/** How far to believe states: the error in dex that `level` of them do not exceed, and why; [b, t] each. */
export interface Expected {
  readonly expectedError: Float32Array;
  /** Bits of `trustFlags`. */
  readonly flags: Int32Array;
}

/**
 * The formula of docs/trust.md. Along a trajectory both never fall.
 * @param trust  a calibration
 */
export function expectedErrors(trust: z.output<typeof trustMetadata>, signals: Signals): Expected {
  const { batch, steps, stretch, start } = signals;
  const { reference, intercept, slope, ignorance, change } = trust;
  const expectedError = new Float32Array(batch * steps);
  const flags = new Int32Array(batch * steps);
  const most = { distance: 0, start: 0, correction: 0, spread: 0 };
  for (let b = 0; b < batch; b++) {
    Object.assign(most, { distance: 0, start: start[b]!, correction: 0, spread: 0 });
    let [seen, ahead, furthest] = [0, 0, 0];
    for (let t = 0; t < steps; t++) {
      const at = b * steps + t;
      if (signals.outside[at]) seen |= trustFlags.conditions;
      // A state that is no number is far from everything.
      most.distance = Math.max(
        most.distance,
        signals.distance[at]! >= 0 ? signals.distance[at]! : Number.POSITIVE_INFINITY,
      );
      const ratio = most.distance / reference.distance;
      if (ratio > 1) seen |= trustFlags.distance;
      let error = (intercept + slope * Math.min(ratio, 1)) * Math.max(1, (t + 1) / trust.steps);
      error += ignorance * Math.max(0, ratio - 1);
      if (t >= trust.steps) seen |= trustFlags.length;
      for (const name of dexSignals) {
        if (name !== "start") most[name] = Math.max(most[name], signals[name]?.[at] ?? 0);
        const excess = most[name] - (reference[name] ?? Number.POSITIVE_INFINITY);
        if (!(excess > 0)) continue;
        seen |= trustFlags[name];
        error += excessWeights[name] * excess;
      }
      if (stretch) {
        ahead += stretch[at]! - 1;
        furthest = Math.max(furthest, Math.abs(ahead));
        if (Math.abs(stretch[at]! - 1) > 0.01) seen |= trustFlags.time_step;
        error += change * furthest;
      }
      expectedError[at] = Math.min(error, mostError);
      flags[at] = seen;
    }
  }
  return { expectedError, flags };
}

/** How far a start is from the nearest of the training's: the largest difference of any element's total, dex. @param totals log10, [elements] */
export function startDistance({ starts }: Pick<Trust, "starts">, totals: ArrayLike<number>): number {
  // Species without formulas have no totals.
  let least = totals.length === 0 ? 0 : Number.POSITIVE_INFINITY;
  for (let from = 0; totals.length > 0 && from < starts.length; from += totals.length) {
    let largest = 0;
    for (let k = 0; k < totals.length; k++) largest = Math.max(largest, Math.abs(starts[from + k]! - totals[k]!));
    least = Math.min(least, largest);
  }
  return least;
}
