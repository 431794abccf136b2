import { derivedSeed, RandomStream } from "../data/random.ts";

/**
 * Some of the entries of several lists: one at random from each of as many equal stretches of all of them, one list behind the other.
 * Every list and every part of it is there in proportion.
 */
export class EvenChoice<List> {
  /** Entries there are. */
  readonly all: number;
  readonly chosen: number;
  /** Where each list begins and ends among all of them. */
  readonly #stretches = new Map<List, readonly [from: number, to: number]>();
  /** Rising; null for all. */
  readonly #positions: Float64Array | null;

  /**
   * @param counts how many entries each list has
   * @param most   entries to choose; null for all
   * @param seed   and purpose: of the random stream
   */
  constructor(counts: Iterable<readonly [List, number]>, most: number | null, seed: number, purpose: string) {
    let all = 0;
    for (const [list, count] of counts) {
      this.#stretches.set(list, [all, all + count]);
      all += count;
    }
    const chosen = Math.min(all, most ?? all);
    [this.all, this.chosen] = [all, chosen];
    if (chosen === all) {
      this.#positions = null;
      return;
    }
    const random = new RandomStream(derivedSeed(seed, purpose));
    this.#positions = Float64Array.from({ length: chosen }, (_, i) =>
      Math.floor(((i + random.uniform()) * all) / chosen),
    );
  }

  /** The chosen entries of a list, counted from 0, rising. */
  of(list: List): Int32Array {
    const [from, to] = this.#stretches.get(list)!;
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
