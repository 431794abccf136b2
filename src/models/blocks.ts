/**
 * Cuts n into parts of `largest` and, for the rest, falling powers of two: 1000 = 512 + 256 + 128 + 64 + 32 + 8. An engine that
 * compiles per shape meets few shapes that way, whatever sizes it is called with, and nothing is padded.
 * @param anySize  what is left is one part
 */
export function* blocks(n: number, largest: number, anySize = false): Generator<{ start: number; count: number }> {
  let start = 0;
  while (start < n) {
    const left = n - start;
    const count = left >= largest ? largest : anySize ? left : 2 ** Math.floor(Math.log2(left));
    yield { start, count };
    start += count;
  }
}
