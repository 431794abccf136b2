import { isRounding } from "../../data/value-checks.ts";
import { DecimatedSample } from "./decimated-sample.ts";
import type { ColumnSummary } from "./inspection.ts";

/** A column whose values are looked at, and between which limits they should lie. */
export interface WatchedColumn {
  readonly column: string;
  readonly name: string;
  readonly lower: number;
  readonly upper: number;
  /** Whether its median is wanted. */
  readonly isSampled: boolean;
  /** Of abundances: negative values of less than this size are a solver's rounding and count as below; else 0. */
  readonly rounding: number;
}

/** Counts what is wrong with the values of columns, block by block. */
export class ColumnStatistics {
  readonly #columns: readonly WatchedColumn[];
  readonly #lower: Float64Array;
  readonly #upper: Float64Array;
  readonly #min: Float64Array;
  readonly #positiveMin: Float64Array;
  readonly #max: Float64Array;
  readonly #firstBad: Float64Array;
  readonly #counts: Record<"nan" | "infinite" | "negative" | "zero" | "below" | "above", Float64Array>;
  readonly #samples: readonly (readonly [column: number, sample: DecimatedSample])[];

  constructor(columns: readonly WatchedColumn[]) {
    const filled = (value: number): Float64Array => new Float64Array(columns.length).fill(value);
    this.#columns = columns;
    this.#lower = Float64Array.from(columns, ({ lower }) => lower);
    this.#upper = Float64Array.from(columns, ({ upper }) => upper);
    [this.#min, this.#positiveMin] = [filled(Number.POSITIVE_INFINITY), filled(Number.POSITIVE_INFINITY)];
    [this.#max, this.#firstBad] = [filled(Number.NEGATIVE_INFINITY), filled(-1)];
    const [nan, infinite, negative] = [filled(0), filled(0), filled(0)];
    this.#counts = { nan, infinite, negative, zero: filled(0), below: filled(0), above: filled(0) };
    this.#samples = columns.flatMap(({ isSampled }, i) => (isSampled ? [[i, new DecimatedSample()] as const] : []));
  }

  /**
   * @param values   [rows, width], row-major; the watched columns are the first ones
   * @param firstRow number of the first row in the file
   */
  add(values: Float64Array, width: number, rows: number, firstRow: number): void {
    const watched = this.#columns.length;
    for (let row = 0, start = 0; row < rows; row++, start += width) {
      for (let c = 0; c < watched; c++) {
        const value = values[start + c]!;
        // The rule; everything else is rare.
        if (value > 0 && value < Number.POSITIVE_INFINITY) {
          if (value > this.#max[c]!) this.#max[c] = value;
          if (value < this.#positiveMin[c]!) this.#positiveMin[c] = value;
          if (value < this.#lower[c]!) this.#counts.below[c]!++;
          else if (value > this.#upper[c]!) this.#counts.above[c]!++;
        } else {
          this.#addUnusual(value, c, firstRow + row);
        }
      }
      for (const [column, sample] of this.#samples) sample.add(values[start + column]!);
    }
  }

  summaries(): ColumnSummary[] {
    const medians = new Map(this.#samples.map(([column, sample]) => [column, sample.spread()?.median ?? null]));
    const counts = Object.entries(this.#counts);
    return this.#columns.map(({ column, name }, c) => {
      const at = (counted: string): number => counts.find(([key]) => key === counted)![1][c]!;
      return {
        column,
        name,
        min: finiteOrNull(Math.min(this.#min[c]!, this.#positiveMin[c]!)),
        median: finiteOrNull(medians.get(c) ?? Number.NaN),
        max: finiteOrNull(this.#max[c]!),
        nan: at("nan"),
        infinite: at("infinite"),
        negative: at("negative"),
        zero: at("zero"),
        below: at("below"),
        above: at("above"),
        first_bad_row: this.#firstBad[c]! < 0 ? null : this.#firstBad[c]!,
        smallest_positive: finiteOrNull(this.#positiveMin[c]!),
      };
    });
  }

  #addUnusual(value: number, column: number, row: number): void {
    if (value === 0) {
      this.#counts.zero[column]!++;
    } else if (isRounding(value, this.#columns[column]!.rounding)) {
      this.#counts.below[column]!++;
    } else {
      const kind = Number.isNaN(value) ? "nan" : Number.isFinite(value) ? "negative" : "infinite";
      this.#counts[kind][column]!++;
      if (this.#firstBad[column]! < 0) this.#firstBad[column] = row;
      if (kind !== "negative") return;
    }
    if (value < this.#min[column]!) this.#min[column] = value;
    if (value > this.#max[column]!) this.#max[column] = value;
  }
}

function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
