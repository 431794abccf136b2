import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { ConfigError } from "../../errors.ts";

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the process began, as the kernel counts: process ids come round again, in containers soon. */
  readonly began: string | null;
}

/**
 * Runs `action` while no other process does so under the same lock file. A lock whose holder is dead is taken over.
 * @throws ConfigError naming the holder
 */
export async function withLock<T>(path: string, action: () => Promise<T>): Promise<T> {
  acquire(path);
  const release = (): void => rmSync(path, { force: true });
  process.once("exit", release);
  try {
    return await action();
  } finally {
    process.off("exit", release);
    release();
  }
}

function acquire(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const mine = `${path}.${process.pid}`;
  const holder: Holder = { pid: process.pid, host: hostname(), began: began(process.pid) };
  writeFileSync(mine, JSON.stringify(holder));
  try {
    for (let attempt = 0; attempt < 3; attempt++) {
      // A link appears with its content: nobody ever reads half a lock.
      if (succeeds(() => linkSync(mine, path), "EEXIST")) return;
      takeStaleAway(path);
    }
    throw new ConfigError("another process takes the lock again and again", {
      where: path,
      fix: "wait, and try again",
    });
  } finally {
    rmSync(mine, { force: true });
  }
}

/** @throws ConfigError where the holder lives, or may live */
function takeStaleAway(path: string): void {
  const text = read(path);
  if (text === null) return;
  const holder = parse(text);
  if (holder !== null && mayLive(holder)) {
    throw new ConfigError(`another astrochem backend command is at work (process ${holder.pid} on ${holder.host})`, {
      where: path,
      fix:
        holder.host === hostname()
          ? "wait until it has finished"
          : "wait until it has finished, or delete that file if it no longer runs",
    });
  }
  const aside = `${path}.${process.pid}.stale`;
  if (!succeeds(() => renameSync(path, aside), "ENOENT")) return;
  // Somebody else may have been quicker, and this be their lock: it goes back.
  if (read(aside) !== text) succeeds(() => linkSync(aside, path), "EEXIST");
  rmSync(aside, { force: true });
}

function mayLive({ pid, host, began: then }: Holder): boolean {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  const now = began(pid);
  return now === null || then === null || now === then;
}

/** Field 22 of the process's line in /proc; null where there is none. */
function began(pid: number): string | null {
  const line = read(`/proc/${pid}/stat`);
  // The program's name, in brackets, may contain spaces.
  return line?.slice(line.lastIndexOf(")") + 2).split(" ")[19] ?? null;
}

function parse(text: string): Holder | null {
  try {
    const holder = JSON.parse(text) as Partial<Holder> | null;
    return typeof holder?.pid === "number" && typeof holder.host === "string" ? (holder as Holder) : null;
  } catch {
    return null;
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
