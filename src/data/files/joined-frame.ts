import { suggestName } from "../../chemistry/species-names.ts";
import { DataError } from "../../errors.ts";
import type { Frame } from "../frame.ts";
import type { Labels } from "../frame-labels.ts";
import type { TakenColumn } from "../frame-reader.ts";
import { cellProblem } from "./fortran-number.ts";
import type { TablePart } from "./table-part.ts";

/** Values of a good block: 8 MB. */
const blockValues = 2 ** 20;

/**
 * Several files as one frame (or one table of text, or models of UCLCHEM 4), with a column `Tracer` in front: the files' ids where no two
 * files share one, else numbers from 0 in the order of the parts. A column that some part lacks cannot be read. Takes ownership of the parts.
 */
export class JoinedFrame implements Frame {
  readonly path: string;
  /** A place in it names the key where there is one. */
  readonly key = "";
  readonly columns: readonly string[];
  readonly rows: number;
  readonly blockRows: number;
  readonly chunkRows: number;
  readonly pandasLines: readonly string[];
  readonly isTracerGuessed: boolean;
  readonly taken: ReadonlyMap<string, TakenColumn>;
  readonly parts: readonly TablePart[];
  /** First row of each part, and the end of the last. */
  readonly #starts: readonly number[];
  /** The ids in ascending order, and for each tracer, the parts' numbered on, which it is: not for each row, of which there may be many. */
  readonly #ids: Ids;
  /** Number of the first tracer of each part. */
  readonly #firsts: readonly number[];

