import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { AstrochemError, CheckpointError } from "../../src/errors.ts";
import { decodePth, readPth } from "../../src/formats/pytorch.ts";
import type { NamedTensor } from "../../src/formats/safetensors.ts";
import { pack, unpack } from "./archives.ts";

const fixtures = join(import.meta.dirname, "../fixtures/formats");
const pretrained = join(import.meta.dirname, "../../../shared/reference/pretrained");
const fixture = (name: string): string => join(fixtures, `${name}.pth`);
const folder = mkdtempSync(join(tmpdir(), "astrochem-pth-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("readPth", () => {
  it("reads a state_dict", () => {
    const tensors = readPth(fixture("plain"));
    expect([...tensors.keys()]).toEqual([
      "first.weight",
      "first.bias",
      "norm.weight",
      "norm.bias",
      "norm.running_mean",
      "norm.running_var",
      "norm.num_batches_tracked",
    ]);
    expect(tensors.get("first.weight")).toEqual({
      dtype: "F32",
      shape: [2, 3],
      data: Float32Array.of(0, 0.125, 0.25, 0.375, 0.5, 0.625),
    });
    expect(tensors.get("first.bias")?.data).toEqual(Float32Array.of(0.5, -0.5));
    expect(tensors.get("norm.num_batches_tracked")).toEqual({ dtype: "I64", shape: [], data: BigInt64Array.of(0n) });
  });

  it("respects offsets and strides", () => {
    const tensors = readPth(fixture("views"));
    const grid = (rows: number, columns: number, at: (i: number, j: number) => number) => ({
      dtype: "F64",
      shape: [rows, columns],
      data: Float64Array.from({ length: rows * columns }, (_, k) => at(Math.floor(k / columns), k % columns)),
    });
    expect(tensors.get("transposed")).toEqual(grid(6, 4, (i, j) => 6 * j + i));
    expect(tensors.get("window")).toEqual(grid(2, 3, (i, j) => 6 * (i + 1) + j + 2));
    expect(tensors.get("steps")).toEqual({ dtype: "F64", shape: [6], data: Float64Array.of(3, 7, 11, 15, 19, 23) });
    expect(tensors.get("expanded")).toEqual(grid(3, 2, (i) => i));
    expect(tensors.get("parameter")).toEqual({ dtype: "F64", shape: [2], data: Float64Array.of(0, 1) });
  });

  it("reads integers and flags", () => {
    expect(readPth(fixture("integers"))).toEqual(
      new Map<string, unknown>([
        ["i64", { dtype: "I64", shape: [2], data: BigInt64Array.of(2n ** 62n + 1n, -5n) }],
        ["i32", { dtype: "I32", shape: [2, 1], data: Int32Array.of(1, -2) }],
        ["i16", { dtype: "I16", shape: [2], data: Int16Array.of(300, -300) }],
        ["i8", { dtype: "I8", shape: [2], data: Int8Array.of(-128, 127) }],
        ["u8", { dtype: "U8", shape: [2], data: Uint8Array.of(0, 255) }],
        ["flags", { dtype: "BOOL", shape: [2], data: Uint8Array.of(1, 0) }],
        ["empty", { dtype: "F32", shape: [0, 4], data: new Float32Array(0) }],
      ]),
    );
  });

  it.each(["half", "bfloat16"])("widens %s to F32", (name) => {
    expect(readPth(fixture(name)).get("weight")).toEqual({ dtype: "F32", shape: [2], data: new Float32Array(2) });
  });

  it("takes the only state_dict of a checkpoint", () => {
    const tensors = readPth(fixture("checkpoint"));
    expect([...tensors.keys()].slice(0, 2)).toEqual(["first.weight", "first.bias"]);
  });

  it.each([
    [
      "TorchScript",
      ["a/code/__torch__.py", "a/constants.pkl", "a/data.pkl"],
      /TorchScript[\s\S]*torch\.jit\.load\("x\.pt"\)\.state_dict\(\)/,
    ],
    [
      ".pt2",
      ["a/archive_format", "a/models/model.json"],
      /exported program[\s\S]*torch\.export\.load\("x\.pt"\)\.state_dict,/,
    ],
    ["an early .pt2", ["serialized_exported_program.json", "version"], /exported program/],
  ])("names %s, with the line that saves it again", (_, names, message) => {
    const archive = pack(new Map(names.map((name) => [name, Buffer.from("N.")])));
    expect(() => decodePth(archive, "x.pt")).toThrow(message);
  });

  const modulePickle = "c__main__\nNet\n)\x81}(S'training'\nI01\nS'_modules'\n}ub";
  it.each([
    [
      "",
      `${modulePickle}.`,
      /the file is a whole pickled module \(__main__\.Net\)[\s\S]*torch\.load\("x\.pt", weights_only=False\)\.state_dict\(\)/,
    ],
    [
      " in a dict",
      `}(S'epoch'\nI3\nS'model'\n${modulePickle}u.`,
      /`model` in the file is a whole pickled module[\s\S]*weights_only=False\)\["model"\]\.state_dict\(\)/,
    ],
  ])("names a whole pickled module%s", (_, text, message) => {
    const archive = pack(new Map([["a/data.pkl", Buffer.from(text, "latin1")]]));
    expect(() => decodePth(archive, "x.pt")).toThrow(message);
  });

  it.each([
    ["hostile", /asks for posix\.system, which is not on the list of what may be loaded/],
    ["legacy", /old format, from before version 1\.6[\s\S]*torch\.save\(torch\.load/],
    ["no-such-file", /there is no file/],
  ])("refuses %s", (name, message) => {
    expect(() => readPth(fixture(name))).toThrow(CheckpointError);
    expect(() => readPth(fixture(name))).toThrow(message);
    expect(() => readPth(fixture(name))).toThrow(`${name}.pth`);
  });

  it.each([
    ["another archive", pack(new Map([["a.txt", Buffer.from("a")]])), /does not hold data\.pkl/],
    ["another file", Buffer.from("hello"), /not a zip archive/],
    ["an empty file", Buffer.alloc(0), /not a zip archive/],
    ["a bare number", pack(new Map([["a/data.pkl", Buffer.from("N.")]])), /does not hold a state_dict/],
  ])("refuses %s", (_, bytes, message) => {
    const path = join(folder, "wrong.pth");
    writeFileSync(path, bytes);
    expect(() => readPth(path)).toThrow(CheckpointError);
    expect(() => readPth(path)).toThrow(message);
  });

  it("reads deflated and zip64 archives", () => {
    const expected = readPth(fixture("views"));
    const files = unpack(fixture("views"));
    expect(decodePth(pack(files, { deflate: true }), "deflated")).toEqual(expected);
    expect(decodePth(pack(files, { zip64: true }), "zip64")).toEqual(expected);
  });

  it("swaps the bytes of a file from a big-endian machine", () => {
    const files = unpack(fixture("views"));
    for (const [name, content] of files) {
      if (name.includes("/data/")) files.set(name, Buffer.from(content).swap64());
    }
    files.set("views/byteorder", Buffer.from("big"));
    expect(decodePth(pack(files), "big")).toEqual(readPth(fixture("views")));
  });

  it("refuses a deflated file that grows beyond its word", () => {
    const bomb = pack(new Map([["a/data.pkl", Buffer.alloc(100_000)]]), { deflate: true });
    const size = bomb.indexOf("PK\x01\x02") + 24;
    bomb.writeUInt32LE(10, size);
    expect(() => decodePth(bomb, "bomb")).toThrow(/cannot be inflated/);
    bomb.writeUInt32LE(1_000_000, size);
    expect(() => decodePth(bomb, "bomb")).toThrow(/cannot come from/);
  });

  it("refuses a tensor that is far greater than the file, or than its storage", () => {
    const tensor = (shape: string, strides: string): Buffer =>
      pack(
        new Map([
          ["a/data/0", Buffer.alloc(4)],
          [
            "a/data.pkl",
            Buffer.from(
              `(S'w'\nctorch._utils\n_rebuild_tensor_v2\n((S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI1\ntQ` +
                `I0\n(${shape}t(${strides}tI00\nNtRd.`,
            ),
          ],
        ]),
      );
    expect(decodePth(tensor("I2\n", "I0\n"), "a").get("w")?.data).toEqual(new Float32Array(2));
    expect(() => decodePth(tensor("I999999999\n", "I0\n"), "a")).toThrow(/far greater than the file/);
    expect(() => decodePth(tensor("I2\n", "I1\n"), "a")).toThrow(/needs 2 numbers; its storage has 1/);
    expect(() => decodePth(tensor("I2\n", "I-1\n"), "a")).toThrow(/shape is damaged/);
    expect(() => decodePth(tensor("I2\nI2\n", "I1\n"), "a")).toThrow(/shape is damaged/);
  });

  const storageOf = (length: string): string => `(S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\n${length}tQ`;
  const withPickle = (text: string): Buffer =>
    pack(
      new Map([
        ["a/data/0", Buffer.alloc(4)],
        ["a/data.pkl", Buffer.from(text, "latin1")],
      ]),
    );

  it("refuses a storage whose length is a list in a list in a list", () => {
    const deep = "]".repeat(20_000) + "a".repeat(19_999);
    const text = `(S'w'\nctorch._utils\n_rebuild_tensor_v2\n(${storageOf(deep)}I0\n(I1\nt(I1\ntI00\nNtRd.`;
    expect(() => decodePth(withPickle(text), "deep")).toThrow(/length of the storage data\/0 is not a number/);
  });

  it("refuses a few bytes that would fill the memory with copies of one dictionary", () => {
    const items = `(${Array.from({ length: 20_000 }, (_, i) => `I${i}\nN\x86`).join("")}l`;
    const text = `ccollections\nOrderedDict\nq\x000${items}\x85q\x010(${"h\x00h\x01R".repeat(3000)}l.`;
    expect(() => decodePth(withPickle(text), "copies")).toThrow(/same long arguments to many calls/);
  });

  const flips = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 });
  const names = ["plain", "views", "integers"];

  it("answers any damage with an error that says so, or with the right numbers", () => {
    const originals = names.map((name) => [readFileSync(fixture(name)), readPth(fixture(name))] as const);
    fc.assert(
      fc.property(
        fc.constantFrom(...originals),
        flips,
        fc.option(fc.nat(2500)),
        ([original, expected], damage, cut) => {
          const bytes = Buffer.from(original);
          for (const [at, value] of damage) bytes[at % bytes.length] = value;
          try {
            expect(decodePth(bytes.subarray(0, cut ?? bytes.length), "damaged")).toEqual(expected);
          } catch (error) {
            if (!(error instanceof AstrochemError)) throw error;
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it("answers damage inside the pickle, checksum in order, with an error that says so, or with tensors", () => {
    const originals = names.map((name) => [`${name}/data.pkl`, unpack(fixture(name))] as const);
    fc.assert(
      fc.property(fc.constantFrom(...originals), flips, ([program, files], damage) => {
        const pickle = Uint8Array.from(files.get(program)!);
        for (const [at, value] of damage) pickle[at % pickle.length] = value;
        try {
          const tensors = decodePth(pack(new Map([...files, [program, pickle]])), "damaged");
          for (const { shape, data } of tensors.values()) expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
        } catch (error) {
          if (!(error instanceof AstrochemError)) throw error;
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe.skipIf(!existsSync(pretrained))(`the original's weights (skipped where ${pretrained} is absent)`, () => {
  const read = (name: string): Map<string, NamedTensor> => readPth(join(pretrained, `${name}.pth`));
  const size = (tensors: Map<string, NamedTensor>, chosen: (name: string) => boolean): number =>
    [...tensors].reduce((sum, [name, { data }]) => sum + (chosen(name) ? data.length : 0), 0);

  it("reads the autoencoder: 68,775 parameters, 139,197 steps", () => {
    const tensors = read("autoencoder");
    expect(tensors.get("encoder_fc1.weight")?.shape).toEqual([160, 333]);
    expect(tensors.get("encoder_bn1.num_batches_tracked")?.data).toEqual(BigInt64Array.of(139_197n));
    expect(size(tensors, (name) => !/running_|num_batches/.test(name))).toBe(68_775);
  });

  it("reads the emulator: 38,534 parameters", () => {
    const tensors = read("mlp");
    expect(tensors.get("net.0.weight")?.shape).toEqual([180, 18]);
    expect(size(tensors, () => true)).toBe(38_534);
  });
});
