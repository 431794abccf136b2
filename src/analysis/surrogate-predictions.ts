import type { Inference } from "../inference/inference.ts";
import type { TracerBlock } from "./tracer-blocks.ts";

/** Raw latents of every row. @param scaled [rows, species] @returns [rows, latent] */
export async function encodeRows(surrogate: Inference, scaled: Float32Array): Promise<Float32Array> {
  const width = surrogate.species.length;
  const shape = [scaled.length / width, width];
  return (await surrogate.encode({ data: scaled, shape }, { scaled: true })).data;
}

/** @param latents raw, [rows, latent] @returns scaled, [rows, species] */
export async function decodeRows(surrogate: Inference, latents: Float32Array): Promise<Float32Array> {
  const shape = [latents.length / surrogate.latentDim, surrogate.latentDim];
  return (await surrogate.decode({ data: latents, shape }, { scaled: true })).data;
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

/** The emulator's raw latents after every step, [count, steps, latent]. */
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

/** The starts of stretches of a block, each of `steps` steps. @param latents raw, of all rows, [tracers, rows, latent] */
export function startsOf(
  block: TracerBlock,
  latents: Float32Array,
  stretches: readonly Stretch[],
  steps: number,
): Starts {
  const rows = block.places.length * block.rows;
  const [parameters, latent] = [block.physical.length / rows, latents.length / rows];
  const starts = {
    count: stretches.length,
    steps,
    physical: new Float32Array(stretches.length * steps * parameters),
    latents: new Float32Array(stretches.length * latent),
  };
  for (const [i, { tracer, first }] of stretches.entries()) {
    const row = tracer * block.rows + first;
    starts.physical.set(block.physical.subarray(row * parameters, (row + steps) * parameters), i * steps * parameters);
    starts.latents.set(latents.subarray(row * latent, (row + 1) * latent), i * latent);
  }
  return starts;
}

/** The full lengths of a block's tracers, from their first rows. */
export function wholeTracers({ places }: TracerBlock): Stretch[] {
  return places.map((_, tracer) => ({ tracer, first: 0 }));
}
