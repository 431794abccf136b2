import { statSync } from "node:fs";
import { basename } from "node:path";
import { z } from "zod";
import { ConfigError } from "../errors.ts";
import type { Cut } from "./files/cut-part.ts";
import { detectFile, isFrameFile } from "./files/detect-file.ts";
import { type PreprocessOptions, pathsOf } from "./preprocess-options.ts";
import { shardFile, shardHead } from "./shard-file.ts";

export const ShardedPart = z.object({
  columns: z.array(z.string()),
  tracers: z.array(z.string()),
  has_text_ids: z.boolean(),
  split_by: z.string().nullable(),
  taken: z.array(z.tuple([z.string(), z.object({ source: z.string(), hasUnit: z.boolean() })])),
  rows: z.int(),
  /** Its first row in the file, or in the model, and the rows of that. */
  first: z.int(),
  of_rows: z.int(),
});

/** What a shard says of itself. */
export const ShardContent = z.object({
  ...shardHead,
  /** Columns of `values`, as the raw files call them. */
  columns: z.array(z.string()),
  time: z.string(),
  notes: z.array(z.string()),
  files: z.array(
    z.object({ path: z.string(), bytes: z.number(), modified_ms: z.number(), parts: z.array(ShardedPart) }),
  ),
});
export type ShardContent = z.output<typeof ShardContent>;

/** Where a shard lies: beside the clean file. */
export function shardPath(outputPath: string, index: number, count: number): string {
  return shardFile(`${outputPath}.shards`, index, count);
}

/** What of the configuration, and which files, shape a shard: another split, seed or start needs no other shards. */
export function settingsOf(options: PreprocessOptions, count: number): Record<string, unknown> {
  return {
    "number of shards": count,
    "list of raw files": pathsOf(options),
    input_key: options.inputKey,
    metadata: options.metadata,
    phys: options.phys,
    "species list": options.species,
    "spelling of names": options.naming ?? null,
    columns: options.columns ?? {},
    units: options.units ?? {},
    columns_to_drop: options.columnsToDrop,
    "abundances_clipping.lower": options.clipping.lower,
  };
}

/** A file that changes has another size or time. */
export function stampOf(path: string) {
  const { size = 0, mtimeMs = 0 } = statSync(path, { throwIfNoEntry: false }) ?? {};
  return { path, bytes: size, modified_ms: mtimeMs };
}

/** What a shard reads. */
export interface Share {
  readonly paths: readonly string[];
  /** Which part of each; null: all of it. */
  readonly cut: Cut | null;
}

/**
 * The files of a shard: every `count`-th one, or where there are fewer than shards its part of each.
 * @throws ConfigError for a single file that is not cut: text, or models of UCLCHEM
 */
export async function shareOf(options: PreprocessOptions, { index, count }: Cut): Promise<Share> {
  const paths = pathsOf(options);
  const isFrame = isFrameFile(await detectFile(paths[0]!));
  if (isFrame && paths.length < count) return { paths, cut: { index, count } };
  if (paths.length === 1 && !isFrame)
    throw new ConfigError(`only HDF5 frames are cut into shards, and ${basename(paths[0]!)} is none`, {
      where: "dataset.preprocessing.shards",
      fix: "leave out shards=…, give several files, or make a frame of it: frame.to_hdf(…)",
    });
  return { paths: paths.filter((_, i) => i % count === index), cut: null };
}
