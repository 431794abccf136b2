import { setImmediate as nextTurn } from "node:timers/promises";
import { indexOfRole, timestepColumn } from "../chemistry/physical-parameters.ts";
import type { Frame } from "./frame.ts";
import type { TracerOrder } from "./points.ts";
import { outsideRanges, RangeWatch } from "./range-watch.ts";

type Ranges = Readonly<Record<string, readonly [number, number]>>;

/** What of the options of a preprocessing says which conditions are expected. */
interface RangeOptions {
  readonly phys: readonly string[];
  readonly physicalRanges?: Ranges;
  readonly minRadfield: number;
}

/** So many rows outside are remembered: one a tracer may be of no account. */
const mostRows = 1_000_000;

/** Conditions of raw rows, looked at while they are read for the first time: `--strict` refuses before anything is written. */
export class RawRanges {
  readonly #watch: RangeWatch;
  readonly #radfield: number;
  readonly #minRadfield: number;
  readonly #values: Float64Array;
  readonly #rows: number[] = [];

  constructor({ phys, physicalRanges: ranges = {}, minRadfield }: RangeOptions) {
    // The step is known when all rows are: the rows on their way out are looked at, too.
    const rangeOf = (name: string) => (name === timestepColumn ? undefined : ranges[name]);
    this.#watch = new RangeWatch(
      phys.map((name) => ({ name, range: rangeOf(name) })),
      "configured",
    );
    [this.#radfield, this.#minRadfield] = [indexOfRole(phys, "radfield"), minRadfield];
    this.#values = new Float64Array(phys.length);
  }

  /** @param block  [Time, physical parameters …] from `at` on */
  add(block: Float64Array, at: number, row: number): void {
    // The conditions of a row at Time 0 are replaced by those of the row after it.
    if (block[at] === 0) return;
    const values = this.#values;
    values.set(block.subarray(at + 1, at + 1 + values.length));
    if (this.#radfield >= 0) values[this.#radfield] = Math.max(values[this.#radfield]!, this.#minRadfield);
    const isOutside = this.#watch.add(values, 0, () => `row ${row}`);
    if (isOutside && this.#rows.length < mostRows) this.#rows.push(row);
  }

  /**
   * @param isAdded  [tracers]: 1 where a start row is put before; elsewhere the first row's conditions lead nowhere
   * @throws DataError where a row that counts is outside
   */
  refuse({ order, starts, tracers }: TracerOrder, isAdded: Uint8Array, where: string): void {
    const firsts = new Set(tracers.flatMap((_, k) => (isAdded[k] === 1 ? [] : [order[starts[k]!]!])));
    if (this.#rows.length < mostRows && this.#rows.every((row) => firsts.has(row))) return;
    throw outsideRanges(this.#watch.lines(), where);
  }
}

/** Looks at the conditions of clean rows before anything is encoded. @throws DataError where some are outside */
export async function refuseOutside(
  frames: readonly Frame[],
  phys: readonly string[],
  ranges: Ranges,
  where: string,
): Promise<void> {
  const lines: string[] = [];
  for (const frame of frames) {
    const watch = new RangeWatch(
      phys.map((name) => ({ name, range: ranges[name] })),
      "configured",
    );
    for (let start = 0; start < frame.rows; start += frame.blockRows) {
      const count = Math.min(frame.blockRows, frame.rows - start);
      const values = new Float32Array(count * phys.length);
      frame.read(start, count, phys, values);
      for (let row = 0; row < count; row++) watch.add(values, row * phys.length, () => `row ${start + row}`);
      await nextTurn();
    }
    lines.push(...watch.lines().map((line) => `/${frame.key}: ${line}`));
  }
  if (lines.length > 0) throw outsideRanges(lines, where);
}
