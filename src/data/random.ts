import { createHash } from "node:crypto";
import { Mt19937 } from "./mt19937.ts";

/**
 * torch.randperm(n) of a CPU generator seeded with `seed`: a Fisher-Yates shuffle from the front.
 * @returns [n]
 */
export function torchRandperm(n: number, seed: number): Int32Array {
  const generator = new Mt19937(seed);
  const order = Int32Array.from({ length: n }, (_, i) => i);
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
  #a: number;
  #b: number;
  #c: number;
  #counter: number;

  constructor(seed: number) {
    [this.#a, this.#b, this.#c, this.#counter] = [seed | 0, 0x9e3779b9 | 0, 0x243f6a88, 1];
    for (let i = 0; i < 12; i++) this.#next();
  }

  /** Continues where a stream stood when it gave `state()`. */
  static from(state: readonly number[]): RandomStream {
    const stream = new RandomStream(0);
    [stream.#a, stream.#b, stream.#c, stream.#counter] = state as [number, number, number, number];
    return stream;
  }

  /** Four 32-bit words. */
  state(): number[] {
    return [this.#a, this.#b, this.#c, this.#counter];
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

  /** An inverted dropout mask: 0 with probability `rate`, else 1 / (1 − rate). */
  fillKeepMask(target: Float32Array, rate: number): void {
    const threshold = rate * 2 ** 32;
    const kept = 1 / (1 - rate);
    for (let i = 0; i < target.length; i++) target[i] = this.#next() < threshold ? 0 : kept;
  }

  /** 0 to 2^32 − 1. */
  #next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }
}
