import { FrameWriter } from "../../src/data/frame.ts";
import { createHdf5 } from "../../src/data/hdf5.ts";

/** One row of a raw frame: column name → value, and the tracer's id. */
export type RawRow = Record<string, number>;

/** Writes rows as a frame at key `df`: `Tracer` as int64, everything else as float32. Columns are those of the first row. */
export async function writeRawRows(path: string, rows: readonly RawRow[]): Promise<void> {
  const order = Object.keys(rows[0] ?? { Tracer: 0, Time: 0 });
  const float32 = order.filter((name) => name !== "Tracer");
  const int64 = order.filter((name) => name === "Tracer");
  const file = await createHdf5(path);
  const writer = new FrameWriter(file, "df", { float32, int64, order }, rows.length);
  const floats = Float32Array.from(rows.flatMap((row) => float32.map((name) => row[name]!)));
  const integers = BigInt64Array.from(rows.flatMap((row) => int64.map((name) => BigInt(row[name]!))));
  writer.append(floats, integers, rows.length);
  writer.finish();
  file.close();
}
