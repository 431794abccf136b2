import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { lockState, removeDeadLock, withLock } from "../../src/formats/lock.ts";
import { here } from "../../src/formats/process-place.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";

const folder = testFolder();
const lock = join(folder, "weights.lock");
const options = { holder: "another training writes these weights" };
const deadProcess = (): number => spawnSync(process.execPath, ["-e", ""]).pid;

it("admits one at a time, and is gone afterwards, also after a failure", async () => {
  await withLock(lock, options, async () => {
    const thrown = await thrownBy(() => withLock(lock, options, async () => {}), folder);
    expect(thrown).toContain(`another training writes these weights (process ${process.pid} on ${hostname()})`);
    expect(thrown).toContain("at   …/weights.lock");
    expect(thrown).toContain("fix  wait until it has finished");
    expect(existsSync(lock)).toBe(true);
  });
  await expect(withLock(lock, options, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(readdirSync(folder)).toEqual([]);
});

it("takes over what a dead process left", async () => {
  writeFileSync(lock, JSON.stringify({ pid: deadProcess(), ...here, began: "1" }));
  await withLock(lock, options, async () => expect(JSON.parse(readFileSync(lock, "utf8")).pid).toBe(process.pid));
  // This process's id, but it began at another time: the id has come round again.
  writeFileSync(lock, JSON.stringify({ pid: process.pid, ...here, began: "1" }));
  await withLock(lock, options, async () => {});
  writeFileSync(lock, "not a lock");
  await withLock(lock, options, async () => {});
  expect(readdirSync(folder)).toEqual([]);
});

it.each([
  ["another machine", { ...here, host: "elsewhere" }],
  ["another name space of this machine", { ...here, pid_namespace: "pid:[4026532201]" }],
  ["another machine of the same name", { ...here, boot: "5e8a1b5c-0000-4000-8000-000000000000" }],
  ["a version that did not tell the name space", { host: here.host }],
])("asks processes of %s for a sign of life", async (_, place) => {
  const elsewhere = JSON.stringify({ pid: deadProcess(), ...place, began: null });
  writeFileSync(lock, elsewhere);
  expect(await thrownBy(() => withLock(lock, options, async () => {}), folder)).toContain("or delete that file");
  removeDeadLock(lock);
  expect(lockState(lock)).toBe("held");
  // It would have touched its lock every twenty seconds.
  const fourMinutesAgo = new Date(Date.now() - 240_000);
  utimesSync(lock, fourMinutesAgo, fourMinutesAgo);
  await withLock(lock, options, async () => {});
  expect(readdirSync(folder)).toEqual([]);
});

it("waits where that is wanted, and says for whom, until it is interrupted", async () => {
  const told: string[] = [];
  const order: string[] = [];
  const wait = { log: (message: string) => told.push(message) };
  const first = withLock(lock, options, async () => {
    await sleep(50);
    order.push("first");
  });
  await Promise.all([first, withLock(lock, { ...options, wait }, async () => order.push("second"))]);
  expect(order).toEqual(["first", "second"]);
  expect(told).toEqual([`waiting: another training writes these weights (process ${process.pid} on ${hostname()})`]);
  const signal = AbortSignal.timeout(20);
  const blocked = withLock(lock, options, () =>
    withLock(lock, { ...options, wait: { ...wait, signal } }, async () => {}),
  );
  await expect(blocked).rejects.toMatchObject({ name: "AbortError" });
  expect(readdirSync(folder)).toEqual([]);
});

it("leaves the lock to whoever took it over from a process that slept", async () => {
  const theirs = JSON.stringify({ pid: 1, host: "elsewhere", began: null });
  await withLock(lock, options, async () => writeFileSync(lock, theirs));
  expect(readFileSync(lock, "utf8")).toBe(theirs);
  rmSync(lock);
});

it("removes the lock of a dead process, and no other", async () => {
  await withLock(lock, options, async () => {
    removeDeadLock(lock);
    expect(lockState(lock)).toBe("held");
  });
  expect(lockState(lock)).toBe(null);
  writeFileSync(lock, JSON.stringify({ pid: deadProcess(), ...here, began: null }));
  expect(lockState(lock)).toBe("dead");
  removeDeadLock(lock);
  // Half a lock: somebody may be writing it.
  writeFileSync(lock, "{");
  removeDeadLock(lock);
  expect(readdirSync(folder)).toEqual(["weights.lock"]);
  rmSync(lock);
});
