import { suggestName } from "../chemistry/species-names.ts";
import { DataError } from "../errors.ts";
import { beforeWriting, type ColumnCaveat, isNumber } from "./column-types.ts";
import { gather, makePicks, type Picks } from "./frame-gather.ts";
import { type Labels, readLabels } from "./frame-labels.ts";
import { type FrameBlock, type FrameLayout, readFrameLayout } from "./frame-layout.ts";
import type { Hdf5File } from "./hdf5.ts";

/** What a file calls a column that has our name here. */
export interface TakenColumn {
  readonly source: string;
  /** Whether the unit stood in the name: values are in ours. */
  readonly hasUnit: boolean;
}

/** A pandas frame in an HDF5 file, read in blocks of rows. */
export interface Frame {
  readonly columns: readonly string[];
  readonly rows: number;
  readonly path: string;
  readonly key: string;
  /** Rows that make a good block to read: about 8 MB of the file, whole chunks. */
  readonly blockRows: number;
  /** Rows that the file compresses or stores together; 1 where any row can be read alone at no extra cost. */
  readonly chunkRows: number;
  /**
   * Rows [start, start + count) into `target`, row-major [count, columns.length], the columns in the order asked for.
   * @throws DataError naming the column that is absent or not numeric
   */
  read(start: number, count: number, columns: readonly string[], target: Float64Array | Float32Array): void;
  /** Whether the frame has that column and `read` reads it. */
  isNumeric(column: string): boolean;
  /** A column of strings or numbers as codes. @throws DataError naming the row of a NaN */
  labels(column: string): Labels;
  /** A text attribute of the frame. */
  attribute(name: string): string | undefined;
  /** Where a row stands, for people: a file and a line; undefined of pandas frames, whose rows have numbers. */
  placeOf?(row: number): string;
  /** Lines of Python that make a frame `frame` of the files; absent of what pandas wrote. */
  readonly pandasLines?: readonly string[];
  /** Whether the column `Tracer` is not the file's: a dataset may know better. */
  readonly isTracerGuessed?: boolean;
  /** What a column was called before a dataset renamed it; left out: the same. */
  rawName?(column: string): string;
  /** By our name: columns that were renamed, and converted where their names have a unit, when the file was read. */
  readonly taken?: ReadonlyMap<string, TakenColumn>;
  /** Closes the file. */
  close(): void;
}

/** A frame's place in an error. */
export function placeOfFrame({ path, key }: Pick<Frame, "path" | "key">): string {
  return key === "" ? path : `${path}, key ${key}`;
}

/** Reads frames in pandas' fixed and table formats. Made by `openFrame`. */
export class HdfFrame implements Frame {
  readonly path: string;
  readonly key: string;
  readonly #file: Hdf5File;
  readonly #layout: FrameLayout;
  #plan: { columns: readonly string[]; parts: PlanPart[] } = { columns: [], parts: [] };

  /** Takes ownership of `file`: `close` closes it. */
  constructor(file: Hdf5File, key: string) {
    this.path = file.path;
    this.key = key;
    this.#file = file;
    this.#layout = readFrameLayout(file, key);
  }

  get columns(): readonly string[] {
    return this.#layout.columns;
  }

  get rows(): number {
    return this.#layout.rows;
  }

