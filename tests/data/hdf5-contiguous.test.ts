import { copyFileSync, readFileSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StreamedRows } from "../../src/data/chunk-source.ts";
import { createHdf5, type DatasetLayout, type Hdf5Dataset, openHdf5 } from "../../src/data/hdf5.ts";
import { ContiguousBytes } from "../../src/data/hdf5-contiguous.ts";
import { loadHdf5, readsOf } from "../../src/data/hdf5-library.ts";
import type { NumericArray } from "../../src/data/hdf5-types.ts";
import { fixture } from "../helpers/fixtures.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";

const folder = testFolder();
const at = (name: string): string => join(folder, name);

/** 1.3 MB of float32: enough to be read past the library. */
const [rows, columns] = [8192, 40];
const values = Float32Array.from({ length: rows * columns }, (_, i) => (i % 65_537) / 4);
const doubles = Float64Array.from(values);
const plain: DatasetLayout = { shape: [rows, columns], dtype: "<f4" };

/** A file with `dataset`, [8192, 40]. */
async function fileWith(name: string, data: NumericArray, layout: DatasetLayout): Promise<string> {
  const file = await createHdf5(at(name));
  file.createDataset("dataset", layout).writeRows(0, rows, data);
  file.close();
  return at(name);
}

/** Opens `dataset` of a file for one test. */
async function using(path: string, use: (dataset: Hdf5Dataset) => void | Promise<void>): Promise<void> {
  const file = await openHdf5(path);
  try {
    await use(file.dataset("dataset"));
  } finally {
    file.close();
  }
}

/** Whether the library reads all rows itself, once it is known how they can be read; and that they are right. */
function readByLibrary(
  dataset: Hdf5Dataset,
  expected: NumericArray,
  target: NumericArray = new Float32Array(rows * columns),
): boolean {
  const read = () => dataset.readRows(0, rows, target);
  read();
  bytesOf(target).fill(0xff);
  const { reads } = readsOf(read);
  expect(bytesOf(target).equals(bytesOf(expected))).toBe(true);
  return reads.length > 0;
}

const bytesOf = (array: NumericArray): Buffer => Buffer.from(array.buffer, array.byteOffset, array.byteLength);

describe("a dataset that lies in its file as it does in memory", () => {
  it.each([
    ["float32", values, "<f4"],
    ["float64", doubles, "<f8"],
    ["int32", Int32Array.from(values), "<i4"],
  ] as const)("is read past the library: %s", async (_, data, dtype) => {
    const path = await fileWith("plain.h5", data, { shape: [rows, columns], dtype });
    await using(path, (dataset) => {
      expect(
        readByLibrary(
          dataset,
          data,
          data.map(() => 0),
        ),
      ).toBe(false);
    });
  });

  it("gives any run of rows, to any place of an array", async () => {
    const path = await fileWith("runs.h5", values, plain);
    await using(path, (dataset) => {
      dataset.readRows(0, rows, new Float32Array(values.length));
      fc.assert(
        fc.property(fc.nat(rows), fc.nat(rows), fc.nat(9), (a, b, offset) => {
          const [start, end] = [Math.min(a, b), Math.max(a, b)];
          const target = new Float32Array(offset + columns * (end - start) + 3).fill(7);
          const { reads } = readsOf(() => dataset.readRows(start, end - start, target.subarray(1), offset));
          expect(reads).toEqual([]);
          expect(target.subarray(0, offset + 1)).toEqual(new Float32Array(offset + 1).fill(7));
          const read = target.subarray(offset + 1, target.length - 2);
          expect(bytesOf(read).equals(bytesOf(values.subarray(start * columns, end * columns)))).toBe(true);
          expect(target.subarray(target.length - 2)).toEqual(Float32Array.of(7, 7));
        }),
        { numRuns: 50 },
      );
    });
  });

  it("is found behind a user block", async () => {
    const whole = readFileSync(await fileWith("bare.h5", values, plain));
    writeFileSync(at("block.h5"), Buffer.concat([Buffer.alloc(1024, "notes "), whole]));
    await using(at("block.h5"), (dataset) => expect(readByLibrary(dataset, values)).toBe(false));
  });

  it("is found among others", async () => {
    const file = await createHdf5(at("others.h5"));
    for (const name of ["a", "dataset", "z"]) {
      const data = name === "dataset" ? values : values.map((value) => value + 1);
      file.createDataset(name, plain).writeRows(0, rows, data);
    }
    file.close();
    await using(at("others.h5"), (dataset) => expect(readByLibrary(dataset, values)).toBe(false));
  });
});

