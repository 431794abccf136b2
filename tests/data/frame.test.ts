import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrameWriter, openFrame } from "../../src/data/frame.ts";
import { createHdf5 } from "../../src/data/hdf5.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";
import { lackingPython, python } from "../helpers/python.ts";

const folder = testFolder();
const at = (name: string): string => join(folder, name);
const golden = (name: string): string =>
  fileURLToPath(new URL(`../fixtures/golden/preprocess/${name}`, import.meta.url));

/** Some columns of some rows, as a list. */
async function readSome(path: string, key: string, columns: string[], start = 0, count?: number): Promise<number[]> {
  const frame = await openFrame(path, key);
  const rows = count ?? frame.rows - start;
  const values = new Float64Array(rows * columns.length);
  frame.read(start, rows, columns, values);
  frame.close();
  return [...values];
}

/** Writes rows of (Index, Model, Time, H) at `/train`. */
async function writeSample(path: string, rows: number, blocks: number[] = [rows]): Promise<string> {
  const file = await createHdf5(path);
  const columns = { float32: ["Time", "H"], int64: ["Index", "Model"], order: ["Index", "Model", "Time", "H"] };
  const writer = new FrameWriter(file, "train", columns, rows);
  let row = 0;
  for (const count of blocks) {
    const floats = Float32Array.from({ length: 2 * count }, (_, i) => (2 * row + i) / 8);
    const integers = BigInt64Array.from({ length: 2 * count }, (_, i) => 2n ** 40n + BigInt(2 * row + i));
    writer.append(floats, integers, count);
    row += count;
  }
  const hash = writer.finish({ note: "≤ 10" });
  file.close();
  return hash;
}

describe("reading what pandas wrote", () => {
  // By pandas: read_hdf(raw.h5, "df").loc[:3, ["Time ", "Tracer"]]
  const times = [836.1, 27498.4, 16722, 1858];
  const tracers = [10, 3, 3, 45];

  it("reads the fixed format, in the order asked for", async () => {
    const values = await readSome(golden("raw.h5"), "df", ["Tracer", "Time "], 0, 4);
    expect(values).toEqual(times.flatMap((time, i) => [tracers[i], time]));
  });

  it("reads the table format", async () => {
    const values = await readSome(golden("raw_table.h5"), "df", ["Time", "Tracer"], 0, 4);
    expect(values).toEqual(times.flatMap((time, i) => [time, tracers[i]]));
  });

  it("reads compressed float32", async () => {
    const values = await readSome(golden("raw_zlib_f32.h5"), "df", ["Time "], 0, 4);
    expect(values).toEqual(times.map(Math.fround));
  });

  it("gives the same numbers from all three, in any block of rows", async () => {
    const fixed = await openFrame(golden("raw.h5"), "df");
    const others = [await openFrame(golden("raw_table.h5"), "df"), await openFrame(golden("raw_zlib_f32.h5"), "df")];
    const names = fixed.columns.map((name) => name.trim());
    fc.assert(
      fc.property(
        fc.nat(70),
        fc.nat(70),
        fc.shuffledSubarray(names, { minLength: 1, maxLength: 40 }),
        (a, b, picked) => {
          const [start, count] = [Math.min(a, b), Math.abs(a - b) + 1];
          const [expected, ...read] = [fixed, ...others].map((frame) => {
            const columns = picked.map((name) => frame.columns.find((column) => column.trim() === name)!);
            const target = new Float32Array(count * columns.length);
            frame.read(start, count, columns, target);
            return target;
          });
          for (const values of read) expect(values).toEqual(expected);
        },
      ),
      { numRuns: 40 },
    );
    for (const frame of [fixed, ...others]) frame.close();
  });

  it("gives tracer ids as codes, in ascending order", async () => {
    const frame = await openFrame(golden("raw.h5"), "df");
    const { values, codes } = frame.labels("Tracer");
    expect(values).toEqual([...values].sort((a, b) => Number(a) - Number(b)));
    expect([...codes.subarray(0, 4)].map((code) => values[code])).toEqual(tracers);
    frame.close();
  });

  const lacking = lackingPython("pandas", "tables");
  it.skipIf(lacking !== undefined)(
    `reads text, in both formats${lacking ? ` (skipped: ${lacking})` : ""}`,
    async () => {
      python(
        `
import sys, pandas as pd, numpy as np
df = pd.DataFrame({"x": [1., 2., 3.], "Tracer": ["b", "a", "bé"], "other": ["u", "v", "w"], "flag": [True, False, True],
                   "small": np.array([1, -2, 3], dtype="i2")}, index=["r", "s", "t"])
df.to_hdf(sys.argv[1], key="fixed")
df.astype({"Tracer": object, "other": object}).to_hdf(sys.argv[1], key="objects")
df.to_hdf(sys.argv[1], key="table", format="table")
df.to_hdf(sys.argv[1], key="columns", format="table", data_columns=True)
df.assign(Tracer=pd.Categorical(df.Tracer)).to_hdf(sys.argv[1], key="categories", format="table")`,
        at("text.h5"),
      );
      for (const key of ["fixed", "objects", "table", "columns"]) {
        const frame = await openFrame(at("text.h5"), key);
        expect(frame.rows).toBe(3);
        expect([...frame.columns].sort()).toEqual(["Tracer", "flag", "other", "small", "x"]);
        const { values, codes } = frame.labels("Tracer");
        expect([key, values, [...codes]]).toEqual([key, ["a", "b", "bé"], [1, 0, 2]]);
        expect(frame.labels("other").values).toEqual(["u", "v", "w"]);
        const numbers = new Float64Array(6);
        frame.read(0, 3, ["small", "x"], numbers);
        expect([...numbers]).toEqual([1, 1, -2, 2, 3, 3]);
        expect(() => frame.read(0, 1, ["flag"], numbers)).toThrow("column `flag` holds True and False (bool)");
        expect(() => frame.read(0, 1, ["Tracer"], numbers)).toThrow("column `Tracer` holds text, expected numbers");
        frame.close();
      }
      const frame = await openFrame(at("text.h5"), "categories");
      expect(() => frame.labels("Tracer")).toThrow("column `Tracer` is categorical");
      frame.close();
    },
  );

  it.skipIf(lacking !== undefined)("reads a frame without rows", async () => {
    python(
      `
import sys, pandas as pd
df = pd.DataFrame({"Time": pd.Series([], dtype="f8"), "Tracer": pd.Series([], dtype="i8")})
df.to_hdf(sys.argv[1], key="df")`,
      at("none.h5"),
    );
    const frame = await openFrame(at("none.h5"), "df");
    expect([frame.rows, frame.columns, frame.labels("Tracer").values]).toEqual([0, ["Time", "Tracer"], []]);
    frame.close();
  });
});

