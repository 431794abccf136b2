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
