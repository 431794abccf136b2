import { setImmediate as nextTurn } from "node:timers/promises";
import { DataError } from "../errors.ts";
import type { Frame } from "./frame.ts";
import type { ColumnPlan } from "./preprocess-columns.ts";

/** Which raw row comes where when the rows are sorted by tracer and time. */
export interface RawIndex {
  /** Distinct tracer ids, ascending. */
  readonly tracers: readonly (string | number)[];
  /** [rows]: the raw row at each sorted position. */
  readonly order: Int32Array;
  /** [tracers + 1]: the sorted position where each tracer begins; the last entry is the number of rows. */
  readonly starts: Int32Array;
  /** [tracers]: 1 where the tracer has a row at Time 0. */
  readonly startsAtZero: Uint8Array;
}

/** What the rows are checked against. */
export interface RowChecks {
  phys: number;
  /** The physical parameter that is raised to a minimum afterwards and so may be 0 in the file; −1 without. */
  radfield: number;
}

/** The largest float32: what is beyond could only be stored as infinite. */
const LARGEST = 3.4028234663852886e38;

/**
 * Reads the file once from end to end: checks every value that will be used and sorts the rows by tracer and time.
 * @param advance told after each block how many rows were read
 * @throws DataError with row and column of the first bad value and how many there are; naming tracer and time of a row
 *   that occurs twice
 */
export async function indexRows(
  frame: Frame,
  plan: ColumnPlan,
  checks: RowChecks,
  advance: (rows: number) => void,
): Promise<RawIndex> {
  const where = `${frame.path}, key ${frame.key}`;
  if (frame.rows === 0) throw new DataError("the frame has no rows", { where, fix: "give a file with data" });
  if (frame.rows > 0x7fffffff) throw new DataError(`${frame.rows} rows are more than 2^31 − 1`, { where });
  const { values, codes } = frame.labels(plan.tracer);
  const times = await checkedTimes(frame, plan, checks, advance, where);
  const { order, starts } = groupByCode(codes, values.length);
  const startsAtZero = new Uint8Array(values.length);
  let sinceTurn = 0;
  for (let tracer = 0; tracer < values.length; tracer++) {
    const rows = order.subarray(starts[tracer], starts[tracer + 1]);
    sortByTime(rows, times);
    const twice = rows.findIndex((row, i) => i > 0 && times[row] === times[rows[i - 1]!]);
    if (twice > 0) throw duplicateRow(values[tracer]!, times, rows[twice - 1]!, rows[twice]!, where);
    startsAtZero[tracer] = times[rows[0]!] === 0 ? 1 : 0;
    sinceTurn += rows.length;
    if (sinceTurn < 2 ** 20) continue;
    sinceTurn = 0;
    advance(0);
    await nextTurn();
  }
  return { tracers: values, order, starts, startsAtZero };
}

/** Counts how many runs of adjacent raw rows the sorted order is made of: 1 where the file is sorted already. */
export function countRuns(order: Int32Array): number {
  let runs = order.length > 0 ? 1 : 0;
  for (let i = 1; i < order.length; i++) if (order[i] !== order[i - 1]! + 1) runs++;
  return runs;
}

/** Counting sort, stable: the rows of a tracer stay in file order. */
function groupByCode(codes: Int32Array, count: number): { order: Int32Array; starts: Int32Array } {
  const starts = new Int32Array(count + 1);
  for (const code of codes) starts[code + 1]!++;
  for (let i = 0; i < count; i++) starts[i + 1]! += starts[i]!;
  const next = starts.slice();
  const order = new Int32Array(codes.length);
  for (let row = 0; row < codes.length; row++) order[next[codes[row]!]!++] = row;
  return { order, starts };
}

function sortByTime(rows: Int32Array, times: Float64Array): void {
  for (let i = 1; i < rows.length; i++) {
    if (times[rows[i]!]! >= times[rows[i - 1]!]!) continue;
    rows.sort((a, b) => times[a]! - times[b]! || a - b);
    return;
  }
}

function duplicateRow(tracer: string | number, times: Float64Array, a: number, b: number, where: string): DataError {
  return new DataError(`tracer ${tracer} has two rows at time ${times[a]}: rows ${a} and ${b}`, {
    where,
    fix: "remove one of them, or give the tracers different ids",
  });
}

/** Bad values met so far: the first is shown, the others are counted. */
interface Findings {
  count: number;
  first: { row: number; column: number; value: number } | undefined;
}

async function checkedTimes(
  frame: Frame,
  plan: ColumnPlan,
  checks: RowChecks,
  advance: (rows: number) => void,
  where: string,
): Promise<Float64Array> {
  const width = plan.sources.length;
  const blockRows = Math.min(frame.rows, frame.blockRows);
  const block = new Float64Array(blockRows * width);
  const times = new Float64Array(frame.rows);
  const findings: Findings = { count: 0, first: undefined };
  for (let start = 0; start < frame.rows; start += blockRows) {
    const count = Math.min(blockRows, frame.rows - start);
    frame.read(start, count, plan.sources, block);
    for (let i = 0; i < count; i++) times[start + i] = block[i * width]!;
    checkBlock(block, width, count, start, checks, findings);
    advance(count);
    await nextTurn();
  }
  if (findings.first !== undefined) throw badValue(findings.first, findings.count, plan, checks, where);
  return times;
}

function checkBlock(
  block: Float64Array,
  width: number,
  rows: number,
  firstRow: number,
  { phys, radfield }: RowChecks,
  findings: Findings,
): void {
  for (let i = 0; i < rows; i++) {
    const at = i * width;
    // The conditions of a row at Time 0 are replaced by those of the row after it: files put 0 there.
    const isStart = block[at] === 0;
    for (let column = 0; column < width; column++) {
      const value = block[at + column]!;
      if (value > 0 && value <= LARGEST) continue;
      const isPhysical = column > 0 && column <= phys;
      if (value === 0 && (!isPhysical || isStart || column - 1 === radfield)) continue;
      if (isPhysical && column - 1 === radfield && value < 0 && value >= -LARGEST) continue;
      findings.count++;
      findings.first ??= { row: firstRow + i, column, value };
    }
  }
}

function badValue(
  { row, column, value }: { row: number; column: number; value: number },
  count: number,
  plan: ColumnPlan,
  { phys }: RowChecks,
  where: string,
): DataError {
  const kind = column === 0 ? "a time" : column <= phys ? "a physical parameter" : "an abundance";
  const rule = column > 0 && column <= phys ? "finite and above 0" : "finite and not negative";
  const others = count === 1 ? "" : ` (the first of ${count} bad values)`;
  return new DataError(
    `column \`${plan.sources[column]}\` is ${Number(value.toPrecision(7))} in row ${row}${others}: ${kind} must be ${rule}`,
    {
      where,
      fix: "repair or remove these rows",
    },
  );
}
