import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { DataError } from "../errors.ts";

/** A file under a temporary name beside its final one; `commit` makes it appear whole, `discard` leaves nothing. */
export interface PendingFile {
  /** Where to write. On the same file system as the final path, so that the rename is atomic. */
  readonly temporaryPath: string;
  /** Syncs and renames. */
  commit(): void;
  /** Removes what was written; harmless after `commit`. */
  discard(): void;
}

const pending = new Set<string>();
process.once("exit", () => {
  for (const path of pending) rmSync(path, { force: true });
});

/** Host names may hold anything; file names may not. */
const host = hostname().replace(/[^\w.-]/g, "_");

/** A name beside `path` that no other process uses, and that tells whose it is. */
export function temporaryName(path: string): string {
  const unique = `${host}-${process.pid}-${randomBytes(4).toString("hex")}`;
  return join(dirname(path), `.${basename(path)}.${unique}.part`);
}

const swept = new Set<string>();

/** Removes what processes of this machine left of a file when they were killed; once a process and file is enough. */
function removeLeftovers(path: string): void {
  if (swept.has(path)) return;
  swept.add(path);
  const start = `.${basename(path)}.${host}-`;
  for (const name of readdirSync(dirname(path))) {
    const pid = name.startsWith(start) && /^(\d+)-[0-9a-f]{8}\.part$/.exec(name.slice(start.length))?.[1];
    if (pid && !isAlive(Number(pid))) rmSync(join(dirname(path), name), { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/**
 * Opens the way to a file that appears whole or not at all. Parent folders are created.
 * @throws DataError if the folder cannot be made or is not writable
 */
export function beginFile(path: string): PendingFile {
  const temporaryPath = temporaryName(path);
  guarded(path, () => {
    mkdirSync(dirname(path), { recursive: true });
    removeLeftovers(path);
    closeSync(openSync(temporaryPath, "w"));
  });
  pending.add(temporaryPath);
  return {
    temporaryPath,
    commit() {
      guarded(path, () => {
        syncPath(temporaryPath);
        renameSync(temporaryPath, path);
        // The rename itself is only durable once the folder is on disk.
        syncPath(dirname(path));
      });
      pending.delete(temporaryPath);
    },
    discard() {
      rmSync(temporaryPath, { force: true });
      pending.delete(temporaryPath);
    },
  };
}

/**
 * Writes a small file whole: temporary name, sync, rename.
 * @throws DataError naming the path where it cannot be written (full disk, read-only folder)
 */
export function writeFileAtomic(path: string, content: string | Uint8Array | readonly Uint8Array[]): void {
  const file = beginFile(path);
  try {
    guarded(path, () => {
      const descriptor = openSync(file.temporaryPath, "w");
      try {
        const parts =
          typeof content === "string" ? [Buffer.from(content)] : content instanceof Uint8Array ? [content] : content;
        for (const part of parts) {
          for (let written = 0; written < part.byteLength; ) written += writeSync(descriptor, part, written);
        }
      } finally {
        closeSync(descriptor);
      }
    });
    file.commit();
  } catch (error) {
    file.discard();
    throw error;
  }
}

function syncPath(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

const remedies: Record<string, string> = {
  ENOSPC: "free some disk space, or write to another disk",
  EDQUOT: "your quota is used up: free some space, or write elsewhere",
  EACCES: "check the permissions of the folder, or write elsewhere",
  EPERM: "check the permissions of the folder, or write elsewhere",
  EROFS: "the file system is read-only: write elsewhere",
  EEXIST: "a part of the path is a file, not a folder: write elsewhere",
  ENOTDIR: "a part of the path is a file, not a folder: write elsewhere",
  EISDIR: "the path is a folder: give the name of a file",
};

/** Runs `action`; turns an error of the file system into a DataError that names `path` and the remedy. */
export function guarded<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === undefined) throw error;
    throw new DataError(`cannot write ${path}: ${(error as Error).message}`, {
      where: path,
      fix: remedies[code],
      cause: error,
    });
  }
}
