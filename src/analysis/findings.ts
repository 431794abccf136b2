import type { TracerBlock, TracerPlace, TracerRows } from "./tracer-blocks.ts";

/** Arrays by name, which a look at some tracers gave: all that is needed of them, so that a shard can keep it in place of them. */
export type Found = Readonly<Record<string, FoundArray | undefined>>;
export type FoundArray = Float32Array | Float64Array | Int32Array;

/** The parts of an evaluation that may be shared out: each is many blocks, which know nothing of each other. */
export interface Part {
  readonly name: "train" | "scored" | "reliability";
  readonly blocks: number;
  /** Reads a block and runs the surrogate over it. */
  look(block: number): AsyncIterable<Found>;
}

/** Whoever has looked at the blocks already. */
export interface Findings {
  of(part: Part, block: number): Iterable<Found>;
}

/**
 * What there is in the blocks of a part, in their order: whatever is summed up is added in one order, whoever looked.
 * @param findings null: they are looked at now
 */
export async function* foundIn(
  part: Part,
  findings: Findings | null,
  checkpoint: () => Promise<void>,
): AsyncGenerator<readonly [block: number, found: Found]> {
  for (let block = 0; block < part.blocks; block++) {
    for await (const found of findings?.of(part, block) ?? part.look(block)) {
      yield [block, found];
      await checkpoint();
    }
  }
}

/** The times and conditions of a block, and the abundances of some of its rows. */
export function kept(block: TracerBlock, rows: Iterable<number>): Found {
  const chosen = Int32Array.from(new Set(rows));
  return { times: block.times, physical: block.physical, rows: chosen, scaled: block.scaledRows(chosen) };
}

/** The block again, which knows the kept rows alone. */
export function restored(places: readonly TracerPlace[], found: Found): TracerRows {
  const [times, physical] = [arrayOf(found, "times", Float64Array), arrayOf(found, "physical", Float32Array)];
  const [rows, scaled] = [arrayOf(found, "rows", Int32Array), arrayOf(found, "scaled", Float32Array)];
  const width = scaled.length / rows.length;
  const at = new Int32Array(times.length).fill(-1);
  for (const [i, row] of rows.entries()) at[row] = i;
  return {
    places,
    rows: times.length / places.length,
    times,
    physical,
    scaledRows(wanted) {
      const out = new Float32Array(wanted.length * (width || 0));
      for (let i = 0; i < wanted.length; i++) {
        const from = at[wanted[i]!]! * width;
        if (from < 0) throw new RangeError(`row ${wanted[i]} was not kept`);
        out.set(scaled.subarray(from, from + width), i * width);
      }
      return out;
    },
  };
}

/** One of the arrays; an empty one where nothing of the name was found. */
export function arrayOf<T extends FoundArray>(found: Found, name: string, type: new (length: number) => T): T {
  const array = found[name] ?? new type(0);
  if (array instanceof type) return array;
  throw new TypeError(`${name} has another type`);
}
