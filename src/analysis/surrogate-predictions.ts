import type { Inference } from "../inference/inference.ts";
import type { TracerBlock } from "./tracer-blocks.ts";

/**
 * Rows that the engine computes at once, and steps of a rollout that shapes are rounded to. It prepares itself for every shape anew,
 * which takes as long as thousands of rows, and keeps what it prepared: a few padded shapes serve tracers of any length and number.
 */
const [rowsAtOnce, stepsTogether] = [4096, 32];

/** Whole blocks, and a rest rounded up to a power of two. */
function paddedRows(rows: number): number {
  const rest = rows % rowsAtOnce;
  return rows - rest + (rest === 0 ? 0 : 2 ** Math.ceil(Math.log2(rest)));
}

/** The values with rows of 0 after them. */
function padded(values: Float32Array, width: number): Float32Array {
  const size = paddedRows(values.length / width) * width;
  if (size === values.length) return values;
  const out = new Float32Array(size);
  out.set(values);
  return out;
}

/** Raw latents of every row. @param scaled [rows, species] @returns [rows, latent] */
export async function encodeRows(surrogate: Inference, scaled: Float32Array): Promise<Float32Array> {
  const width = surrogate.species.length;
  const data = padded(scaled, width);
  const made = await surrogate.encode({ data, shape: [data.length / width, width] }, { scaled: true });
  return made.data.subarray(0, (scaled.length / width) * surrogate.latentDim);
}

/**
 * @param latents raw, [rows, latent]: a rollout that grew without bound may hold infinities
 * @returns scaled, [rows, species]; NaN in rows whose latents are not finite
 */
export async function decodeRows(surrogate: Inference, latents: Float32Array): Promise<Float32Array> {
  const [width, species] = [surrogate.latentDim, surrogate.species.length];
  const lost = lostRows(latents, width);
  const data = padded(
    lost.length === 0 ? latents : latents.map((value) => (Number.isFinite(value) ? value : 0)),
    width,
  );
  const made = await surrogate.decode({ data, shape: [data.length / width, width] }, { scaled: true });
  for (const row of lost) made.data.fill(Number.NaN, row * species, (row + 1) * species);
  return made.data.subarray(0, (latents.length / width) * species);
}

function lostRows(latents: Float32Array, width: number): number[] {
  const rows = new Set<number>();
  for (const [at, value] of latents.entries()) if (!Number.isFinite(value)) rows.add(Math.floor(at / width));
  return [...rows];
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
  const { count, steps, latents } = starts;
  const [parameters, latent] = [surrogate.physicalParameters.length, surrogate.latentDim];
  const batch = paddedRows(count);
  const length = Math.ceil(steps / stepsTogether) * stepsTogether;
  // Conditions must be above 0, so that those of the last step and of the last history stand in.
  const physical = new Float32Array(batch * length * parameters);
  for (let k = 0; k < batch; k++) {
    const history = Math.min(k, count - 1) * steps;
    for (let step = 0; step < length; step++) {
      const from = (history + Math.min(step, steps - 1)) * parameters;
      const to = (k * length + step) * parameters;
      for (let i = 0; i < parameters; i++) physical[to + i] = starts.physical[from + i]!;
    }
  }
  const { data } = await surrogate.latentEmulate(
    { data: physical, shape: [batch, length, parameters] },
    { data: padded(latents, latent), shape: [batch, latent] },
  );
  const out = new Float32Array(count * steps * latent);
  for (let k = 0; k < count; k++) {
    out.set(data.subarray(k * length * latent, (k * length + steps) * latent), k * steps * latent);
  }
  return out;
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
