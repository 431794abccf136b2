import { derivedSeed, RandomStream } from "../data/random.ts";

/**
 * Some of the entries of several lists: one at random from each of as many equal stretches of all of them, one list behind the other.
 * Every list and every part of it is there in proportion.
 */
export class EvenChoice {
  /** Entries there are. */
  readonly all: number;
  readonly chosen: number;
  /** Where each list begins, and the end of the last. */
  readonly #starts: Float64Array;
  /** Rising; null for all. */
  readonly #positions: Float64Array | null;

  /**
   * @param counts of the entries of each list
   * @param most   entries to choose; null for all
   * @param seed   and purpose: of the random stream
   */
  constructor(counts: readonly number[], most: number | null, seed: number, purpose: string) {
    this.#starts = new Float64Array(counts.length + 1);
    for (const [k, count] of counts.entries()) this.#starts[k + 1] = this.#starts[k]! + count;
    this.all = this.#starts[counts.length]!;
    this.chosen = Math.min(this.all, most ?? this.all);
    if (this.chosen === this.all) {
      this.#positions = null;
      return;
    }
    const random = new RandomStream(derivedSeed(seed, purpose));
    const { all, chosen } = this;
    this.#positions = Float64Array.from({ length: chosen }, (_, i) =>
      Math.floor(((i + random.uniform()) * all) / chosen),
    );
  }

  /** The chosen entries of a list, counted from 0, rising. */
  of(list: number): Int32Array {
    const [from, to] = [this.#starts[list]!, this.#starts[list + 1]!];
    const positions = this.#positions;
    if (positions === null) return Int32Array.from({ length: to - from }, (_, at) => at);
    return Int32Array.from(
      positions.subarray(lowerBound(positions, from), lowerBound(positions, to)),
      (position) => position - from,
    );
  }
}

/** Position of the first entry of a rising list that is not below `value`. */
function lowerBound(list: Float64Array, value: number): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
