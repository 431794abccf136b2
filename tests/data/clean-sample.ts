import { join } from "node:path";
import { FrameWriter } from "../../src/data/frame.ts";
import { createHdf5 } from "../../src/data/hdf5.ts";

/** The columns of the clean samples. */
export const cleanColumns = {
  metadata: ["Index", "Model", "Time"],
  phys: ["Density", "Av"],
  species: ["H", "H2", "CO"],
};

/** One split: lengths of its tracers, and values to put in place of the usual ones. */
export interface CleanSplit {
  tracers: readonly number[];
  values?: readonly { row: number; column: string; value: number }[];
}

/** The value of a column (Time, physical, species) in a row. */
export function cleanValue(column: string, row: number): number {
  if (column === "Time") return 100 * row;
  const at = ["Time", ...cleanColumns.phys, ...cleanColumns.species].indexOf(column);
  return Math.fround(column === "H" ? 0.5 : 10 ** -at / (1 + row));
}

/** Writes a clean dataset as `preprocess` does; Model ids are too large for float32 to tell apart. */
export async function writeClean(folder: string, name: string, train: CleanSplit, val: CleanSplit): Promise<string> {
  return writeSplits(folder, name, { train, val });
}

/** The same of splits by their keys. */
export async function writeSplits(
  folder: string,
  name: string,
  splits: Readonly<Record<string, CleanSplit>>,
): Promise<string> {
  const path = join(folder, name);
  const file = await createHdf5(path);
  const float32 = ["Time", ...cleanColumns.phys, ...cleanColumns.species];
  const columns = { float32, int64: ["Index", "Model"], order: [...cleanColumns.metadata, ...float32.slice(1)] };
  for (const [key, { tracers, values = [] }] of Object.entries(splits)) {
    const models = tracers.flatMap((rows, tracer) => Array<bigint>(rows).fill(2n ** 40n + BigInt(tracer)));
    const floats = Float32Array.from(
      models.flatMap((_, row) =>
        float32.map(
          (column) => values.find((v) => v.row === row && v.column === column)?.value ?? cleanValue(column, row),
        ),
      ),
    );
    const integers = BigInt64Array.from(models.flatMap((model, row) => [BigInt(1000 + row), model]));
    const writer = new FrameWriter(file, key, columns, models.length);
    writer.append(floats, integers, models.length);
    writer.finish();
  }
  file.close();
  return path;
}
