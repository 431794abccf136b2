import type { Detected } from "../../data/files/detected.ts";
import { openInput } from "../../data/files/open-input.ts";
import { type Frame, openFrame } from "../../data/frame.ts";
import { type Hdf5File, openHdf5 } from "../../data/hdf5.ts";
import { asConfigured } from "../../data/respelt-frame.ts";
import { splitNames } from "../../data/splits.ts";
import { AstrochemError, DataError } from "../../errors.ts";
import { inspectFrame } from "./inspect-frame.ts";
import type { CacheInspection, DataInspection, DatasetSummary, FrameInspection, Hdf5Inspection } from "./inspection.ts";
import { problemOf } from "./problem-of.ts";
import type { InspectionOptions } from "./settings.ts";

/** So many objects of a file are looked at, so deep. */
const [mostObjects, deepest] = [400, 6];
/** So many more are counted. */
const mostCounted = 100_000;

interface Objects {
  readonly frames: string[];
  readonly datasets: DatasetSummary[];
  readonly unreadable: { key: string; problem: string }[];
  /** Datasets beyond those that are looked at. */
  omitted: number;
}

/**
 * Looks at an HDF5 file: frames of tracers, a cache, or other datasets.
 * @throws DataError where the file is damaged, or lacks the key asked for
 */
export async function inspectHdf5(
  path: string,
  bytes: number,
  options: InspectionOptions,
): Promise<DataInspection | CacheInspection | Hdf5Inspection> {
  const file = await openHdf5(path);
  const objects: Objects = { frames: [], datasets: [], unreadable: [], omitted: 0 };
  let cache: Pick<CacheInspection, "hash" | "parts"> | null;
  try {
    listObjects(file, "", 0, objects);
    cache = cacheFacts(file);
  } finally {
    file.close();
  }
  const { datasets, unreadable } = objects;
  if (cache !== null) return { kind: "cache", path, bytes, ...cache, datasets };
  const keys = options.key === undefined ? objects.frames : [options.key];
  const dataset_count = datasets.length + objects.omitted;
  if (keys.length === 0) return { kind: "hdf5", path, bytes, dataset_count, datasets, unreadable };
  return inspectFrames(path, bytes, keys, objects, options);
}

/** Looks at a table of text, or the models of UCLCHEM 4, as one frame. @throws DataError naming the line of a row that cannot be read */
export async function inspectTable(detected: Detected, options: InspectionOptions): Promise<DataInspection> {
  const { path, bytes, what } = detected;
  const notes: string[] = [];
  const log = (note: string): void => void notes.push(note);
  const opened = await openInput([path], { key: options.key ?? "", log });
  try {
    const frame = asOurs(opened, options, log);
    const { inspection } = await inspectFrame(frame, bytes, options);
    const source = what.replace(/\)$|$/, (end) => `, ${frame.rows} row${frame.rows === 1 ? "" : "s"}${end}`);
    return {
      kind: "data",
      path,
      bytes,
      form: inspection.form,
      source: detected.kind === "uclchem-hdf5" ? what : source,
      notes: notes.map((note) => note.replace(`${path}: `, "")),
      frames: [inspection],
      unreadable: [],
      shared_tracers: null,
    };
  } finally {
    opened.close();
  }
}

async function inspectFrames(
  path: string,
  bytes: number,
  keys: readonly string[],
  { datasets, unreadable }: Objects,
  options: InspectionOptions,
): Promise<DataInspection | Hdf5Inspection> {
  const frames: FrameInspection[] = [];
  const notes = new Set<string>();
  const idsOf = new Map<string, ReadonlySet<number>>();
  for (const key of keys) {
    const opened = await openFrame(path, key).catch((error: unknown) => {
      if (!(error instanceof AstrochemError) || options.key !== undefined) throw error;
      unreadable.push({ key, problem: problemOf(error) });
      return null;
    });
    if (opened === null) continue;
    try {
      const frame = asOurs(opened, options, (note) => notes.add(note));
      const { inspection, ids } = await inspectFrame(frame, bytes, options);
      frames.push(inspection);
      if (ids !== null) idsOf.set(key, ids);
    } finally {
      opened.close();
    }
  }
  if (frames.length === 0) return { kind: "hdf5", path, bytes, dataset_count: datasets.length, datasets, unreadable };
  const splits = splitNames.flatMap((name) => idsOf.get(name) ?? []);
  let shared: number | null = null;
  if (splits.length > 1 && !options.isQuick) {
    shared = 0;
    for (const [k, ids] of splits.entries()) {
      const earlier = splits.slice(0, k);
      // Of three splits an id is counted at its second.
      for (const id of ids) if (earlier.filter((other) => other.has(id)).length === 1) shared++;
    }
  }
  return {
    kind: "data",
    path,
    bytes,
    form: formOf(frames),
    source: null,
    notes: [...notes],
    frames,
    unreadable,
    shared_tracers: shared,
  };
}

/** A raw frame under the names and in the units of the dataset that it is compared with; a clean one has them. */
function asOurs(frame: Frame, { settings }: InspectionOptions, log: (note: string) => void): Frame {
  const isClean = frame.columns.includes("Index") && frame.columns.includes("Model");
  return isClean ? frame : asConfigured(frame, { ...settings, isKindred: true }, log);
}

function formOf(frames: readonly FrameInspection[]): DataInspection["form"] {
  const keys = new Set(frames.filter(({ form }) => form === "clean").map(({ key }) => key));
  if ((keys.has("train") && keys.has("val")) || keys.has("test")) return "clean";
  return frames.some(({ form }) => form === "raw") ? "raw" : "other";
}

/** Frames by their groups, other datasets by name. What cannot be read is noted, not fatal. */
function listObjects(file: Hdf5File, group: string, depth: number, found: Objects): void {
  for (const name of file.keys(group === "" ? "/" : group)) {
    const path = group === "" ? name : `${group}/${name}`;
    const isFull = found.frames.length + found.datasets.length + found.unreadable.length >= mostObjects;
    try {
      if (isFull && file.typeOf(path) === "dataset") found.omitted++;
      else if (isFull && (depth >= deepest || found.omitted > mostCounted)) return;
      else if (file.attribute(path, "pandas_type") !== undefined) {
        found.frames.push(path);
      } else if (file.typeOf(path) === "dataset") {
        const { shape, dtype } = file.dataset(path);
        found.datasets.push({ name: path, shape, type: dtype.replace(/^[<>|]/, "") });
      } else if (depth < deepest) {
        listObjects(file, path, depth + 1, found);
      }
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      found.unreadable.push({ key: path, problem: problemOf(error) });
    }
  }
}

/** What a cache says of itself; null of other files. */
function cacheFacts(file: Hdf5File): Pick<CacheInspection, "hash" | "parts"> | null {
  const hash = file.attribute("/", "astrochem_hash");
  const text = file.attribute("/", "astrochem_parts");
  if (hash === undefined || text === undefined) return null;
  try {
    const parts: unknown = JSON.parse(String(text));
    const entries = typeof parts === "object" && parts !== null ? Object.entries(parts) : [];
    return { hash: String(hash), parts: Object.fromEntries(entries.map(([name, value]) => [name, String(value)])) };
  } catch {
    return { hash: String(hash), parts: {} };
  }
}
