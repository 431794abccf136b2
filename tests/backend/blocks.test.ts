import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { blocks, inBlocks } from "../../src/backend/blocks.ts";
import { type EngineState, hostTensor, type Program } from "../../src/backend/engine.ts";

const counts = (n: number, largest: number): number[] => [...blocks(n, largest, false)].map(({ count }) => count);

describe("blocks", () => {
  it("in powers of two cut into the largest and falling ones for the rest", () => {
    expect(counts(1000, 4096)).toEqual([512, 256, 128, 64, 32, 8]);
    expect(counts(130, 64)).toEqual([64, 64, 2]);
    expect(counts(64, 64)).toEqual([64]);
    expect(counts(1, 64)).toEqual([1]);
  });

  it("of a largest that is no power of two are powers of two below it", () => {
    expect(counts(47, 20)).toEqual([16, 16, 8, 4, 2, 1]);
  });

  it("of any size leave one part", () => {
    expect([...blocks(130, 64)]).toEqual([
      { start: 0, count: 64 },
      { start: 64, count: 64 },
      { start: 128, count: 2 },
    ]);
    expect([...blocks(37, 64)]).toEqual([{ start: 0, count: 37 }]);
    expect([...blocks(0, 64)]).toEqual([]);
  });

  it("of nothing are none", () => {
    expect(counts(0, 64)).toEqual([]);
  });

  const sizes = [fc.nat(20_000), fc.integer({ min: 1, max: 5000 })] as const;

  it("cover 0 to n once, in order", () => {
    fc.assert(
      fc.property(...sizes, (n, largest) => {
        let covered = 0;
        for (const { start, count } of blocks(n, largest, false)) {
          expect(start).toBe(covered);
          expect(count).toBeGreaterThan(0);
          expect(count).toBeLessThanOrEqual(largest);
          covered += count;
        }
        expect(covered).toBe(n);
      }),
    );
  });

  it("have few distinct sizes, whatever n: the largest and the powers of two below it", () => {
    fc.assert(
      fc.property(fc.array(sizes[0], { minLength: 1, maxLength: 20 }), sizes[1], (ns, largest) => {
        const distinct = new Set(ns.flatMap((n) => counts(n, largest)));
        expect(distinct.size).toBeLessThanOrEqual(1 + Math.floor(Math.log2(largest)));
        for (const size of distinct) expect(Number.isInteger(Math.log2(size))).toBe(true);
      }),
    );
  });
});

describe("a program in blocks", () => {
  const state = {} as EngineState;
  const sizes = { rows: 4, stretch: 8, anyLength: false };
  /** Notes the first dimension of each input that it is given; writes into targets like the compiled engine. */
  function noting(
    step: (inputs: Record<string, Float32Array>, shape: number[]) => Record<string, [number[], number[]]>,
  ) {
    const seen: number[][] = [];
    const program: Program = {
      async run(_, inputs, targets = {}) {
        const list = Object.entries(inputs);
        seen.push(list.map(([, { shape }]) => shape[0]!));
        const made = step(Object.fromEntries(list.map(([name, { data }]) => [name, data])), [...list[0]![1].shape]);
        const output = ([name, [values, shape]]: [string, [number[], number[]]]) => {
          targets[name]?.set(values);
          return [name, hostTensor(targets[name] ?? Float32Array.from(values), shape)] as const;
        };
        return Object.fromEntries(Object.entries(made).map(output));
      },
      dispose: async () => {},
    };
    return { program, seen };
  }
  const upTo = (n: number): Float32Array => Float32Array.from({ length: n }, (_, at) => at);

  it.each([[1], [4], [11]])("takes %i rows and gives as many, and the step never more than is best", async (rows) => {
    const { program, seen } = noting(({ x, y }, [count]) => ({
      sums: [Array.from({ length: count! }, (_, row) => x![2 * row]! + x![2 * row + 1]! + y![row]!), [count!, 1]],
      same: [[...x!], [count!, 2]],
    }));
    const inputs = { x: hostTensor(upTo(2 * rows), [rows, 2]), y: hostTensor(upTo(rows), [rows]) };
    const made = await inBlocks(program, sizes, { batch: { x: 0, y: 0 } }).run(state, inputs);
    expect(made.sums).toEqual(
      hostTensor(
        upTo(rows).map((row) => 5 * row + 1),
        [rows, 1],
      ),
    );
    expect(made.same).toEqual(inputs.x);
    expect(seen.map(([count]) => count)).toEqual([...blocks(rows, 4)].map(({ count }) => count));
  });

  it.each([
    [1, 1, false],
    [2, 7, false],
    [2, 7, true],
    [3, 5, false],
    [1025, 2, false],
  ])(
    "steps %i trajectories through %i steps, each stretch from where the last one ended",
    async (batch, steps, anyLength) => {
      // z ← z + x; the carry counts steps.
      const { program, seen } = noting(({ x, z, carry }, [length, count]) => {
        const states: number[] = [];
        for (let t = 0; t < length!; t++) {
          for (let b = 0; b < count!; b++) {
            states.push((t === 0 ? z![b]! : states[(t - 1) * count! + b]!) + x![t * count! + b]!);
          }
        }
        return { z: [states, [length!, count!, 1]], carry: [Array.from(carry!, (n) => n + length!), [count!, 1]] };
      });
      const inputs = {
        x: hostTensor(upTo(batch * steps), [batch, steps, 1]),
        z: hostTensor(upTo(batch), [batch, 1]),
        carry: hostTensor(new Float32Array(batch), [batch, 1]),
      };
      const series = { input: "x", output: "z", longest: 4 };
      const made = await inBlocks(program, { ...sizes, anyLength }, { series }).run(state, inputs);
      const expected: number[] = [];
      for (let b = 0; b < batch; b++) {
        for (let t = 0; t < steps; t++) expected.push((t === 0 ? b : expected.at(-1)!) + b * steps + t);
      }
      expect(made).toEqual({ z: hostTensor(Float32Array.from(expected), [batch, steps, 1]) });
      const lengths = seen.map(([length]) => length!);
      if (batch === 2) expect(lengths).toEqual(anyLength ? [4, 3] : [4, 2, 1]);
      if (batch === 1025) expect(seen.map(([, count]) => count)).toEqual([1024, 1024, 1]);
      expect(lengths.every((length) => length <= 4)).toBe(true);
    },
  );

  it("without a batch and a series is the program itself", () => {
    const { program } = noting(() => ({}));
    expect(inBlocks(program, sizes, {})).toBe(program);
  });
});
