import type { Inference } from "../inference/inference.ts";
import type { TracerBlock } from "./tracer-blocks.ts";

/** Raw latents of every row. @param scaled [rows, species] @returns [rows, latent] */
export async function encodeRows(surrogate: Inference, scaled: Float32Array): Promise<Float32Array> {
  const width = surrogate.species.length;
  return (await surrogate.encode({ data: scaled, shape: [scaled.length / width, width] }, { scaled: true })).data;
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
  const [width, species] = [members * surrogate.latentDim, surrogate.species.length];
  const lost = new Set<number>();
  const data = latents.map((value, at) => {
    if (Number.isFinite(value)) return value;
    lost.add(Math.floor(at / width));
    return 0;
  });
  const rows = data.length / width;
  const shape = members > 1 ? [rows, 1, members, surrogate.latentDim] : [rows, width];
  const made = await surrogate.decode({ data, shape }, { scaled: true });
  for (const row of lost) made.data.fill(Number.NaN, row * species, (row + 1) * species);
  return made.data;
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
  block: TracerBlock,
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
export function wholeTracers({ places }: TracerBlock): Stretch[] {
  return places.map((_, tracer) => ({ tracer, first: 0 }));
}
