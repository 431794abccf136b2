import type { TakenColumn } from "../frame-reader.ts";

/** Rows [start, start + count) of a part, asked for by a frame. */
export interface PartRows {
  readonly start: number;
  readonly count: number;
  /** (position among the part's columns, position in a row of the target). */
  readonly picks: readonly (readonly [source: number, target: number])[];
  /** Row-major, `width` wide, filled from row `firstRow` on. */
  readonly target: Float64Array | Float32Array;
  readonly width: number;
  readonly firstRow: number;
}

/** A cell that holds no number, in a column of numbers. */
export interface BadCell {
  /** Counted from 1. */
  readonly line: number;
  readonly text: string;
  /** Bad cells of the column. */
  readonly count: number;
}

/** Rows of one file or one model, of which several make a frame. */
export interface TablePart {
  readonly path: string;
  readonly columns: readonly string[];
  readonly rows: number;
  /** [rows]: which tracer of the part a row belongs to. */
  readonly tracerOf: Int32Array;
  /** The column that told the tracers of a table without ids apart: of a point's number, or `Time`, which goes back. */
  readonly splitBy?: string | null;
  /** Columns that were given our names. */
  readonly taken?: ReadonlyMap<string, TakenColumn>;
  /** What the tracers are called. */
  readonly tracers: readonly string[];
  /** By column: the first of its cells that hold no number. */
  readonly problems: ReadonlyMap<string, BadCell>;
  /** By column of text: what its codes stand for. */
  readonly texts: ReadonlyMap<string, readonly string[]>;
  /** Rows that the file stores together; 1 where it is left out. */
  readonly chunkRows?: number;
  /** Whether `read` reads a column that has neither problems nor texts; left out: it does. */
  isNumeric?(column: string): boolean;
  /** `run.dat, line 12`. */
  placeOf(row: number): string;
  read(rows: PartRows): void;
  close(): void;
}
