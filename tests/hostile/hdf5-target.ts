import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { openFrame } from "../../src/data/frame.ts";
import { openHdf5 } from "../../src/data/hdf5.ts";
import { type Mutation, mutateBytes, mutations } from "./mutations.ts";
import { demand, seedBytes, target } from "./target.ts";

const seeds = (
  [
    ["clean", "val", "Model"],
    ["raw", "df", "Tracer"],
    ["raw_table", "df", "Tracer"],
    ["raw_zlib_f32", "df", "Tracer"],
  ] as const
).map(([name, key, label]) => ({ bytes: seedBytes(`golden/preprocess/${name}.h5`), key, label }));

/** Where HDF5 keeps what it needs to find its way; the rest are numbers, which may be any. */
const signatures = ["\x89HDF", "TREE", "HEAP", "SNOD", "OHDR", "FRHP", "FHDB", "BTHD", "BTLF", "GCOL", "OCHK", "BTIN"];
const marks = seeds.map(({ bytes }) =>
  signatures.flatMap((signature) => {
    const found: number[] = [];
    for (let at = bytes.indexOf(signature, 0, "latin1"); at >= 0; at = bytes.indexOf(signature, at + 1, "latin1"))
      found.push(at);
    return found;
  }),
);

interface Case {
  readonly seed: number;
  readonly bytes: readonly Mutation[];
  /** Damage near these signatures in place of anywhere. */
  readonly near: number | null;
}

/** pandas' frames with flipped bytes, cut tails and wrong structures: all of every column is read. */
export const hdf5Target = target<Case>({
  name: "hdf5",
  exitCodes: [3],
  cases: fc.record({
    seed: fc.nat({ max: seeds.length - 1 }),
    bytes: mutations,
    near: fc.option(fc.nat(), { freq: 8 }),
  }),
  async attack({ seed, bytes, near }, folder) {
    const path = join(folder, "frame.h5");
    const { key, label } = seeds[seed]!;
    writeFileSync(path, damaged(seed, bytes, near));
    const file = await openHdf5(path);
    try {
      for (const name of file.keys()) file.keys(name);
    } finally {
      file.close();
    }
    const frame = await openFrame(path, key);
    try {
      demand(frame.rows >= 0 && frame.columns.every((name) => typeof name === "string"), "no frame");
      frame.attribute("astrochem_hash");
      frame.labels(label);
      const values = new Float32Array(frame.blockRows * frame.columns.length);
      for (let row = 0; row < frame.rows; row += frame.blockRows) {
        frame.read(row, Math.min(frame.blockRows, frame.rows - row), frame.columns, values);
      }
    } finally {
      frame.close();
    }
  },
});

function damaged(seed: number, recipe: readonly Mutation[], near: number | null): Buffer {
  const { bytes } = seeds[seed]!;
  const places = marks[seed]!;
  if (near === null || places.length === 0) return mutateBytes(bytes, recipe);
  // The 512 bytes behind a signature hold lengths, counts and addresses.
  const from = places[near % places.length]!;
  const window = mutateBytes(bytes.subarray(from, from + 512), recipe);
  return Buffer.concat([bytes.subarray(0, from), window, bytes.subarray(from + 512)]);
}
