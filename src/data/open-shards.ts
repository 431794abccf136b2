import type { z } from "zod";
import { DataError } from "../errors.ts";
import { MergedPart } from "./files/cut-part.ts";
import type { Detected } from "./files/detected.ts";
import type { PartRows, TablePart } from "./files/table-part.ts";
import type { Hdf5Dataset, Hdf5File } from "./hdf5.ts";
import type { PreprocessOptions, ShardOptions } from "./preprocess-options.ts";
import { openShard } from "./shard-file.ts";
import { ShardContent, type ShardedPart, settingsOf, shardPath, shareOf, stampOf } from "./shard-format.ts";

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
  await shareOf(options, { index: 0, count: shards.count });
  const files: Hdf5File[] = [];
  const close = (): void => {
    for (const file of files) file.close();
  };
  const slices = new Map<string, ShardPart[]>();
  const notes: string[] = [];
  try {
    for (let index = 0; index < shards.count; index++) {
      const place = { path: shardPath(options.outputPath, index, shards.count), index, ...shards };
      const { hdf5, content } = await openShard(place, ShardContent, settingsOf(options, shards.count), refuseOlder);
      files.push(hdf5);
      for (const part of partsOf(hdf5, content)) slices.set(part.path, [...(slices.get(part.path) ?? []), part]);
      notes.push(...content.notes.map((note) => shardNote(note, index)));
    }
  } catch (error) {
    close();
    throw error;
  }
  return { partsOf: ({ path }) => wholeParts(path, slices.get(path) ?? []), notes, close };
}

/** The parts of a file, those that were cut put together. @throws DataError where rows are missing */
function wholeParts(path: string, slices: readonly ShardPart[]): TablePart[] {
  const whole: TablePart[] = [];
  for (let at = 0; at < slices.length; ) {
    const first = at;
    let rows = 0;
    do {
      if (slices[at]?.first !== rows)
        throw new DataError(`row ${rows} of ${path} is in none of the shards`, { fix: "make the shards anew" });
      rows += slices[at++]!.rows;
    } while (rows < slices[first]!.ofRows);
    whole.push(at - first === 1 ? slices[first]! : new MergedPart(slices.slice(first, at)));
  }
  return whole;
}

function refuseOlder({ files }: ShardContent): string | null {
  for (const stamp of files) {
    const now = stampOf(stamp.path);
    if (now.bytes !== stamp.bytes || now.modified_ms !== stamp.modified_ms)
      return `is older than its raw file ${stamp.path}`;
  }
  return null;
}

/** `warning: in shard 2, …`: its rows are counted within it. */
function shardNote(note: string, index: number): string {
  const [, warning, text] = /^(warning: )?(.*)$/s.exec(note)!;
  return `${warning ?? ""}in shard ${index}, ${text}`;
}

function partsOf(file: Hdf5File, { files, columns, time }: ShardContent): ShardPart[] {
  if (files.every(({ parts }) => parts.length === 0)) return [];
  const [values, times, tracers] = ["values", "times", "tracers"].map((name) => file.dataset(name));
  const places = new Map(columns.map((name, at) => [name, at]));
  const datasets = { places, time, values: values!, times: times! };
  let first = 0;
  return files.flatMap(({ path, parts }) =>
    parts.map((part) => {
      const tracerOf = new Int32Array(part.rows);
      tracers!.readRows(first, part.rows, tracerOf);
      first += part.rows;
      return new ShardPart(path, part, { ...datasets, start: first - part.rows, tracerOf });
    }),
  );
}

interface PartPlace {
  /** The columns of `values`. */
  readonly places: ReadonlyMap<string, number>;
  readonly time: string;
  readonly values: Hdf5Dataset;
  readonly times: Hdf5Dataset;
  /** Its first row in the shard. */
  readonly start: number;
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
  /** Its first row in the file or model, and the rows of that. */
  readonly first: number;
  readonly ofRows: number;
  readonly #place: PartPlace;

  constructor(path: string, part: z.output<typeof ShardedPart>, place: PartPlace) {
    [this.path, this.columns, this.rows, this.tracers] = [path, part.columns, part.rows, part.tracers];
    [this.splitBy, this.taken, this.tracerOf, this.#place] = [
      part.split_by,
      new Map(part.taken),
      place.tracerOf,
      place,
    ];
    [this.first, this.ofRows] = [part.first, part.of_rows];
    this.texts = new Map(part.has_text_ids ? [["Tracer", part.tracers]] : []);
  }

  placeOf(row: number): string {
    return `${this.path}, row ${row}`;
  }

  read({ start, count, picks, target, width, firstRow }: PartRows): void {
    const { places, time, values, times, start: ownStart } = this.#place;
    const names = picks.map(([source]) => this.columns[source]!);
    const isTime = names.every((name) => name === time);
    const dataset = isTime ? times : values;
    const positions = names.map((name) => (isTime ? 0 : (places.get(name) ?? -1)));
    const absent = names[positions.indexOf(-1)];
    if (absent !== undefined)
      throw new DataError(`the shards lack the column \`${absent}\`, which only all files together ask for`, {
        where: this.path,
        fix: "preprocess these files in one process: leave out shards=…",
      });
    const own = dataset.shape[1]!;
    const block = new Float64Array(count * own);
    dataset.readRows(ownStart + start, count, block);
    for (const [i, [, to]] of picks.entries()) {
      let [from, at] = [positions[i]!, firstRow * width + to];
      for (let row = 0; row < count; row++, from += own, at += width) target[at] = block[from]!;
    }
  }

  close(): void {}
}
