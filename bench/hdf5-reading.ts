import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StreamedRows } from "../src/data/chunk-source.ts";
import { createHdf5 } from "../src/data/hdf5.ts";
import { RandomStream } from "../src/data/random.ts";

/** What is streamed: float32, contiguous, in chunks as a training with a small memory budget asks for them. */
const [ROWS, COLUMNS, CHUNK_ROWS] = [196_608, 333, 16_384] as const;

/** Megabytes of a repetition. */
export const STREAMED_MEGABYTES = (ROWS * COLUMNS * 4) / 1e6;

/** A file in a temporary folder and one reading of it, through the package's own source of chunks; the page cache holds the file. */
export async function prepareStreaming() {
  const folder = mkdtempSync(join(tmpdir(), "astrochem-bench-"));
  const path = join(folder, "rows.h5");
  await writeRows(path);
  const source = new StreamedRows(path, "dataset", [ROWS, COLUMNS]);
  return {
    path,
    chunkRows: CHUNK_ROWS,
    run: async () => {
      for (let start = 0; start < ROWS; start += CHUNK_ROWS) {
        await source.load(start, CHUNK_ROWS);
        if (start + CHUNK_ROWS < ROWS) source.prefetch(start + CHUNK_ROWS, CHUNK_ROWS);
      }
    },
    dispose: async () => {
      await source.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function writeRows(path: string): Promise<void> {
  const file = await createHdf5(path);
  try {
    const dataset = file.createDataset("dataset", { shape: [ROWS, COLUMNS], dtype: "<f4" });
    const block = new Float32Array(CHUNK_ROWS * COLUMNS);
    new RandomStream(1).fillUniform(block, 0, 1);
    for (let start = 0; start < ROWS; start += CHUNK_ROWS) dataset.writeRows(start, CHUNK_ROWS, block);
  } finally {
    file.close();
  }
}
