import { setImmediate as nextTurn } from "node:timers/promises";
import { severalHistories } from "../../data/file-order.ts";
import type { Frame } from "../../data/frame.ts";
import { pointColumns, pointsError } from "../../data/points.ts";
import { groupByCode, sortByTime } from "../../data/raw-index.ts";
import { DataError } from "../../errors.ts";
import { problemOf } from "./problem-of.ts";

/** Rows that are sorted here: 20 bytes each. */
const mostRows = 2 ** 24;

/** What is wrong or doubtful in the rows of the tracers. */
export interface OrderFindings {
  readonly problem: string | null;
  readonly doubt: string | null;
}

/** Whether the rows of a tracer are one history: as `preprocess` judges it. @param tracer, time columns, as the file names them */
export async function inspectOrder(frame: Frame, tracer: string, time: string): Promise<OrderFindings> {
  if (frame.rows > mostRows) return { problem: null, doubt: null };
  let labels: ReturnType<Frame["labels"]>;
  try {
    labels = frame.labels(tracer);
  } catch (error) {
    if (error instanceof DataError) return { problem: null, doubt: null };
    throw error;
  }
  const points = pointColumns(frame);
  const numeric = points.filter(({ isNumeric }) => isNumeric);
  const columns = [time, ...numeric.map(({ name }) => name)];
  const times = new Float64Array(frame.rows);
  const block = new Float64Array(frame.blockRows * columns.length);
  for (let start = 0; start < frame.rows; start += frame.blockRows) {
    const count = Math.min(frame.blockRows, frame.rows - start);
    frame.read(start, count, columns, block);
    for (let i = 0; i < count; i++) {
      times[start + i] = block[i * columns.length]!;
      for (const [k, point] of numeric.entries()) point.add(block[i * columns.length + 1 + k]!, start + i);
    }
    await nextTurn();
  }
  const grouped = { tracers: labels.values, ...groupByCode(labels.codes, labels.values.length) };
  const doubt = severalHistories(grouped, times);
  await sortByTime(grouped, times);
  const error = pointsError(points, grouped, times, { tracerColumn: tracer, where: frame.path });
  return { problem: error === null ? null : problemOf(error), doubt };
}
