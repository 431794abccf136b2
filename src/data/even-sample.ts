import { MemoryRows, type RowSource } from "./chunk-source.ts";

/** Rows that are taken together: reading single rows of a file costs as much as reading many. */
const together = 64;

/** About `count` rows in memory, in blocks spread evenly over the source; the source itself where it has no more. */
export async function evenRows(source: RowSource, count: number): Promise<RowSource> {
  if (source.rows <= count) return source;
  const blocks = Math.max(1, Math.round(count / together));
  const rows = Math.min(together, count);
  const data = new Float32Array(blocks * rows * source.columns);
  for (let block = 0; block < blocks; block++) {
    const start = Math.floor((block * (source.rows - rows)) / Math.max(1, blocks - 1));
    data.set(await source.load(start, rows), block * rows * source.columns);
  }
  return new MemoryRows(data, source.columns);
}

/** `count` windows in memory, spread evenly over the starts; all of them, from the source, where there are no more. */
export async function evenWindows(
  source: RowSource,
  starts: Int32Array,
  window: number,
  count: number,
): Promise<{ source: RowSource; starts: Int32Array }> {
  if (starts.length <= count) return { source, starts };
  const data = new Float32Array(count * window * source.columns);
  for (let k = 0; k < count; k++) {
    const start = starts[Math.floor((k * (starts.length - 1)) / Math.max(1, count - 1))]!;
    data.set(await source.load(start, window), k * window * source.columns);
  }
  return {
    source: new MemoryRows(data, source.columns),
    starts: Int32Array.from({ length: count }, (_, k) => k * window),
  };
}