describe("what cannot be read", () => {
  it("lists the keys where there is no such key", async () => {
    expect(await thrownBy(() => openFrame(golden("clean.h5"), "df"), "tests/")).toContain(
      "fix  keys in the file: train, val",
    );
  });

  it("says where a key holds something else", async () => {
    const file = await createHdf5(at("array.h5"));
    file.createDataset("df", { shape: [3], dtype: "<f4" });
    file.close();
    expect(await thrownBy(() => openFrame(at("array.h5"), "df"), folder)).toMatchInlineSnapshot(`
      "DataError: the key \`df\` holds no pandas frame
        at   …/array.h5, key df
        fix  write it with DataFrame.to_hdf(path, key=…), format fixed or table"
    `);
  });

  it("suggests the nearest column", async () => {
    await writeSample(at("columns.h5"), 2);
    expect(await thrownBy(() => readSome(at("columns.h5"), "train", ["Modell"]), folder)).toMatchInlineSnapshot(`
      "DataError: no column \`Modell\`
        at   …/columns.h5, key train
        fix  did you mean \`Model\`?"
    `);
    expect(await thrownBy(() => readSome(at("columns.h5"), "train", ["Density"]), folder)).toMatchInlineSnapshot(`
      "DataError: no column \`Density\`
        at   …/columns.h5, key train
        fix  columns: Index, Model, Time, H"
    `);
  });

  it("refuses rows that are not there", async () => {
    await writeSample(at("rows.h5"), 2);
    await expect(readSome(at("rows.h5"), "train", ["Time"], 1, 2)).rejects.toThrow(RangeError);
  });
});