  get blockRows(): number {
    return Math.max(1, this.#widest()?.dataset.blockRows ?? 1);
  }

  get chunkRows(): number {
    return this.#widest()?.dataset.chunkRows ?? 1;
  }

  read(start: number, count: number, columns: readonly string[], target: Float64Array | Float32Array): void {
    if (start < 0 || count < 0 || start + count > this.rows || !Number.isInteger(start) || !Number.isInteger(count)) {
      throw new RangeError(`no rows ${start} to ${start + count - 1} in a frame of ${this.rows}`);
    }
    if (target.length < count * columns.length) {
      throw new RangeError(`${count} × ${columns.length} values do not fit in an array of ${target.length}`);
    }
    for (const part of this.#planFor(columns)) {
      const { dataset } = part.block;
      for (let row = start; row < start + count; ) {
        const end = Math.min(start + count, row - (row % dataset.chunkRows) + dataset.blockRows);
        gatherPart(part, row, end - row, target, columns.length, row - start);
        row = end;
      }
    }
  }

  isNumeric(column: string): boolean {
    const block = this.#layout.blocks.find(({ columns }) => columns.includes(column));
    return block !== undefined && (block.caveat ?? unreadable(block)) === undefined;
  }

  labels(column: string): Labels {
    return readLabels(this, this.#blockOf(column), column);
  }

  attribute(name: string): string | undefined {
    const value = this.#file.attribute(this.key, name);
    return value === undefined ? undefined : String(value);
  }

  close(): void {
    this.#file.close();
  }

  #widest(): FrameBlock | undefined {
    return this.#layout.blocks.reduce<FrameBlock | undefined>(
      (widest, block) => ((widest?.dataset.rowBytes ?? -1) >= block.dataset.rowBytes ? widest : block),
      undefined,
    );
  }

  #planFor(columns: readonly string[]): PlanPart[] {
    const isSame =
      columns.length === this.#plan.columns.length && columns.every((name, i) => name === this.#plan.columns[i]);
    if (!isSame) this.#plan = { columns: [...columns], parts: this.#makePlan(columns) };
    return this.#plan.parts;
  }

  #makePlan(columns: readonly string[]): PlanPart[] {
    const pairs = new Map<FrameBlock, [number, number][]>();
    for (const [target, column] of columns.entries()) {
      const block = this.#blockOf(column);
      const caveat = block.caveat ?? unreadable(block);
      if (caveat !== undefined) {
        throw new DataError(`column \`${column}\` ${caveat.what}, expected numbers`, {
          where: `${this.path}, key ${this.key}`,
          fix: caveat.fix(column),
        });
      }
      const list = pairs.get(block) ?? [];
      list.push([block.columns.indexOf(column), target]);
      pairs.set(block, list);
    }
    return [...pairs].map(([block, list]) => ({ block, picks: makePicks(list) }));
  }

  #blockOf(column: string): FrameBlock {
    const block = this.#layout.blocks.find((candidate) => candidate.columns.includes(column));
    if (block !== undefined) return block;
    const guess = suggestName(column, this.columns);
    throw new DataError(`no column \`${column}\``, {
      where: `${this.path}, key ${this.key}`,
      fix: guess === undefined ? `columns: ${abridged(this.columns)}` : `did you mean \`${guess}\`?`,
    });
  }
}

interface PlanPart {
  block: FrameBlock;
  picks: Picks;
}

function gatherPart(
  { block, picks }: PlanPart,
  start: number,
  rows: number,
  target: Float64Array | Float32Array,
  width: number,
  firstRow: number,
): void {
  const { dataset, dtype, offset, columns } = block;
  const bytes = dataset.rawRows(start, rows);
  const raw = { bytes, rowBytes: dataset.rowBytes, rows, dtype, offset, items: columns.length };
  gather(raw, picks, target, width, firstRow);
}

function unreadable({ dtype, dataset }: FrameBlock): ColumnCaveat | undefined {
  // The library swaps the bytes of plain big-endian datasets, but not of the fields of a table.
  const isSwapped = dtype.startsWith(">") && dataset.members !== undefined;
  if (isNumber(dtype) && !isSwapped) return undefined;
  const what = isSwapped ? "is big-endian in a table" : "holds text";
  return beforeWriting(what, 'COLUMN = COLUMN.astype("float64")');
}

function abridged(names: readonly string[]): string {
  return names.length <= 20 ? names.join(", ") : `${names.slice(0, 20).join(", ")} … (${names.length} in all)`;
}
