import { readColumnName } from "../../chemistry/column-names.ts";
import { DataError } from "../../errors.ts";
import { type Frame, placeOfFrame } from "../frame-reader.ts";
import { otherTracer } from "./condition-names.ts";
import type { PartRows, TablePart } from "./table-part.ts";

/** A pandas frame among several. Takes ownership of the frame. */
export class FramePart implements TablePart {
  readonly path: string;
  readonly columns: readonly string[];
  readonly rows: number;
  readonly chunkRows: number;
  readonly tracerOf: Int32Array;
  readonly tracers: readonly string[];
  readonly problems = new Map<string, never>();
  readonly texts: ReadonlyMap<string, readonly string[]>;
  readonly taken: NonNullable<TablePart["taken"]>;
  readonly #frame: Frame;
  readonly #names: readonly string[];

  /**
   * @param tracer what the file calls the column of tracers; undefined: the one whose name says so
   * @throws DataError where it is clean already, or no column tells the tracers apart
   */
  constructor(frame: Frame, tracer: string | undefined) {
    [this.#frame, this.path, this.rows, this.chunkRows] = [frame, frame.path, frame.rows, frame.chunkRows];
    const where = placeOfFrame(frame);
    if (frame.columns.includes("Index") && frame.columns.includes("Model"))
      throw new DataError("the file is clean already: only raw files are joined", {
        where,
        fix: "give the raw file that it was made of",
      });
    const ids = frame.columns.find((name) => name.trim() === tracer) ?? frame.columns.find(isTracer);
    if (ids === undefined) {
      throw new DataError("no column tells which tracer a row belongs to", {
        where,
        fix: `name it: 'dataset.columns={Model: …}'; columns: ${frame.columns.slice(0, 20).join(", ")}`,
      });
    }
    // Ids of two files may clash: the frame of all has them in a column of its own.
    this.#names = frame.columns;
    this.columns = frame.columns.map((name) => (name === ids ? "Tracer" : name === "Tracer" ? otherTracer : name));
    this.taken = new Map(ids === "Tracer" ? [] : [["Model", { source: ids.trim(), hasUnit: false }]]);
    const { values, codes } = frame.labels(ids);
    [this.tracers, this.tracerOf] = [values.map(String), codes];
    this.texts = new Map(values.some((id) => typeof id === "string") ? [["Tracer", this.tracers]] : []);
  }

  placeOf(row: number): string {
    return `${placeOfFrame(this.#frame)}, row ${row}`;
  }

  isNumeric(column: string): boolean {
    return this.#frame.isNumeric(this.#names[this.columns.indexOf(column)]!);
  }

  read({ start, count, picks, target, width, firstRow }: PartRows): void {
    const block = new Float64Array(count * picks.length);
    this.#frame.read(
      start,
      count,
      picks.map(([source]) => this.#names[source]!),
      block,
    );
    for (const [i, [, to]] of picks.entries()) {
      let [from, at] = [i, firstRow * width + to];
      for (let row = 0; row < count; row++, from += picks.length, at += width) target[at] = block[from]!;
    }
  }

  close(): void {
    this.#frame.close();
  }
}

function isTracer(name: string): boolean {
  const reading = readColumnName(name);
  return reading?.name === "Model" && reading.isSure;
}