describe("the library reads itself", () => {
  it.each([
    ["chunks", { ...plain, chunks: [512, columns] }],
    ["chunks that follow each other as contiguous data would", { ...plain, chunks: [rows, columns] }],
    ["compressed chunks", { ...plain, chunks: [512, columns], compression: 4 }],
  ])("%s", async (_, layout) => {
    const path = await fileWith("chunked.h5", values, layout);
    await using(path, (dataset) => expect(readByLibrary(dataset, values)).toBe(true));
  });

  it("what is of another type than the array", async () => {
    const path = await fileWith("double.h5", doubles, { ...plain, dtype: "<f8" });
    await using(path, (dataset) => expect(readByLibrary(dataset, values)).toBe(true));
  });

  it("big-endian numbers", async () => {
    // The library's wrapper writes little-endian floats only: this is the head of a file of h5py's.
    const head = readFileSync(fixture("hdf5/big-endian.h5"));
    writeFileSync(at("big.h5"), Buffer.concat([head, Buffer.from(bytesOf(values)).swap32()]));
    await using(at("big.h5"), (dataset) => {
      expect(dataset.dtype).toBe(">f4");
      expect(readByLibrary(dataset, values)).toBe(true);
    });
  });

  it("what was never written", async () => {
    const file = await createHdf5(at("unwritten.h5"));
    file.createDataset("dataset", plain);
    file.close();
    await using(at("unwritten.h5"), (dataset) => {
      const target = new Float32Array(values.length).fill(1);
      dataset.readRows(0, rows, target);
      expect(target.every((value) => value === 0)).toBe(true);
    });
  });

  it("a file that it writes", async () => {
    const file = await createHdf5(at("written.h5"));
    const dataset = file.createDataset("dataset", plain);
    dataset.writeRows(0, rows, values);
    expect(readByLibrary(dataset, values)).toBe(true);
    file.close();
  });

  it("a dataset that refers to another file", async () => {
    await fileWith("source.h5", values, plain);
    copyFileSync(fixture("hdf5/virtual.h5"), at("virtual.h5"));
    const middle = (rows / 2) * columns;
    const swapped = new Float32Array(values.length);
    swapped.set(values.subarray(middle));
    swapped.set(values.subarray(0, middle), values.length - middle);
    await using(at("virtual.h5"), (dataset) => expect(readByLibrary(dataset, swapped)).toBe(true));
  });

  it.each(["values.bin", "external.h5"])("a dataset whose bytes stand in %s, named in external.h5", async (name) => {
    writeFileSync(at("values.bin"), bytesOf(values));
    const whole = readFileSync(fixture("hdf5/external.h5"));
    const place = whole.indexOf("x".repeat(255));
    whole.fill(0, place, place + 255).write(at(name), place);
    // Where it names itself, its own bytes are the values: those of `values.bin` stand behind them.
    writeFileSync(at("external.h5"), Buffer.concat([whole, bytesOf(values)]));
    const expected = name === "values.bin" ? values : new Float32Array(values.length);
    if (name === "external.h5") readFileSync(at(name)).copy(Buffer.from(expected.buffer), 0, 0, values.byteLength);
    await using(at("external.h5"), (dataset) => expect(readByLibrary(dataset, expected)).toBe(true));
  });

  it("tables, and says that they hold no numbers", async () => {
    const h5 = await loadHdf5();
    const id = h5.open(at("table.h5"), h5.H5F_ACC_TRUNC, false, -1, -1);
    const member = { type: 1, size: 4, signed: true, littleEndian: true, vlen: false, cset: -1, shape: [] };
    const members = ["a", "b"].map((name, i) => ({ ...member, name, offset: 4 * i }));
    const type = {
      ...member,
      type: 6,
      size: 8,
      compound_type: { members, nmembers: 2 },
      total_size: values.length / 2,
    };
    const shape = [BigInt(values.length / 2)];
    const rest = { shape, maxshape: shape, chunks: null, compression: 0, compression_opts: [], track_order: false };
    const pointer = h5._malloc(values.byteLength);
    h5.HEAPU8.set(bytesOf(values), pointer);
    h5.create_dataset(id, "dataset", BigInt(pointer), { ...type, ...rest } as never);
    h5._free(pointer);
    h5.close_file(id);
    await using(at("table.h5"), async (dataset) => {
      expect(dataset.members?.map(({ dtype }) => dtype)).toEqual(["<f4", "<f4"]);
      const read = () => dataset.readRows(0, values.length / 2, new Float32Array(values.length));
      expect(await thrownBy(read, folder)).toContain("DataError: expected numbers, found type compound");
    });
  });
});

