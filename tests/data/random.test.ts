import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { derivedSeed, RandomStream, torchRandperm } from "../../src/data/random.ts";

describe("torchRandperm", () => {
  // Vectors of torch 1.13 on the CPU: torch.randperm(20, generator=torch.Generator().manual_seed(seed)).
  it.each([
    [13, "18 13 0 5 10 16 14 4 8 9 17 6 3 7 11 12 2 19 1 15"],
    [10_013, "6 9 8 1 15 13 3 17 12 11 10 5 19 14 4 0 7 2 16 18"],
  ])("orders 20 numbers as torch does with seed %i", (seed, order) => {
    expect([...torchRandperm(20, seed)].join(" ")).toBe(order);
  });

  it("holds every number once", () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(), (n, seed) => {
        expect([...torchRandperm(n, seed)].sort((a, b) => a - b)).toEqual([...Array(n).keys()]);
      }),
      { numRuns: 50 },
    );
  });
});

describe("derivedSeed", () => {
  it("differs between seeds, purposes and epochs, and is the same each time", () => {
    const seeds = [derivedSeed(0, "a"), derivedSeed(1, "a"), derivedSeed(0, "b"), derivedSeed(0, "a", 1)];
    expect(new Set(seeds).size).toBe(4);
    expect(derivedSeed(0, "a")).toBe(seeds[0]);
  });

  it("stays what it is documented to be: a run that goes on after an update finds its streams again", () => {
    // python: int.from_bytes(hashlib.sha256(b"42/dropout and noise/3").digest()[:4], "little")
    expect(derivedSeed(42, "dropout and noise", 3)).toBe(2_695_939_790);
  });
});

describe("RandomStream", () => {
  const filled = (n: number, f: (stream: RandomStream, target: Float32Array) => void): Float32Array => {
    const target = new Float32Array(n);
    f(new RandomStream(7), target);
    return target;
  };
  const mean = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0) / values.length;

  it("keeps the share 1 − rate, raised so that the mean stays 1", () => {
    const mask = filled(100_000, (stream, target) => stream.fillKeepMask(target, 0.3));
    expect(new Set(mask)).toEqual(new Set([0, Math.fround(1 / 0.7)]));
    expect(Math.abs(mean(mask) - 1)).toBeLessThan(0.01); // standard error 0.002
  });

  it("draws two entries of a mask from each word, and goes on behind the last", () => {
    const [masks, words] = [new RandomStream(11), new RandomStream(11)];
    const mask = new Float32Array(9);
    masks.fillKeepMask(mask, 0.5);
    const expected = Array.from({ length: 5 }, () => words.uniform() * 2 ** 32).flatMap((word) => {
      return [word % 2 ** 16, Math.floor(word / 2 ** 16)].map((half) => (half < 2 ** 15 ? 0 : 2));
    });
    expect([...mask]).toEqual(expected.slice(0, 9));
    expect(masks.uniform()).toBe(words.uniform());
  });

  it("fills with normal numbers of the wanted scale, also an odd count", () => {
    const noise = filled(100_001, (stream, target) => stream.fillNormal(target, 0.1));
    expect(Math.abs(mean(noise))).toBeLessThan(0.002); // standard error 0.0003
    expect(Math.abs(Math.sqrt(mean(noise.map((x) => x * x))) - 0.1)).toBeLessThan(0.002);
    expect(Math.max(...noise.subarray(0, 50_000))).toBeGreaterThan(0.3); // 3 sigma: 68 of 50,000 are expected
  });

  it("fills uniformly within the bounds", () => {
    const values = filled(100_000, (stream, target) => stream.fillUniform(target, -2, 4));
    expect(values.every((value) => value >= -2 && value <= 4)).toBe(true);
    expect(Math.abs(mean(values) - 1)).toBeLessThan(0.05);
  });

  it("goes on from a saved state with the same numbers", () => {
    const stream = new RandomStream(3);
    stream.uniform();
    const copy = RandomStream.from(stream.state());
    expect([copy.uniform(), copy.uniform()]).toEqual([stream.uniform(), stream.uniform()]);
  });

  it("gives the words of sfc32", () => {
    // Written out independently, from the state that a seed begins with.
    let [a, b, c, counter] = [7n, 0x9e3779b9n, 0x243f6a88n, 1n];
    const word = (x: bigint): bigint => x & 0xffffffffn;
    const next = (): number => {
      const sum = word(a + b + counter);
      counter = word(counter + 1n);
      a = b ^ (b >> 9n);
      b = word(c + (c << 3n));
      c = word(word((c << 21n) | (c >> 11n)) + sum);
      return Number(sum);
    };
    for (let i = 0; i < 12; i++) next();
    const stream = new RandomStream(7);
    for (let i = 0; i < 1000; i++) expect(stream.uniform()).toBe(next() / 2 ** 32);
  });

  it.each([
    [0, 1],
    [1, 0],
  ])("with a rate of %d makes a mask of %d throughout", (rate, value) => {
    const mask = filled(10_000, (stream, target) => stream.fillKeepMask(target, rate));
    expect(new Set(mask)).toEqual(new Set([value]));
  });
});
