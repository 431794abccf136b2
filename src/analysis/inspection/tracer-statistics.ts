import { DecimatedSample } from "./decimated-sample.ts";
import type { Spread, TracerSummary } from "./inspection.ts";

/** Ids and times of so many rows are kept, 12 bytes a row, to compare those that are not neighbours. */
const mostKeptRows = 2 ** 24;
/** So many tracers are told apart; their ids and counts take some 100 bytes each. */
const mostTracers = 2 ** 21;

/** Counts tracers, their rows and their times, row by row in the file's order. */
export class TracerStatistics {
  readonly #codes = new Map<number, number>();
  #rowsOf = new Float64Array(64);
  #lastTime = new Float64Array(64);
  readonly #kept: { codes: Int32Array; times: Float64Array } | null;
  readonly #spacing = new DecimatedSample();
  #rows = 0;
  #runs = 0;
  #previousId = Number.NaN;
  #previousCode = -1;
  #unsorted = 0;
  #adjacentDuplicates = 0;
  #withoutId = 0;
  #isComplete = true;
  #earliest = Number.POSITIVE_INFINITY;
  #latest = Number.NEGATIVE_INFINITY;

  /** @param rows of the frame */
  constructor(rows: number) {
    this.#kept = rows <= mostKeptRows ? { codes: new Int32Array(rows), times: new Float64Array(rows) } : null;
  }

  /** @param id a number, or the code of a text @param time years */
  add(id: number, time: number): void {
    if (!(Math.abs(id) <= Number.MAX_SAFE_INTEGER)) {
      this.#withoutId++;
      return;
    }
    const code = id === this.#previousId ? this.#previousCode : this.#codeOf(id);
    if (code < 0) return;
    if (this.#kept !== null) [this.#kept.codes[this.#rows], this.#kept.times[this.#rows]] = [code, time];
    this.#rows++;
    if (Number.isFinite(time)) {
      if (time < this.#earliest) this.#earliest = time;
      if (time > this.#latest) this.#latest = time;
    }
    if (this.#rowsOf[code]!++ > 0) {
      const step = time - this.#lastTime[code]!;
      if (step < 0) this.#unsorted++;
      else if (step === 0) this.#adjacentDuplicates++;
      else if (step < Number.POSITIVE_INFINITY) this.#spacing.add(step);
    }
    this.#lastTime[code] = time;
  }

  /** The ids met, to compare with another frame's. */
  ids(): IterableIterator<number> {
    return this.#codes.keys();
  }

  /** @returns null without a row that has an id */
  summary(column: string): TracerSummary | null {
    const count = this.#codes.size;
    if (count === 0) return null;
    const rows = new DecimatedSample(mostTracers);
    for (let code = 0; code < count; code++) rows.add(this.#rowsOf[code]!);
    const needsSorting = this.#unsorted > 0 && this.#kept !== null;
    const sorted = needsSorting ? sortedSteps(this.#kept!.codes, this.#kept!.times, this.#rows, count) : null;
    return {
      column,
      count,
      is_complete: this.#isComplete,
      rows: rows.spread()!,
      time: this.#earliest <= this.#latest ? { min: this.#earliest, max: this.#latest } : null,
      spacing: sorted === null ? this.#spacing.spread() : sorted.spacing,
      is_interleaved: this.#runs > count,
      unsorted_rows: this.#unsorted,
      duplicate_rows: sorted === null ? this.#adjacentDuplicates : sorted.duplicates,
      duplicates_are_exact: this.#unsorted === 0 || this.#kept !== null,
      rows_without_id: this.#withoutId,
    };
  }

  #codeOf(id: number): number {
    let code = this.#codes.get(id);
    if (code === undefined) {
      if (this.#codes.size === mostTracers) {
        this.#isComplete = false;
        return -1;
      }
      code = this.#codes.size;
      this.#codes.set(id, code);
      if (code === this.#rowsOf.length)
        [this.#rowsOf, this.#lastTime] = [doubled(this.#rowsOf), doubled(this.#lastTime)];
    }
    this.#runs++;
    [this.#previousId, this.#previousCode] = [id, code];
    return code;
  }
}

/** The rows of each tracer by time: equal times are duplicates, the others tell the spacing. */
function sortedSteps(
  codes: Int32Array,
  times: Float64Array,
  rows: number,
  count: number,
): { duplicates: number; spacing: Spread | null } {
  const starts = new Int32Array(count + 1);
  for (let row = 0; row < rows; row++) starts[codes[row]! + 1]!++;
  for (let i = 0; i < count; i++) starts[i + 1]! += starts[i]!;
  const next = starts.slice();
  const grouped = new Float64Array(rows);
  for (let row = 0; row < rows; row++) grouped[next[codes[row]!]!++] = times[row]!;
  const spacing = new DecimatedSample();
  let duplicates = 0;
  for (let tracer = 0; tracer < count; tracer++) {
    const own = grouped.subarray(starts[tracer], starts[tracer + 1]).sort();
    for (let i = 1; i < own.length; i++) {
      const step = own[i]! - own[i - 1]!;
      if (step === 0) duplicates++;
      else if (step < Number.POSITIVE_INFINITY) spacing.add(step);
    }
  }
  return { duplicates, spacing: spacing.spread() };
}

function doubled(values: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(2 * values.length);
  larger.set(values);
  return larger;
}
