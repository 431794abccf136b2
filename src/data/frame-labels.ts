import { DataError } from "../errors.ts";
import { decodePickledStrings } from "../formats/pickle.ts";
import { beforeWriting } from "./column-types.ts";
import type { FrameBlock } from "./frame-layout.ts";
import { decodeText } from "./hdf5-types.ts";

/** What labels are read from: the part of a frame that this needs. */
interface LabelledRows {
  readonly path: string;
  readonly key: string;
  readonly rows: number;
  readonly blockRows: number;
  read(start: number, count: number, columns: readonly string[], target: Float64Array): void;
}

/** The distinct values of a column in ascending order, and for each row the position of its value among them. */
export interface Labels {
  values: (string | number)[];
  /** [rows] */
  codes: Int32Array;
}

/**
 * The distinct values of a column in ascending order (numbers by value, strings by code unit) and each row's code.
 * @throws DataError naming the row of a NaN or an infinity, or of an integer beyond 2^53, which would not be told from its neighbours
 */
export function readLabels(frame: LabelledRows, block: FrameBlock, column: string): Labels {
  const where = `${frame.path}, key ${frame.key}, column ${column}`;
  if (frame.rows === 0) return { values: [], codes: new Int32Array(0) };
  if (block.caveat !== undefined) {
    const { what, fix } = beforeWriting(block.caveat.what, "COLUMN = COLUMN.factorize()[0]");
    throw new DataError(`column \`${column}\` ${what}`, { where, fix: fix(column) });
  }
  if (block.dtype === "vlen") return pickledLabels(frame, block, column, where);
  if (block.dtype.startsWith("|S")) return textLabels(frame, block, column);
  return numberLabels(frame, column, where, block.dtype.startsWith("<f") ? Number.MAX_VALUE : Number.MAX_SAFE_INTEGER);
}

function numberLabels(frame: LabelledRows, column: string, where: string, largest: number): Labels {
  const coder = new Coder<number>(frame.rows);
  const values = new Float64Array(Math.min(frame.blockRows, frame.rows));
  for (let start = 0; start < frame.rows; start += values.length) {
    const count = Math.min(values.length, frame.rows - start);
    frame.read(start, count, [column], values);
    for (let i = 0; i < count; i++) {
      const value = values[i]!;
      if (!(Math.abs(value) <= largest)) {
        const what = Number.isFinite(value) ? `${value}, beyond 2^53` : String(value);
        throw new DataError(`column \`${column}\` is ${what} in row ${start + i}`, {
          where,
          fix: "give every row an id",
        });
      }
      coder.add(value);
    }
  }
  return coder.labels((a, b) => a - b);
}

/** Fixed-length strings in a table's rows. */
function textLabels(frame: LabelledRows, block: FrameBlock, column: string): Labels {
  const { dataset, columns, dtype, offset } = block;
  const size = Number(dtype.slice(2));
  const first = offset + columns.indexOf(column) * size;
  const coder = new Coder<string>(frame.rows);
  for (let start = 0; start < frame.rows; start += dataset.blockRows) {
    const bytes = dataset.rawRows(start, Math.min(dataset.blockRows, frame.rows - start));
    for (let at = first; at < bytes.length; at += dataset.rowBytes)
      coder.add(decodeText(bytes.subarray(at, at + size)));
  }
  return coder.labels(byCodeUnit);
}

/** The fixed format keeps all text columns as one pickled array [rows, columns]. */
function pickledLabels(frame: LabelledRows, block: FrameBlock, column: string, where: string): Labels {
  const texts = decodePickledStrings(block.dataset.readVariable(0), where);
  const width = block.columns.length;
  if (texts.length !== frame.rows * width) {
    throw new DataError(`${texts.length} texts for ${frame.rows} rows of ${width} text columns`, { where });
  }
  const coder = new Coder<string>(frame.rows);
  for (let at = block.columns.indexOf(column); at < texts.length; at += width) coder.add(texts[at]!);
  return coder.labels(byCodeUnit);
}

/** Numbers values in order of appearance, then renumbers them in ascending order. */
class Coder<Value extends string | number> {
  readonly #seen = new Map<Value, number>();
  readonly #codes: Int32Array;
  #row = 0;

  constructor(rows: number) {
    this.#codes = new Int32Array(rows);
  }

  add(value: Value): void {
    let code = this.#seen.get(value);
    if (code === undefined) {
      code = this.#seen.size;
      this.#seen.set(value, code);
    }
    this.#codes[this.#row++] = code;
  }

  labels(compare: (a: Value, b: Value) => number): Labels {
    const values = [...this.#seen.keys()].sort(compare);
    const rank = new Int32Array(values.length);
    for (const [position, value] of values.entries()) rank[this.#seen.get(value)!] = position;
    for (let row = 0; row < this.#codes.length; row++) this.#codes[row] = rank[this.#codes[row]!]!;
    return { values, codes: this.#codes };
  }
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
