import { setImmediate as nextTurn } from "node:timers/promises";
import { AbundanceUnits } from "../chemistry/abundance-units.ts";
import { boundOf, hasRole, scaleOf } from "../chemistry/physical-parameters.ts";
import { DataError } from "../errors.ts";
import { severalHistories } from "./file-order.ts";
import type { Frame } from "./frame.ts";
import { placeOfFrame } from "./frame-reader.ts";
import { permute } from "./permutation.ts";
import { type PointColumn, pointColumns, pointsError, type TracerOrder } from "./points.ts";
import type { ColumnPlan } from "./preprocess-columns.ts";
import type { RawRanges } from "./strict-ranges.ts";
import { isRounding, roundingText } from "./value-checks.ts";

/** Tracers in ascending order, and which raw row comes where when the rows are sorted by tracer and time. */
export interface RawIndex extends TracerOrder {
  /** [rows]: years, in the order of `order`. */
  readonly times: Float64Array;
  /** What is put right and what is doubtful, a line each. */
  readonly notes: readonly string[];
}

/** What the rows are checked against. */
export interface RowChecks {
  /** What each physical parameter must be above; one that is raised to a minimum afterwards may be anything finite. */
  bounds: readonly number[];
  /** The lower clipping value of abundances. */
  lower: number;
  /** Told of the conditions of every row. */
  ranges?: RawRanges | undefined;
}

/** What raw values of each physical parameter must be above; the radiation field is raised to its minimum. */
export function boundsOf(phys: readonly string[]): number[] {
  return phys.map((name) => (hasRole(name, "radfield") ? Number.NEGATIVE_INFINITY : boundOf(scaleOf(name))));
}

/** The largest float32: what is beyond could only be stored as infinite. */
const LARGEST = 3.4028234663852886e38;

/**
 * Reads the file once from end to end: checks every value that will be used and sorts the rows by tracer and time.
 * @param checks  null where shards have checked the rows: only the times are read
 * @param advance told after each block how many rows were read
 * @throws DataError with row and column of the first bad value and how many there are; naming tracer and time of a row
 *   that occurs twice
 */
export async function indexRows(
  frame: Frame,
  plan: ColumnPlan,
  checks: RowChecks | null,
  advance: (rows: number) => void,
): Promise<RawIndex> {
  const where = placeOfFrame(frame);
  if (frame.rows === 0) throw new DataError("the frame has no rows", { where, fix: "give a file with data" });
  if (frame.rows > 0x7fffffff) throw new DataError(`${frame.rows} rows are more than 2^31 − 1`, { where });
  const grouped = groupedRows(frame, plan.tracer);
  if (checks === null) {
    const times = new Float64Array(frame.rows);
    frame.read(0, frame.rows, [plan.sources[0]!], times);
    await sortByTime(grouped, times, advance);
    refuseEqualTimes(grouped, times, where);
    advance(frame.rows);
    permute(times, grouped.order);
    return { ...grouped, times, notes: [] };
  }
  const { times, points, units, raised } = await readColumns(frame, plan, checks, advance, where);
  const notes = [
    raised > 0 && roundingText(raised, checks.lower),
    warning(units.doubt((row) => `row ${row}, tracer ${tracerOf(row, grouped)}`)),
    warning(severalHistories(grouped, times)),
  ].filter((note) => note !== false);
  await sortByTime(grouped, times, advance);
  const error = pointsError(points, grouped, times, { tracerColumn: plan.tracer, where });
  if (error !== null) throw error;
  refuseEqualTimes(grouped, times, where);
  permute(times, grouped.order);
  return { ...grouped, times, notes };
}

/** Of the rows' ids only their order is kept: with ids and times at once a long file would take the most memory here. */
function groupedRows(frame: Frame, tracer: string): TracerOrder {
  const { values, codes } = frame.labels(tracer);
  return { tracers: values, ...groupByCode(codes, values.length) };
}

function tracerOf(row: number, { tracers, order, starts }: TracerOrder): string | number {
  const at = order.indexOf(row);
  return tracers[starts.findIndex((start) => start > at) - 1]!;
}

function warning(doubt: string | null): string | false {
  return doubt !== null && `warning: ${doubt}`;
}

/** @throws DataError where a tracer has two rows at one time */
function refuseEqualTimes({ tracers, order, starts }: TracerOrder, times: Float64Array, where: string): void {
  for (const [i, tracer] of tracers.entries()) {
    const rows = order.subarray(starts[i], starts[i + 1]);
    const twice = rows.findIndex((row, k) => k > 0 && times[row] === times[rows[k - 1]!]);
    if (twice > 0) throw duplicateRow(tracer, times, rows[twice - 1]!, rows[twice]!, where);
  }
}

/** A tracer's times in their order, years: a part of all times. */
export function timesOf({ starts, times }: RawIndex, tracer: number): Float64Array {
  return times.subarray(starts[tracer], starts[tracer + 1]);
}

/** Counts how many runs of adjacent raw rows the sorted order is made of: 1 where the file is sorted already. */
export function countRuns(order: Int32Array): number {
  let runs = order.length > 0 ? 1 : 0;
  for (let i = 1; i < order.length; i++) if (order[i] !== order[i - 1]! + 1) runs++;
  return runs;
}

