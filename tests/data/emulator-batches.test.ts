import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemoryRows, type RowSource, StreamedRows } from "../../src/data/chunk-source.ts";
import { type EmulatorBatch, EmulatorBatches, windowsPerChunk } from "../../src/data/emulator-batches.ts";
import { createHdf5 } from "../../src/data/hdf5.ts";
import { windowStarts } from "../../src/data/windows.ts";
import { testFolder } from "../helpers/folder.ts";

const folder = testFolder();
const layout = { metadata: 3, physical: 2, species: 3, latent: 2 };
const width = 10;
const window = 4;

/** Rows in tracers of these lengths; every value tells its row and column. */
function sample(lengths: readonly number[]): { data: Float32Array; starts: Int32Array; models: number[] } {
  const models = lengths.flatMap((rows, tracer) => Array<number>(rows).fill(tracer));
  const data = Float32Array.from({ length: models.length * width }, (_, i) => i);
  return { data, models, starts: windowStarts(models, window, "x").starts };
}

async function collect(batches: EmulatorBatches, epoch: number): Promise<EmulatorBatch[]> {
  const all: EmulatorBatch[] = [];
  for await (const batch of batches.epoch(epoch)) all.push(batch);
  return all;
}

/** A source that notes the rows that are loaded. */
class NotedRows extends MemoryRows {
  readonly loaded: number[] = [];
  override load(start: number, count: number): Promise<Float32Array> {
    this.loaded.push(count);
    return super.load(start, count);
  }
}

describe("EmulatorBatches", () => {
  const lengths = [9, 4, 2, 6, 5];
  const { data, starts } = sample(lengths);
  const options = (source: RowSource, chunkWindows: number, seed: number | null) => ({
    ...{ source, starts, window, layout, chunkWindows, seed },
    batchSize: 4,
  });

  it("puts each window's values where the original's slices are, time first", async () => {
    const [batch] = await collect(new EmulatorBatches(options(new MemoryRows(data, width), starts.length, 3)), 0);
    const { windows, steps, physical, latents, targets } = batch!;
    expect({ windows, steps }).toEqual({ windows: 4, steps: 3 });
    const at = (row: number, column: number): number => row * width + column;
    for (let b = 0; b < windows; b++) {
      // rows[:, 0, -L:] tells which window this is.
      const first = Math.floor(latents[b * 2]! / width);
      expect(starts).toContain(first);
      expect([...latents.subarray(b * 2, b * 2 + 2)]).toEqual([at(first, 8), at(first, 9)]);
      for (let step = 0; step < steps; step++) {
        const place = step * windows + b;
        // rows[:, :-1, 3:7] and rows[:, 1:, 7:-14]
        expect([...physical.subarray(place * 2, place * 2 + 2)]).toEqual([3, 4].map((c) => at(first + step, c)));
        expect([...targets.subarray(place * 3, place * 3 + 3)]).toEqual([5, 6, 7].map((c) => at(first + step + 1, c)));
      }
    }
  });

  it.each([5, 100])("passes over the first batches, in chunks of %i windows", async (chunkWindows) => {
    const batches = new EmulatorBatches(options(new MemoryRows(data, width), chunkWindows, 3));
    const whole = await collect(batches, 2);
    for (let first = 0; first <= whole.length; first++) {
      const rest: EmulatorBatch[] = [];
      for await (const batch of batches.epoch(2, first)) rest.push(batch);
      expect(rest).toEqual(whole.slice(first));
    }
  });

  it("streams the same batches as from memory, from one contiguous read a chunk", async () => {
    const path = join(folder, "sequences.h5");
    const file = await createHdf5(path);
    const rows = data.length / width;
    file.createDataset("dataset", { shape: [rows, width], dtype: "<f4" }).writeRows(0, rows, data);
    file.close();
    const streamed = new EmulatorBatches(options(new StreamedRows(path, "dataset", [rows, width]), 5, 3));
    const noted = new NotedRows(data, width);
    const held = new EmulatorBatches(options(noted, 5, 3));
    for (const epoch of [0, 1, 2]) expect(await collect(streamed, epoch)).toEqual(await collect(held, epoch));
    expect(noted.loaded).toHaveLength(3 * Math.ceil(starts.length / 5));
    await streamed.close();
  });

  it("gives every window once, in order without a seed", async () => {
    const batches = new EmulatorBatches(options(new MemoryRows(data, width), 5, null));
    const all = await collect(batches, 0);
    expect(all).toHaveLength(batches.batches);
    const first = all.flatMap(({ latents }) => [...latents].filter((_, i) => i % 2 === 0));
    expect(first.map((value) => Math.floor(value / width))).toEqual([...starts]);
  });
});

describe("windowsPerChunk", () => {
  it("counts the rows that give no window", () => {
    // 100 tracers of the original's lengths, read by ten.
    const models = Array.from({ length: 29_700 }, (_, row) => Math.floor(row / 297));
    const { starts } = windowStarts(models, 240, "x");
    const windows = windowsPerChunk(starts, 240, 2970);
    // A run of ten tracers' windows that begins within a tracer reaches into an eleventh.
    expect(windows).toBeGreaterThan(9 * 58 - 58);
    expect(windows).toBeLessThanOrEqual(10 * 58);
  });

  it("gives chunks that stay within the rows, and as many windows as can be", async () => {
    const tracers = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 15 });
    await fc.assert(
      fc.asyncProperty(tracers, fc.integer({ min: window, max: 60 }), async (lengths, chunkRows) => {
        fc.pre(Math.max(...lengths) >= window);
        const { data, starts } = sample(lengths);
        const windows = windowsPerChunk(starts, window, chunkRows);
        const source = new NotedRows(data, width);
        const common = { source, starts, window, layout, batchSize: 8, seed: 1 };
        await collect(new EmulatorBatches({ ...common, chunkWindows: windows }), 0);
        expect(Math.max(...source.loaded)).toBeLessThanOrEqual(chunkRows);
        const spans = [...starts].flatMap((start, i) => {
          const end = starts[i + windows];
          return end === undefined ? [] : [end + window - start];
        });
        if (windows < starts.length) expect(Math.max(...spans)).toBeGreaterThan(chunkRows);
      }),
    );
  });

  it("is one where not even a window fits", () => {
    expect(windowsPerChunk(Int32Array.of(0, 1, 2), 4, 3)).toBe(1);
  });
});
