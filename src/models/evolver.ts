import { z } from "zod";
import { type TensorMap, tf } from "../backend/tf.ts";
import { type BoundTensors, bounded } from "./bounds.ts";
import type { UniformSource } from "./initialization.ts";
import type { ArraySpec, Layout } from "./layout.ts";

/** What drives a rollout. */
export interface Drive {
  /** [steps, batch, physical], scaled, time first: entry t leads from row t to row t + 1. */
  readonly physical: tf.Tensor3D;
  /** Inverted dropout masks by the names of `Evolver.masks`, each [steps, batch, width]; null: no dropout. */
  readonly masks?: TensorMap | null;
  /** Of the latents, [1, latent]: kept within them after each step. To use a model, not to train it. */
  readonly bounds?: BoundTensors | null;
}

/** Trajectories at one moment. */
export interface EvolverState {
  /** [batch, latent], scaled */
  readonly latents: tf.Tensor2D;
  /** What the evolver remembers besides, by the names of `Evolver.carry`, each [batch, width]. */
  readonly carry: TensorMap;
}

/** What a rollout gives. */
export interface Rollout {
  /** [steps · batch, latent], scaled, time first: entry t is the state at row t + 1. */
  readonly states: tf.Tensor2D;
  /** The carry after the last step. */
  readonly carry: TensorMap;
}

/** A physical parameter that an evolver reads by itself: which one it is, and the range, in its unit, that scales its log10. */
const parameter = z.strictObject({
  index: z.int().nonnegative(),
  range: z.tuple([z.number().positive(), z.number().positive()]),
});
export type ReadParameter = z.output<typeof parameter>;

/** What every evolver's shape says; `input_dim` is physical parameters + latents, `output_dim` the latents. */
const sizes = {
  input_dim: z.int().positive(),
  output_dim: z.int().positive(),
};

/** The last so many latents stay what they are at the start: totals that chemistry conserves. Left out: none. */
const held = z.int().positive().optional();

/** What an evolver may read by itself: the step of a dataset whose step is an input, in years; the radiation field, the extinction. */
const readable = {
  timestep: parameter.optional(),
  radfield: parameter.optional(),
  extinction: parameter.optional(),
};
export type Readable = keyof typeof readable;

/** The sizes of an evolver as a weights file holds them: those that the data give, and its own. */
export type EvolverShape = z.output<z.ZodObject<typeof sizes & typeof readable & { held: typeof held }>> &
  Readonly<Record<string, unknown>>;

/** A model that steps latents through time, of given sizes. Everything outside knows it by this. */
export interface Evolver {
  /** Of one member. */
  readonly shape: EvolverShape;
  /** Models side by side (`ensemble.ts`): latents are those of each, one after the other, [batch, members · latent]. 1: a model by itself. */
  readonly members: number;
  /** Names and shapes of its arrays, and what fresh ones are. */
  readonly layout: Layout;
  /** The arrays of the last layer, which a recipe may begin small (`last_layer`): the rollout then starts near the identity. */
  readonly last: { readonly weight: string; readonly bias: string };
  /** What it remembers from step to step beside the latents, for one trajectory: [] where nothing. */
  readonly carry: readonly ArraySpec[];
  /** What dropout draws for one step of one trajectory, in the order of drawing. */
  readonly masks: readonly ArraySpec[];
  /** Steps that one graph of a rollout holds at most, a power of two, where a step has so many operations that graphs take long to prepare. */
  readonly stretch?: number;
  /** The carry of trajectories that start. @param latents [batch, latent], scaled */
  begin(arrays: TensorMap, latents: tf.Tensor2D): TensorMap;
  /** All states of trajectories. It may be recorded once per shape and replayed: no reading of values, no random numbers. */
  rollout(arrays: TensorMap, drive: Drive, start: EvolverState): Rollout;
}

/** A kind of evolver: a module of `models/evolvers/`, a line in `models/evolvers.ts`, a YAML file in `configs/models/`. */
export interface EvolverKind {
  /** `model_name` in YAML and weights. */
  readonly name: string;
  /** The keys of its YAML that size it, with defaults and descriptions. */
  readonly widths: z.ZodRawShape;
  /** Which physical parameters it reads by themselves, where the dataset has them (`shape.timestep` …). */
  readonly reads: readonly Readable[];
  /** The model of these sizes. @throws ZodError where they are not its own */
  of(shape: unknown): Evolver;
}

/** What a module says of a kind. */
interface Definition<Widths extends z.ZodRawShape> {
  readonly name: string;
  readonly widths: Widths;
  readonly reads?: readonly Readable[];
  readonly build: (
    shape: z.output<z.ZodObject<Omit<typeof sizes & typeof readable, keyof Widths> & Widths>>,
  ) => Omit<Evolver, "shape" | "members" | "carry" | "masks" | "begin"> &
    Partial<Pick<Evolver, "carry" | "masks" | "begin">>;
}

