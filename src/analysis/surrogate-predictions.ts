import { AbundanceScaling } from "../chemistry/scaling.ts";
import type { Inference } from "../inference/inference.ts";
import type { TracerRows } from "./tracer-blocks.ts";

/** Raw latents of every row. @param scaled [rows, species] @returns [rows, latent] */
export async function encodeRows(surrogate: Inference, scaled: Float32Array): Promise<Float32Array> {
  const width = surrogate.species.length;
  return (await surrogate.encode({ data: scaled, shape: [scaled.length / width, width] }, { scaled: true })).data;
}

/** Decoded rows, and where their totals were kept, what that took. */
export interface DecodedRows {
  /** Scaled, [rows, species]; NaN in rows whose latents are not finite. */
  readonly scaled: Float32Array;
  /** Linear, [rows, species]. */
  readonly linear: Float32Array;
  /** dex, [rows]; absent where no totals were kept. */
  readonly correction?: Float32Array | undefined;
}

/** Numbers of a rollout's state: the latents of all members. */
export function stateWidth({ members, latentDim }: Inference): number {
  return members * latentDim;
}

/**
 * @param latents raw, [rows, latent], or with `members` states of a rollout, [rows, members · latent]: one that grew without bound may hold infinities
 * @returns scaled, [rows, species]; NaN in rows whose latents are not finite
 */
export async function decodeRows(surrogate: Inference, latents: Float32Array, members = 1): Promise<Float32Array> {
  const { lost, ...given } = finiteRows(surrogate, latents, members);
  return marked((await surrogate.decode(given, { scaled: true })).data, lost, surrogate);
}

/**
 * The same of a rollout's states, with the totals of the elements and the charge of each row's start.
 * @param totalsOf  scaled, [rows, species]; null: as decoded
 */
export async function decodeKept(
  surrogate: Inference,
  states: Float32Array,
  totalsOf: Float32Array | null,
): Promise<DecodedRows> {
  const { lost, ...given } = finiteRows(surrogate, states, surrogate.members);
  const scaling = new AbundanceScaling(surrogate.abundancesClipping);
  const starts = totalsOf && new Float32Array(totalsOf.length);
  if (starts) scaling.unscaleInto(totalsOf, starts);
  const options = starts ? { totalsOf: { data: starts, shape: [given.shape[0]!, surrogate.species.length] } } : {};
  const { data: linear, correction } = await surrogate.decode(given, options);
  const scaled = new Float32Array(linear.length);
  scaling.scaleInto(linear, scaled);
  return { scaled: marked(scaled, lost, surrogate), linear, correction };
}

function finiteRows({ latentDim }: Inference, latents: Float32Array, members: number) {
  const width = members * latentDim;
  const lost = new Set<number>();
  const data = latents.map((value, at) => {
    if (Number.isFinite(value)) return value;
    lost.add(Math.floor(at / width));
    return 0;
  });
  const rows = data.length / width;
  return { data, lost, shape: members > 1 ? [rows, 1, members, latentDim] : [rows, width] };
}

function marked(made: Float32Array, lost: Iterable<number>, { species }: Inference): Float32Array {
  for (const row of lost) made.fill(Number.NaN, row * species.length, (row + 1) * species.length);
  return made;
}

/** The start of each row. @param firsts [starts, species] @param starts the first row of each, and the end */
export function startsByRow(firsts: Float32Array, starts: ArrayLike<number>): Float32Array {
  const count = starts.length - 1;
  const width = firsts.length / count;
  const out = new Float32Array(starts[count]! * width);
  for (let k = 0; k < count; k++) {
    const first = firsts.subarray(k * width, (k + 1) * width);
    for (let row = starts[k]!; row < starts[k + 1]!; row++) out.set(first, row * width);
  }
  return out;
}

/** Histories of one length and the latents that they start from. */
export interface Starts {
  readonly count: number;
  readonly steps: number;
  /** Physical units, [count, steps, physical]. */
  readonly physical: Float32Array;
  /** Raw, [count, latent]. */
  readonly latents: Float32Array;
}

/** The emulator's raw latents after every step, [count, steps, members · latent]: `decodeRows` takes them with `members`. */
export async function rolloutLatents(surrogate: Inference, starts: Starts): Promise<Float32Array> {
  const { count, steps, physical, latents } = starts;
  const { data } = await surrogate.latentEmulate(
    { data: physical, shape: [count, steps, surrogate.physicalParameters.length] },
    { data: latents, shape: [count, surrogate.latentDim] },
  );
  return data;
}

/** Stretches of a block's tracers: `first` is the row that each starts from. */
export interface Stretch {
  /** Which tracer of the block. */
  readonly tracer: number;
  readonly first: number;
}

/** The starts of stretches of a block, each of `steps` steps. @param latents raw, of the rows that they start from, [stretches, latent] */
export function startsOf(
  block: TracerRows,
  latents: Float32Array,
  stretches: readonly Stretch[],
  steps: number,
): Starts {
  const parameters = block.physical.length / block.times.length;
  const starts = {
    count: stretches.length,
    steps,
    physical: new Float32Array(stretches.length * steps * parameters),
    latents,
  };
  for (const [i, { tracer, first }] of stretches.entries()) {
    const row = tracer * block.rows + first;
    starts.physical.set(block.physical.subarray(row * parameters, (row + steps) * parameters), i * steps * parameters);
  }
  return starts;
}

/** The full lengths of a block's tracers, from their first rows. */
export function wholeTracers({ places }: TracerRows): Stretch[] {
  return places.map((_, tracer) => ({ tracer, first: 0 }));
}
