import { execFileSync } from "node:child_process";
import { truncateSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemoryRows, openRows, StreamedRows } from "../../src/data/chunk-source.ts";
import { createHdf5 } from "../../src/data/hdf5.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";

const folder = testFolder();
const [rows, columns] = [101, 3];
const path = join(folder, "rows.h5");
const values = Float32Array.from({ length: rows * columns }, (_, i) => i / 4);

const file = await createHdf5(path);
file.createDataset("dataset", { shape: [rows, columns], dtype: "<f4" }).writeRows(0, rows, values);
file.close();

const expected = (start: number, count: number): number[] => [
  ...values.subarray(start * columns, (start + count) * columns),
];

/** Opens the file as a stream for one test. */
async function streaming(use: (source: StreamedRows) => Promise<void>, file = path): Promise<void> {
  const source = new StreamedRows(file, "dataset", [rows, columns]);
  try {
    await use(source);
  } finally {
    await source.close();
  }
}

describe("StreamedRows", () => {
  it("gives the rows asked for, prefetched or not, in whatever order", async () => {
    const range = fc
      .record({ start: fc.nat(rows - 1), count: fc.integer({ min: 1, max: rows }), ahead: fc.nat(2) })
      .map(({ start, count, ahead }) => ({ start, count: Math.min(count, rows - start), ahead }));
    await streaming((source) =>
      fc.assert(
        fc.asyncProperty(fc.array(range, { maxLength: 8 }), async (asked) => {
          for (const [i, { start, count, ahead }] of asked.entries()) {
            expect([...(await source.load(start, count))]).toEqual(expected(start, count));
            // Nothing, the right rows, or some that nobody loads.
            const next = ahead === 1 ? asked[i + 1] : { start: 0, count: 1 };
            if (ahead > 0 && next) source.prefetch(next.start, next.count);
          }
        }),
        { numRuns: 30 },
      ),
    );
  });

  it("keeps the rows apart where one read is asked for during another", async () => {
    await streaming(async (source) => {
      const first = source.load(0, 2);
      source.prefetch(10, 2);
      expect([...(await first)]).toEqual(expected(0, 2));
      expect([...(await source.load(10, 2))]).toEqual(expected(10, 2));
    });
  });

  it("leaves loaded rows alone until the next load, whatever is read ahead", async () => {
    await streaming(async (source) => {
      await source.load(0, 50);
      const loaded = await source.load(50, 50);
      source.prefetch(0, 50);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect([...loaded]).toEqual(expected(50, 50));
    });
  });

  it("recycles two buffers", async () => {
    await streaming(async (source) => {
      const sizes: number[] = [];
      for (const count of [20, 20, 7, 20, 13, 20]) sizes.push((await source.load(0, count)).buffer.byteLength);
      expect(new Set(sizes)).toEqual(new Set([20 * columns * 4]));
    });
  });

  it("reports an error of the read that is awaited, and goes on after it", async () => {
    await streaming(async (source) => {
      expect(await thrownBy(() => source.load(100, 2), folder)).toMatchInlineSnapshot(`
        "DataError: cannot read …/rows.h5: no rows 100 to 101: there are 101
          at   …/rows.h5
          fix  make the file again, or check the disk"
      `);
      expect([...(await source.load(100, 1))]).toEqual(expected(100, 1));
    });
  });

  it("forgets the error of rows that nobody loads", async () => {
    await streaming(async (source) => {
      source.prefetch(100, 2);
      expect([...(await source.load(0, 1))]).toEqual(expected(0, 1));
    });
  });

  it.each([
    ["missing", "missing.h5"],
    ["not there at all, even if the reader is asked late", "absent/rows.h5"],
  ])("reports a file that is %s", async (_, name) => {
    await streaming(
      async (source) => {
        await new Promise((resolve) => setTimeout(resolve, 50));
        expect(await thrownBy(() => source.load(0, 1), folder)).toContain(
          `DataError: cannot read …/${name}: no such file`,
        );
      },
      join(folder, name),
    );
  });

  it("reports a file that was cut off since", async () => {
    const cut = join(folder, "cut.h5");
    const file = await createHdf5(cut);
    file.createDataset("dataset", { shape: [rows, columns], dtype: "<f4" }).writeRows(0, rows, values);
    file.close();
    truncateSync(cut, 2100);
    await streaming(async (source) => {
      expect(await thrownBy(() => source.load(0, rows), folder)).toContain("DataError: cannot read …/cut.h5: ");
    }, cut);
  });

  it("refuses to load once closed, and ends a load that is under way", async () => {
    const source = new StreamedRows(path, "dataset", [rows, columns]);
    const pending = thrownBy(() => source.load(0, 1), folder);
    await source.close();
    expect(await pending).toBe("Error: …/rows.h5 is closed");
    expect(await thrownBy(() => source.load(0, 1), folder)).toBe("Error: …/rows.h5 is closed");
    await source.close();
  });

  it("does not keep the process alive, closed or not", () => {
    const program = `
      const { StreamedRows } = await import(${JSON.stringify(new URL("../../dist/data/chunk-source.js", import.meta.url).href)});
      const source = new StreamedRows(${JSON.stringify(path)}, "dataset", [${rows}, ${columns}]);
      console.log((await source.load(0, 1)).join());
      source.prefetch(1, 1);`;
    const output = execFileSync(process.execPath, ["--input-type=module", "-e", program], { timeout: 20_000 });
    expect(output.toString().trim()).toBe("0,0.25,0.5");
  });
});

describe("MemoryRows", () => {
  it("gives views of the rows", async () => {
    const source = new MemoryRows(values, columns);
    expect({ rows: source.rows, columns: source.columns }).toEqual({ rows, columns });
    expect([...(await source.load(7, 2))]).toEqual(expected(7, 2));
  });
});

describe("openRows", () => {
  const bytes = rows * columns * 4;

  it.each([
    ["a budget just too small", bytes - 1, 1, 25],
    ["a small budget and small chunks: the smaller of the two", bytes / 2, 0.5, 12],
    ["a budget below one row", 1, 1, 1],
  ])("streams with %s", async (_, memoryBudgetBytes, shuffleChunkSize, chunkRows) => {
    const opened = await openRows(path, "dataset", { memoryBudgetBytes, shuffleChunkSize });
    expect(opened.source).toBeInstanceOf(StreamedRows);
    expect(opened.chunkRows).toBe(chunkRows);
    expect([...(await opened.source.load(3, 1))]).toEqual(expected(3, 1));
    await opened.source.close();
  });

  it("holds in memory what just fits", async () => {
    const opened = await openRows(path, "dataset", { memoryBudgetBytes: bytes, shuffleChunkSize: 1 });
    expect(opened.source).toBeInstanceOf(MemoryRows);
    expect([...(await opened.source.load(0, rows))]).toEqual([...values]);
  });

  it("says why it streams", async () => {
    const { source, reason } = await openRows(path, "dataset", { memoryBudgetBytes: 1e9, shuffleChunkSize: 0.1 });
    await source.close();
    expect(reason).toBe("0.0 MB streamed in chunks of 10 rows: shuffle_chunk_size is 0.1");
  });
});
