import type { PartRows, TablePart } from "./table-part.ts";

/** Which of how many parts of a file. */
export interface Cut {
  readonly index: number;
  readonly count: number;
}

/** Some rows of a part, one after the other, with all rows of the tracers that are in them. Takes ownership of the whole. */
export class CutPart implements TablePart {
  readonly path: string;
  readonly columns: readonly string[];
  readonly rows: number;
  readonly tracerOf: Int32Array;
  readonly tracers: readonly string[];
  readonly taken: NonNullable<TablePart["taken"]>;
  readonly problems: TablePart["problems"];
  readonly texts: TablePart["texts"];
  readonly chunkRows: number;
  /** Its first row in the whole, and the rows of that. */
  readonly first: number;
  readonly ofRows: number;
  readonly #whole: TablePart;

  constructor(whole: TablePart, { index, count }: Cut) {
    const ends = cuts(whole.tracerOf, whole.tracers.length, count);
    const [first, end] = [ends[index]!, ends[index + 1]!];
    const codes = [...new Set(whole.tracerOf.subarray(first, end))].sort((a, b) => a - b);
    const own = new Map(codes.map((code, k) => [code, k]));
    [this.#whole, this.path, this.columns, this.problems] = [whole, whole.path, whole.columns, whole.problems];
    [this.first, this.rows, this.ofRows, this.chunkRows] = [first, end - first, whole.rows, whole.chunkRows ?? 1];
    this.taken = whole.taken ?? new Map();
    this.tracerOf = whole.tracerOf.slice(first, end).map((code) => own.get(code)!);
    this.tracers = codes.map((code) => whole.tracers[code]!);
    this.texts = new Map([...whole.texts].map(([name, texts]) => [name, name === "Tracer" ? this.tracers : texts]));
  }

  isNumeric(column: string): boolean {
    return this.#whole.isNumeric?.(column) !== false;
  }

  placeOf(row: number): string {
    return this.#whole.placeOf(this.first + row);
  }

  read(rows: PartRows): void {
    this.#whole.read({ ...rows, start: this.first + rows.start });
  }

  close(): void {
    this.#whole.close();
  }
}

/**
 * Where a file is cut: as even as its tracers allow. Where rows of all tracers alternate, all are in the first part.
 * @param tracerOf [rows]
 * @returns the first row of each part, and the end
 */
export function cuts(tracerOf: Int32Array, tracers: number, count: number): number[] {
  const last = new Int32Array(tracers);
  for (let row = 0; row < tracerOf.length; row++) last[tracerOf[row]!] = row;
  const found = [0];
  let open = -1;
  for (let row = 0; row < tracerOf.length; row++) {
    open = Math.max(open, last[tracerOf[row]!]!);
    // No tracer goes on behind this row.
    while (open === row && found.length < count && (row + 1) * count >= found.length * tracerOf.length)
      found.push(row + 1);
  }
  while (found.length <= count) found.push(tracerOf.length);
  return found;
}

/** The parts of a file, put together again. They are closed by who opened them. */
export class MergedPart implements TablePart {
  readonly path: string;
  readonly columns: readonly string[];
  readonly rows: number;
  readonly tracerOf: Int32Array;
  readonly tracers: readonly string[];
  readonly taken: NonNullable<TablePart["taken"]>;
  readonly problems: TablePart["problems"];
  readonly texts: TablePart["texts"];
  readonly #parts: readonly TablePart[];

  /** @param parts in the order of their rows */
  constructor(parts: readonly TablePart[]) {
    const { path, columns, problems, taken = new Map() } = parts[0]!;
    const isText = parts[0]!.texts.has("Tracer");
    [this.#parts, this.path, this.columns, this.problems, this.taken] = [parts, path, columns, problems, taken];
    const names = parts.flatMap(({ tracers }) => tracers);
    // As a frame has its labels.
    this.tracers = isText ? names.toSorted() : names.toSorted((a, b) => Number(a) - Number(b));
    const codeOf = new Map(this.tracers.map((name, code) => [name, code]));
    this.rows = parts.reduce((sum, { rows }) => sum + rows, 0);
    this.tracerOf = new Int32Array(this.rows);
    let first = 0;
    for (const { tracers, tracerOf, rows } of parts) {
      const codes = tracers.map((name) => codeOf.get(name)!);
      for (let row = 0; row < rows; row++) this.tracerOf[first + row] = codes[tracerOf[row]!]!;
      first += rows;
    }
    this.texts = isText ? new Map([["Tracer", this.tracers]]) : new Map();
  }

  placeOf(row: number): string {
    return `${this.path}, row ${row}`;
  }

  read(rows: PartRows): void {
    let first = 0;
    for (const part of this.#parts) {
      const from = Math.max(rows.start, first);
      const end = Math.min(rows.start + rows.count, first + part.rows);
      if (from < end)
        part.read({ ...rows, start: from - first, count: end - from, firstRow: rows.firstRow + from - rows.start });
      first += part.rows;
    }
  }

  close(): void {}
}