/** Makes a kind from its definition; what it leaves out (carry, masks) it does not have. */
export function evolver<Widths extends z.ZodRawShape>({
  name,
  widths,
  reads = [],
  build,
}: Definition<Widths>): EvolverKind {
  // What a kind does not read is no part of its shape.
  const { input_dim, output_dim } = sizes;
  const read = Object.fromEntries(reads.map((name) => [name, readable[name]])) as Partial<typeof readable>;
  const schema = z.strictObject({ input_dim, ...widths, output_dim, ...read, held });
  return {
    name,
    widths,
    reads,
    of(given) {
      const shape = schema.parse(given) as EvolverShape;
      const built = build(shape as never);
      const rollout: Evolver["rollout"] = (arrays, drive, start) =>
        built.rollout(holding(arrays, built.last, shape), drive, start);
      return { shape, members: 1, carry: [], masks: [], begin: () => ({}), ...built, rollout };
    },
  };
}

/** The arrays with those of the last layer 0 where latents are held: what it gives is the change of each. */
function holding(arrays: TensorMap, last: Evolver["last"], { held: count, output_dim }: EvolverShape): TensorMap {
  // A layer of another width gives something else than changes.
  if (count === undefined || arrays[last.weight]!.shape[0] !== output_dim) return arrays;
  const moves = tf.concat([tf.ones([output_dim - count]), tf.zeros([count])]);
  return {
    ...arrays,
    [last.weight]: tf.mul(arrays[last.weight]!, tf.expandDims(moves, 1)),
    [last.bias]: tf.mul(arrays[last.bias]!, moves),
  };
}

/**
 * Fresh weights.
 * @param lastLayer  factor of the last layer's weights, its bias 0; null for neither
 * @returns          [layout.size]
 */
export function initialEvolver(
  { layout, last }: Evolver,
  random: UniformSource,
  lastLayer: number | null = null,
): Float32Array {
  const vector = layout.fresh(random);
  if (lastLayer !== null) {
    const weights = layout.view(vector, last.weight);
    weights.set(weights.map((weight) => weight * lastLayer));
    layout.view(vector, last.bias).fill(0);
  }
  return vector;
}

/** What one step is made of. */
export interface StepInputs {
  /** [batch, latent], scaled */
  readonly latents: tf.Tensor2D;
  readonly carry: TensorMap;
  /** The rows of this step of what was given for all steps, each [batch, n]. */
  readonly at: Readonly<Record<string, tf.Tensor2D>>;
  /** Of this step, each [batch, width]; none without dropout. */
  readonly masks: Readonly<Record<string, tf.Tensor2D | undefined>>;
}

/**
 * A rollout by its step alone: z ← z + change, step after step, within the bounds where there are any.
 * @param perStep  what does not depend on the state, made for all steps at once: each [steps · batch, n], time first
 */
export function stepByStep(
  { physical, masks, bounds }: Drive,
  start: EvolverState,
  perStep: Readonly<Record<string, tf.Tensor2D>>,
  step: (inputs: StepInputs) => { readonly change: tf.Tensor2D; readonly carry?: TensorMap },
): Rollout {
  const steps = physical.shape[0];
  const cut = (all: Readonly<Record<string, tf.Tensor2D>>): [string, tf.Tensor2D[]][] =>
    Object.entries(all).map(([name, x]) => [name, apart(x, steps)]);
  const flat = Object.entries(masks ?? {}).map(([name, mask]) => [name, flatRows(mask)] as const);
  const [given, drawn] = [cut(perStep), cut(Object.fromEntries(flat))];
  const ofStep = (all: [string, tf.Tensor2D[]][], t: number): Record<string, tf.Tensor2D> =>
    Object.fromEntries(all.map(([name, parts]) => [name, parts[t]!]));
  let { latents, carry } = start;
  const states: tf.Tensor2D[] = [];
  for (let t = 0; t < steps; t++) {
    const made = step({ latents, carry, at: ofStep(given, t), masks: ofStep(drawn, t) });
    latents = bounded(tf.add(latents, made.change), bounds ?? null);
    carry = made.carry ?? {};
    states.push(latents);
  }
  return { states: stacked(states), carry };
}

/** All states of trajectories that start at these latents. */
export function rolloutFrom(evolver: Evolver, arrays: TensorMap, drive: Drive, latents: tf.Tensor2D): tf.Tensor2D {
  return evolver.rollout(arrays, drive, { latents, carry: evolver.begin(arrays, latents) }).states;
}

/** [steps · batch, n] → [batch, n] for each step. */
export function apart(x: tf.Tensor2D, steps: number): tf.Tensor2D[] {
  return steps === 1 ? [x] : tf.split(x, steps, 0);
}

/** The inverse of `apart`. */
export function stacked(parts: tf.Tensor2D[]): tf.Tensor2D {
  return parts.length === 1 ? parts[0]! : tf.concat(parts, 0);
}

/** [steps, batch, n] → [steps · batch, n]. */
export function flatRows(x: tf.Tensor): tf.Tensor2D {
  const [steps, batch, width] = x.shape as [number, number, number];
  return tf.reshape(x, [steps * batch, width]);
}
