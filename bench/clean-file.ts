import { FrameWriter } from "../src/data/frame.ts";
import { createHdf5 } from "../src/data/hdf5.ts";
import { RandomStream } from "../src/data/random.ts";

/** The columns of a clean file, as `preprocess` writes them. */
export interface CleanFileColumns {
  readonly phys: readonly string[];
  readonly species: readonly string[];
}

const BLOCK_ROWS = 4096;

/** float32 columns, and Index, Model and pandas' row number as int64. */
export function bytesPerRow({ phys, species }: CleanFileColumns): number {
  return 4 * (1 + phys.length + species.length) + 24;
}

/** Writes a clean file of random abundances (1e-20 to 1, log-uniform), the same for the same seed; `rows.val` rows validate. */
export async function writeCleanFile(
  path: string,
  columns: CleanFileColumns,
  rows: { readonly train: number; readonly val: number },
  seed = 1,
): Promise<void> {
  const float32 = ["Time", ...columns.phys, ...columns.species];
  const int64 = ["Index", "Model"];
  const file = await createHdf5(path);
  try {
    for (const split of ["train", "val"] as const) {
      const writer = new FrameWriter(file, split, { float32, int64, order: [...int64, ...float32] }, rows[split]);
      const floats = randomBlock(float32.length, seed);
      for (let start = 0; start < rows[split]; start += BLOCK_ROWS) {
        const count = Math.min(BLOCK_ROWS, rows[split] - start);
        const integers = BigInt64Array.from({ length: 2 * count }, (_, i) => BigInt(start + (i >> 1)));
        // One value of each row changes from block to block: making 5 GB of new ones would take longer than training on them.
        for (let row = 0; row < count; row++) floats[row * float32.length] = start + row;
        writer.append(floats, integers, count);
      }
      writer.finish();
    }
  } finally {
    file.close();
  }
}

function randomBlock(width: number, seed: number): Float32Array {
  const values = new Float32Array(BLOCK_ROWS * width);
  new RandomStream(seed).fillUniform(values, -20, 0);
  return values.map((exponent) => 10 ** exponent);
}