/** Counting sort, stable: the rows of a tracer stay in file order. */
export function groupByCode(codes: Int32Array, count: number): { order: Int32Array; starts: Int32Array } {
  const starts = new Int32Array(count + 1);
  for (const code of codes) starts[code + 1]!++;
  for (let i = 0; i < count; i++) starts[i + 1]! += starts[i]!;
  const next = starts.slice();
  const order = new Int32Array(codes.length);
  for (let row = 0; row < codes.length; row++) order[next[codes[row]!]!++] = row;
  return { order, starts };
}

/** Sorts the rows of each tracer by time. */
export async function sortByTime(
  { tracers, order, starts }: TracerOrder,
  times: Float64Array,
  advance: (rows: number) => void = () => {},
): Promise<void> {
  let sinceTurn = 0;
  for (let tracer = 0; tracer < tracers.length; tracer++) {
    const rows = order.subarray(starts[tracer], starts[tracer + 1]);
    const isSorted = rows.every((row, i) => i === 0 || times[row]! >= times[rows[i - 1]!]!);
    if (!isSorted) rows.sort((a, b) => times[a]! - times[b]! || a - b);
    sinceTurn += rows.length;
    if (sinceTurn < 2 ** 20) continue;
    sinceTurn = 0;
    advance(0);
    await nextTurn();
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
  /** Abundances that rounding made negative. */
  raised: number;
}

/** What one reading of the file gives. */
interface ReadColumns {
  readonly times: Float64Array;
  readonly points: readonly PointColumn[];
  readonly units: AbundanceUnits;
  readonly raised: number;
}

async function readColumns(
  frame: Frame,
  plan: ColumnPlan,
  checks: RowChecks,
  advance: (rows: number) => void,
  where: string,
): Promise<ReadColumns> {
  const points = pointColumns(frame);
  const numeric = points.filter(({ isNumeric }) => isNumeric);
  const columns = [...plan.sources, ...numeric.map(({ name }) => name)];
  const [used, width] = [plan.sources.length, columns.length];
  const blockRows = Math.min(frame.rows, frame.blockRows);
  const block = new Float64Array(blockRows * width);
  const times = new Float64Array(frame.rows);
  const findings: Findings = { count: 0, first: undefined, raised: 0 };
  const abundances = 1 + checks.bounds.length;
  const units = new AbundanceUnits(plan.floats.slice(abundances));
  for (let start = 0; start < frame.rows; start += blockRows) {
    const count = Math.min(blockRows, frame.rows - start);
    frame.read(start, count, columns, block);
    for (let i = 0; i < count; i++) {
      times[start + i] = block[i * width]!;
      checks.ranges?.add(block, i * width, start + i);
      for (const [k, point] of numeric.entries()) point.add(block[i * width + used + k]!, start + i);
    }
    checkBlock(block, { used, width, rows: count, firstRow: start }, checks, findings);
    units.add(block, { rows: count, width, offset: abundances, firstRow: start });
    advance(count);
    await nextTurn();
  }
  if (findings.first !== undefined) {
    const place = frame.placeOf?.(findings.first.row) ?? where;
    throw badValue(findings.first, findings.count, plan, checks, place);
  }
  return { times, points, units, raised: findings.raised };
}

/** Rows in a block; the columns after the first `used` ones are not checked. */
interface BlockRows {
  readonly used: number;
  readonly width: number;
  readonly rows: number;
  readonly firstRow: number;
}

function checkBlock(
  block: Float64Array,
  { used, width, rows, firstRow }: BlockRows,
  { bounds, lower }: RowChecks,
  findings: Findings,
): void {
  const phys = bounds.length;
  for (let i = 0; i < rows; i++) {
    const at = i * width;
    // The conditions of a row at Time 0 are replaced by those of the row after it: files put 0 there.
    const isStart = block[at] === 0;
    for (let column = 0; column < used; column++) {
      const value = block[at + column]!;
      if (value > 0 && value <= LARGEST) continue;
      const isPhysical = column > 0 && column <= phys;
      if (value === 0 && (!isPhysical || isStart)) continue;
      if (isPhysical && value > bounds[column - 1]! && Math.abs(value) <= LARGEST) continue;
      if (column > phys && isRounding(value, lower)) {
        findings.raised++;
        continue;
      }
      findings.count++;
      findings.first ??= { row: firstRow + i, column, value };
    }
  }
}

function badValue(
  { row, column, value }: { row: number; column: number; value: number },
  count: number,
  plan: ColumnPlan,
  { bounds }: RowChecks,
  where: string,
): DataError {
  const kind = column === 0 ? "a time" : column <= bounds.length ? "a physical parameter" : "an abundance";
  const bound = column > 0 ? bounds[column - 1] : undefined;
  const rule =
    bound === undefined ? "finite and not negative" : Number.isFinite(bound) ? `finite and above ${bound}` : "finite";
  const others = count === 1 ? "" : ` (the first of ${count} bad values)`;
  return new DataError(
    `column \`${plan.sources[column]}\` is ${Number(value.toPrecision(7))} in row ${row}${others}: ${kind} must be ${rule}`,
    {
      where,
      fix: "repair or remove these rows",
    },
  );
}