  /**
   * @param pandasLines make the same frame in Python
   * @param areSome     whether more files belong to it that are read elsewhere
   * @throws DataError where an id is no number
   */
  constructor(parts: readonly TablePart[], pandasLines: readonly string[], areSome = false) {
    const paths = [...new Set(parts.map(({ path }) => path))];
    this.path =
      paths.length === 1 ? paths[0]! : `${paths[0]} and ${paths.length - 1} more file${paths.length === 2 ? "" : "s"}`;
    this.columns = ["Tracer", ...columnsOf(parts).filter((name) => name !== "Tracer")];
    const starts = [0];
    for (const { rows } of parts) starts.push(starts.at(-1)! + rows);
    [this.parts, this.#starts, this.rows, this.pandasLines] = [parts, starts, starts.at(-1)!, pandasLines];
    this.blockRows = Math.max(1, Math.floor(blockValues / this.columns.length));
    this.chunkRows = Math.max(...parts.map((part) => part.chunkRows ?? 1));
    this.isTracerGuessed = parts.length === 1 && !areSome && !parts[0]!.columns.includes("Tracer");
    this.taken = new Map(parts.flatMap(({ taken = new Map() }) => [...taken]));
    this.#ids = idsOf(parts);
    const firsts = [0];
    for (const { tracers } of parts) firsts.push(firsts.at(-1)! + tracers.length);
    this.#firsts = firsts;
  }

  read(start: number, count: number, columns: readonly string[], target: Float64Array | Float32Array): void {
    if (start < 0 || count < 0 || start + count > this.rows)
      throw new RangeError(`no rows ${start} to ${start + count - 1}`);
    const width = columns.length;
    if (target.length < count * width) throw new RangeError(`${count} × ${width} values do not fit`);
    for (const column of columns) this.#check(column);
    const at = columns.indexOf("Tracer");
    for (const [k, part] of this.parts.entries()) {
      const from = Math.max(start, this.#starts[k]!);
      const end = Math.min(start + count, this.#starts[k + 1]!);
      if (from >= end) continue;
      const picks = columns.flatMap((name, to) =>
        name === "Tracer" ? [] : [[part.columns.indexOf(name), to] as const],
      );
      const place = { start: from - this.#starts[k]!, count: end - from, firstRow: from - start };
      part.read({ ...place, picks, target, width });
      if (at < 0) continue;
      for (let i = 0; i < place.count; i++)
        target[(place.firstRow + i) * width + at] = this.#ids.values[this.#codeOf(k, place.start + i)] as number;
    }
  }

  isNumeric(column: string): boolean {
    if (column === "Tracer") return typeof this.#ids.values[0] === "number";
    return (
      this.columns.includes(column) &&
      this.parts.every(
        (part) =>
          part.columns.includes(column) &&
          !part.texts.has(column) &&
          !part.problems.has(column) &&
          part.isNumeric?.(column) !== false,
      )
    );
  }

  labels(column: string): Labels {
    if (column === "Tracer") return { values: this.#ids.values, codes: this.#codes() };
    const names = [...new Set(this.parts.flatMap((part) => part.texts.get(column) ?? []))].sort();
    if (names.length === 0 || !this.parts.every(({ columns }) => columns.includes(column)))
      return this.#numberLabels(column);
    const rank = new Map(names.map((name, k) => [name, k]));
    const codes = new Int32Array(this.rows);
    for (const [k, part] of this.parts.entries()) {
      const own = new Float64Array(part.rows);
      const picks = [[part.columns.indexOf(column), 0]] as const;
      part.read({ start: 0, count: part.rows, picks, target: own, width: 1, firstRow: 0 });
      const texts = part.texts.get(column);
      for (let row = 0; row < part.rows; row++) codes[this.#starts[k]! + row] = rank.get(texts?.[own[row]!] ?? "") ?? 0;
    }
    return { values: names, codes };
  }

  attribute(): undefined {
    return undefined;
  }

  placeOf(row: number): string {
    const k = this.#starts.findIndex((start) => start > row) - 1;
    return this.parts[k]!.placeOf(row - this.#starts[k]!);
  }

  close(): void {
    for (const part of this.parts) part.close();
  }

  #numberLabels(column: string): Labels {
    const values = new Float64Array(this.rows);
    this.read(0, this.rows, [column], values);
    return labelled(values);
  }

  /** Which id a row of part k has. */
  #codeOf(k: number, row: number): number {
    return this.#ids.codeOf[this.#firsts[k]! + this.parts[k]!.tracerOf[row]!]!;
  }

  #codes(): Int32Array {
    const codes = new Int32Array(this.rows);
    for (const [k, { rows }] of this.parts.entries())
      for (let row = 0; row < rows; row++) codes[this.#starts[k]! + row] = this.#codeOf(k, row);
    return codes;
  }

  #check(column: string): void {
    if (this.isNumeric(column)) return;
    for (const part of this.parts) {
      const bad = part.problems.get(column);
      if (bad === undefined) continue;
      const { what, fix } = cellProblem(bad.text, column);
      const others = bad.count === 1 ? "" : ` (the first of ${bad.count} such cells)`;
      throw new DataError(
        `column \`${column}\` ${bad.text === "" ? "is empty" : `holds \`${bad.text.slice(0, 40)}\``} in line ${bad.line}${others}: ${what}`,
        {
          where: `${part.path}, line ${bad.line}, column ${column}`,
          fix: fix.replace("FILE", JSON.stringify(part.path)),
        },
      );
    }
    const lacking = this.parts.find((part) => !part.columns.includes(column));
    if (this.columns.includes(column) && lacking !== undefined) {
      throw new DataError(`column \`${column}\` is not in all files: ${lacking.path} lacks it`, {
        where: lacking.placeOf(0),
        fix: "give files of one network and one kind of output",
      });
    }
    const wordy = this.parts.find(({ texts }) => texts.has(column));
    if (wordy !== undefined) {
      const word = JSON.stringify(wordy.texts.get(column)![0]!.slice(0, 40));
      throw new DataError(`column \`${column}\` holds text, expected numbers: ${word} in ${wordy.placeOf(0)}`, {
        where: wordy.path,
        fix: "correct the column, or leave it out of the file",
      });
    }
    // A pandas frame says itself why a column is none of numbers.
    const unreadable = this.parts.find((part) => part.columns.includes(column));
    unreadable?.read({
      start: 0,
      count: 0,
      picks: [[unreadable.columns.indexOf(column), 0]],
      target: new Float64Array(0),
      width: 1,
      firstRow: 0,
    });
    const guess = suggestName(column, this.columns);
    throw new DataError(`no column \`${column}\``, {
      where: this.path,
      fix: guess === undefined ? `columns: ${this.columns.slice(0, 20).join(", ")}` : `did you mean \`${guess}\`?`,
    });
  }
}

/** The columns of all parts, each once, but for a name that one part has twice. */
function columnsOf(parts: readonly TablePart[]): string[] {
  const [first, ...others] = parts.map(({ columns }) => columns);
  const known = new Set(first);
  const more = others.flatMap((columns) => columns.filter((name) => !known.has(name) && known.add(name)));
  return [...first!, ...more];
}

interface Ids {
  readonly values: (string | number)[];
  /** [tracers] */
  readonly codeOf: Int32Array;
}

/** The ids of a single file, or of several that share none; else numbers from 0. */
function idsOf(parts: readonly TablePart[]): Ids {
  const names = parts.flatMap(({ tracers }) => tracers);
  if (haveIds(parts) && sharedId(parts) === undefined) {
    const isText = parts.some(({ texts }) => texts.has("Tracer"));
    const ids = isText ? names : names.map(Number);
    const badId = ids.findIndex((id) => typeof id === "number" && !Number.isFinite(id));
    if (badId >= 0) {
      const bad = parts.find(({ tracers }) => tracers.includes(names[badId]!))!;
      const row = bad.tracerOf.indexOf(bad.tracers.indexOf(names[badId]!));
      throw new DataError(`column \`Tracer\` is ${ids[badId]}`, {
        where: bad.placeOf(row),
        fix: "give every row an id",
      });
    }
    return ranked(ids);
  }
  return { values: names.map((_, k) => k), codeOf: Int32Array.from(names.keys()) };
}

function haveIds(parts: readonly TablePart[]): boolean {
  return parts.every(({ columns }) => columns.includes("Tracer"));
}

/** The first id that two files have; undefined where none is, or where they bring no ids. */
export function sharedId(parts: readonly TablePart[]): string | undefined {
  const seen = new Set<string>();
  return haveIds(parts)
    ? parts.flatMap(({ tracers }) => tracers).find((id) => seen.size === seen.add(id).size)
    : undefined;
}

function labelled(column: Float64Array): Labels {
  const seen = [...new Set(column)];
  const { values, codeOf } = ranked(seen);
  const codes = new Map(seen.map((value, k) => [value, codeOf[k]!]));
  return { values, codes: Int32Array.from(column, (value) => codes.get(value)!) };
}

/** Values in ascending order, and the place of each. */
function ranked(values: readonly (string | number)[]): Ids {
  const order = [...values.keys()].sort((a, b) => (values[a]! < values[b]! ? -1 : values[a]! > values[b]! ? 1 : 0));
  const codeOf = new Int32Array(values.length);
  for (const [position, k] of order.entries()) codeOf[k] = position;
  return { values: order.map((k) => values[k]!), codeOf };
}
