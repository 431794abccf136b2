import { statSync } from "node:fs";
import type { z } from "zod";
import { AstrochemError, DataError } from "../errors.ts";
import { checkedJson } from "../formats/checked-content.ts";
import { checkVersion } from "../formats/format-version.ts";
import type { Detected } from "./files/detected.ts";
import type { PartRows, TablePart } from "./files/table-part.ts";
import { type Hdf5Dataset, type Hdf5File, openHdf5 } from "./hdf5.ts";
import type { PreprocessOptions, ShardOptions } from "./preprocess-options.ts";
import {
  checkSeveral,
  ShardContent,
  type ShardedPart,
  settingsOf,
  shardFormat,
  shardPath,
  stampOf,
} from "./shard-format.ts";

/** Shards that are open to be joined. */
export interface OpenShards {
  /** The rows of a raw file. */
  readonly partsOf: (file: Detected) => readonly TablePart[];
  /** What is doubtful in them, a line each. */
  readonly notes: readonly string[];
  close(): void;
}

/**
 * Opens all shards of a clean dataset.
 * @throws DataError naming the shard that is missing, damaged, of other files or another configuration, or older than its raw files, with
 *   the words that make it anew
 */
export async function openShards(options: PreprocessOptions, shards: ShardOptions): Promise<OpenShards> {
  checkSeveral(options);
  const files: Hdf5File[] = [];
  const close = (): void => {
    for (const file of files) file.close();
  };
  const parts = new Map<string, readonly TablePart[]>();
  const notes: string[] = [];
  try {
    for (let index = 0; index < shards.count; index++) {
      const file = await openShard(options, index, shards);
      files.push(file.hdf5);
      for (const [path, own] of file.parts) parts.set(path, own);
      notes.push(...file.content.notes.map((note) => shardNote(note, index)));
    }
  } catch (error) {
    close();
    throw error;
  }
  return { partsOf: ({ path }) => parts.get(path)!, notes, close };
}

/** `warning: in shard 2, …`: its rows are counted within it. */
function shardNote(note: string, index: number): string {
  const [, warning, text] = /^(warning: )?(.*)$/s.exec(note)!;
  return `${warning ?? ""}in shard ${index}, ${text}`;
}

interface OpenShard {
  readonly hdf5: Hdf5File;
  readonly content: ShardContent;
  readonly parts: ReadonlyMap<string, readonly TablePart[]>;
}

async function openShard(options: PreprocessOptions, index: number, { count, command }: ShardOptions) {
  const path = shardPath(options.outputPath, index, count);
  const refuse = (what: string, cause?: unknown): DataError =>
    new DataError(`shard ${index} of ${count} ${what}`, { where: path, fix: `make it anew: ${command(index)}`, cause });
  if (statSync(path, { throwIfNoEntry: false }) === undefined) throw refuse("is missing");
  let hdf5: Hdf5File | undefined;
  try {
    hdf5 = await openHdf5(path);
    const content = contentOf(hdf5);
    if (content.index !== index) throw refuse(`holds shard ${content.index}`);
    const wanted = settingsOf(options, count);
    const other = Object.keys(wanted).find((key) => asJson(wanted[key]) !== asJson(content.settings[key]));
    if (other !== undefined) throw refuse(`was made with another ${other}`);
    for (const stamp of content.files) {
      const now = stampOf(stamp.path);
      if (now.bytes === stamp.bytes && now.modified_ms === stamp.modified_ms) continue;
      throw refuse(`is older than its raw file ${stamp.path}`);
    }
    return { hdf5, content, parts: partsOf(hdf5, content) } satisfies OpenShard;
  } catch (error) {
    hdf5?.close();
    if (!(error instanceof AstrochemError) || error.message.startsWith(`shard ${index} of`)) throw error;
    throw refuse(`cannot be read: ${error.message}`, error);
  }
}

function contentOf(file: Hdf5File): ShardContent {
  const origin = { where: file.path, fix: "make the shard anew" };
  if (!file.has("shard")) throw new DataError("it is no shard", origin);
  const [text] = file.dataset("shard").readStrings();
  const content = checkedJson(ShardContent, text ?? "", origin);
  checkVersion(shardFormat, content.format_version, file.path, (what, hint) => new DataError(what, hint));
  return content;
}

function partsOf(file: Hdf5File, { files, columns, time }: ShardContent): Map<string, readonly TablePart[]> {
  const parts = new Map<string, readonly TablePart[]>();
  if (files.length === 0) return parts;
  const [values, times, tracers] = ["values", "times", "tracers"].map((name) => file.dataset(name));
  const datasets = { columns, time, values: values!, times: times! };
  let first = 0;
  for (const { path, parts: own } of files) {
    parts.set(
      path,
      own.map((part) => {
        const tracerOf = new Int32Array(part.rows);
        tracers!.readRows(first, part.rows, tracerOf);
        first += part.rows;
        return new ShardPart(path, part, { ...datasets, first: first - part.rows, tracerOf });
      }),
    );
  }
  return parts;
}

interface PartPlace {
  readonly columns: readonly string[];
  readonly time: string;
  readonly values: Hdf5Dataset;
  readonly times: Hdf5Dataset;
  /** Its first row in the shard. */
  readonly first: number;
  readonly tracerOf: Int32Array;
}

/** The rows of a raw file, or of one of its models, as a shard holds them. The shard is closed by who opened it. */
class ShardPart implements TablePart {
  readonly path: string;
  readonly columns: readonly string[];
  readonly rows: number;
  readonly tracerOf: Int32Array;
  readonly tracers: readonly string[];
  readonly splitBy: string | null;
  readonly taken: NonNullable<TablePart["taken"]>;
  readonly problems = new Map<string, never>();
  readonly texts: ReadonlyMap<string, readonly string[]>;
  readonly #place: PartPlace;

  constructor(path: string, part: z.output<typeof ShardedPart>, place: PartPlace) {
    [this.path, this.columns, this.rows, this.tracers] = [path, part.columns, part.rows, part.tracers];
    [this.splitBy, this.taken, this.tracerOf, this.#place] = [
      part.split_by,
      new Map(part.taken),
      place.tracerOf,
      place,
    ];
    this.texts = new Map(part.has_text_ids ? [["Tracer", part.tracers]] : []);
  }

  placeOf(row: number): string {
    return `${this.path}, row ${row}`;
  }

  read({ start, count, picks, target, width, firstRow }: PartRows): void {
    const { columns, time, values, times, first } = this.#place;
    const names = picks.map(([source]) => this.columns[source]!);
    const isTime = names.every((name) => name === time);
    const dataset = isTime ? times : values;
    const positions = names.map((name) => (isTime ? 0 : columns.indexOf(name)));
    const absent = names[positions.indexOf(-1)];
    if (absent !== undefined)
      throw new DataError(`the shards lack the column \`${absent}\`, which only all files together ask for`, {
        where: this.path,
        fix: "preprocess these files in one process: leave out shards=…",
      });
    const own = dataset.shape[1]!;
    const block = new Float64Array(count * own);
    dataset.readRows(first + start, count, block);
    for (let row = 0; row < count; row++) {
      for (const [i, [, to]] of picks.entries())
        target[(firstRow + row) * width + to] = block[row * own + positions[i]!]!;
    }
  }

  close(): void {}
}

function asJson(value: unknown): string {
  return JSON.stringify(value) ?? "";
}
