import { boundOf, scaleOf } from "../chemistry/physical-parameters.ts";
import { DataError } from "../errors.ts";

/** The frame that values come from, for errors. */
export interface ValueOrigin {
  readonly path: string;
  readonly key: string;
}

/**
 * Whether a negative abundance is a solver's rounding: smaller in size than the lower clipping value, to which it is raised. Others are
 * mistakes.
 */
export function isRounding(value: number, lower: number): boolean {
  return value < 0 && value > -lower;
}

/** Raises what rounding made negative to the lower clipping value. @returns how many values */
export function raiseRounding(values: Float32Array, lower: number): number {
  let raised = 0;
  for (let at = 0; at < values.length; at++) {
    if (!isRounding(values[at]!, lower)) continue;
    values[at] = lower;
    raised++;
  }
  return raised;
}

/** For the log: what `raiseRounding` did. */
export function roundingText(raised: number, lower: number): string {
  const what = raised === 1 ? "1 negative abundance" : `${raised} negative abundances`;
  return `raised ${what} (a solver's rounding, less than ${lower} in size) to ${lower}`;
}

/**
 * @param values [rows, columns], of rows from `start` on; what rounding made negative is raised to `lower`
 * @returns how many values were raised
 * @throws DataError for the first NaN, infinite or other negative abundance
 */
export function checkAbundances(
  values: Float32Array,
  columns: readonly string[],
  start: number,
  origin: ValueOrigin,
  lower: number,
): number {
  const raised = raiseRounding(values, lower);
  checkEach(values, columns, start, origin, (value) => value >= 0 && value < Number.POSITIVE_INFINITY, "an abundance");
  return raised;
}

/** @param values [rows, columns], of rows from `start` on @throws DataError for the first that has no place on its scale */
export function checkPhysical(
  values: Float32Array,
  columns: readonly string[],
  start: number,
  origin: ValueOrigin,
): void {
  const bounds = columns.map((name) => boundOf(scaleOf(name)));
  const allowed = (value: number, column: number): boolean =>
    value > bounds[column]! && value < Number.POSITIVE_INFINITY;
  checkEach(values, columns, start, origin, allowed, "a physical parameter");
}

function checkEach(
  values: Float32Array,
  columns: readonly string[],
  start: number,
  { path, key }: ValueOrigin,
  allowed: (value: number, column: number) => boolean,
  what: string,
): void {
  for (let at = 0; at < values.length; at++) {
    const place = at % columns.length;
    if (allowed(values[at]!, place)) continue;
    const [row, column] = [start + Math.floor(at / columns.length), columns[place]];
    throw new DataError(`${values[at]} is not ${what} that can be scaled`, {
      where: `${path}, key ${key}, row ${row}, column ${column}`,
      fix: "clean the file, or make it again: astrochem preprocess",
    });
  }
}
