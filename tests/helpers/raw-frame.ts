import { fileURLToPath } from "node:url";
import { readSpeciesList } from "../../src/chemistry/species.ts";
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

/** Tracers of smooth made-up chemistry of the usual species, 100 years from row to row. @param rowsOf  of each tracer */
export function madeRows(tracers: number, rowsOf: (tracer: number) => number): RawRow[] {
  const species = readSpeciesList(fileURLToPath(new URL("../../utils/species.txt", import.meta.url)));
  return Array.from({ length: tracers }, (_, tracer) =>
    Array.from({ length: rowsOf(tracer) }, (_, step) => ({
      Tracer: 3 * tracer + 7,
      Time: 100 * (step + 1),
      Density: 1e5 * (1 + tracer + step),
      gasTemp: 20 + tracer + step,
      Av: 1 + step,
      radfield: 1 + tracer / 10,
      ...Object.fromEntries(
        species.map((name, s) => [name, 10 ** (-4 - (s % 12) - 0.3 * Math.sin(tracer + step / 6 + s))]),
      ),
    })),
  ).flat();
}
