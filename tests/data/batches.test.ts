import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type AutoencoderBatch, AutoencoderBatches } from "../../src/data/autoencoder-batches.ts";
import { MemoryRows, openRows, StreamedRows } from "../../src/data/chunk-source.ts";
import { type EmulatorBatch, EmulatorBatches } from "../../src/data/emulator-batches.ts";
import { createHdf5 } from "../../src/data/hdf5.ts";
import { testFolder } from "../helpers/folder.ts";

const folder = testFolder();
let files = 0;
const columns = 3;
/** Row r is [r, r + 0.25, r + 0.5]. */
const matrix = (rows: number): Float32Array =>
  Float32Array.from({ length: rows * columns }, (_, i) => Math.floor(i / columns) + 0.25 * (i % columns));

async function fileOf(rows: number): Promise<string> {
  const path = join(folder, `rows-${files++}.h5`);
  const file = await createHdf5(path);
  file.createDataset("dataset", { shape: [rows, columns], dtype: "<f4" }).writeRows(0, rows, matrix(rows));
  file.close();
  return path;
}

async function idsOf(batches: AsyncIterable<AutoencoderBatch>): Promise<number[][]> {
  const ids: number[][] = [];
  for await (const { rows, features } of batches) {
    expect(features.length).toBe(rows * columns);
    for (let r = 0; r < rows; r++) {
      expect(features[r * columns + 2]! - features[r * columns]!).toBe(0.5);
    }
    ids.push(Array.from({ length: rows }, (_, r) => features[r * columns]!));
  }
  return ids;
}

describe("AutoencoderBatches", () => {
  it("follows the sampler through batches that span chunks, the last one smaller", async () => {
    const source = new MemoryRows(matrix(20), columns);
    const batches = new AutoencoderBatches({ source, chunkRows: 6, batchSize: 8, seed: 13 });
    expect(batches.batches).toBe(3);
    expect(await idsOf(batches.epoch(0))).toEqual([
      [16, 15, 12, 17, 14, 13, 3, 4],
      [2, 5, 0, 1, 6, 11, 8, 9],
      [7, 10, 19, 18],
    ]);
  });

  it.each([6, 20])(
    "passes over the first batches, in chunks of %i rows, and loads only what the rest needs",
    async (chunkRows) => {
      const source = new MemoryRows(matrix(20), columns);
      const batches = new AutoencoderBatches({ source, chunkRows, batchSize: 7, seed: 13 });
      const whole = await idsOf(batches.epoch(3));
      for (const first of [0, 1, 2, 3]) expect(await idsOf(batches.epoch(3, first))).toEqual(whole.slice(first));
      let loads = 0;
      source.load = (...args) => {
        loads += 1;
        return MemoryRows.prototype.load.apply(source, args);
      };
      // The chunks of six, six and two rows are passed with the two batches of seven; of one chunk, it is that one.
      await idsOf(batches.epoch(3, 2));
      expect(loads).toBe(1);
    },
  );

  it("joins a last batch of one row to its neighbour: batch norm needs two", async () => {
    const source = new MemoryRows(matrix(9), columns);
    const batches = new AutoencoderBatches({ source, chunkRows: 9, batchSize: 4, seed: null });
    expect(await idsOf(batches.epoch(0))).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7, 8],
    ]);
    expect(batches.batches).toBe(2);
  });

  it("streams the same batches as from memory, epoch after epoch", async () => {
    const path = await fileOf(50);
    const streamed = new StreamedRows(path, "dataset", [50, columns]);
    const options = { chunkRows: 7, batchSize: 16, seed: 5 };
    const fromFile = new AutoencoderBatches({ source: streamed, ...options });
    const fromMemory = new AutoencoderBatches({ source: new MemoryRows(matrix(50), columns), ...options });
    const epochs: number[][][] = [];
    for (const epoch of [0, 1, 2]) {
      epochs.push(await idsOf(fromFile.epoch(epoch)));
      expect(epochs[epoch]).toEqual(await idsOf(fromMemory.epoch(epoch)));
    }
    expect(epochs[0]).not.toEqual(epochs[1]);
    await fromFile.close();
  });

  it("can be left in the middle of an epoch and started again", async () => {
    const streamed = new StreamedRows(await fileOf(50), "dataset", [50, columns]);
    const batches = new AutoencoderBatches({ source: streamed, chunkRows: 7, batchSize: 4, seed: 5 });
    for await (const _ of batches.epoch(0)) break;
    expect((await idsOf(batches.epoch(0))).flat().sort((a, b) => a - b)).toEqual([...Array(50).keys()]);
    await batches.close();
  });
});

