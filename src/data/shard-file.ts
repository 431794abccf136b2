import { statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { AstrochemError, DataError } from "../errors.ts";
import { beginFile } from "../formats/atomic-file.ts";
import { checkedJson } from "../formats/checked-content.ts";
import { checkVersion, type FileFormat, latestVersion } from "../formats/format-version.ts";
import { createHdf5, type Hdf5File, openHdf5 } from "./hdf5.ts";

/** Of shards, of whatever. */
const shardFormat: FileFormat = { name: "shard format", migrations: [] };

/** What the dataset `shard` of a shard says, as a text of JSON. */
export const shardHead = {
  format_version: z.int(),
  index: z.int(),
  /** What shaped it, in words for people. */
  settings: z.record(z.string(), z.unknown()),
};
type Head = z.output<z.ZodObject<typeof shardHead>>;

/** Where a shard lies in the folder of all. */
export function shardFile(folder: string, index: number, count: number): string {
  return join(folder, `${index}-of-${count}.h5`);
}

/** Which of how many shards, and the words that make one, for errors. */
export interface ShardPlace {
  readonly path: string;
  readonly index: number;
  readonly count: number;
  readonly command: (index: number) => string;
}

/**
 * Makes a shard, which appears whole or not at all.
 * @param fill  writes its data; what it returns is kept in the head
 */
export async function makeShard<T extends object>(
  { path, index }: Pick<ShardPlace, "path" | "index">,
  settings: Readonly<Record<string, unknown>>,
  fill: (file: Hdf5File) => Promise<T>,
): Promise<T> {
  const output = beginFile(path);
  try {
    const file = await createHdf5(output.temporaryPath);
    let found: T;
    try {
      found = await fill(file);
      const head: Head = { format_version: latestVersion(shardFormat), index, settings };
      file.writeStrings("shard", [JSON.stringify({ ...head, ...found })]);
    } finally {
      file.close();
    }
    output.commit();
    return found;
  } catch (error) {
    output.discard();
    throw error;
  }
}

/**
 * @param settings  what it has to be made with
 * @param objection  what else is wrong with it; null for nothing
 * @throws DataError naming the shard that is missing, damaged or made with something else, with the words that make it anew
 */
export async function openShard<Content extends Head>(
  { path, index, count, command }: ShardPlace,
  schema: z.ZodType<Content>,
  settings: Readonly<Record<string, unknown>>,
  objection: (content: Content) => string | null = () => null,
): Promise<{ readonly hdf5: Hdf5File; readonly content: Content }> {
  const refuse = (what: string, cause?: unknown): DataError =>
    new DataError(`shard ${index} of ${count} ${what}`, { where: path, fix: `make it anew: ${command(index)}`, cause });
  if (statSync(path, { throwIfNoEntry: false }) === undefined) throw refuse("is missing");
  let hdf5: Hdf5File | undefined;
  let wrong: string | null;
  try {
    hdf5 = await openHdf5(path);
    const content = contentOf(hdf5, schema);
    wrong = doubtOf(content, index, settings) ?? objection(content);
    if (wrong === null) return { hdf5, content };
  } catch (error) {
    hdf5?.close();
    if (!(error instanceof AstrochemError)) throw error;
    throw refuse(`cannot be read: ${error.message}`, error);
  }
  hdf5.close();
  throw refuse(wrong);
}

function doubtOf(head: Head, index: number, settings: Readonly<Record<string, unknown>>): string | null {
  if (head.index !== index) return `holds shard ${head.index}`;
  const other = Object.keys(settings).find((key) => asJson(settings[key]) !== asJson(head.settings[key]));
  return other === undefined ? null : `was made with another ${other}`;
}

function contentOf<Content extends Head>(file: Hdf5File, schema: z.ZodType<Content>): Content {
  const origin = { where: file.path, fix: "make the shard anew" };
  if (!file.has("shard")) throw new DataError("it is no shard", origin);
  const [text] = file.dataset("shard").readStrings();
  const content = checkedJson(schema, text ?? "", origin);
  checkVersion(shardFormat, content.format_version, file.path, (what, hint) => new DataError(what, hint));
  return content;
}

function asJson(value: unknown): string {
  return JSON.stringify(value) ?? "";
}
