/**
 * Makes a raw file of unevenly spaced rows from an evenly spaced one: of each tracer a row is kept, then the one that comes 1 to `--most`
 * rows later, at random. `npx tsx bench/thin-rows.ts RAW.h5 THINNED.h5 [--most 8] [--seed 0]`
 */
import { parseArgs } from "node:util";
import { FrameWriter, openFrame } from "../src/data/frame.ts";
import { createHdf5 } from "../src/data/hdf5.ts";
import { derivedSeed, RandomStream } from "../src/data/random.ts";
import { tracerRuns } from "../src/data/windows.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { most: { type: "string", default: "8" }, seed: { type: "string", default: "0" } },
});
const [input, output] = positionals as [string, string];
const frame = await openFrame(input, "df");
const random = new RandomStream(derivedSeed(Number(values.seed), "thinned rows"));
const { values: ids, codes } = frame.labels("Tracer");
const kept = tracerRuns(codes).flatMap(({ start, rows }) => {
  const list: { row: number; id: bigint }[] = [];
  for (let row = 0; row < rows; row += 1 + Math.floor(random.uniform() * Number(values.most)))
    list.push({ row: start + row, id: BigInt(ids[codes[start]!]!) });
  return list;
});
const floats = frame.columns.filter((name) => name !== "Tracer");
const file = await createHdf5(output);
const writer = new FrameWriter(
  file,
  "df",
  { float32: floats, int64: ["Tracer"], order: [...floats, "Tracer"] },
  kept.length,
);
const row = new Float32Array(floats.length);
for (const { row: at, id } of kept) {
  frame.read(at, 1, floats, row);
  writer.append(row, BigInt64Array.of(id), 1);
}
writer.finish();
file.close();
frame.close();
process.stdout.write(`${kept.length} of ${frame.rows} rows\n`);
