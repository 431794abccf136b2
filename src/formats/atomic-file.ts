import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { DataError } from "../errors.ts";
import { here, isAlive, isHere } from "./process-place.ts";

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
const host = here.host.replace(/[^\w.-]/g, "_");
const place = createHash("sha256").update(JSON.stringify(here)).digest("hex").slice(0, 8);
/** Writers of another place cannot be asked whether they live. */
const abandoned_ms = 24 * 3_600_000;

/** A name beside `path` that no other process uses, and that tells whose it is. */
export function temporaryName(path: string): string {
  const unique = `${host}-${place}-${process.pid}-${randomBytes(4).toString("hex")}`;
  return join(dirname(path), `.${basename(path)}.${unique}.part`);
}

const swept = new Set<string>();

/** Removes what killed processes of this machine left of a file; once a process and file is enough. */
export function removeLeftovers(path: string): void {
  if (swept.has(path)) return;
  swept.add(path);
  const start = `.${basename(path)}.${host}-`;
  for (const name of entriesOf(dirname(path))) {
    // Older versions did not name the place.
    const parts =
      name.startsWith(start) && /^(?:([0-9a-f]{8})-)?(\d+)-[0-9a-f]{8}\.part$/.exec(name.slice(start.length));
    if (!parts) continue;
    const leftover = join(dirname(path), name);
    const isOurs = parts[1] === place && isHere(here);
    if (isOurs ? !isAlive(Number(parts[2])) : isAbandoned(leftover)) rmSync(leftover, { force: true });
  }
}

function isAbandoned(path: string): boolean {
  const written = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY;
  return Date.now() - written > abandoned_ms;
}

/** A folder may be open to writing and closed to reading. */
function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EACCES") return [];
    throw error;
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
        syncFolder(dirname(path));
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

/** Network disks, FUSE and Windows do not sync folders; one that may not be read cannot be opened for it. The file is in its place. */
const unsyncable = new Set(["EINVAL", "EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EISDIR", "EACCES", "EBADF"]);

function syncFolder(folder: string): void {
  try {
    syncPath(folder);
  } catch (error) {
    if (!unsyncable.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
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

/**
 * Runs `action`; turns an error of the file system into a DataError that names `path` and the remedy.
 * @param elsewhere  how to choose another place, where a key or flag does
 */
export function guarded<T>(path: string, action: () => T, elsewhere?: string): T {
  try {
    return action();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === undefined) throw error;
    throw new DataError(`cannot write ${path}: ${(error as Error).message}`, {
      where: path,
      fix: [remedies[code], elsewhere].filter(Boolean).join("; ") || undefined,
      cause: error,
    });
  }
}
