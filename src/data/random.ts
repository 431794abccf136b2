import { createHash } from "node:crypto";
import { Mt19937 } from "./mt19937.ts";

/**
 * torch.randperm(n) of a CPU generator seeded with `seed`: a Fisher-Yates shuffle from the front.
 * @returns [n]
 */
export function torchRandperm(n: number, seed: number): Int32Array {
  const generator = new Mt19937(seed);
  const order = new Int32Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  for (let i = 0; i < n - 1; i++) {
    const j = i + (generator.nextUint32() % (n - i));
    const moved = order[i]!;
    order[i] = order[j]!;
    order[j] = moved;
  }
  return order;
}

/**
 * The seed of one random stream: the first 32 bits of sha256("<seed>/<purpose>/<epoch>"), so that no two purposes or epochs
 * share numbers and a resumed run finds its stream again without replaying it.
 */
export function derivedSeed(seed: number, purpose: string, epoch = 0): number {
  return createHash("sha256").update(`${seed}/${purpose}/${epoch}`).digest().readUInt32LE(0);
}

/** A fast generator for masks, noise and initial weights: sfc32 (Doty-Humphrey, PractRand), 128 bits of state. */
export class RandomStream {
  /** Words a, b, c and the counter. An array, because 32-bit words in fields of their own would each be boxed when written. */
  readonly #words: Int32Array;

  constructor(seed: number) {
    this.#words = Int32Array.of(seed, 0x9e3779b9, 0x243f6a88, 1);
    for (let i = 0; i < 12; i++) this.#next();
  }

  /** Continues where a stream stood when it gave `state()`. */
  static from(state: readonly number[]): RandomStream {
    const stream = new RandomStream(0);
    stream.#words.set(state);
    return stream;
  }

  /** Four 32-bit words. */
  state(): number[] {
    return [...this.#words];
  }

  /** In [0, 1), on a grid of 2^-32. */
  uniform(): number {
    return this.#next() / 2 ** 32;
  }

  /** U(low, high). */
  fillUniform(target: Float32Array, low: number, high: number): void {
    const step = (high - low) / 2 ** 32;
    for (let i = 0; i < target.length; i++) target[i] = low + this.#next() * step;
  }

  /** N(0, scale²), by Box and Muller's transform. */
  fillNormal(target: Float32Array, scale: number): void {
    for (let i = 0; i < target.length; i += 2) {
      // From (0, 1]: the logarithm of 0 would be infinite.
      const radius = scale * Math.sqrt(-2 * Math.log((this.#next() + 1) / 2 ** 32));
      const angle = this.#next() * ((2 * Math.PI) / 2 ** 32);
      target[i] = radius * Math.cos(angle);
      if (i + 1 < target.length) target[i + 1] = radius * Math.sin(angle);
    }
  }

  /**
   * An inverted dropout mask: 0 with probability `rate` (on a grid of 2^-16), else 1 / (1 − rate). Two entries a word, and the words in
   * variables: masks are the most of what a training step draws.
   */
  fillKeepMask(target: Float32Array, rate: number): void {
    const threshold = Math.round(rate * 2 ** 16);
    const values = Float32Array.of(1 / (1 - rate), 0);
    let [a, b, c, counter] = this.#words as unknown as [number, number, number, number];
    for (let i = 0; i < target.length; i += 2) {
      const sum = (a + b + counter) | 0; // as in #next
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) | 0;
      c = (((c << 21) | (c >>> 11)) + sum) | 0;
      counter = (counter + 1) | 0;
      // No branch: the processor could not foresee it.
      target[i] = values[((sum & 0xffff) - threshold) >>> 31]!;
      if (i + 1 < target.length) target[i + 1] = values[((sum >>> 16) - threshold) >>> 31]!;
    }
    this.#words.set([a, b, c, counter]);
  }

  /** 0 to 2^32 − 1. */
  #next(): number {
    const words = this.#words;
    const [a, b, c, counter] = [words[0]!, words[1]!, words[2]!, words[3]!];
    const sum = (a + b + counter) | 0;
    words[0] = b ^ (b >>> 9);
    words[1] = c + (c << 3);
    words[2] = ((c << 21) | (c >>> 11)) + sum;
    words[3] = counter + 1;
    return sum >>> 0;
  }
}
