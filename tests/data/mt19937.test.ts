import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { legacyShuffle, Mt19937 } from "../../src/data/mt19937.ts";

interface GoldenSplit {
  n: number;
  seed: number;
  train: number[] | null;
  train_size: number;
  first_shuffled: number[];
  checksum: number;
}

const golden = JSON.parse(
  readFileSync(new URL("../fixtures/golden/split.json", import.meta.url), "utf8"),
) as GoldenSplit[];

describe("Mt19937", () => {
  it("gives the words of the C++ standard's mt19937", () => {
    // ISO C++ [rand.predef]: seeded with 5489, the 10000th output is 4123659995.
    const generator = new Mt19937(5489);
    expect(generator.nextUint32()).toBe(3_499_211_612);
    for (let i = 2; i < 10_000; i++) generator.nextUint32();
    expect(generator.nextUint32()).toBe(4_123_659_995);
  });

  it("takes the low 32 bits of a seed", () => {
    expect(new Mt19937(2 ** 32 + 7).nextUint32()).toBe(new Mt19937(7).nextUint32());
  });
});

describe("legacyShuffle", () => {
  it.each(golden)(
    "orders $n tracers as NumPy does with seed $seed",
    ({ n, seed, train, train_size, first_shuffled }) => {
      const order = legacyShuffle(n, seed);
      expect([...order.subarray(0, first_shuffled.length)]).toEqual(first_shuffled);
      if (train !== null) expect([...order.subarray(0, train_size)].sort((a, b) => a - b)).toEqual(train);
    },
  );

  it("gives the vectors of the specification", () => {
    expect([...legacyShuffle(10, 42)]).toEqual([8, 1, 5, 0, 7, 2, 9, 4, 3, 6]);
    expect([...legacyShuffle(9980, 42).subarray(0, 8)]).toEqual([1253, 8224, 1658, 7733, 1441, 1056, 35, 7150]);
    expect([...legacyShuffle(9989, 42).subarray(0, 6)]).toEqual([5839, 3058, 8746, 2664, 35, 6077]);
  });

  it("has nothing to do for none or one", () => {
    expect([...legacyShuffle(0, 1)]).toEqual([]);
    expect([...legacyShuffle(1, 1)]).toEqual([0]);
  });
});
