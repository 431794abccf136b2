import type { Spread } from "./inspection.ts";

/**
 * An even sample of any number of values in bounded memory: every k-th one, where k doubles whenever the sample is full. Smallest
 * and largest are of all values.
 */
export class DecimatedSample {
  readonly #capacity: number;
  #kept: Float64Array;
  #count = 0;
  #stride = 1;
  #untilNext = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;

  /** @param capacity even */
  constructor(capacity = 65_536) {
    this.#capacity = capacity;
    this.#kept = new Float64Array(Math.min(capacity, 1024));
  }

  /** NaN is left out. */
  add(value: number): void {
    if (Number.isNaN(value)) return;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
    if (this.#untilNext > 0) {
      this.#untilNext--;
      return;
    }
    if (this.#count === this.#kept.length) this.#makeRoom();
    this.#kept[this.#count++] = value;
    this.#untilNext = this.#stride - 1;
  }

  /** Null without values. The median is exact while everything fits. */
  spread(): Spread | null {
    if (this.#count === 0) return null;
    const sorted = this.#kept.slice(0, this.#count).sort();
    const middle = sorted.length >> 1;
    const median = sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
    return { min: this.#min, median, max: this.#max };
  }

  #makeRoom(): void {
    if (this.#kept.length < this.#capacity) {
      const larger = new Float64Array(Math.min(this.#capacity, 2 * this.#kept.length));
      larger.set(this.#kept);
      this.#kept = larger;
      return;
    }
    this.#count = this.#capacity / 2;
    for (let i = 0; i < this.#count; i++) this.#kept[i] = this.#kept[2 * i]!;
    this.#stride *= 2;
  }
}
