import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readEmulator } from "../../src/models/weights-file.ts";
import { readCheckpoint } from "../../src/training/checkpoint.ts";
import { hdf5Content } from "./hdf5-content.ts";
import type { Job } from "./jobs.ts";

/** What a job has made: file → hash of its content, without times. Absent files are missing. */
export async function artefactsOf(job: Job, folder: string): Promise<Map<string, string>> {
  const present = job.artefacts.filter((name) => existsSync(join(folder, name)));
  const hashes = present.map(async (name) => [name, await hashOf(folder, name)] as const);
  return new Map(await Promise.all(hashes));
}

/** Names what differs between two sets of artefacts. */
export function differences(found: ReadonlyMap<string, string>, wanted: ReadonlyMap<string, string>): string[] {
  return [...wanted].flatMap(([name, hash]) => {
    const other = found.get(name);
    if (other === hash) return [];
    return [other === undefined ? `${name} is missing` : `${name} differs`];
  });
}

/** Temporary files and locks that are left in a folder. */
export function leftovers(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return names.filter((name) => /\.(part|lock|stale)$/.test(name));
}

/**
 * What is not whole after a run was cut off: an artefact must be absent or as it will be at the end, unless it grows with the epochs;
 * a checkpoint must be readable, and what is JSON must parse.
 * @param isCalibrated  false where the run said that it could not calibrate what it had trained: then its weights must be readable
 */
export async function notWhole(
  job: Job,
  folder: string,
  wanted: ReadonlyMap<string, string>,
  isCalibrated = true,
): Promise<string[]> {
  const growing = isCalibrated ? /^(run\/|weights\/.*\.json$)/ : /^(run|weights)\//;
  const finals = [...(await artefactsOf(job, folder))].filter(([name]) => !growing.test(name));
  const problems = differences(new Map(finals), new Map(finals.map(([name]) => [name, wanted.get(name)!])));
  // The finished best holds the weights alone.
  const readBest = isCalibrated ? readCheckpoint : readEmulator;
  for (const [file, read] of [
    ["last", readCheckpoint],
    ["best", readBest],
  ] as const) {
    const name = `run/checkpoints/${file}.safetensors`;
    if (existsSync(join(folder, name)) && (await hashOf(folder, name)) !== wanted.get(name))
      problems.push(...failure(name, () => read(join(folder, name))));
  }
  const texts = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".json"));
  for (const name of texts) problems.push(...failure(name, () => JSON.parse(readFileSync(join(folder, name), "utf8"))));
  return problems;
}

function failure(name: string, read: () => unknown): string[] {
  try {
    read();
    return [];
  } catch (error) {
    return [`${name} is not whole: ${(error as Error).message}`];
  }
}

/** Text is compared without how long things took, when and in which folder; HDF5 by its values. */
async function hashOf(folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  if (name.endsWith(".h5")) return hdf5Content(path, folder);
  const bytes = readFileSync(path);
  const content = /\.(jsonl?|html)$/.test(name) ? timeless(bytes.toString()).replaceAll(folder, "") : bytes;
  return createHash("sha256").update(content).digest("hex");
}

function timeless(text: string): string {
  return text
    .replace(/"(\w*seconds(_\w+)?|items_per_second)": ?[^,\n}]+/g, "")
    .replace(/\b\d{4}-\d\d-\d\d(T[\d:.]+Z)?/g, "")
    .replace(/, in \S+ s, seed/g, "");
}