describe("openRows", () => {
  const budget = (memoryBudgetBytes: number, shuffleChunkSize = 1) => ({ memoryBudgetBytes, shuffleChunkSize });

  it("holds what fits in memory, and says so", async () => {
    const { source, chunkRows, reason } = await openRows(await fileOf(10), "dataset", budget(1e6));
    expect([source instanceof MemoryRows, chunkRows, reason]).toEqual([true, 10, "0.0 MB held in memory"]);
  });

  it("streams what is over the budget, a quarter of it at a time", async () => {
    const { source, chunkRows, reason } = await openRows(await fileOf(100), "dataset", budget(480));
    expect([source instanceof StreamedRows, chunkRows]).toEqual([true, 10]);
    expect(reason).toBe("0.0 MB streamed in chunks of 10 rows: more than memory_budget_mb");
    await source.close();
  });

  it("streams where chunks are asked for", async () => {
    const { source, chunkRows } = await openRows(await fileOf(100), "dataset", budget(1e6, 0.25));
    expect([source instanceof StreamedRows, chunkRows]).toEqual([true, 25]);
    await source.close();
  });
});

describe("StreamedRows", () => {
  it("tells what is wrong with its file", async () => {
    const rows = new StreamedRows("/nowhere/rows.h5", "dataset", [10, columns]);
    await expect(rows.load(0, 5)).rejects.toThrow("cannot read /nowhere/rows.h5");
    await rows.close();
  });

  it("reads what is asked for, even where something else was read ahead", async () => {
    const rows = new StreamedRows(await fileOf(30), "dataset", [30, columns]);
    await rows.load(0, 5);
    rows.prefetch(5, 5);
    expect((await rows.load(20, 5))[0]).toBe(20);
    await rows.close();
  });
});

describe("EmulatorBatches", () => {
  // Columns: Index, Model, Time | 1 physical | 2 species | 1 latent. Row r: physical r, species 100 + r and 200 + r, latent 300 + r.
  const layout = { metadata: 3, physical: 1, species: 2, latent: 1 };
  const width = 7;
  const rows = (count: number): MemoryRows =>
    new MemoryRows(
      Float32Array.from(
        { length: count * width },
        (_, i) => [0, 0, 0, 0, 100, 200, 300][i % width]! + Math.floor(i / width),
      ),
      width,
    );

  it("gives conditions, first latents and later abundances with the time first", async () => {
    const options = { source: rows(5), starts: Int32Array.of(0, 2), window: 3, layout, chunkWindows: 2, batchSize: 2 };
    const batches: EmulatorBatch[] = [];
    for await (const batch of new EmulatorBatches({ ...options, seed: null }).epoch(0)) batches.push(batch);
    expect(batches[0]).toEqual({
      windows: 2,
      steps: 2,
      physical: Float32Array.of(0, 2, 1, 3),
      latents: Float32Array.of(300, 302),
      targets: Float32Array.of(101, 201, 103, 203, 102, 202, 104, 204),
      latentTargets: new Float32Array(),
    });
  });

  it("gives later latents instead where they are the targets", async () => {
    const options = { source: rows(5), starts: Int32Array.of(0, 2), window: 3, layout, chunkWindows: 2, batchSize: 2 };
    const { value } = await new EmulatorBatches({ ...options, seed: null, targets: "latents" })
      .epoch(0)
      [Symbol.asyncIterator]()
      .next();
    const batch = value as EmulatorBatch;
    expect([...batch.latentTargets]).toEqual([301, 303, 302, 304]);
    expect([...batch.targets]).toEqual([]);
    expect([...batch.physical]).toEqual([0, 2, 1, 3]);
  });

  it("gives every window once an epoch, in chunks too", async () => {
    const starts = Int32Array.from({ length: 20 }, (_, i) => i);
    const options = { source: rows(22), starts, window: 3, layout, batchSize: 6, seed: 13 };
    for (const chunkWindows of [20, 6]) {
      const batches = new EmulatorBatches({ ...options, chunkWindows });
      const sizes: number[] = [];
      const first: number[] = [];
      for await (const { windows, latents } of batches.epoch(0)) {
        sizes.push(windows);
        first.push(...latents.map((value) => value - 300));
      }
      expect(sizes).toEqual([6, 6, 6, 2]);
      expect([...first].sort((a, b) => a - b)).toEqual([...starts]);
      expect(first).not.toEqual([...starts]);
    }
  });
});
