import { randomBytes } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { ConfigError } from "../errors.ts";
import { guarded, removeLeftovers, temporaryName } from "./atomic-file.ts";
import { soundJson } from "./checked-content.ts";
import { here, isAlive, isHere } from "./process-place.ts";

/** Locks of before `boot` and `pid_namespace` were named do not tell in which name space the process is. */
const holderSchema = z.object({
  host: z.string(),
  boot: z.string().nullable().optional(),
  pid_namespace: z.string().nullable().optional(),
  pid: z.int(),
  /** When the process began, as the kernel counts: process ids come round again, in containers soon. */
  began: z.string().nullable().default(null),
  token: z.string().optional(),
});
type Holder = z.output<typeof holderSchema>;

/** What is locked, and what to do where somebody else has it. */
export interface LockOptions {
  /** What the holder is, for the error: `another training writes weights/grav/emulator.safetensors`. */
  readonly holder: string;
  /** Wait until it is free, and say so once; absent: refuse at once. */
  readonly wait?: { readonly log: (message: string) => void; readonly signal?: AbortSignal | undefined };
}

/** Holders on other machines, and in other name spaces of this one, cannot be asked whether they live: they touch their lock. */
const heartbeat_ms = 20_000;
const silence_ms = 180_000;
const day_ms = 24 * 3_600_000;

/**
 * Runs `action` while no other process does so under the same lock file. A lock whose holder is dead is taken over: in this
 * machine's same name space where there is no such process, elsewhere where it has not touched the lock for three minutes.
 * @throws ConfigError naming the holder; DataError where the lock cannot be written
 */
export async function withLock<T>(path: string, options: LockOptions, action: () => Promise<T>): Promise<T> {
  const mine = await acquire(path, options);
  // Whoever took it over from a process that slept for long keeps it.
  const release = (): void => {
    if (read(path) === mine) rmSync(path, { force: true });
  };
  const beat = setInterval(() => touch(path, mine), heartbeat_ms).unref();
  process.once("exit", release);
  try {
    return await action();
  } finally {
    clearInterval(beat);
    process.off("exit", release);
    release();
  }
}

/** Runs `action` while no other run writes the file at `path`. @throws ConfigError naming the one that does */
export function whileWriting<T>(path: string, action: () => Promise<T>): Promise<T> {
  return withLock(`${path}.lock`, { holder: `another run writes ${path}` }, action);
}

/** @returns what the lock file holds while it is ours */
async function acquire(path: string, { holder, wait }: LockOptions): Promise<string> {
  let told = false;
  for (;;) {
    const taken = tryAcquire(path);
    if (typeof taken === "string") return taken;
    const named = `${holder} (process ${taken.pid} on ${taken.host})`;
    if (!wait) throw refusal(path, named, taken);
    if (!told) wait.log(`waiting: ${named}`);
    told = true;
    await sleep(500, undefined, { signal: wait.signal });
  }
}

function tryAcquire(path: string): string | Holder {
  const mine = temporaryName(path);
  const self: Required<Holder> = {
    pid: process.pid,
    ...here,
    began: began(process.pid),
    token: randomBytes(8).toString("hex"),
  };
  const text = JSON.stringify(self);
  return guarded(path, () => {
    mkdirSync(dirname(path), { recursive: true });
    removeLeftovers(path);
    try {
      writeFileSync(mine, text);
      for (let attempt = 0; attempt < 100; attempt++) {
        // A link appears with its content: nobody ever reads half a lock.
        if (appears(mine, path, text)) return text;
        const holder = livingHolder(path, mine);
        if (holder !== null) return holder;
      }
      throw new ConfigError("other processes take the lock again and again", { where: path, fix: "try again" });
    } finally {
      rmSync(mine, { force: true });
    }
  });
}

/** What a lock file tells of its holder; null where there is none. A process elsewhere may live until it is silent for `patience` (ms). */
export function lockState(path: string, patience = day_ms): "held" | "dead" | null {
  const text = read(path);
  if (text === null) return null;
  const holder = soundJson(holderSchema, text);
  const touched = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const mayLive = holder !== null && isHere(holder) ? isRunning(holder) : Date.now() - touched < patience;
  return mayLive ? "held" : "dead";
}

/** Removes a lock whose holder is dead. */
export function removeDeadLock(path: string): void {
  if (lockState(path) !== "dead") return;
  const text = read(path);
  if (text !== null) takeAway(path, text);
}

function refusal(path: string, named: string, holder: Holder): ConfigError {
  const wait = "wait until it has finished";
  const fix = isHere(holder) ? wait : `${wait}, or delete that file if it no longer runs`;
  return new ConfigError(named, { where: path, fix });
}

/** Who holds the lock, where that may live; a dead holder's lock is taken away. @param mine  a file written just now */
function livingHolder(path: string, mine: string): Holder | null {
  const text = read(path);
  if (text === null) return null;
  const holder = soundJson(holderSchema, text);
  const mayLive = holder !== null && (isHere(holder) ? isRunning(holder) : silence(path, mine) < silence_ms);
  if (mayLive) return holder;
  takeAway(path, text);
  return null;
}

/** @param text  what a dead process's lock holds */
function takeAway(path: string, text: string): void {
  const aside = temporaryName(path);
  if (!succeeds(() => renameSync(path, aside), "ENOENT")) return;
  // Somebody else may have been quicker, and this be their lock: it goes back.
  if (read(aside) !== text) succeeds(() => linkSync(aside, path), "EEXIST");
  rmSync(aside, { force: true });
}

/** Whether a process of this place is there, and is the one that took the lock. */
function isRunning({ pid, began: then }: Holder): boolean {
  if (!isAlive(pid)) return false;
  const now = began(pid);
  return now === null || then === null || now === then;
}

/** How long a lock has not been touched, by the clock of the file system that both files lie on. */
function silence(path: string, mine: string): number {
  const touched = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.NEGATIVE_INFINITY;
  return statSync(mine).mtimeMs - touched;
}

function touch(path: string, mine: string): void {
  const now = new Date();
  // A heartbeat that is missed does no harm; the next one is soon.
  if (read(path) === mine) succeeds(() => utimesSync(path, now, now), "ENOENT");
}

/** Field 22 of the process's line in /proc; null where there is none. */
function began(pid: number): string | null {
  const line = read(`/proc/${pid}/stat`);
  // The program's name, in brackets, may contain spaces.
  return line?.slice(line.lastIndexOf(")") + 2).split(" ")[19] ?? null;
}

/** Puts the lock in its place; false where there is one. File systems without links may show it half written for a moment. */
function appears(mine: string, path: string, text: string): boolean {
  try {
    return succeeds(() => linkSync(mine, path), "EEXIST");
  } catch (error) {
    if (!["EPERM", "ENOTSUP", "ENOSYS", "EOPNOTSUPP"].includes((error as NodeJS.ErrnoException).code ?? ""))
      throw error;
    return succeeds(() => writeFileSync(path, text, { flag: "wx" }), "EEXIST");
  }
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

function succeeds(action: () => void, refusal: string): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === refusal) return false;
    throw error;
  }
}
