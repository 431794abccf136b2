import {
  type BlockSizes,
  type EngineState,
  type HostTensor,
  type HostTensors,
  hostTensor,
  mapValues,
  type Program,
  type ProgramOptions,
  type Series,
  sizeOf,
  type Targets,
} from "./engine.ts";

/** Trajectories at once: enough for two cores to share each product (128 are half as fast on two cores as on one). */
const trajectoriesAtOnce = 1024;
/** Steps of one stretch at most, where the program says nothing: the time to prepare a graph grows faster than its length. */
export const stepsAtOnce = 256;

/** A part of something that is done in parts. */
interface Block {
  readonly start: number;
  readonly count: number;
}

/**
 * Cuts n into parts of `largest` and a rest; where not any length will do, into the largest power of two within it and, for the rest, falling
 * ones: 300 = 256 + 32 + 8 + 4. An engine that compiles per length meets few lengths that way, whatever it is called with, and nothing is padded.
 */
export function* blocks(n: number, largest: number, anyLength = true): Generator<Block> {
  for (let start = 0, count = 0; start < n; start += count) {
    count = Math.min(largest, n - start);
    if (!anyLength) count = 2 ** Math.floor(Math.log2(count));
    yield { start, count };
  }
}

/**
 * The program as its callers see it: with a batch it takes any number of rows, and with a series any number of steps. Blocks are cut by the
 * sizes alone, so that the same call gives the same bits whatever was asked before.
 */
export function inBlocks(program: Program, sizes: BlockSizes, { batch, series }: ProgramOptions): Program {
  if (!batch && !series) return program;
  const run: Program["run"] = (state, inputs, targets = {}) =>
    series ? runSeries(program, sizes, series, state, inputs) : runRows(program, sizes.rows, state, inputs, targets);
  return { run, dispose: () => program.dispose() };
}

async function runRows(
  program: Program,
  most: number,
  state: EngineState,
  inputs: HostTensors,
  targets: Targets,
): Promise<HostTensors> {
  const rows = Object.values(inputs)[0]!.shape[0]!;
  // What is made in one call needs no other array: filling a fresh one takes as long as a product.
  if (rows <= most) return program.run(state, inputs, targets);
  const out: Record<string, HostTensor> = {};
  for (const block of blocks(rows, most)) {
    const places = mapValues(rowsOf(out, block), ({ data }) => data);
    const made = await program.run(state, rowsOf(inputs, block), places);
    for (const [name, { data, shape }] of Object.entries(made)) {
      if (data === places[name]) continue;
      out[name] ??= hostTensor(
        targets[name] ?? new Float32Array((data.length / block.count) * rows),
        shape.with(0, rows),
      );
      out[name].data.set(data, (data.length / block.count) * block.start);
    }
  }
  return out;
}

/** In stretches, each from where the last one ended: long rollouts need no large graphs. */
async function runSeries(
  program: Program,
  sizes: BlockSizes,
  { input, output, longest = stepsAtOnce }: Series,
  state: EngineState,
  { [input]: given, ...starts }: HostTensors,
): Promise<HostTensors> {
  const [batch, steps, width] = given!.shape as [number, number, number];
  let out = hostTensor(new Float32Array(0), []);
  for (const block of blocks(batch, trajectoriesAtOnce)) {
    let start = rowsOf(starts, block);
    const largest = Math.min(longest, Math.max(1, Math.floor(sizes.stretch / block.count)));
    for (const stretch of blocks(steps, largest, sizes.anyLength)) {
      const place = { batch: block, steps: stretch, stride: steps };
      const shape = [stretch.count, block.count, width];
      const driving = hostTensor(new Float32Array(sizeOf(shape)), shape);
      copyStretch(given!.data, driving.data, place, false);
      const { [output]: made, ...carry } = await program.run(state, { [input]: driving, ...start });
      const size = made!.shape[2]!;
      if (out.data.length === 0) out = hostTensor(new Float32Array(batch * steps * size), [batch, steps, size]);
      copyStretch(out.data, made!.data, place, true);
      const last = made!.data.subarray((stretch.count - 1) * block.count * size);
      start = { ...carry, [output]: hostTensor(last, [block.count, size]) };
    }
  }
  return { [output]: out };
}

/** Rows of arrays whose first dimension counts them, not copied. */
function rowsOf(arrays: HostTensors, { start, count }: Block): HostTensors {
  return mapValues(arrays, ({ data, shape }) => {
    const size = sizeOf(shape.slice(1));
    return hostTensor(data.subarray(start * size, (start + count) * size), shape.with(0, count));
  });
}

/** A stretch of some trajectories among all: `stride` is how many steps the whole ones have. */
interface Place {
  readonly batch: Block;
  readonly steps: Block;
  readonly stride: number;
}

/** Copies between all, [·, stride, width], and a stretch, [steps, batch, width]: plain loops, because a call per row costs more than the row. */
function copyStretch(all: Float32Array, part: Float32Array, { batch, steps, stride }: Place, isInto: boolean): void {
  const width = part.length / (steps.count * batch.count);
  for (let t = 0, at = 0; t < steps.count; t++) {
    for (let b = 0; b < batch.count; b++) {
      const row = ((batch.start + b) * stride + steps.start + t) * width;
      if (isInto) for (let k = 0; k < width; k++) all[row + k] = part[at++]!;
      else for (let k = 0; k < width; k++) part[at++] = all[row + k]!;
    }
  }
}
