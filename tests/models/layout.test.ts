import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { sizeOf } from "../../src/backend/engine.ts";
import { tf } from "../../src/backend/tf.ts";
import { type ArraySpec, Layout } from "../../src/models/layout.ts";
import { useWasm, withoutLeak } from "../helpers/tensors.ts";

const layout = new Layout([
  { name: "bias", shape: [2] },
  { name: "weight", shape: [2, 3] },
  { name: "scale", shape: [] },
]);
const vector = Float32Array.of(1, 2, 10, 11, 12, 20, 21, 22, 7);

/** Up to six arrays of up to three dimensions. */
const someSpecs: fc.Arbitrary<ArraySpec[]> = fc
  .array(fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }), { minLength: 1, maxLength: 6 })
  .map((shapes) => shapes.map((shape, i) => ({ name: `array${i}`, shape })));

beforeAll(useWasm);

describe("a layout", () => {
  it("unpacks a vector into named arrays, in the order of the specs", () => {
    const unpacked = withoutLeak(() => {
      const arrays = layout.unpack(tf.tensor1d(vector));
      return Object.entries(arrays).map(([name, tensor]) => [name, tensor.shape, [...tensor.dataSync()]]);
    });
    expect(unpacked).toEqual([
      ["bias", [2], [1, 2]],
      ["weight", [2, 3], [10, 11, 12, 20, 21, 22]],
      ["scale", [], [7]],
    ]);
    expect(layout.size).toBe(9);
  });

  it("packs what it unpacked into the same vector, whatever its arrays", () => {
    fc.assert(
      fc.property(someSpecs, (specs) => {
        const any = new Layout(specs);
        const values = Float32Array.from({ length: any.size }, (_, i) => i);
        const packed = withoutLeak(() => [...any.pack(any.unpack(tf.tensor1d(values))).dataSync()]);
        expect(packed).toEqual([...values]);
      }),
      { numRuns: 30 },
    );
  });

  it("packs by name, not by the order of the map", () => {
    const packed = withoutLeak(() => {
      const [scale, bias] = [tf.scalar(7), tf.tensor1d([1, 2])];
      const weight = tf.tensor2d([10, 11, 12, 20, 21, 22], [2, 3]);
      return [...layout.pack({ scale, weight, bias }).dataSync()];
    });
    expect(packed).toEqual([...vector]);
  });

  it("views the part of a vector that holds an array, not a copy of it", () => {
    const own = vector.slice();
    expect([...layout.view(own, "weight")]).toEqual([10, 11, 12, 20, 21, 22]);
    layout.view(own, "weight").fill(0);
    expect([...own]).toEqual([1, 2, 0, 0, 0, 0, 0, 0, 7]);
    expect(() => layout.view(own, "wieght")).toThrowErrorMatchingInlineSnapshot(
      `[Error: no array "wieght" in this layout]`,
    );
  });
});

describe("gathering", () => {
  const arrays = (changes: Record<string, ArrayLike<number> | BigInt64Array | undefined> = {}) => {
    const all = { scale: [7], weight: [10, 11, 12, 20, 21, 22], bias: [1, 2], ...changes };
    return new Map(Object.entries(all).flatMap(([name, data]) => (data ? [[name, { data }] as const] : [])));
  };

  it("takes arrays in any order, and leaves out what is not its own", () => {
    expect(layout.gather(arrays({ "bias.num_batches_tracked": [3] }))).toEqual(vector);
  });

  it("refuses an array that is absent, of another size, or of integers", () => {
    expect(() => layout.gather(arrays({ bias: undefined }))).toThrowErrorMatchingInlineSnapshot(
      `[Error: array "bias" is not of shape [2]]`,
    );
    expect(() => layout.gather(arrays({ weight: [1, 2, 3] }))).toThrowErrorMatchingInlineSnapshot(
      `[Error: array "weight" is not of shape [2,3]]`,
    );
    expect(() => layout.gather(arrays({ scale: BigInt64Array.of(7n) }))).toThrowErrorMatchingInlineSnapshot(
      `[Error: array "scale" is not of shape []]`,
    );
  });
});

describe("sizeOf", () => {
  it("is the product of the lengths, one for a scalar, nothing where a length is", () => {
    expect([sizeOf([2, 3, 4]), sizeOf([]), sizeOf([5, 0])]).toEqual([24, 1, 0]);
  });
});
