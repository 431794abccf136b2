import {
  type BlockSizes,
  type EngineState,
  type HostTensor,
  type HostTensors,
  hostTensor,
  type Program,
  type ProgramOptions,
  type Series,
  sizeOf,
  type Targets,
} from "./engine.ts";

/** Trajectories at once: enough for two cores to share each product (128 are half as fast on two cores as on one). */
const trajectoriesAtOnce = 1024;
/** Steps of one stretch at most, where the program says nothing: the time to prepare a graph grows faster than its length. */
const stepsAtOnce = 256;

/** A part of something that is done in parts. */
export interface Block {
  readonly start: number;
  readonly count: number;
}

/** Cuts n into parts of `largest` and a rest. */
export function* blocks(n: number, largest: number): Generator<Block> {
  for (let start = 0; start < n; start += largest) yield { start, count: Math.min(largest, n - start) };
}

/**
 * Cuts n into parts of the largest power of two within `largest` and, for the rest, falling powers of two: 300 = 256 + 32 + 8 + 4. An engine that
 * compiles per length meets few lengths that way, whatever it is called with, and nothing is padded.
 */
export function* powersOfTwo(n: number, largest: number): Generator<Block> {
  for (let start = 0; start < n; ) {
    const count = 2 ** Math.floor(Math.log2(Math.min(largest, n - start)));
    yield { start, count };
    start += count;
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
  largest: number,
  state: EngineState,
  inputs: HostTensors,
  targets: Targets,
): Promise<HostTensors> {
  const rows = Object.values(inputs)[0]!.shape[0]!;
  // What is made in one call needs no other array: filling a fresh one takes as long as a product.
  if (rows <= largest) return program.run(state, inputs, targets);
  const out: Record<string, HostTensor> = {};
  for (const block of blocks(rows, largest)) {
    const places = mapped(rowsOf(out, block), ({ data }) => data);
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
    for (const stretch of sizes.anyLength ? blocks(steps, largest) : powersOfTwo(steps, largest)) {
      const place = { batch: block, steps: stretch, stride: steps };
      const driving = hostTensor(new Float32Array(stretch.count * block.count * width), [
        stretch.count,
        block.count,
        width,
      ]);
      timeFirst(given!.data, driving.data, { ...place, width });
      const { [output]: made, ...carry } = await program.run(state, { [input]: driving, ...start });
      const size = made!.shape[2]!;
      if (out.data.length === 0) out = hostTensor(new Float32Array(batch * steps * size), [batch, steps, size]);
      batchFirst(made!.data, out.data, { ...place, width: size });
      const last = made!.data.subarray((stretch.count - 1) * block.count * size);
      start = { ...carry, [output]: hostTensor(last, [block.count, size]) };
    }
  }
  return { [output]: out };
}

/** Rows of arrays whose first dimension counts them, not copied. */
function rowsOf(arrays: HostTensors, { start, count }: Block): HostTensors {
  return mapped(arrays, ({ data, shape }) => {
    const size = sizeOf(shape.slice(1));
    return hostTensor(data.subarray(start * size, (start + count) * size), shape.with(0, count));
  });
}

function mapped<A, B>(record: Readonly<Record<string, A>>, f: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, f(value)]));
}

/** Stretches of some trajectories among all: `stride` is how many steps the whole ones have. */
interface Place {
  readonly batch: Block;
  readonly steps: Block;
  readonly stride: number;
  readonly width: number;
}

/** [all, stride, width] → [steps, batch, width]: plain loops, because a call per row costs more than the row. */
function timeFirst(from: Float32Array, to: Float32Array, { batch, steps, stride, width }: Place): void {
  for (let t = 0, at = 0; t < steps.count; t++) {
    for (let b = 0; b < batch.count; b++) {
      const row = ((batch.start + b) * stride + steps.start + t) * width;
      for (let k = 0; k < width; k++) to[at++] = from[row + k]!;
    }
  }
}

/** [steps, batch, width] → [all, stride, width]. */
function batchFirst(from: Float32Array, to: Float32Array, { batch, steps, stride, width }: Place): void {
  for (let t = 0, at = 0; t < steps.count; t++) {
    for (let b = 0; b < batch.count; b++) {
      const row = ((batch.start + b) * stride + steps.start + t) * width;
      for (let k = 0; k < width; k++) to[row + k] = from[at++]!;
    }
  }
}
