const N = 624;
const M = 397;

/** The Mersenne Twister of Matsumoto and Nishimura (1998), seeded by `init_genrand`, as NumPy's legacy seeding and torch's CPU generator do. */
export class Mt19937 {
  readonly #state = new Uint32Array(N);
  #next = N;

  /** @param seed an integer; its low 32 bits count */
  constructor(seed: number) {
    this.#state[0] = seed >>> 0;
    for (let i = 1; i < N; i++) {
      const previous = this.#state[i - 1]!;
      this.#state[i] = Math.imul(1_812_433_253, previous ^ (previous >>> 30)) + i;
    }
  }

  /** The next tempered word, 0 to 2^32 − 1. */
  nextUint32(): number {
    if (this.#next === N) this.#generate();
    let y = this.#state[this.#next++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  #generate(): void {
    const s = this.#state;
    for (let i = 0; i < N; i++) {
      const y = (s[i]! & 0x80000000) | (s[(i + 1) % N]! & 0x7fffffff);
      s[i] = s[(i + M) % N]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.#next = 0;
  }
}

/**
 * The numbers 0 to n − 1 as `numpy.random.seed(seed); numpy.random.shuffle(…)` orders them.
 * @returns [n]
 */
export function legacyShuffle(n: number, seed: number): Int32Array {
  const generator = new Mt19937(seed);
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    // NumPy draws below the smallest power of two that covers i, and rejects what is beyond: no modulo bias.
    const mask = 2 ** (32 - Math.clz32(i)) - 1;
    let j = generator.nextUint32() & mask;
    while (j > i) j = generator.nextUint32() & mask;
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