describe("where a dataset lies", () => {
  const find = (dataset: Hdf5Dataset) =>
    ContiguousBytes.find({ rows, rowBytes: dataset.rowBytes, readRow: (row) => dataset.rawRows(row, 1), where: "" });

  it("is told by the place where the library reads: equal values elsewhere prove nothing", async () => {
    const chunked = { ...plain, chunks: [512, columns] };
    const path = await fileWith("equal.h5", new Float32Array(values.length).fill(2), chunked);
    await using(path, (dataset) => expect(find(dataset)).toBeNull());
  });

  it("is of no use where the library changes the bytes on their way", async () => {
    const head = readFileSync(fixture("hdf5/big-endian.h5"));
    writeFileSync(at("changed.h5"), Buffer.concat([head, bytesOf(new Float32Array(values.length).fill(2))]));
    await using(at("changed.h5"), (dataset) => expect(find(dataset)).toBeNull());
  });

  it("is not looked for where there is one row, or none", async () => {
    const path = await fileWith("row.h5", values, plain);
    await using(path, (dataset) => {
      const { rowBytes } = dataset;
      const readRow = (row: number) => dataset.rawRows(row, 1);
      expect([0, 1].map((few) => ContiguousBytes.find({ rows: few, rowBytes, readRow, where: "" }))).toEqual([
        null,
        null,
      ]);
      expect(find(dataset)).not.toBeNull();
    });
  });
});

describe("a file that changes while it is open", () => {
  it.skipIf(process.platform === "win32")("is read on as it was where another takes its name", async () => {
    const path = await fileWith("replaced.h5", values, plain);
    const other = await fileWith("other.h5", values.map((value) => -value) as Float32Array, {
      ...plain,
      chunks: [8, columns],
    });
    await using(path, (dataset) => {
      dataset.readRows(0, rows, new Float32Array(values.length));
      renameSync(other, path);
      expect(readByLibrary(dataset, values)).toBe(false);
    });
    const negated = values.map((value) => -value);
    await using(path, (dataset) => expect(readByLibrary(dataset, negated)).toBe(true));
  });

  it("is an error where its end is cut off, for the rows that are gone", async () => {
    const path = await fileWith("cut.h5", values, plain);
    await using(path, async (dataset) => {
      const target = new Float32Array(values.length);
      dataset.readRows(0, rows, target);
      truncateSync(path, 500_000);
      expect(await thrownBy(() => dataset.readRows(0, rows, target), folder)).toMatchInlineSnapshot(`
        "DataError: the file was cut off while it was open
          at   …/cut.h5, dataset /dataset
          fix  copy or make it again: its end is missing"
      `);
      expect(await thrownBy(() => dataset.readRows(rows - 1, 1, target), folder)).toContain("cut off");
      target.fill(-1);
      dataset.readRows(0, 1000, target);
      const before = 1000 * columns;
      expect(bytesOf(target.subarray(0, before)).equals(bytesOf(values.subarray(0, before)))).toBe(true);
    });
  });

  it("is an error of the stream's where its end is cut off", async () => {
    const path = await fileWith("stream.h5", values, plain);
    const source = new StreamedRows(path, "dataset", [rows, columns]);
    try {
      expect(bytesOf(await source.load(0, rows)).equals(bytesOf(values))).toBe(true);
      truncateSync(path, 500_000);
      expect(await thrownBy(() => source.load(0, rows), folder)).toMatchInlineSnapshot(`
        "DataError: cannot read …/stream.h5: the file was cut off while it was open
          at   …/stream.h5
          fix  make the file again, or check the disk"
      `);
      expect([...(await source.load(0, 5))]).toEqual([...values.subarray(0, 5 * columns)]);
    } finally {
      await source.close();
    }
  });

  it("is not read once it is closed", async () => {
    const path = await fileWith("closed.h5", values, plain);
    const target = new Float32Array(values.length);
    let closed: Hdf5Dataset | undefined;
    await using(path, (dataset) => {
      dataset.readRows(0, rows, target);
      closed = dataset;
    });
    // Another file has the descriptor now.
    await using(await fileWith("next.h5", values, plain), async () => {
      expect(await thrownBy(() => closed?.readRows(0, rows, target), folder)).toMatch(/^DataError: cannot read/);
    });
  });
});
