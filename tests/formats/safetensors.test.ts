import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AstrochemError, CheckpointError } from "../../src/errors.ts";
import {
  decodeSafetensors,
  encodeSafetensors,
  type NamedTensor,
  readSafetensors,
  writeSafetensors,
} from "../../src/formats/safetensors.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";
import { lackingPython, python } from "../helpers/python.ts";

const folder = testFolder();

const encoded = (tensors: Map<string, NamedTensor>, metadata?: Record<string, string>): Uint8Array =>
  Buffer.concat(encodeSafetensors(tensors, metadata));

/** A file with a header of one's own making. */
function withHeader(
  header: string | Uint8Array,
  data = new Uint8Array(0),
  claimed = Buffer.byteLength(header),
): Uint8Array {
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
      ["__proto__", { dtype: "I16", shape: [1], data: Int16Array.of(-7) }],
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
      withHeader(`{"x":${entry("F8_E4M3", [1], [0, 2])}}`, new Uint8Array(2)),
      "array x has the type F8_E4M3",
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
    [
      "a name twice, of which one is escaped",
      withHeader(`{"x":${entry("U8", [1], [0, 1])},"\\u0078":${entry("U8", [1], [0, 1])}}`, new Uint8Array(1)),
      "the name x occurs twice",
    ],
    ["two types", withHeader('{"x":{"dtype":"U8","dtype":"I8"}}'), "the name dtype occurs twice"],
    ["metadata twice", withHeader('{"__metadata__":{},"__metadata__":{}}'), "the name __metadata__ occurs twice"],
    ["a header deeper than any", withHeader(`{"x":${"[".repeat(9000)}${"]".repeat(9000)}}`), "nested too deeply"],
    ["more axes than any array", withHeader(`{"x":${entry("U8", Array(65).fill(1), [0, 1])}}`), "has 65 axes"],
    ["a header that is not UTF-8", withHeader(Buffer.from('{"\xff":{}}', "latin1")), "its header is not JSON"],
    ["metadata that is no text", withHeader('{"__metadata__":{"a":1}}'), "the metadata entry a is not a string"],
  ])("with %s are refused", (_, bytes, message) => {
    expect(() => decodeSafetensors(bytes, "file")).toThrow(CheckpointError);
    expect(() => decodeSafetensors(bytes, "file")).toThrow(message);
  });

  it("are read where the arrays are not aligned, and copied out of the file's bytes", () => {
    const header = `{"a":${entry("U8", [1], [0, 1])},"b":${entry("F32", [1], [1, 5])}}`;
    for (const pad of ["", " ", "  ", "   "]) {
      const file = withHeader(header + pad, Buffer.from([7, 0, 0, 0xc0, 0x3f]));
      const { tensors } = decodeSafetensors(file, "file");
      file.fill(0);
      expect(tensors.get("a")?.data).toEqual(Uint8Array.of(7));
      expect(tensors.get("b")?.data).toEqual(Float32Array.of(1.5));
      expect(tensors.get("b")?.data.buffer.byteLength).toBe(4);
    }
  });

  it("may hold an array of no elements however long its other axes are", () => {
    const header = `{"x":${entry("U8", [...Array(40).fill(Number.MAX_SAFE_INTEGER), 0], [0, 0])}}`;
    expect(decodeSafetensors(withHeader(header), "file").tensors.get("x")?.data).toHaveLength(0);
  });

  it("of a type that is not read say which array, and what to do", async () => {
    const bytes = withHeader(`{"net.0.weight":${entry("F8_E4M3", [1], [0, 2])}}`, new Uint8Array(2));
    expect(await thrownBy(() => decodeSafetensors(bytes, "emulator.safetensors"), folder)).toMatchInlineSnapshot(`
      "CheckpointError: emulator.safetensors: array net.0.weight has the type F8_E4M3, which is not supported
        at   emulator.safetensors, array net.0.weight
        fix  save it as F32; supported are F64, F32, I64, I32, I16, I8, U8, BOOL, F16, BF16"
    `);
  });

  it("are not written where nobody could read them", () => {
    const one = (name: string, dtype: NamedTensor["dtype"], shape: number[]): Map<string, NamedTensor> =>
      new Map([[name, { dtype, shape, data: Float32Array.of(1) }]]);
    expect(() => encoded(one("x", "F32", [2]))).toThrow("shape [2] does not have 1 elements");
    expect(() => encoded(one("x", "F64", [1]))).toThrow("array x does not hold F64");
    expect(() => encoded(one("__metadata__", "F32", [1]))).toThrow("no array can be named __metadata__");
  });

  it("leave nothing behind where the file cannot be written", () => {
    const blocked = join(folder, "blocked");
    mkdirSync(join(blocked, "weights.safetensors"), { recursive: true });
    expect(() => writeSafetensors(join(blocked, "weights.safetensors"), new Map())).toThrow(AstrochemError);
    expect(readdirSync(blocked)).toEqual(["weights.safetensors"]);
    writeFileSync(join(folder, "file"), "");
    expect(() => writeSafetensors(join(folder, "file", "weights.safetensors"), new Map())).toThrow(AstrochemError);
  });

  const lacking = lackingPython("safetensors", "numpy");
  it.skipIf(lacking)(`are read by Python${lacking ? ` (skipped: ${lacking})` : ""}`, () => {
    const path = join(folder, "ours.safetensors");
    const tensors = new Map<string, NamedTensor>([
      ["net.0.weight", { dtype: "F32", shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }],
      ["flags", { dtype: "BOOL", shape: [3], data: Uint8Array.of(1, 0, 1) }],
      ["bn.num_batches_tracked", { dtype: "I64", shape: [], data: BigInt64Array.of(-(2n ** 60n)) }],
    ]);
    writeSafetensors(path, tensors, { format: "pt", species: '["#H2O"]' });
    const code = `
import sys
from safetensors import safe_open
with safe_open(sys.argv[1], "np") as f:
    for name in sorted(f.keys()):
        a = f.get_tensor(name)
        print(name, a.dtype, a.shape, a.tolist())
    print(f.metadata()["species"])`;
    expect(python(code, path).trim().split("\n")).toEqual([
      "bn.num_batches_tracked int64 () -1152921504606846976",
      "flags bool (3,) [True, False, True]",
      "net.0.weight float32 (2, 2) [[1.0, 2.0], [3.0, 4.0]]",
      '["#H2O"]',
    ]);
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
        // A Buffer, as files are read into: its `slice` does not copy.
        const bytes = Buffer.from(whole);
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
