import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { derivedSeed, RandomStream, torchRandperm } from "../../src/data/random.ts";

/** Mean and standard deviation. */
function moments(values: Float32Array): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance) };
}

describe("torchRandperm", () => {
  it("orders as torch does: the chunk order and first chunk of the sampler's vectors", () => {
    const expected = [18, 13, 0, 5, 10, 16, 14, 4, 8, 9, 17, 6, 3, 7, 11, 12, 2, 19, 1, 15];
    expect([...torchRandperm(20, 13)]).toEqual(expected);
  });

  it("is a permutation", () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(), (n, seed) => {
        const sorted = torchRandperm(n, seed).sort();
        expect([...sorted]).toEqual(Array.from({ length: n }, (_, i) => i));
      }),
    );
  });
});

describe("derivedSeed", () => {
  it("tells purposes, epochs and seeds apart, and is a 32-bit number", () => {
    const seeds = [
      derivedSeed(1, "dropout"),
      derivedSeed(1, "noise"),
      derivedSeed(1, "dropout", 1),
      derivedSeed(2, "dropout"),
    ];
    expect(new Set(seeds).size).toBe(4);
    for (const seed of seeds) expect(seed >>> 0).toBe(seed);
  });

  it("stays what it was: a resumed run finds its stream again", () => {
    // sha256("42/dropout and noise/3") begins with these bytes.
    expect(derivedSeed(42, "dropout and noise", 3)).toMatchInlineSnapshot(`2695939790`);
  });
});

describe("RandomStream", () => {
  it("gives the words of sfc32", () => {
    // PractRand's sfc32 written out independently, from the state that a seed begins with.
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

  it("continues from its state", () => {
    const stream = new RandomStream(3);
    stream.fillNormal(new Float32Array(5), 1);
    const copy = RandomStream.from(stream.state());
    const [here, there] = [new Float32Array(100), new Float32Array(100)];
    stream.fillUniform(here, -1, 1);
    copy.fillUniform(there, -1, 1);
    expect(there).toEqual(here);
  });

  it("fills U(low, high)", () => {
    const values = new Float32Array(100_000);
    new RandomStream(1).fillUniform(values, -2, 4);
    const { mean, deviation } = moments(values);
    expect(mean).toBeCloseTo(1, 1);
    expect(deviation).toBeCloseTo(6 / Math.sqrt(12), 1);
    expect(values.every((value) => value >= -2 && value <= 4)).toBe(true);
  });

  it("fills N(0, scale²), odd lengths too", () => {
    const values = new Float32Array(100_001);
    new RandomStream(1).fillNormal(values, 0.5);
    const { mean, deviation } = moments(values);
    expect(Math.abs(mean)).toBeLessThan(0.01);
    expect(deviation).toBeCloseTo(0.5, 2);
    expect(values.filter((value) => Math.abs(value) > 1).length / values.length).toBeCloseTo(0.0455, 2);
    expect(values.every(Number.isFinite)).toBe(true);
    expect(values.at(-1)).not.toBe(0);
  });

  it.each([0, 0.3, 1])("keeps a share of 1 − %d, scaled so that the mean stays", (rate) => {
    const mask = new Float32Array(100_000);
    new RandomStream(1).fillKeepMask(mask, rate);
    expect(mask.filter((value) => value === 0).length / mask.length).toBeCloseTo(rate, 2);
    expect(mask.every((value) => value === 0 || value === Math.fround(1 / (1 - rate)))).toBe(true);
  });

  it("gives a batch's masks without being felt", () => {
    const stream = new RandomStream(1);
    const mask = new Float32Array(2_000_000);
    const times = Array.from({ length: 5 }, () => {
      const started = performance.now();
      stream.fillKeepMask(mask, 0.3);
      return performance.now() - started;
    });
    // 10 ms on an idle core; the limit leaves room for a busy machine.
    expect(Math.min(...times)).toBeLessThan(100);
  });
});
