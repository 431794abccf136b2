import { FrameWriter, openFrame } from "../src/data/frame.ts";
import { createHdf5 } from "../src/data/hdf5.ts";
import { RandomStream } from "../src/data/random.ts";
import { tracerRuns } from "../src/data/windows.ts";

/** Standard deviations in dex of what is put on a tracer's conditions and on each of its species, the same in all of its rows. */
const [physicalDeviation, abundanceDeviation] = [0.05, 0.1];

/**
 * Writes a clean file of `tracers` tracers a split, made from those of another clean file by turns: their rows with every column but
 * Time multiplied by a factor of the tracer's. So are its values realistic, and as many as wanted.
 */
export async function writeTracerFile(
  path: string,
  source: string,
  physical: readonly string[],
  tracers: { readonly train: number; readonly val: number },
): Promise<void> {
  const random = new RandomStream(1);
  const file = await createHdf5(path);
  try {
    for (const split of ["train", "val"] as const) {
      const from = await openFrame(source, split);
      const runs = tracerRuns(from.labels("Model").codes);
      const float32 = from.columns.filter((name) => name !== "Index" && name !== "Model");
      const chosen = Array.from({ length: tracers[split] }, (_, i) => runs[i % runs.length]!);
      const rows = chosen.reduce((sum, run) => sum + run.rows, 0);
      const columns = { float32, int64: ["Index", "Model"], order: ["Index", "Model", ...float32] };
      const writer = new FrameWriter(file, split, columns, rows);
      const factors = new Float32Array(float32.length);
      for (const [tracer, run] of chosen.entries()) {
        const values = new Float32Array(run.rows * float32.length);
        from.read(run.start, run.rows, float32, values);
        random.fillNormal(factors, 1);
        for (const [c, name] of float32.entries()) {
          const deviation = physical.includes(name) ? physicalDeviation : abundanceDeviation;
          factors[c] = name === "Time" ? 1 : 10 ** (factors[c]! * deviation);
        }
        for (let at = 0; at < values.length; at++) values[at]! *= factors[at % float32.length]!;
        const integers = BigInt64Array.from({ length: 2 * run.rows }, (_, i) => BigInt(i % 2 === 0 ? i >> 1 : tracer));
        writer.append(values, integers, run.rows);
      }
      writer.finish();
      from.close();
    }
  } finally {
    file.close();
  }
}
