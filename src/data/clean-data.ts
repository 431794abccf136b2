import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { suggestName } from "../chemistry/species-names.ts";
import { DataError, sameButForCase } from "../errors.ts";
import { type Frame, openFrame } from "./frame.ts";
import { respelt } from "./respelt-frame.ts";
import type { SplitName } from "./splits.ts";

/** The columns that a training needs, in their order. */
export interface CleanColumns {
  readonly metadata: readonly string[];
  readonly phys: readonly string[];
  readonly species: readonly string[];
}

/** The two splits of a clean dataset. Frames are closed by `close`. */
export interface CleanData {
  readonly path: string;
  readonly train: Frame;
  readonly val: Frame;
  /** sha256 over both splits' columns and values. */
  readonly hash: string;
  close(): void;
}

/**
 * Opens what `preprocess` wrote, or a file of the same form.
 * @throws DataError where the file or a split is absent, empty or lacks a column
 */
export async function openCleanData(
  path: string,
  columns: CleanColumns,
  log: (message: string) => void = () => {},
): Promise<CleanData> {
  if (!existsSync(path)) {
    throw new DataError(`there is no clean dataset ${path}`, {
      where: "dataset.dataset_path",
      fix: "make it: astrochem preprocess (with the same dataset=… override)",
    });
  }
  const wanted = [...columns.metadata, ...columns.phys, ...columns.species];
  const open = async (key: string): Promise<Frame> => respelt(await openFrame(path, key), wanted, log);
  const train = await open("train");
  const frames = [train];
  const close = (): void => {
    for (const frame of frames) frame.close();
  };
  try {
    const val = await open("val");
    frames.push(val);
    for (const frame of frames) checkColumns(frame, columns);
    const parts: unknown[] = [];
    for (const frame of frames) parts.push(frame.attribute("astrochem_hash") ?? (await hashValues(frame, columns)));
    return { path, train, val, hash: createHash("sha256").update(parts.join()).digest("hex"), close };
  } catch (error) {
    close();
    throw error;
  }
}

/** One split of a clean file. The frame is the caller's to close. */
export interface CleanSplit {
  readonly path: string;
  readonly frame: Frame;
  /** sha256 over its columns and values. */
  readonly hash: string;
}

/**
 * Opens one split of a clean file.
 * @throws DataError where the file or the split is absent, empty or lacks a column
 */
export async function openCleanSplit(path: string, split: SplitName, columns: CleanColumns): Promise<CleanSplit> {
  const frame = await openFrame(path, split);
  try {
    checkColumns(frame, columns);
    return { path, frame, hash: frame.attribute("astrochem_hash") ?? (await hashValues(frame, columns)) };
  } catch (error) {
    frame.close();
    throw error;
  }
}

function checkColumns(frame: Frame, { metadata, phys, species }: CleanColumns): void {
  const where = `${frame.path}, key ${frame.key}`;
  if (frame.rows === 0)
    throw new DataError("the split has no rows", { where, fix: "preprocess again with more tracers" });
  const present = new Set(frame.columns);
  const missing = [...metadata, ...phys, ...species].filter((name) => !present.has(name));
  if (missing.length === 0) return;
  const near = suggestName(missing[0]!, frame.columns);
  const described = missing.slice(0, 5).map((name) => {
    const same = sameButForCase(name, frame.columns);
    return same === undefined ? name : `${name} (is it ${same}?)`;
  });
  const shown = `${described.join(", ")}${missing.length > 5 ? ` and ${missing.length - 5} more` : ""}`;
  throw new DataError(`the clean dataset lacks the column${missing.length > 1 ? "s" : ""} ${shown}`, {
    where,
    fix: near ? `did you mean ${near}? else preprocess again` : "preprocess again, or correct dataset.species_path",
  });
}

/** For files of other programs, which carry no hash: the needed columns and their float32 values, read once. Others may hold text. */
async function hashValues(frame: Frame, { metadata, phys, species }: CleanColumns): Promise<string> {
  const columns = [...metadata, ...phys, ...species];
  const hash = createHash("sha256").update(JSON.stringify(columns));
  await forBlocks(frame, columns, (values) => hash.update(values));
  return hash.digest("hex");
}

/**
 * Reads a frame block by block into one float32 buffer, with a turn for signals after each.
 * @param f gets [count, columns], valid until it returns
 * @throws the signal's reason where it is aborted
 */
export async function forBlocks(
  frame: Frame,
  columns: readonly string[],
  f: (values: Float32Array, start: number, count: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  const buffer = new Float32Array(frame.blockRows * columns.length);
  for (let start = 0; start < frame.rows; start += frame.blockRows) {
    const count = Math.min(frame.blockRows, frame.rows - start);
    const values = buffer.subarray(0, count * columns.length);
    frame.read(start, count, columns, values);
    f(values, start, count);
    await nextTurn();
    signal?.throwIfAborted();
  }
}
