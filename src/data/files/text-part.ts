import { createReadStream } from "node:fs";
import { parse } from "csv-parse";
import { DataError } from "../../errors.ts";
import { type NamedConditions, nameConditions } from "./condition-names.ts";
import { isNumberCell, readNumber } from "./fortran-number.ts";
import type { BadCell, PartRows, TablePart } from "./table-part.ts";
import { csvOptions, type TextLayout } from "./text-layout.ts";
import { tellTracers } from "./tracers-of-table.ts";

/** Values of a block of rows in memory: 8 MB. */
const blockValues = 2 ** 20;

/** The rows of a table of text, kept as float64: 8 bytes a value. */
class TextPart implements TablePart {
  readonly path: string;
  readonly columns: readonly string[];
  readonly tracerOf: Int32Array;
  readonly tracers: readonly string[];
  readonly problems: ReadonlyMap<string, BadCell>;
  readonly texts: ReadonlyMap<string, readonly string[]>;
  readonly splitBy: string | null;
  readonly taken: NamedConditions["taken"];
  /** Names and units that were changed, and how the tracers were told apart, in words. */
  readonly notes: readonly string[];
  readonly #rows: Rows;

  /** Made by `readTextPart`. */
  constructor(path: string, rows: Rows, { changes, taken }: NamedConditions) {
    this.taken = taken;
    this.path = path;
    this.#rows = rows;
    this.columns = rows.columns;
    this.problems = rows.problems;
    this.texts = new Map([...rows.texts].map(([position, codes]) => [rows.columns[position]!, [...codes.keys()]]));
    const column = (name: string): Float64Array | null => rows.column(rows.columns.indexOf(name));
    const tracers = tellTracers(this.columns, column, this.texts);
    this.tracerOf = tracers.tracerOf ?? new Int32Array(rows.count);
    [this.tracers, this.splitBy] = [tracers.names, tracers.splitBy ?? null];
    const notes = [
      changes.length > 0 ? `read ${changes.join(", ")}` : null,
      tracers.note,
      doubtOfTimes(column("Time")),
    ];
    this.notes = notes.filter((note) => note !== null);
  }

  get rows(): number {
    return this.#rows.count;
  }

  placeOf(row: number): string {
    return `${this.path}, line ${this.#rows.lineOf(row)}`;
  }

  read({ start, count, picks, target, width, firstRow }: PartRows): void {
    for (let i = 0; i < count; i++) {
      const { block, at } = this.#rows.place(start + i);
      const to = (firstRow + i) * width;
      for (const [source, position] of picks) target[to + position] = block[at + source]!;
    }
  }

  close(): void {
    this.#rows.clear();
  }
}

/** The age of the universe, years. */
const longest = 1.4e10;

function doubtOfTimes(times: Float64Array | null): string | null {
  const latest = times?.reduce((a, b) => Math.max(a, b), 0) ?? 0;
  if (!(latest > longest) || latest === Number.POSITIVE_INFINITY) return null;
  return `warning: times up to ${latest.toPrecision(3)} yr: if they are seconds, call the column \`Time (s)\` in the header`;
}

/**
 * Reads a table of text from end to end.
 * @throws DataError naming the line where a row has another number of values than the header has names
 */
export async function readTextPart(path: string, layout: TextLayout, tracer?: string): Promise<TextPart> {
  const named = nameConditions(layout.header, tracer);
  const rows = new Rows(path, named.columns, named.factors);
  const isBlank = layout.delimiter === " ";
  const input = createReadStream(path, { highWaterMark: 2 ** 20 });
  const parser = input.pipe(
    parse({
      ...csvOptions(layout.delimiter),
      from_line: layout.headerLine + 1,
      on_record: (cells: string[], { lines }) => {
        rows.add(isBlank ? cells.filter((cell) => cell !== "") : cells, lines);
        return null;
      },
    }),
  );
  let lastByte = 0;
  input.on("data", (chunk) => (lastByte = (chunk as Buffer).at(-1) ?? lastByte));
  // Of a pipe the reader's failure is not the parser's.
  input.on("error", (error) => parser.destroy(error));
  try {
    for await (const _ of parser);
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`the text cannot be read: ${(error as Error).message}`, {
      where: path,
      fix: "check the quotes there",
      cause: error,
    });
  }
  rows.finish(lastByte === 10 || lastByte === 13);
  return new TextPart(path, rows, named);
}

/** Rows as they come in. */
class Rows {
  readonly columns: readonly string[];
  readonly problems = new Map<string, BadCell>();
  /** By position of a column of text: the code of each value. */
  readonly texts = new Map<number, Map<string, number>>();
  count = 0;
  readonly #path: string;
  readonly #factors: ReadonlyMap<number, number>;
  readonly #blockRows: number;
  readonly #blocks: Float64Array[] = [];
  readonly #lines: Int32Array[] = [];
  /** The last row that has too few or too many values: an error unless nothing follows. */
  #odd: { cells: number; line: number } | null = null;

  /** Characters of the last cell: in all rows before the last, 0 where they differ; and in the last. */
  #ending = { before: 0, last: 0 };

