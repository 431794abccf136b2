import type { TracerOrder } from "./points.ts";

/**
 * Rows may come in any order. But a tracer whose rows are several stretches that overlap in time may be several histories under one id.
 * @param order the rows of each tracer in the order of the file
 * @returns the doubt, in words; null where there is none
 */
export function severalHistories({ tracers, order, starts }: TracerOrder, times: Float64Array): string | null {
  let first: { tracer: string | number; jumps: number; rows: [number, number] } | null = null;
  let count = 0;
  for (const [i, tracer] of tracers.entries()) {
    const rows = order.subarray(starts[i], starts[i + 1]);
    const jumps = rows.reduce((sum, row, k) => (k > 0 && times[row]! < times[rows[k - 1]!]! ? sum + 1 : sum), 0);
    if (jumps === 0 || !overlap(stretches(rows, times))) continue;
    count++;
    const at = rows.findIndex((row, k) => k > 0 && times[row]! < times[rows[k - 1]!]!);
    first ??= { tracer, jumps, rows: [rows[at - 1]!, rows[at]!] };
  }
  if (first === null) return null;
  const [from, to] = first.rows;
  const others = count === 1 ? "" : `; ${count - 1} other tracer${count === 2 ? "" : "s"} likewise`;
  return (
    `the rows of tracer ${first.tracer} go back in time ${first.jumps === 1 ? "once" : `${first.jumps} times`}, first from ` +
    `${times[from]} to ${times[to]} (rows ${from} and ${to})${others}: they are sorted by time into one history. ` +
    "If an id stands for several, give each its own"
  );
}

/** First and last time of each run of rows that goes forward; single rows are left out. */
function stretches(rows: Int32Array, times: Float64Array): [number, number][] {
  const found: [number, number][] = [];
  for (let k = 0, start = 0; k < rows.length; k++) {
    if (k + 1 < rows.length && times[rows[k + 1]!]! >= times[rows[k]!]!) continue;
    if (k > start) found.push([times[rows[start]!]!, times[rows[k]!]!]);
    start = k + 1;
  }
  return found.sort(([a], [b]) => a - b);
}

/** @param sorted by their first time */
function overlap(sorted: readonly (readonly [number, number])[]): boolean {
  let latest = Number.NEGATIVE_INFINITY;
  for (const [from, to] of sorted) {
    if (from < latest) return true;
    latest = Math.max(latest, to);
  }
  return false;
}
