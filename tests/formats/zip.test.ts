import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AstrochemError, CheckpointError } from "../../src/errors.ts";
import { readZip } from "../../src/formats/zip.ts";
import { pack } from "./archives.ts";

const text = "the same words over and over, ".repeat(20);
const files = new Map([
  ["a/one.txt", Buffer.from(text)],
  ["a/empty", Buffer.alloc(0)],
]);
const contents = (archive: Uint8Array): Record<string, string> =>
  Object.fromEntries(
    [...readZip(archive, "x.zip")].map(([name, entry]) => [name, Buffer.from(entry.read()).toString()]),
  );

/** `archive` with bytes changed `offset` behind the first record that begins with `signature`. */
function changed(archive: Buffer, signature: string, offset: number, bytes: readonly number[]): Buffer {
  const copy = Buffer.from(archive);
  const at = copy.indexOf(Buffer.from(signature, "latin1"));
  copy.set(bytes, at + offset);
  return copy;
}

const directory = "PK\x01\x02";
const local = "PK\x03\x04";

describe("readZip", () => {
  it.each([{}, { deflate: true }, { zip64: true }, { deflate: true, zip64: true }])("reads %j", (options) => {
    expect(contents(pack(files, options))).toEqual({ "a/one.txt": text, "a/empty": "" });
  });

  it("reads an archive with a comment behind it, or inside a longer buffer", () => {
    const archive = pack(files);
    expect(contents(Buffer.concat([archive, Buffer.from("a comment")]))["a/one.txt"]).toBe(text);
    const longer = Buffer.concat([Buffer.alloc(13), archive]);
    expect(contents(longer.subarray(13))["a/one.txt"]).toBe(text);
  });

  it.each([
    ["nothing", Buffer.alloc(0), /table of contents, at the end, is missing/],
    ["half an archive", pack(files).subarray(0, 300), /table of contents, at the end, is missing/],
    ["a table of contents that is none", changed(pack(files), directory, 0, [0]), /entry 0 of its table/],
    ["an encrypted file", changed(pack(files), directory, 8, [1]), /a\/one\.txt in it is encrypted/],
    ["an unknown method", changed(pack(files), directory, 10, [12]), /packed by method 12/],
    ["a wrong checksum", changed(pack(files), directory, 16, [1, 2, 3, 4]), /its checksum is wrong/],
    ["a wrong size", changed(pack(files), directory, 24, [1]), /holds 600 bytes in place of 513/],
    ["a header that is none", changed(pack(files), local, 0, [0]), /its header is wrong/],
    ["a content beyond the end", changed(pack(files), directory, 20, [0xff, 0xff]), /it is cut off/],
    ["a damaged deflate stream", changed(pack(files, { deflate: true }), local, 39, [0xff]), /cannot be inflated/],
    ["one name twice", pack(files, { aliases: new Map([["a/one.txt", ["a/one.txt"]]]) }), /holds a\/one\.txt twice/],
  ])("refuses %s", (_, archive, message) => {
    expect(() => contents(archive)).toThrow(CheckpointError);
    expect(() => contents(archive)).toThrow(message);
  });

  it("refuses a small archive whose files share their bytes and are large together", () => {
    const names = Array.from({ length: 100 }, (_, i) => `copy-${i}`);
    const bomb = pack(new Map([["a", Buffer.alloc(2 ** 20)]]), { aliases: new Map([["a", names]]) });
    expect(() => contents(bomb)).toThrow(/content is far greater than the file itself/);
  });

  it("answers any damage with an error that says so, or with the right contents", () => {
    const originals = [pack(files), pack(files, { deflate: true }), pack(files, { zip64: true })];
    fc.assert(
      fc.property(
        fc.constantFrom(...originals),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
        fc.option(fc.nat(900)),
        (original, flips, cut) => {
          const bytes = Buffer.from(original);
          for (const [at, value] of flips) bytes[at % bytes.length] = value;
          try {
            for (const [name, content] of Object.entries(contents(bytes.subarray(0, cut ?? bytes.length)))) {
              // A name is not under the checksum; what stands under it is.
              if (files.has(name)) expect(content).toBe(name === "a/empty" ? "" : text);
            }
          } catch (error) {
            if (!(error instanceof AstrochemError)) throw error;
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
