import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createHdf5, openHdf5 } from "../../src/data/hdf5.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";

const folder = testFolder();
const at = (name: string): string => join(folder, name);

/** A file with `/group/values`, [6, 2] float64: 0, 0.5, 1, … */
async function sampleFile(name: string): Promise<string> {
  const file = await createHdf5(at(name));
  file.createGroup("group");
  const values = file.createDataset("group/values", { shape: [6, 2], dtype: "<f8" });
  values.writeRows(
    0,
    6,
    Float64Array.from({ length: 12 }, (_, i) => i / 2),
  );
  file.close();
  return at(name);
}

describe("reading and writing", () => {
  it("gives back what was written, of every type", async () => {
    const file = await createHdf5(at("types.h5"));
    file.createDataset("f4", { shape: [2], dtype: "<f4" }).writeRows(0, 2, Float32Array.of(1.5, Number.NaN));
    file.createDataset("f8", { shape: [1, 2], dtype: "<f8" }).writeRows(0, 1, Float64Array.of(1e300, -0.1));
    file.createDataset("i4", { shape: [2], dtype: "<i4" }).writeRows(0, 2, Int32Array.of(-5, 7));
    file.createDataset("i8", { shape: [2], dtype: "<i8" }).writeRows(0, 2, BigInt64Array.of(5_000_000_000n, -1n));
    file.writeStrings("names", ["#CH3OH", "Å", ""]);
    file.close();

    const read = await openHdf5(at("types.h5"));
    expect(read.keys()).toEqual(["f4", "f8", "i4", "i8", "names"]);
    const floats = new Float32Array(2);
    read.dataset("f4").readRows(0, 2, floats);
    expect([...floats]).toEqual([1.5, Number.NaN]);
    const doubles = new Float64Array(2);
    read.dataset("/f8").readRows(0, 1, doubles);
    expect([...doubles]).toEqual([1e300, -0.1]);
    const integers = new Int32Array(2);
    read.dataset("i4").readRows(0, 2, integers);
    expect([...integers]).toEqual([-5, 7]);
    const longs = new BigInt64Array(2);
    read.dataset("i8").readRows(0, 2, longs);
    expect([...longs]).toEqual([5_000_000_000n, -1n]);
    expect(read.dataset("names").readStrings()).toEqual(["#CH3OH", "Å", ""]);
    read.close();
  });

  it("converts to the type of the array that it fills", async () => {
    const file = await createHdf5(at("convert.h5"));
    const doubles = file.createDataset("f8", { shape: [1], dtype: "<f8" });
    doubles.writeRows(0, 1, Float32Array.of(0.1));
    const longs = file.createDataset("i8", { shape: [1], dtype: "<i8" });
    longs.writeRows(0, 1, Int32Array.of(-3));
    const [float, double] = [new Float32Array(1), new Float64Array(1)];
    doubles.readRows(0, 1, double);
    expect(double[0]).toBe(Math.fround(0.1));
    longs.readRows(0, 1, float);
    expect(float[0]).toBe(-3);
    file.close();
  });

  it("reads any run of rows, contiguous or in compressed chunks, as slicing does", async () => {
    const values = Float32Array.from({ length: 150 }, (_, i) => i);
    const file = await createHdf5(at("runs.h5"));
    const plain = file.createDataset("plain", { shape: [50, 3], dtype: "<f4" });
    const packed = file.createDataset("packed", { shape: [50, 3], dtype: "<f4", chunks: [7, 3], compression: 4 });
    expect([plain.chunkRows, packed.chunkRows]).toEqual([1, 7]);
    for (const dataset of [plain, packed]) dataset.writeRows(0, 50, values);
    fc.assert(
      fc.property(fc.nat(50), fc.nat(50), fc.nat(9), (a, b, offset) => {
        const [start, end] = [Math.min(a, b), Math.max(a, b)];
        for (const dataset of [plain, packed]) {
          const target = new Float32Array(offset + 3 * (end - start));
          dataset.readRows(start, end - start, target, offset);
          expect([...target.subarray(offset)]).toEqual([...values.subarray(3 * start, 3 * end)]);
        }
      }),
    );
    file.close();
  });

  it("moves more than its buffer holds", async () => {
    const rows = 3_000_000; // 12 MB, of an 8 MB buffer
    const file = await createHdf5(at("large.h5"));
    const dataset = file.createDataset("x", { shape: [rows], dtype: "<f4" });
    const values = Float32Array.from({ length: rows }, (_, i) => i % 65_537);
    dataset.writeRows(0, rows, values);
    const back = new Float32Array(rows);
    dataset.readRows(0, rows, back);
    expect(Buffer.compare(Buffer.from(back.buffer), Buffer.from(values.buffer))).toBe(0);
    file.close();
  });

  it("has zeros where nothing was written", async () => {
    const file = await createHdf5(at("zeros.h5"));
    const dataset = file.createDataset("x", { shape: [4], dtype: "<f4" });
    dataset.writeRows(3, 1, Float32Array.of(1));
    const values = new Float32Array(4).fill(9);
    dataset.readRows(0, 4, values);
    expect([...values]).toEqual([0, 0, 0, 1]);
    file.close();
  });

  it("refuses rows that are not there", async () => {
    const file = await openHdf5(await sampleFile("range.h5"));
    const dataset = file.dataset("group/values");
    const target = new Float64Array(100);
    expect(await thrownBy(() => dataset.readRows(4, 3, target), folder)).toMatchInlineSnapshot(`
      "DataError: no rows 4 to 6: there are 6
        at   …/range.h5, dataset /group/values"
    `);
    for (const [start, count] of [
      [-1, 1],
      [0, Number.NaN],
      [0.5, 1],
      [7, 0],
    ] as const) {
      expect(() => dataset.readRows(start, count, target)).toThrow("no rows");
    }
    expect(() => dataset.readRows(0, 6, new Float64Array(11))).toThrow(RangeError);
    file.close();
  });

  it("keeps attributes: text, numbers, int64, nothing at all", async () => {
    const file = await createHdf5(at("attributes.h5"));
    file.createGroup("g");
    file.setAttribute("g", "text", "n_H ≥ 10⁴ cm⁻³");
    file.setAttribute("g", "empty", "");
    file.setAttribute("g", "number", 0.1);
    file.setAttribute("g", "integer", 9_007_199_254_740_993n);
    file.setAttribute("g", "text", "replaced");
    file.close();
    const read = await openHdf5(at("attributes.h5"));
    expect(["text", "empty", "number", "integer", "none"].map((name) => read.attribute("g", name))).toEqual([
      "replaced",
      "",
      0.1,
      9_007_199_254_740_993n,
      undefined,
    ]);
    expect(read.attribute("nowhere", "text")).toBeUndefined();
    read.close();
  });

  it("closes as often as one likes, and knows that it is closed", async () => {
    const file = await openHdf5(await sampleFile("closed.h5"));
    file.close();
    file.close();
    expect(() => file.keys()).toThrow("is closed");
  });
});

