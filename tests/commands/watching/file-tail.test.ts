import { appendFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { FileTail } from "../../../src/commands/watching/file-tail.ts";
import { testFolder } from "../../helpers/folder.ts";

const folder = testFolder();
const path = join(folder, "log");
beforeEach(() => rmSync(path, { force: true }));

describe("the tail of a file", () => {
  it("has each line once, when it is whole", async () => {
    const tail = new FileTail(path);
    expect(await tail.read()).toEqual({ lines: [], isReplaced: false });
    writeFileSync(path, "one\ntw");
    expect((await tail.read()).lines).toEqual(["one"]);
    expect((await tail.read()).lines).toEqual([]);
    // A character of two bytes, cut between them.
    const bytes = Buffer.from("oé\nthree\n");
    appendFileSync(path, bytes.subarray(0, 2));
    expect((await tail.read()).lines).toEqual([]);
    appendFileSync(path, bytes.subarray(2));
    expect(await tail.read()).toEqual({ lines: ["twoé", "three"], isReplaced: false });
  });

  it.each([
    ["a shorter one", () => writeFileSync(path, "new\n")],
    ["a longer one", () => writeFileSync(path, "new and longer than before\nnext\n")],
    [
      "another file of the same length",
      () => {
        writeFileSync(`${path}.part`, "1111\n2222\n");
        renameSync(`${path}.part`, path);
      },
    ],
    [
      "a cut one that has grown again",
      () => {
        truncateSync(path, 2);
        appendFileSync(path, "longer than it was before\n");
      },
    ],
    ["none", () => rmSync(path)],
  ])("begins again where the file was replaced by %s", async (_, replace) => {
    writeFileSync(path, "abcd\nefgh\n");
    const tail = new FileTail(path);
    await tail.read();
    replace();
    const { lines, isReplaced } = await tail.read();
    expect(isReplaced).toBe(true);
    const fresh = await new FileTail(path).read();
    expect(lines).toEqual(fresh.lines);
    writeFileSync(path, "last\n");
    expect((await tail.read()).lines).toEqual(["last"]);
  });

  it("reads a large file piece by piece, or its end alone", async () => {
    const lines = Array.from({ length: 200_000 }, (_, i) => `line ${i} ${"x".repeat(30)}`);
    writeFileSync(path, `${lines.join("\n")}\n`);
    const whole = new FileTail(path);
    const found: string[] = [];
    for (let look = 0; look < 3; look++) found.push(...(await whole.read()).lines);
    expect(found).toEqual(lines);
    const end = new FileTail(path, 1000);
    expect((await end.read()).lines).toEqual(lines.slice(-found.length).slice(-23));
  });

  it("passes over what is no file", async () => {
    expect(await new FileTail(folder).read()).toEqual({ lines: [], isReplaced: false });
  });
});
