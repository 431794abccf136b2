import { setImmediate as nextTurn } from "node:timers/promises";
import type { z } from "zod";
import { counted } from "../counted.ts";
import { CutPart } from "./files/cut-part.ts";
import type { JoinedFrame } from "./files/joined-frame.ts";
import { openJoined } from "./files/open-input.ts";
import type { TablePart } from "./files/table-part.ts";
import type { Hdf5File } from "./hdf5.ts";
import { planColumns } from "./preprocess-columns.ts";
import { checkOptions, type PreprocessOptions } from "./preprocess-options.ts";
import { type Log, logColumns, Meter, type Progress } from "./preprocess-report.ts";
import { boundsOf, indexRows } from "./raw-index.ts";
import { asConfigured } from "./respelt-frame.ts";
import { makeShard, type shardHead } from "./shard-file.ts";
import {
  type ShardContent,
  type ShardedPart,
  type Share,
  settingsOf,
  shardPath,
  shareOf,
  stampOf,
} from "./shard-format.ts";

/** What making a shard did. */
export interface ShardSummary {
  readonly shard: number;
  readonly shards: number;
  readonly outputPath: string;
  readonly inputFiles: number;
  readonly rows: number;
}

/**
 * Makes one of several shards of a clean dataset: reads every `count`-th raw file, or its part of each, checks the rows as
 * `preprocessDataset` does, and keeps the columns that are needed as float64, so that nothing is rounded twice. What depends on all
 * files (ids, the median step, starts, the split) is left to whoever joins the shards. The file appears whole or not at all.
 * @throws DataError as `preprocessDataset` does; ConfigError where there is nothing to share out
 */
export async function writeShard(
  options: PreprocessOptions,
  { index, count }: { readonly index: number; readonly count: number },
  log: Log,
  progress: Progress = () => {},
): Promise<ShardSummary> {
  checkOptions(options);
  const share = await shareOf(options, { index, count });
  const { paths } = share;
  const stamps = paths.map(stampOf);
  const outputPath = shardPath(options.outputPath, index, count);
  const rows = { count: 0 };
  await makeShard({ path: outputPath, index }, settingsOf(options, count), async (file) => {
    const read = await writeRows(share, options, file, { log, progress });
    rows.count = read.rows;
    let next = 0;
    const files = stamps.map((stamp) => {
      const from = next;
      while (next < read.parts.length && read.parts[next]!.path === stamp.path) next++;
      return { ...stamp, parts: read.parts.slice(from, next).map(describePart) };
    });
    const { columns, time, notes } = read;
    return { columns, time, notes, files } satisfies Omit<ShardContent, keyof typeof shardHead>;
  });
  log(`wrote shard ${index} of ${count}: ${counted(paths.length, "file")}, ${counted(rows.count, "row")}`);
  return { shard: index, shards: count, outputPath, inputFiles: paths.length, rows: rows.count };
}

interface ReadFiles {
  readonly rows: number;
  readonly columns: string[];
  readonly time: string;
  readonly notes: string[];
  readonly parts: readonly TablePart[];
}

/** Checks the rows of a shard's files and writes them in their order: `values` [rows, columns], `times` and `tracers` [rows]. */
async function writeRows(
  { paths, cut }: Share,
  options: PreprocessOptions,
  file: Hdf5File,
  { log, progress }: { readonly log: Log; readonly progress: Progress },
): Promise<ReadFiles> {
  const nothing = { rows: 0, columns: [], time: "", notes: [], parts: [] };
  if (paths.length === 0) return nothing;
  const joined = await openJoined(paths, { key: options.inputKey, tracer: options.columns?.Model, log, cut }, true);
  try {
    if (joined.rows === 0 && cut !== null) {
      log(
        "warning: no rows are left for this shard: there are fewer tracers, or their rows alternate (sort them by tracer)",
      );
      return nothing;
    }
    const frame = asConfigured(joined, options, log);
    const plan = planColumns(frame.columns, options, joined.path);
    logColumns(plan, log);
    const meter = new Meter(frame.rows, progress);
    const checks = { bounds: boundsOf(options.phys), lower: options.clipping.lower };
    const { notes } = await indexRows(frame, plan, checks, meter.advance);
    for (const note of notes) log(note);
    const [time, ...others] = [...plan.sources, plan.tracer].map((name) => frame.rawName?.(name) ?? name);
    const columns = [...new Set([time!, ...others])].filter((name) => name !== "Tracer" && joined.isNumeric(name));
    await copyRows(joined, columns, time!, file, meter.advance);
    return {
      rows: joined.rows,
      columns,
      time: time!,
      notes: [...notes],
      parts: joined.parts.filter(({ rows }) => cut === null || rows > 0),
    };
  } finally {
    joined.close();
  }
}

async function copyRows(
  joined: JoinedFrame,
  columns: readonly string[],
  time: string,
  file: Hdf5File,
  advance: (rows: number) => void,
): Promise<void> {
  const { rows } = joined;
  const values = file.createDataset("values", { shape: [rows, columns.length], dtype: "<f8" });
  // The times are read by themselves when the shards are joined.
  const times = file.createDataset("times", { shape: [rows, 1], dtype: "<f8" });
  const tracers = file.createDataset("tracers", { shape: [rows, 1], dtype: "<i4" });
  const at = columns.indexOf(time);
  const blockRows = Math.max(1, Math.min(rows, Math.floor(2 ** 20 / columns.length)));
  const block = new Float64Array(blockRows * columns.length);
  for (let start = 0; start < rows; start += blockRows) {
    const count = Math.min(blockRows, rows - start);
    joined.read(start, count, columns, block);
    values.writeRows(start, count, block);
    times.writeRows(
      start,
      count,
      Float64Array.from({ length: count }, (_, i) => block[i * columns.length + at]!),
    );
    advance(count);
    await nextTurn();
  }
  let first = 0;
  for (const part of joined.parts) {
    if (part.rows > 0) tracers.writeRows(first, part.rows, part.tracerOf);
    first += part.rows;
  }
}

function describePart(part: TablePart): z.output<typeof ShardedPart> {
  const { columns, tracers, texts, splitBy, taken, rows } = part;
  const { first, ofRows: of_rows } = part instanceof CutPart ? part : { first: 0, ofRows: rows };
  return {
    columns: [...columns],
    tracers: [...tracers],
    has_text_ids: texts.has("Tracer"),
    split_by: splitBy ?? null,
    taken: [...(taken ?? [])].map(([name, { source, hasUnit }]) => [name, { source, hasUnit }]),
    rows,
    first,
    of_rows,
  };
}
