import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { withLock } from "../../../src/backend/native/lock.ts";
import { testFolder, thrownBy } from "../../helpers/folder.ts";

const folder = testFolder();
const lock = join(folder, "cpu.lock");
const deadProcess = (): number => spawnSync(process.execPath, ["-e", ""]).pid;

it("admits one at a time, and is gone afterwards, also after a failure", async () => {
  await withLock(lock, async () => {
    const thrown = await thrownBy(() => withLock(lock, async () => {}), folder);
    expect(thrown).toContain(`another astrochem backend command is at work (process ${process.pid} on ${hostname()})`);
    expect(thrown).toContain("at   …/cpu.lock");
    expect(thrown).toContain("fix  wait until it has finished");
    expect(existsSync(lock)).toBe(true);
  });
  await expect(withLock(lock, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(readdirSync(folder)).toEqual([]);
});

it("takes over what a dead process left", async () => {
  writeFileSync(lock, JSON.stringify({ pid: deadProcess(), host: hostname(), began: "1" }));
  await withLock(lock, async () => expect(JSON.parse(readFileSync(lock, "utf8")).pid).toBe(process.pid));
  // This process's id, but it began at another time: the id has come round again.
  writeFileSync(lock, JSON.stringify({ pid: process.pid, host: hostname(), began: "1" }));
  await withLock(lock, async () => {});
  writeFileSync(lock, "not a lock");
  await withLock(lock, async () => {});
  expect(readdirSync(folder)).toEqual([]);
});

it("does not judge processes of another machine", async () => {
  writeFileSync(lock, JSON.stringify({ pid: deadProcess(), host: "elsewhere", began: null }));
  expect(await thrownBy(() => withLock(lock, async () => {}), folder)).toContain("or delete that file");
});