describe("FrameWriter", () => {
  it("writes what openFrame reads", async () => {
    const hash = await writeSample(at("written.h5"), 3, [2, 1]);
    const values = await readSome(at("written.h5"), "train", ["H", "Model", "Time"], 1);
    expect(values).toEqual([3 / 8, 2 ** 40 + 3, 2 / 8, 5 / 8, 2 ** 40 + 5, 4 / 8]);
    const frame = await openFrame(at("written.h5"), "train");
    expect(frame.columns).toEqual(["Index", "Model", "Time", "H"]);
    expect(frame.attribute("note")).toBe("≤ 10");
    expect(frame.attribute("astrochem_hash")).toBe(hash);
    expect(frame.attribute("astrochem_format_version")).toBe("1");
    frame.close();
  });

  it("has one hash for the same values in whatever blocks, and another for others", async () => {
    const whole = await writeSample(at("hash.h5"), 5);
    expect(await writeSample(at("hash.h5"), 5, [1, 3, 1])).toBe(whole);
    expect(await writeSample(at("hash.h5"), 4)).not.toBe(whole);
  });

  it("refuses more or fewer rows than announced", async () => {
    await expect(writeSample(at("more.h5"), 2, [3])).rejects.toThrow("more rows than the 2 announced");
    await expect(writeSample(at("fewer.h5"), 2, [1])).rejects.toThrow("1 rows written of the 2 announced");
  });

  const lacking = lackingPython("pandas", "tables");
  it.skipIf(lacking !== undefined)(`writes what pandas reads${lacking ? ` (skipped: ${lacking})` : ""}`, async () => {
    await writeSample(at("pandas.h5"), 2);
    await writeSample(at("nothing.h5"), 0);
    const printed = python(
      `
import sys, warnings, pandas as pd
warnings.simplefilter("error")
for path in sys.argv[1:]:
    df = pd.read_hdf(path, "train")
    print(df.shape, [str(t) for t in df.dtypes], df.columns.name, df.index.name, list(df.index), df.values.tolist())`,
      at("pandas.h5"),
      at("nothing.h5"),
    );
    expect(printed).toMatchInlineSnapshot(`
      "(2, 4) ['int64', 'int64', 'float32', 'float32'] None None [0, 1] [[1099511627776.0, 1099511627777.0, 0.0, 0.125], [1099511627778.0, 1099511627779.0, 0.25, 0.375]]
      (0, 4) ['int64', 'int64', 'float32', 'float32'] None None [] []
      "
    `);
  });
});

describe("a frame that cannot be trusted", () => {
  it("is refused where a newer version wrote it", async () => {
    const file = await createHdf5(at("newer.h5"));
    new FrameWriter(file, "train", { float32: ["H"], int64: ["Model"], order: ["Model", "H"] }, 0).finish();
    file.setAttribute("train", "astrochem_format_version", "7");
    file.close();
    expect(await thrownBy(() => openFrame(at("newer.h5"), "train"), folder)).toMatchInlineSnapshot(`
      "DataError: …/newer.h5 has clean data format 7; this version reads 1
        at   …/newer.h5
        fix  use the version of astrochem that wrote it, or a newer one"
    `);
  });

  it("is refused where it claims more rows than its file can hold", async () => {
    const file = await createHdf5(at("endless.h5"));
    const columns = { float32: ["H"], int64: ["Model"], order: ["Model", "H"] };
    new FrameWriter(file, "train", columns, 2 ** 40);
    for (const [name, value] of Object.entries({ pandas_type: "frame", nblocks: 2n, axis0_variety: "regular" })) {
      file.setAttribute("train", name, value);
    }
    file.setAttribute("train", "axis1_variety", "regular");
    file.createDataset("train/axis1", { shape: [2 ** 40], dtype: "<i8" });
    file.close();
    const told = await thrownBy(() => openFrame(at("endless.h5"), "train"), folder);
    expect(told.replace(/file of \d+ bytes/, "file of … bytes")).toMatchInlineSnapshot(`
      "DataError: the dataset claims 1099511627776 × 1 values, more than a file of … bytes holds
        at   …/endless.h5, dataset /train/block0_values
        fix  the file is damaged or was never finished: make or copy it again"
    `);
  });

  it("is refused where one chunk takes more memory than there should be", async () => {
    const file = await createHdf5(at("chunk.h5"));
    const data = file.createDataset("x", { shape: [2 ** 26, 1], dtype: "<f8", chunks: [2 ** 26, 1], compression: 1 });
    expect(await thrownBy(() => data.readRows(0, 1, new Float64Array(1)), folder)).toMatchInlineSnapshot(`
      "DataError: a chunk takes 536870912 bytes, more than 268435456
        at   …/chunk.h5, dataset /x
        fix  store the data with smaller chunks"
    `);
    file.close();
  });
});