describe("bad files", () => {
  it("names a missing file", async () => {
    expect(await thrownBy(() => openHdf5(at("none.h5")), folder)).toMatchInlineSnapshot(`
      "DataError: no such file: …/none.h5
        fix  check the path"
    `);
  });

  it("names a folder", async () => {
    mkdirSync(at("folder"));
    expect(await thrownBy(() => openHdf5(at("folder")), folder)).toMatchInlineSnapshot(`
      "DataError: a folder, not a file: …/folder
        fix  give the HDF5 file's path"
    `);
  });

  it("names an empty file", async () => {
    writeFileSync(at("empty.h5"), "");
    expect(await thrownBy(() => openHdf5(at("empty.h5")), folder)).toMatchInlineSnapshot(`
      "DataError: the file is empty: …/empty.h5
        fix  make or copy it again"
    `);
  });

  it("names a file of another format", async () => {
    writeFileSync(at("text.h5"), "Time,Density\n1,2\n".repeat(100));
    expect(await thrownBy(() => openHdf5(at("text.h5")), folder)).toMatchInlineSnapshot(`
      "DataError: not an HDF5 file: …/text.h5
        fix  give a file in HDF5 format (for instance one that pandas' to_hdf wrote)"
    `);
  });

  it("names a file that is cut off, by one byte or by most", async () => {
    const whole = readFileSync(await sampleFile("whole.h5"));
    writeFileSync(at("cut.h5"), whole.subarray(0, whole.length - 1));
    const message = await thrownBy(() => openHdf5(at("cut.h5")), folder);
    expect(message.replaceAll(/\d{3,}/g, "…")).toMatchInlineSnapshot(`
      "DataError: the file is cut off: … of … bytes are there
        at   …/cut.h5
        fix  copy or make it again: its end is missing"
    `);
    for (const length of [8, 20, 96, 500, 1000]) {
      writeFileSync(at("cut.h5"), whole.subarray(0, length));
      expect(await thrownBy(() => openHdf5(at("cut.h5")), folder)).toMatch(/^DataError: (the file is cut|cannot open)/);
    }
  });

  it("survives bytes that were overwritten", async () => {
    const whole = readFileSync(await sampleFile("sound.h5"));
    for (let position = 16; position < whole.length; position += 29) {
      const damaged = Buffer.from(whole);
      damaged.fill(0xa5, position, position + 8);
      writeFileSync(at("damaged.h5"), damaged);
      try {
        const file = await openHdf5(at("damaged.h5"));
        file.keys();
        file.dataset("group/values").readRows(0, 6, new Float64Array(12));
        file.close();
      } catch (error) {
        expect((error as Error).name).toMatch(/DataError|RangeError/);
      }
    }
  });

  it("lists what is there where a dataset is absent", async () => {
    const file = await openHdf5(await sampleFile("absent.h5"));
    expect(await thrownBy(() => file.dataset("group/value"), folder)).toMatchInlineSnapshot(`
      "DataError: no dataset /group/value
        at   …/absent.h5
        fix  did you mean \`values\`? in /group there are: values"
    `);
    expect(await thrownBy(() => file.dataset("elsewhere/x"), folder)).toMatchInlineSnapshot(`
      "DataError: no dataset /elsewhere/x
        at   …/absent.h5
        fix  in / there are: group"
    `);
    expect(file.keys("elsewhere")).toEqual([]);
    file.close();
  });

  it("refuses a folder that does not exist for a new file", async () => {
    expect(await thrownBy(() => createHdf5(at("no/such/folder.h5")), folder)).toMatchInlineSnapshot(`
      "DataError: cannot create the file: No such file or directory
        at   …/no/such/folder.h5
        fix  check the folder and its permissions"
    `);
  });

  it.skipIf(!existsSync("/proc/self/fd"))("leaks no descriptor, whatever fails", async () => {
    writeFileSync(at("bad.h5"), Buffer.concat([Buffer.from("\x89HDF\r\n\x1a\n", "latin1"), Buffer.alloc(500)]));
    const sample = await sampleFile("leak.h5");
    const before = readdirSync("/proc/self/fd").length;
    for (let i = 0; i < 20; i++) {
      await openHdf5(at("bad.h5")).catch(() => {});
      const file = await openHdf5(sample);
      expect(() => file.dataset("none")).toThrow();
      expect(() => file.dataset("group/values").readVariable(0)).toThrow();
      file.close();
    }
    expect(readdirSync("/proc/self/fd").length).toBe(before);
  });
});

describe("a disk that fills up", () => {
  const script = `
    import { createHdf5 } from "./src/data/hdf5.ts";
    const file = await createHdf5(process.argv[1]);
    const dataset = file.createDataset("x", { shape: [4_000_000], dtype: "<f4" });
    dataset.writeRows(0, 4_000_000, new Float32Array(4_000_000).fill(1));
    file.close();`;

  it.skipIf(process.platform === "win32")("is an error at the write, with the remedy", () => {
    // A limit on the file's size stands in for the disk: the same errors at the same calls.
    const node = `'${process.execPath}' --import tsx --input-type=module -e '${script}' '${at("limited.h5")}'`;
    const result = spawnSync("bash", ["-c", `ulimit -f 4096; ${node}`], { encoding: "utf8" });
    expect(result.status).toBe(1);
    expect(result.stderr).toContain("cannot write rows");
    expect(result.stderr).toContain("the file would exceed the size limit");
    expect(result.stderr).not.toContain("HDF5-DIAG");
  });
});
