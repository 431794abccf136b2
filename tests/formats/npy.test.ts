import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { AstrochemError, DataError } from "../../src/errors.ts";
import { encodeNpy, readNpy, writeNpy } from "../../src/formats/npy.ts";

const fixtures = join(import.meta.dirname, "../fixtures/formats");
const folder = mkdtempSync(join(tmpdir(), "astrochem-npy-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const fixture = (name: string): string => join(fixtures, `${name}.npy`);
const quarters = Array.from({ length: 12 }, (_, i) => i / 4);

/** A .npy file with any header. */
function craft(header: string, data: Uint8Array = new Uint8Array(), version = 1): string {
  const path = join(folder, "crafted.npy");
  const start = Buffer.from([0x93, ...Buffer.from("NUMPY"), version, 0]);
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  if (version === 1) length.writeUInt16LE(header.length);
  else length.writeUInt32LE(header.length);
  writeFileSync(path, Buffer.concat([start, length, Buffer.from(header, "latin1"), data]));
  return path;
}

describe("readNpy", () => {
  it.each(["grid-f8", "grid-f8-big", "version-2", "version-3"])("reads %s", (name) => {
    expect(readNpy(fixture(name))).toEqual({ shape: [3, 4], dtype: "f8", data: Float64Array.from(quarters) });
  });

  it("turns Fortran's order into row-major order", () => {
    expect(readNpy(fixture("grid-f4-fortran"))).toEqual({
      shape: [3, 4],
      dtype: "f4",
      data: Float32Array.from(quarters),
    });
    const cube = { shape: [2, 3, 4], dtype: "i2", data: Int16Array.from({ length: 24 }, (_, i) => i) };
    expect(readNpy(fixture("cube-i2-fortran-big"))).toEqual(cube);
  });

  it.each([
    ["row-i8", "i8", BigInt64Array.of(1n, -(2n ** 62n) - 1n, 3n)],
    ["row-i4", "i4", Int32Array.of(1, -2, 3)],
    ["row-i1", "i1", Int8Array.of(1, -2, 3)],
    ["row-u1", "u1", Uint8Array.of(1, 254, 3)],
    ["row-b1", "b1", Uint8Array.of(1, 0, 1)],
  ])("reads %s", (name, dtype, data) => {
    expect(readNpy(fixture(name))).toEqual({ shape: [3], dtype, data });
  });

  it.each([
    ["<u2", [0xff, 0xff, 1, 0], "u2", Uint16Array.of(65_535, 1)],
    [">u4", [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1], "u4", Uint32Array.of(4_294_967_295, 1)],
    ["<u8", [...Array(8).fill(0xff), 1, ...Array(7).fill(0)], "u8", BigUint64Array.of(2n ** 64n - 1n, 1n)],
  ])("reads unsigned numbers of type %s", (descr, bytes, dtype, data) => {
    const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (2,), }\n`;
    expect(readNpy(craft(header, Uint8Array.from(bytes)))).toEqual({ shape: [2], dtype, data });
  });

  it("reads a single number and an empty array", () => {
    expect(readNpy(fixture("scalar-f8"))).toEqual({ shape: [], dtype: "f8", data: Float64Array.of(2.5) });
    expect(readNpy(fixture("empty-f4"))).toEqual({ shape: [0, 3], dtype: "f4", data: new Float32Array(0) });
  });

  it.each([
    ["half", /"<f2", which is not read[\s\S]*astype/],
    ["records", /records with named fields/],
    ["objects", /"\|O", which is not read/],
    ["no-such-file", /there is no file/],
  ])("refuses %s", (name, message) => {
    expect(() => readNpy(fixture(name))).toThrow(DataError);
    expect(() => readNpy(fixture(name))).toThrow(message);
    expect(() => readNpy(fixture(name))).toThrow(`${name}.npy`);
  });

  it.each([
    ["{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}", /cannot be -1 long/],
    ["{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,)}", /cannot be 99999999999999999999/],
    ["{'descr': '<f8', 'fortran_order': False, 'shape': (9007199254740991, 9007199254740991)}", /should hold/],
    ["{'descr': '<f8', 'fortran_order': False, 'shape': (0, 5)}x", /follows the dictionary/],
    ["{'descr': '<f8', 'fortran_order': False, 'shape': 5}", /"\(" is missing/],
    ["{'descr': '<f8', 'fortran_order': False, 'shape': (5)}", /not a tuple/],
    ["{'descr': '<f8', 'fortran_order': 1, 'shape': (5,)}", /neither True nor False/],
    ["{'descr': '<f8', 'fortran_order': False}", /shape missing/],
    ["{'descr': '<f8', 'descr': '<f8'}", /unknown or there twice/],
    ["{'descr': __import__('os').system('true')}", /text in quotes/],
    ["{'descr': '<f8'", /"}" is missing/],
    [`{'descr': '<f8', 'fortran_order': False, 'shape': (${"1, ".repeat(65)})}`, /more than 64 axes/],
  ])("refuses the header %s", (header, message) => {
    const path = craft(header);
    expect(() => readNpy(path)).toThrow(DataError);
    expect(() => readNpy(path)).toThrow(message);
  });

  it("refuses a header that is longer than the file, or than makes sense", () => {
    const path = craft("{}", new Uint8Array(), 2);
    const bytes = readFileSync(path);
    bytes.writeUInt32LE(0xffffffff, 8);
    writeFileSync(path, bytes);
    expect(() => readNpy(path)).toThrow(/ends \(after 14 bytes\) before the end of its header/);
    expect(() => readNpy(craft(" ".repeat(70_000), new Uint8Array(), 2))).toThrow(/more than 65536 is damage/);
  });

  it("takes Python 2's long numbers and a leftover comma as NumPy does", () => {
    const path = craft("{'shape': (2L,), 'fortran_order': False, 'descr': '|u1', }\n", Uint8Array.of(7, 8));
    expect(readNpy(path)).toEqual({ shape: [2], dtype: "u1", data: Uint8Array.of(7, 8) });
  });

  it("answers any damage with an error that says so, or with an array that fits its shape", () => {
    const names = ["grid-f8", "grid-f4-fortran", "cube-i2-fortran-big", "version-2", "row-i8"];
    const originals = names.map((name) => readFileSync(fixture(name)));
    const path = join(folder, "damaged.npy");
    fc.assert(
      fc.property(
        fc.constantFrom(...originals),
        fc.array(fc.tuple(fc.nat(130), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        fc.option(fc.nat(230)),
        (original, flips, cut) => {
          const bytes = Buffer.from(original);
          for (const [at, value] of flips) bytes[at % bytes.length] = value;
          writeFileSync(path, bytes.subarray(0, cut ?? bytes.length));
          try {
            const { shape, data } = readNpy(path);
            expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
          } catch (error) {
            if (!(error instanceof AstrochemError)) throw error;
          }
        },
      ),
      { numRuns: 400 },
    );
  });
});

describe("writeNpy", () => {
  it("writes what NumPy writes, byte for byte", () => {
    const path = join(folder, "grid.npy");
    writeNpy(path, { shape: [3, 4], data: Float64Array.from(quarters) });
    expect(readFileSync(path).equals(readFileSync(fixture("grid-f8")))).toBe(true);
    writeNpy(path, { shape: [3], data: Int32Array.of(1, -2, 3) });
    expect(readFileSync(path).equals(readFileSync(fixture("row-i4")))).toBe(true);
    writeNpy(path, { shape: [], data: Float64Array.of(2.5) });
    expect(readFileSync(path).equals(readFileSync(fixture("scalar-f8")))).toBe(true);
    writeNpy(path, { shape: [0, 3], data: new Float32Array(0) });
    expect(readFileSync(path).equals(readFileSync(fixture("empty-f4")))).toBe(true);
  });

  it("encodes what it writes", () => {
    const parts = encodeNpy({ shape: [3], data: Int32Array.of(1, -2, 3) });
    expect(Buffer.concat(parts).equals(readFileSync(fixture("row-i4")))).toBe(true);
  });

  it("writes part of a longer buffer", () => {
    const path = join(folder, "part.npy");
    writeNpy(path, { shape: [2, 1], data: Float32Array.of(1, 2, 3, 4).subarray(1, 3) });
    expect(readNpy(path)).toEqual({ shape: [2, 1], dtype: "f4", data: Float32Array.of(2, 3) });
  });

  it("refuses a shape that does not fit", () => {
    const path = join(folder, "wrong.npy");
    expect(() => writeNpy(path, { shape: [2], data: new Float32Array(3) })).toThrow(RangeError);
  });
});
