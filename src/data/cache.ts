import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { DataError } from "../errors.ts";
import { beginFile } from "../formats/atomic-file.ts";
import { withLock } from "../formats/lock.ts";
import { createHdf5, type Hdf5File, openHdf5 } from "./hdf5.ts";
import { firstLine } from "./read-messages.ts";

/** `preprocess` and `both` make caches where they do not fit; `train` wants them made. */
export type CacheMode = "preprocess" | "train" | "both";

/** What a cache is made of: values that JSON can hold. */
export type CacheParts = Readonly<Record<string, unknown>>;

/** A cache on its way: what it is made of, and how to make it. */
export interface CacheJob {
  readonly path: string;
  /** Everything that its content depends on, under the names by which an error tells what differs. */
  readonly parts: CacheParts;
  readonly mode: CacheMode;
  /** The command that makes it, for the error. */
  readonly command: string;
  readonly write: (file: Hdf5File) => Promise<void>;
  readonly log: (message: string, details?: Record<string, unknown>) => void;
  readonly signal?: AbortSignal | undefined;
}

/** The version of the caches' layout: part of every hash, so that an older layout is rebuilt. */
const formatVersion = 2;

/** sha256 of the canonical JSON of the parts and the layout's version: object keys sorted, so that their order means nothing. */
export function cacheHash(parts: CacheParts): string {
  return sha256(canonical(versioned(parts)));
}

/**
 * Makes sure that a cache fits: keeps it where its hash is right, builds it where it is absent or made of something else. Where
 * another run is making it, waits and looks again.
 * @throws DataError in mode `train` where it is absent or does not fit, saying what differs
 */
export async function ensureCache(job: CacheJob): Promise<void> {
  const { path, parts, mode, command, log, signal } = job;
  const hash = cacheHash(parts);
  const problem = await whyUnfit(path, hash, parts);
  if (problem === null) {
    log(`cache ${path} fits`, { hash });
    return;
  }
  if (mode === "train") {
    throw new DataError(`mode=train wants the cache ${path}, but ${problem}`, {
      where: path,
      fix: `make it: astrochem ${command} mode=preprocess (or mode=both)`,
    });
  }
  const lock = { holder: `another run makes the cache ${path}`, wait: { log, signal } };
  await withLock(`${path}.lock`, lock, async () => {
    const left = await whyUnfit(path, hash, parts);
    if (left === null) return;
    log(`making cache ${path}: ${left}`);
    await build(job, hash);
  });
}

async function build({ path, parts, write }: CacheJob, hash: string): Promise<void> {
  const pending = beginFile(path);
  try {
    const file = await createHdf5(pending.temporaryPath);
    try {
      await write(file);
      file.setAttribute("/", PARTS, JSON.stringify(partHashes(parts)));
      file.setAttribute("/", HASH, hash);
    } finally {
      file.close();
    }
    pending.commit();
  } catch (error) {
    pending.discard();
    throw error;
  }
}

/** The attributes that say what a cache was made of: all of it in one, and each part on its own. */
const [HASH, PARTS] = ["astrochem_hash", "astrochem_parts"];

/** Why a cache cannot be used; null where it can. */
async function whyUnfit(path: string, hash: string, parts: CacheParts): Promise<string | null> {
  if (!existsSync(path)) return "it is absent";
  try {
    const file = await openHdf5(path);
    try {
      if (file.attribute("/", HASH) === hash) return null;
      return difference(String(file.attribute("/", PARTS) ?? "{}"), parts);
    } finally {
      file.close();
    }
  } catch (error) {
    // Nothing that cannot be read is worth keeping; what stands in the way of a new one shows when that is written.
    if (error instanceof DataError) return `it cannot be used: ${firstLine(error)}`;
    throw error;
  }
}

/** What a cache was made of that is not what is asked for. @param found the attribute of the parts */
function difference(found: string, parts: CacheParts): string {
  const [before, now] = [parsedHashes(found), partHashes(parts)];
  const names = [...new Set([...Object.keys(now), ...before.keys()])].filter((name) => before.get(name) !== now[name]);
  const isTold = before.size > 0 && names.length > 0;
  return isTold ? `it was made with another ${names.join(", ")}` : "nothing tells what it was made of";
}

/** An attribute of another program, or of another version, tells nothing. */
function parsedHashes(text: string): Map<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return new Map(typeof value === "object" && value !== null ? Object.entries(value) : []);
  } catch {
    return new Map();
  }
}

/** Sixteen digits are enough to tell two values of one part apart. */
function partHashes(parts: CacheParts): Record<string, string> {
  const entries = Object.entries(versioned(parts));
  return Object.fromEntries(entries.map(([name, value]) => [name, sha256(canonical(value)).slice(0, 16)]));
}

function versioned(parts: CacheParts): CacheParts {
  return { ...parts, "format version": formatVersion };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join()}}`;
}
