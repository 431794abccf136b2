import { statSync } from "node:fs";
import { basename } from "node:path";
import { z } from "zod";
import { ConfigError } from "../errors.ts";
import { type PreprocessOptions, pathsOf } from "./preprocess-options.ts";
import { shardHead } from "./shard-file.ts";

export const ShardedPart = z.object({
  columns: z.array(z.string()),
  tracers: z.array(z.string()),
  has_text_ids: z.boolean(),
  split_by: z.string().nullable(),
  taken: z.array(z.tuple([z.string(), z.object({ source: z.string(), hasUnit: z.boolean() })])),
  rows: z.int(),
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
  return `${outputPath}.shards/${index}-of-${count}.h5`;
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

/** @throws ConfigError for a single file */
export function checkSeveral(options: PreprocessOptions): void {
  const paths = pathsOf(options);
  if (paths.length > 1) return;
  throw new ConfigError(`shards take whole raw files, and there is one: ${basename(paths[0]!)}`, {
    where: "dataset.preprocessing.shards",
    fix: "leave out shards=…, or give several files",
  });
}