  constructor(path: string, columns: readonly string[], factors: ReadonlyMap<number, number>) {
    [this.#path, this.columns, this.#factors] = [path, columns, factors];
    this.#blockRows = Math.max(1, Math.floor(blockValues / columns.length));
  }

  add(cells: string[], line: number): void {
    const width = this.columns.length;
    while (cells.length > width && cells.at(-1)!.trim() === "") cells.pop();
    if (cells.length === 0 || (cells.length === 1 && cells[0]!.trim() === "") || this.#isComment(cells)) return;
    if (this.#odd !== null) throw this.#oddRow(false);
    if (cells.length !== width) {
      this.#odd = { cells: cells.length, line };
      return;
    }
    if (this.count === 0) this.#findTexts(cells);
    this.#watchEnding(cells.at(-1)!.length);
    const inBlock = this.count % this.#blockRows;
    if (inBlock === 0) {
      // The first block grows, so that a small file takes little.
      this.#blocks.push(new Float64Array((this.count === 0 ? Math.min(64, this.#blockRows) : this.#blockRows) * width));
      this.#lines.push(new Int32Array(this.#blockRows));
    }
    let block = this.#blocks.at(-1)!;
    if ((inBlock + 1) * width > block.length) {
      const larger = new Float64Array(Math.min(2 * block.length, this.#blockRows * width));
      larger.set(block);
      block = larger;
      this.#blocks[this.#blocks.length - 1] = larger;
    }
    this.#lines.at(-1)![inBlock] = line;
    for (let i = 0; i < width; i++) block[inBlock * width + i] = this.#valueOf(cells[i]!, i, line);
    this.count++;
  }

  /**
   * @param isEnded whether the last line has its end
   * @throws DataError where there is no row, or the last one is cut off
   */
  finish(isEnded: boolean): void {
    if (this.#odd !== null) throw this.#oddRow(true);
    const { before, last } = this.#ending;
    // `1.0E-0` of `1.0E-05` is a number, too.
    if (!isEnded && before > last) {
      const line = this.lineOf(this.count - 1);
      throw cutOff(`its last value has ${last} characters, those above ${before}`, this.#path, line);
    }
    if (this.count > 0) return;
    throw new DataError("the table has a header but no rows", {
      where: this.#path,
      fix: "the run that wrote it ended too early: run it again",
    });
  }

  lineOf(row: number): number {
    return this.#lines[Math.floor(row / this.#blockRows)]![row % this.#blockRows]!;
  }

  place(row: number): { block: Float64Array; at: number } {
    const block = this.#blocks[Math.floor(row / this.#blockRows)]!;
    return { block, at: (row % this.#blockRows) * this.columns.length };
  }

  /** @returns null where there is no such column, or it holds bad cells */
  column(position: number): Float64Array | null {
    if (position < 0 || this.problems.has(this.columns[position]!)) return null;
    return Float64Array.from({ length: this.count }, (_, row) => {
      const { block, at } = this.place(row);
      return block[at + position]!;
    });
  }

  clear(): void {
    this.#blocks.length = 0;
    this.#lines.length = 0;
  }

  /** `#CO` may be a text of a first column. */
  #isComment(cells: readonly string[]): boolean {
    if (!/^\s*#/.test(cells[0]!)) return false;
    return /^\s*#\s/.test(cells[0]!) || cells.length !== this.columns.length || (this.count > 0 && !this.texts.has(0));
  }

  #watchEnding(length: number): void {
    const { before, last } = this.#ending;
    this.#ending = { before: this.count < 2 || before === last ? last : 0, last: length };
  }

  #findTexts(cells: readonly string[]): void {
    for (const [i, cell] of cells.entries()) if (!isNumberCell(cell)) this.texts.set(i, new Map());
  }

  #valueOf(cell: string, position: number, line: number): number {
    const codes = this.texts.get(position);
    if (codes !== undefined) {
      const text = cell.trim();
      const code = codes.get(text) ?? codes.size;
      if (code === codes.size) codes.set(text, code);
      return code;
    }
    const value = readNumber(cell);
    if (value !== undefined) return value * (this.#factors.get(position) ?? 1);
    const column = this.columns[position]!;
    const { line: first = line, text = cell.trim(), count = 0 } = this.problems.get(column) ?? {};
    this.problems.set(column, { line: first, text, count: count + 1 });
    return Number.NaN;
  }

  #oddRow(isLast: boolean): DataError {
    const { cells, line } = this.#odd!;
    const width = this.columns.length;
    const what = `line ${line} has ${cells} value${cells === 1 ? "" : "s"}, the header ${width} names`;
    if (isLast && cells < width) return cutOff(what, this.#path, line);
    return new DataError(what, {
      where: `${this.#path}, line ${line}`,
      fix: "correct the line, or give each table its own file",
    });
  }
}

function cutOff(what: string, path: string, line: number): DataError {
  return new DataError(`the last line is cut off: ${what}`, {
    where: `${path}, line ${line}`,
    fix: `the run that wrote it was ended: run it again, or leave the line out: head -n ${line - 1} ${JSON.stringify(path)} > whole.dat`,
  });
}
