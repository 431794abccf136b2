import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { DataError } from "../errors.ts";
import { beginFile } from "../formats/atomic-file.ts";
import { createHdf5, type Hdf5File, openHdf5 } from "./hdf5.ts";

/** `preprocess` and `both` make caches where they do not fit; `train` wants them made. */
export type CacheMode = "preprocess" | "train" | "both";

/** A cache on its way: what it is made of, and how to make it. */
export interface CacheJob {
  readonly path: string;
  /** `cacheHash` of everything that its content depends on. */
  readonly hash: string;
  readonly mode: CacheMode;
  /** The command that makes it, for the error. */
  readonly command: string;
  readonly write: (file: Hdf5File) => Promise<void>;
  readonly log: (message: string, details?: Record<string, unknown>) => void;
}

/** The version of the caches' layout: part of every hash, so that an older layout is rebuilt. */
const cacheVersion = 1;

/** sha256 of a value's canonical JSON: object keys sorted. */
export function cacheHash(parts: object): string {
  return createHash("sha256")
    .update(canonical({ cacheVersion, ...parts }))
    .digest("hex");
}

/**
 * Makes sure that a cache fits: keeps it where its hash is right, builds it where it is absent or made of something else.
 * @throws DataError in mode `train` where it is absent or does not fit
 */
export async function ensureCache({ path, hash, mode, command, write, log }: CacheJob): Promise<void> {
  const problem = await whyUnfit(path, hash);
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
  log(`making cache ${path}: ${problem}`);
  const pending = beginFile(path);
  try {
    const file = await createHdf5(pending.temporaryPath);
    try {
      await write(file);
      file.setAttribute("/", "astrochem_hash", hash);
    } finally {
      file.close();
    }
    pending.commit();
  } catch (error) {
    pending.discard();
    throw error;
  }
}

/** Why a cache cannot be used; null where it can. */
async function whyUnfit(path: string, hash: string): Promise<string | null> {
  if (!existsSync(path)) return "it is absent";
  try {
    const file = await openHdf5(path);
    try {
      const found = file.attribute("/", "astrochem_hash");
      return found === hash ? null : "it was made from other data or other settings";
    } finally {
      file.close();
    }
  } catch (error) {
    if (error instanceof DataError) return "it is damaged";
    throw error;
  }
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join()}}`;
}
