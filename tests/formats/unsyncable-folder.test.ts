import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, it, vi } from "vitest";
import { writeFileAtomic } from "../../src/formats/atomic-file.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";

/** What the system calls answer where they are asked about a folder, and about a file. */
const answers = vi.hoisted(() => ({ folder: "", file: "", call: "fsync" }));

vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  const isFolder = (path: unknown): boolean =>
    fs.statSync(String(path), { throwIfNoEntry: false })?.isDirectory() ?? false;
  const refuse = (code: string, call: string): void => {
    if (code !== "" && answers.call === call) throw Object.assign(new Error(`${code}: refused, ${call}`), { code });
  };
  return {
    ...fs,
    openSync: (path: string, flags: string) => {
      if (isFolder(path)) refuse(answers.folder, "open");
      return fs.openSync(path, flags);
    },
    fsyncSync: (descriptor: number) => {
      refuse(fs.fstatSync(descriptor).isDirectory() ? answers.folder : answers.file, "fsync");
      fs.fsyncSync(descriptor);
    },
    readdirSync: (path: string) => {
      refuse(answers.folder, "readdir");
      return fs.readdirSync(path);
    },
  };
});

const folder = testFolder();
const path = join(folder, "a.txt");
beforeEach(() => Object.assign(answers, { folder: "", file: "", call: "fsync" }));

it.each(
  ["EINVAL", "EPERM", "ENOTSUP", "EISDIR", "EACCES"].flatMap((code) => [
    [code, "fsync"],
    [code, "open"],
  ]),
)("writes into a folder that answers %s to %s", (code, call) => {
  Object.assign(answers, { folder: code, call });
  writeFileAtomic(path, code);
  expect([readFileSync(path, "utf8"), statSync(folder).isDirectory()]).toEqual([code, true]);
});

it("writes into a folder that may not be read", () => {
  const unread = join(folder, "b.txt");
  Object.assign(answers, { folder: "EACCES", call: "readdir" });
  writeFileAtomic(unread, "b");
  answers.folder = "";
  expect(readdirSync(folder).sort()).toEqual(["a.txt", "b.txt"]);
});

it.each([
  ["a folder's sync that fails otherwise", { folder: "EIO" }],
  ["any failing sync of the file itself", { file: "EINVAL" }],
])("tells of %s", async (_, failing) => {
  Object.assign(answers, failing);
  expect(await thrownBy(() => writeFileAtomic(join(folder, "c.txt"), "c"), folder)).toMatch(
    /^DataError: cannot write …\/c\.txt: E(IO|INVAL)/,
  );
});
