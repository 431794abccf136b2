import { DataError } from "../errors.ts";
import { torchRandperm } from "./random.ts";

/** Consecutive rows of one tracer. */
export interface TracerRun {
  readonly start: number;
  readonly rows: number;
}

/** Splits rows where the tracer's id changes. @param models [rows] */
export function tracerRuns(models: ArrayLike<number | bigint>): TracerRun[] {
  const runs: TracerRun[] = [];
  for (let row = 0, start = 0; row < models.length; row++) {
    if (row + 1 < models.length && models[row + 1] === models[row]) continue;
    runs.push({ start, rows: row + 1 - start });
    start = row + 1;
  }
  return runs;
}

/** The windows of a dataset, and what gave none. */
export interface Windows {
  /** First row of each window, [windows]: rows of a window are consecutive, so no more needs to be kept. */
  readonly starts: Int32Array;
  readonly skippedTracers: number;
  readonly skippedRows: number;
}

/**
 * Every run of `window` rows within a tracer, in the order of tracers and rows: n − window + 1 of a tracer with n rows, none of a
 * shorter one.
 * @throws DataError where no tracer is long enough
 */
export function windowStarts(models: ArrayLike<number | bigint>, window: number, where: string): Windows {
  const runs = tracerRuns(models);
  // Counted first: a list that grows would take several times the memory of what it ends as.
  const starts = new Int32Array(runs.reduce((sum, { rows }) => sum + Math.max(0, rows - window + 1), 0));
  let at = 0;
  let [skippedTracers, skippedRows, longest] = [0, 0, 0];
  for (const { start, rows } of runs) {
    longest = Math.max(longest, rows);
    if (rows < window) {
      skippedTracers += 1;
      skippedRows += rows;
    }
    for (let first = start; first + window <= start + rows; first++) starts[at++] = first;
  }
  if (starts.length === 0) {
    throw new DataError(`no tracer has the ${window} rows of a window; the longest has ${longest}`, {
      where,
      fix: longest >= 2 ? `model.window_size=${longest} or less` : "give tracers with at least two rows",
    });
  }
  return { starts, skippedTracers, skippedRows };
}

/**
 * Every run of `window` rows within a tracer, those at its two ends several times, in the order of the rows. The rows near the ends lie
 * in fewer windows than the others, although the first steps and, in a collapse, the last ones are the hardest to learn.
 * @param edges  how often the first and the last window come once more, as a share of the window's steps: with 0.5 the ends are
 *               covered about as often as the middle
 */
export function edgedStarts(runs: readonly TracerRun[], window: number, edges: number): Int32Array {
  const more = Math.round(edges * (window - 2));
  const long = runs.filter(({ rows }) => rows >= window);
  const starts = new Int32Array(long.reduce((sum, { rows }) => sum + rows - window + 1 + 2 * more, 0));
  let at = 0;
  for (const { start, rows } of long) {
    for (let k = -more; k <= rows - window + more; k++) starts[at++] = start + Math.min(Math.max(k, 0), rows - window);
  }
  return starts;
}

/** The same starts in a random order. */
export function permuted(starts: Int32Array, seed: number): Int32Array {
  return torchRandperm(starts.length, seed).map((at) => starts[at]!);
}
