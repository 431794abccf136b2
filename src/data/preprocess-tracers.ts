import { DataError } from "../errors.ts";
import type { FrameWriter } from "./frame.ts";
import type { SortedRows } from "./preprocess-sorted-rows.ts";
import type { RangeWatch } from "./range-watch.ts";

/** What every row goes through on its way out. Rows are [Time, physical parameters …, species …]. */
export interface RowRules {
  /** Number of physical parameters. */
  readonly phys: number;
  readonly width: number;
  /** What each physical parameter must be above. */
  readonly bounds: readonly number[];
  /** Position of the physical parameter that is raised to `minRadfield`; −1 without. */
  readonly radfield: number;
  readonly minRadfield: number;
  readonly clipping: { readonly lower: number; readonly upper: number };
  /** [species]: the state at Time 0 of a tracer that gets a start row. */
  readonly initialAbundances: Float64Array;
  /** Column of the step that varies; −1 without. */
  readonly timestep: number;
  /** Told of the conditions of every row. */
  readonly ranges: RangeWatch;
  /** Names of the row's columns, for errors. */
  readonly columns: readonly string[];
}

/** One tracer's place among the sorted rows. */
export interface TracerRows {
  readonly id: string | number;
  readonly model: bigint;
  readonly start: number;
  readonly count: number;
  /** [count], years. */
  readonly times: Float64Array;
  /** Whether the start state is put before its rows. */
  readonly isStartAdded: boolean;
}

/** Rows a block holds before it is written, at least; about 8 MB. */
const BLOCK_BYTES = 8 * 2 ** 20;

/** The rows of one split on their way to its frame, in blocks of about 8 MB: a tracer of any length passes through. */
export class SplitOutput {
  readonly #writer: FrameWriter;
  readonly #rules: RowRules;
  readonly #capacity: number;
  readonly #floats: Float32Array;
  /** [capacity, 2]: Index, Model. */
  readonly #integers: BigInt64Array;
  #filled = 0;

  constructor(writer: FrameWriter, rules: RowRules) {
    this.#writer = writer;
    this.#rules = rules;
    this.#capacity = Math.max(2, Math.floor(BLOCK_BYTES / (rules.width * 4)));
    this.#floats = new Float32Array(this.#capacity * rules.width);
    this.#integers = new BigInt64Array(this.#capacity * 2);
  }

  /**
   * Appends a tracer: the start row where it has none, its rows with the conditions of the row after each, the last row
   * with those of the one before it.
   * @param index the Index of its first row
   * @returns the number of rows appended
   */
  append(tracer: TracerRows, source: SortedRows, index: number): number {
    let next = index;
    if (tracer.isStartAdded) {
      this.#makeRoom(false);
      this.#fillStartRow();
      this.#label(1, next++, tracer.model);
    }
    for (let done = 0; done < tracer.count; ) {
      const isContinued = next > index;
      this.#makeRoom(isContinued);
      const rows = Math.min(tracer.count - done, this.#capacity - this.#filled);
      source.read(tracer.start + done, rows, this.#floats, this.#filled);
      if (this.#rules.timestep >= 0) this.#fillTimesteps(tracer, done, rows);
      this.#shiftConditions(rows, isContinued);
      this.#label(rows, next, tracer.model);
      next += rows;
      done += rows;
    }
    if (next - index === 1) this.#checkOnlyRow(tracer);
    return next - index;
  }

  /** Writes what is left, then completes the frame. @returns its hash */
  finish(attributes: Record<string, string>): string {
    this.#flush(0);
    return this.#writer.finish(attributes);
  }

  #fillStartRow(): void {
    const { width, phys, initialAbundances } = this.#rules;
    const at = this.#filled * width;
    this.#floats.fill(0, at, at + 1 + phys);
    this.#floats.set(initialAbundances, at + 1 + phys);
  }

  #label(rows: number, firstIndex: number, model: bigint): void {
    for (let i = 0; i < rows; i++) {
      this.#integers[(this.#filled + i) * 2] = BigInt(firstIndex + i);
      this.#integers[(this.#filled + i) * 2 + 1] = model;
    }
    this.#filled += rows;
  }

  /** The step that led to each row, as its other conditions did; a first row without one shows the step after it. */
  #fillTimesteps({ times, isStartAdded }: TracerRows, done: number, rows: number): void {
    const { width, timestep } = this.#rules;
    for (let i = 0; i < rows; i++) {
      const row = done + i;
      const step =
        row > 0 || isStartAdded ? times[row]! - (times[row - 1] ?? 0) : times.length > 1 ? times[1]! - times[0]! : 1;
      this.#floats[(this.#filled + i) * width + timestep] = step;
    }
  }

  /** Row t is to hold the conditions that act from t to t + 1: each new row gives its own to the row before it. */
  #shiftConditions(rows: number, isContinued: boolean): void {
    const { width, phys } = this.#rules;
    const first = isContinued ? this.#filled : this.#filled + 1;
    for (let row = first; row < this.#filled + rows; row++) {
      const from = row * width + 1;
      this.#floats.copyWithin(from - width, from, from + phys);
    }
  }

  /** The last row of a tracer that goes on must wait: the next row holds its conditions. */
  #makeRoom(isContinued: boolean): void {
    if (this.#filled === this.#capacity) this.#flush(isContinued ? 1 : 0);
  }

  #flush(held: number): void {
    const { width } = this.#rules;
    const rows = this.#filled - held;
    this.#limit(rows);
    this.#writer.append(this.#floats, this.#integers, rows);
    this.#floats.copyWithin(0, rows * width, this.#filled * width);
    this.#integers.copyWithin(0, rows * 2, this.#filled * 2);
    this.#filled = held;
  }

  /** Rounding keeps order, so that limiting the rounded value equals rounding the limited one. */
  #limit(rows: number): void {
    const { width, phys, radfield, minRadfield, clipping, ranges } = this.#rules;
    const [lower, upper, least] = [Math.fround(clipping.lower), Math.fround(clipping.upper), Math.fround(minRadfield)];
    const values = this.#floats;
    for (let row = 0; row < rows; row++) {
      const at = row * width;
      const radfieldAt = at + 1 + radfield;
      if (radfield >= 0 && values[radfieldAt]! < least) values[radfieldAt] = least;
      ranges.add(values, at + 1, () => `tracer ${this.#integers[2 * row + 1]}, row ${this.#integers[2 * row]}`);
      for (let i = at + 1 + phys; i < at + width; i++) {
        const value = values[i]!;
        if (value < lower) values[i] = lower;
        else if (value > upper) values[i] = upper;
      }
    }
  }

  /** A single row keeps its own conditions, which no other check has seen. */
  #checkOnlyRow(tracer: TracerRows): void {
    const { width, bounds, columns } = this.#rules;
    for (let i = 1; i <= bounds.length; i++) {
      const value = this.#floats[(this.#filled - 1) * width + i]!;
      if (value > bounds[i - 1]! && Number.isFinite(value)) continue;
      throw new DataError(`tracer ${tracer.id} has one row only, and its ${columns[i]} is ${value}`, {
        fix: "remove this tracer: it has no conditions",
      });
    }
  }
}
