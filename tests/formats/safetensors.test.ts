import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AstrochemError } from "../../src/errors.ts";
import {
  decodeSafetensors,
  encodeSafetensors,
  type NamedTensor,
  readSafetensors,
} from "../../src/formats/safetensors.ts";

const encoded = (tensors: Map<string, NamedTensor>, metadata?: Record<string, string>): Uint8Array =>
  Buffer.concat(encodeSafetensors(tensors, metadata));

/** A file with a header of one's own making. */
function withHeader(header: string, data = new Uint8Array(0), claimed = Buffer.byteLength(header)): Uint8Array {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(claimed));
  return Buffer.concat([length, Buffer.from(header), data]);
}

const entry = (dtype: string, shape: unknown, offsets: unknown): string =>
  JSON.stringify({ dtype, shape, data_offsets: offsets });

describe("safetensors", () => {
  it("come back as they were, names of every kind included", () => {
    const tensors = new Map<string, NamedTensor>([
      ["b", { dtype: "U8", shape: [3], data: Uint8Array.of(1, 2, 3) }],
      ["a.weight", { dtype: "F32", shape: [2, 1], data: Float32Array.of(1.5, Number.NaN) }],
      ["n", { dtype: "I64", shape: [], data: BigInt64Array.of(5_000_000_000n) }],
      ["data_offsets", { dtype: "F64", shape: [0], data: new Float64Array(0) }],
    ]);
    const metadata = { format: "pt", note: 'a "data_offsets": quoted', __proto__x: "1" };
    const read = decodeSafetensors(encoded(tensors, metadata), "memory");
    expect(read.metadata).toEqual(metadata);
    expect(new Map([...read.tensors].sort())).toEqual(new Map([...tensors].sort()));
  });

  it("are the same bytes whatever the order of the arrays", () => {
    const a: [string, NamedTensor] = ["a", { dtype: "F32", shape: [1], data: Float32Array.of(1) }];
    const b: [string, NamedTensor] = ["b", { dtype: "F32", shape: [1], data: Float32Array.of(2) }];
    expect(encoded(new Map([a, b]))).toEqual(encoded(new Map([b, a])));
  });

  it.each([
    ["nothing at all", new Uint8Array(0), "0 bytes, too few for a header"],
    ["a header longer than the file", withHeader("{}", undefined, 1e9), "its header claims 1000000000 bytes"],
    ["a header that is not JSON", withHeader("{"), "its header is not JSON"],
    ["a header that is a list", withHeader("[]"), "header is not an object"],
    [
      "an unknown type",
      withHeader(`{"x":${entry("BF16", [1], [0, 2])}}`, new Uint8Array(2)),
      "array x has the type BF16",
    ],
    [
      "a type from the prototype",
      withHeader(`{"x":${entry("constructor", [1], [0, 2])}}`, new Uint8Array(2)),
      "has the type constructor",
    ],
    ["a negative shape", withHeader(`{"x":${entry("F32", [-1], [0, 4])}}`, new Uint8Array(4)), "has the shape [-1]"],
    [
      "a shape beyond all numbers",
      withHeader(`{"x":${entry("F32", [9e15, 9e15], [0, 4])}}`, new Uint8Array(4)),
      "needs 3.24e+32 bytes",
    ],
    [
      "offsets beyond the file",
      withHeader(`{"x":${entry("F32", [2], [0, 8])}}`, new Uint8Array(4)),
      "ends beyond the file",
    ],
    [
      "overlapping arrays",
      withHeader(`{"x":${entry("U8", [2], [0, 2])},"y":${entry("U8", [2], [1, 3])}}`, new Uint8Array(3)),
      "array y overlaps",
    ],
    ["a hole", withHeader(`{"x":${entry("U8", [1], [1, 2])}}`, new Uint8Array(2)), "a gap of 1 bytes before array x"],
    ["bytes that belong to nothing", withHeader("{}", new Uint8Array(3)), "3 bytes follow the last array"],
    [
      "a name twice",
      withHeader(`{"x":${entry("U8", [1], [0, 1])},"x":${entry("U8", [1], [0, 1])}}`, new Uint8Array(1)),
      "occurs twice in its header",
    ],
    ["metadata that is no text", withHeader('{"__metadata__":{"a":1}}'), "the metadata entry a is not a string"],
  ])("with %s are refused", (_, bytes, message) => {
    expect(() => decodeSafetensors(bytes, "file")).toThrow(message);
  });

  it("do not pollute prototypes", () => {
    const { metadata } = decodeSafetensors(withHeader('{"__metadata__":{"__proto__":"x"}}'), "file");
    expect(Object.keys(metadata)).toEqual(["__proto__"]);
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  it("with any byte changed or cut off give a clean error or a right result", () => {
    const whole = readFileSync("tests/fixtures/golden/scaling.safetensors");
    fc.assert(
      fc.property(fc.nat(600), fc.nat(255), fc.option(fc.nat(whole.length)), (at, value, cut) => {
        const bytes = Uint8Array.from(whole);
        bytes[at] = value;
        try {
          decodeSafetensors(cut === null ? bytes : bytes.subarray(0, cut), "file");
        } catch (error) {
          expect(error).toBeInstanceOf(AstrochemError);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("that are absent say how to make them", () => {
    expect(() => readSafetensors("weights/none.safetensors")).toThrowErrorMatchingInlineSnapshot(`
      [CheckpointError: there is no weights file weights/none.safetensors
        at   weights/none.safetensors
        fix  train it (astrochem train-autoencoder, astrochem train-emulator) or correct the path]
    `);
  });
});
