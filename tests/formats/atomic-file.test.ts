import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, it } from "vitest";
import { beginFile, temporaryName, writeFileAtomic } from "../../src/formats/atomic-file.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";

const folder = testFolder();

it("puts a file in its place whole, or leaves nothing", () => {
  const path = join(folder, "deep/a.txt");
  writeFileAtomic(path, "one");
  const pending = beginFile(path);
  writeFileSync(pending.temporaryPath, "half");
  expect(readFileSync(path, "utf8")).toBe("one");
  pending.discard();
  writeFileAtomic(path, [Buffer.from("t"), Buffer.from("wo")]);
  expect([readFileSync(path, "utf8"), readdirSync(join(folder, "deep"))]).toEqual(["two", ["a.txt"]]);
});

it("removes what a killed process left of the same file, and nothing else", () => {
  const place = join(folder, "left");
  mkdirSync(place);
  const path = join(place, "b.txt");
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  const ours = basename(temporaryName(path));
  const left = ours.replace(`-${process.pid}-`, `-${dead}-`);
  const elsewhere = left.replace(/^\.b\.txt\./, ".b.txt.another-machine-");
  const other = left.replace("b.txt", "c.txt");
  for (const name of [ours, left, elsewhere, other]) writeFileSync(join(place, name), "half");
  writeFileAtomic(path, "whole");
  expect(readdirSync(place).sort()).toEqual(["b.txt", ours, elsewhere, other].sort());
});

it("names the file and the remedy where a part of the path is no folder", async () => {
  writeFileSync(join(folder, "file"), "");
  expect(await thrownBy(() => writeFileAtomic(join(folder, "file/x"), ""), folder)).toMatch(
    /^DataError: cannot write …\/file\/x: .*\n {2}at {3}…\/file\/x\n {2}fix {2}a part of the path is a file/,
  );
});
