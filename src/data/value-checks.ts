import { DataError } from "../errors.ts";

/** The frame that values come from, for errors. */
export interface ValueOrigin {
  readonly path: string;
  readonly key: string;
}

/** @param values [rows, columns], of rows from `start` on @throws DataError for the first NaN, infinite or negative abundance */
export function checkAbundances(
  values: Float32Array,
  columns: readonly string[],
  start: number,
  origin: ValueOrigin,
): void {
  checkEach(values, columns, start, origin, (value) => value >= 0 && value < Number.POSITIVE_INFINITY, "an abundance");
}

/** @param values [rows, columns], of rows from `start` on @throws DataError for the first that is not finite and above 0 */
export function checkPhysical(
  values: Float32Array,
  columns: readonly string[],
  start: number,
  origin: ValueOrigin,
): void {
  checkEach(
    values,
    columns,
    start,
    origin,
    (value) => value > 0 && value < Number.POSITIVE_INFINITY,
    "a physical parameter",
  );
}

function checkEach(
  values: Float32Array,
  columns: readonly string[],
  start: number,
  { path, key }: ValueOrigin,
  allowed: (value: number) => boolean,
  what: string,
): void {
  for (let at = 0; at < values.length; at++) {
    if (allowed(values[at]!)) continue;
    const [row, column] = [start + Math.floor(at / columns.length), columns[at % columns.length]];
    throw new DataError(`${values[at]} is not ${what} that can be scaled`, {
      where: `${path}, key ${key}, row ${row}, column ${column}`,
      fix: "clean the file, or make it again: astrochem preprocess",
    });
  }
}
