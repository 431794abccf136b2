import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openFrame } from "../../src/data/frame.ts";
import { openHdf5 } from "../../src/data/hdf5.ts";
import { preprocessDataset } from "../../src/data/preprocess.ts";
import { planColumns } from "../../src/data/preprocess-columns.ts";
import type { PreprocessOptions } from "../../src/data/preprocess-options.ts";
import type { StartState } from "../../src/data/start-rows.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";
import { makeRaw, rawSpecies, rawTracerId, rawValue } from "../helpers/make-raw.ts";
import { lackingPython, python } from "../helpers/python.ts";
import { type RawRow, writeRawRows } from "../helpers/raw-frame.ts";

const folder = testFolder();
const at = (name: string): string => join(folder, name);
const repository = fileURLToPath(new URL("../../", import.meta.url));
const golden = (name: string): string => join(repository, "tests/fixtures/golden/preprocess", name);
const silent = (): void => {};

const small: PreprocessOptions = {
  inputPath: at("raw.h5"),
  inputKey: "df",
  outputPath: at("out/clean.h5"),
  metadata: ["Index", "Model", "Time"],
  phys: ["Density", "Radfield", "Av", "gasTemp"],
  species: ["#CH4O", "H2"],
  columnsToDrop: ["zeta", "absent"],
  startState: start(Float64Array.of(1e-30, 0.5)),
  start: "configured",
  unevenSteps: "allow",
  clipping: { lower: 1e-20, upper: 1 },
  trainSplit: 1,
  seed: 42,
  minRadfield: 1e-4,
};

function start(abundances: Float64Array): StartState {
  return { abundances, name: "initial.npy" };
}

/** A sound row; what is given replaces its values. */
function row(tracer: number, time: number, other: RawRow = {}): RawRow {
  const conditions = { Density: 100 + time, radfield: 2, "Av ": 3, gasTemp: 10 + tracer };
  return { Tracer: tracer, Time: time, ...conditions, zeta: 1, "#CH3OH": 1e-6, H2: 0.25, ...other };
}

/** Preprocesses rows and reads the result back, column by column. */
async function clean(rows: RawRow[], other: Partial<PreprocessOptions> = {}): Promise<Record<string, number[]>> {
  const options = { ...small, ...other };
  await writeRawRows(options.inputPath, rows);
  await preprocessDataset(options, silent);
  return readClean(options.outputPath, "train");
}

async function readClean(path: string, key: string): Promise<Record<string, number[]>> {
  const frame = await openFrame(path, key);
  const values = new Float64Array(frame.rows * frame.columns.length);
  frame.read(0, frame.rows, frame.columns, values);
  const entries = frame.columns.map((name, column) => {
    return [name, Array.from({ length: frame.rows }, (_, i) => values[i * frame.columns.length + column]!)];
  });
  frame.close();
  return Object.fromEntries(entries) as Record<string, number[]>;
}

/** The error of preprocessing these rows; nothing may be left in the output's folder. */
async function failing(rows: RawRow[], other: Partial<PreprocessOptions> = {}): Promise<string> {
  const outputPath = at("failed/clean.h5");
  mkdirSync(at("failed"), { recursive: true });
  const message = await thrownBy(() => clean(rows, { outputPath, ...other }), folder);
  expect(readdirSync(at("failed"))).toEqual([]);
  return message;
}

describe("against the original's preprocessing", () => {
  const species = readFileSync(join(repository, "utils/species.txt"), "utf8").trimEnd().split("\n");
  const npy = readFileSync(join(repository, "utils/initial_abundances.npy"));
  const initial = new Float64Array(new Uint8Array(npy.subarray(npy.length - species.length * 8)).buffer);
  const drop = ["dustTemp", "dstep", "zeta", "SURFACE", "BULK"];

  it.each(["raw.h5", "raw_table.h5", "raw_zlib_f32.h5"])("makes of %s its clean.h5, value for value", async (name) => {
    const outputPath = at(`golden-${name}`);
    const own = { inputPath: golden(name), outputPath, species, columnsToDrop: drop, startState: start(initial) };
    await preprocessDataset({ ...small, ...own, trainSplit: 0.75 }, silent);
    for (const key of ["train", "val"]) {
      const [result, expected] = [await readClean(outputPath, key), await readClean(golden("clean.h5"), key)];
      expect(Object.keys(result)).toEqual(Object.keys(expected));
      for (const [column, values] of Object.entries(expected)) {
        expect([column, result[column]]).toEqual([column, values.map(Math.fround)]);
      }
    }
  });
});

describe("rows", () => {
  it("puts the start before each tracer and shifts the conditions to the step they act on", async () => {
    const result = await clean([row(7, 10), row(7, 20), row(2, 30), row(7, 35)]);
    expect(result).toEqual({
      Index: [0, 1, 2, 3, 4, 5],
      Model: [2, 2, 7, 7, 7, 7],
      Time: [0, 30, 0, 10, 20, 35],
      Density: [130, 130, 110, 120, 135, 135],
      Radfield: [2, 2, 2, 2, 2, 2],
      Av: [3, 3, 3, 3, 3, 3],
      gasTemp: [12, 12, 17, 17, 17, 17],
      "#CH4O": [1e-20, 1e-6, 1e-20, 1e-6, 1e-6, 1e-6].map(Math.fround),
      H2: [0.5, 0.25, 0.5, 0.25, 0.25, 0.25],
    });
  });

  it("keeps a tracer's own row at Time 0 as its start, whatever conditions it names", async () => {
    const start = row(1, 0, { Density: 0, radfield: 0, "Av ": 0, gasTemp: 0, H2: 0.3 });
    const result = await clean([row(1, 10), start, row(1, 20), row(4, 5)]);
    expect(result.Time).toEqual([0, 10, 20, 0, 5]);
    expect(result.Density).toEqual([110, 120, 120, 105, 105]);
    expect(result.H2).toEqual([0.3, 0.25, 0.25, 0.5, 0.25].map(Math.fround));
  });

  it("gives two rows to a tracer of one", async () => {
    const result = await clean([row(1, 10)]);
    expect([result.Time, result.Density]).toEqual([
      [0, 10],
      [110, 110],
    ]);
  });

  it("leaves a tracer that is one row at Time 0 as it is", async () => {
    expect((await clean([row(1, 0)])).Density).toEqual([100]);
  });

  it("raises the radiation field and clips the abundances, the start's too", async () => {
    const low = { radfield: 0, H2: 0, "#CH3OH": 1e-30 };
    const result = await clean([row(1, 10, low), row(1, 20, { radfield: 5, H2: 1.5 })]);
    expect(result.Radfield).toEqual([1e-4, 5, 5].map(Math.fround));
    expect(result.H2).toEqual([0.5, 1e-20, 1].map(Math.fround));
    expect(result["#CH4O"]).toEqual([1e-20, 1e-20, 1e-6].map(Math.fround));
  });

  it("raises what a solver's rounding made negative, and counts it", async () => {
    const logged: string[] = [];
    await writeRawRows(small.inputPath, [row(1, 10, { H2: -1e-31, "#CH3OH": -9e-21 }), row(1, 20)]);
    await preprocessDataset(small, (message) => logged.push(message));
    const result = await readClean(small.outputPath, "train");
    expect(result.H2![1]).toBe(Math.fround(1e-20));
    expect(result["#CH4O"]![1]).toBe(Math.fround(1e-20));
    expect(logged).toContain("raised 2 negative abundances (a solver's rounding, less than 1e-20 in size) to 1e-20");
  });

  it("warns of another unit and of several histories under one id, and goes on", async () => {
    const logged: string[] = [];
    const times = [10, 20, 30, 15, 25, 35];
    await writeRawRows(
      small.inputPath,
      times.map((time) => row(4, time, { H2: 2e4 })),
    );
    await preprocessDataset(small, (message) => logged.push(message));
    const warnings = logged.filter((message) => message.startsWith("warning") && !message.includes("one step"));
    expect(warnings).toEqual([
      "warning: hydrogen nuclei sum to 40000 instead of 1 in row 0, tracer 4 (the first of 6 such rows): " +
        "number densities (per cm^3)? Divide each row by its number of hydrogen nuclei (H + 2 H2 + …)",
      "warning: the rows of tracer 4 go back in time once, first from 30 to 15 (rows 2 and 3): " +
        "they are sorted by time into one history. If an id stands for several, give each its own",
    ]);
  });

  it("says nothing of the kind about sound rows", async () => {
    const logged: string[] = [];
    await writeRawRows(small.inputPath, [row(1, 10), row(2, 10), row(1, 20), row(2, 20)]);
    await preprocessDataset(small, (message) => logged.push(message));
    expect(logged.filter((message) => /warning|raised/.test(message))).toEqual([]);
  });

  it("makes the same of rows in any order", async () => {
    const rows = Array.from({ length: 60 }, (_, i) => row(i % 7, 10 * (i + 1), { H2: i / 100 }));
    const expected = await clean(rows);
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(rows, { minLength: rows.length }), async (shuffled) => {
        expect(await clean(shuffled)).toEqual(expected);
      }),
      { numRuns: 20 },
    );
  });

  it("cuts no tracer that is longer than its blocks", async () => {
    const inputPath = at("long.h5");
    const steps = 15_000; // of 211 columns: 12 MB, of 8 MB blocks
    await makeRaw({ path: inputPath, tracers: 2, steps, species: 206, order: "interleaved", dtype: "<f4" });
    const species = rawSpecies(206);
    const own = { inputPath, outputPath: at("long-clean.h5"), species, startState: start(new Float64Array(206)) };
    const summary = await preprocessDataset({ ...small, ...own }, silent);
    expect([summary.rows, summary.scattered]).toEqual([2 * (steps + 1), true]);
    const frame = await openFrame(own.outputPath, "train");
    const columns = ["Index", "Model", "Time", "Density", "X205"];
    const values = new Float64Array(frame.rows * columns.length);
    frame.read(0, frame.rows, columns, values);
    frame.close();
    for (let i = 0; i < frame.rows; i++) {
      const tracer = i <= steps ? 0 : 1;
      const step = i - tracer * (steps + 1);
      const time = step === 0 ? 0 : rawValue(tracer, step - 1, 0);
      const density = rawValue(tracer, Math.min(step, steps - 1), 1);
      const species = step === 0 ? 0 : rawValue(tracer, step - 1, 8 + 205);
      const expected = [i, rawTracerId(tracer), time, density, Math.max(species, 1e-20)].map(Math.fround);
      if (expected.some((value, j) => value !== Math.fround(values[i * 5 + j]!)))
        expect([...values.subarray(i * 5, i * 5 + 5)]).toEqual(expected);
    }
  });
});

describe("splits", () => {
  const ten = Array.from({ length: 10 }, (_, i) => row(100 + i, 10));

  it("gives the first tracers of NumPy's shuffle to train", async () => {
    // seed 42, n = 10: 8 1 5 0 7 2 9 | 4 3 6 (spec/original.md §3.7)
    await clean(ten, { trainSplit: 0.75 });
    const models = async (key: string) => [...new Set((await readClean(small.outputPath, key)).Model)];
    expect(await models("train")).toEqual([100, 101, 102, 105, 107, 108, 109]);
    expect(await models("val")).toEqual([103, 104, 106]);
  });

  it("gives the last tracers of the shuffle to test; who trains does not depend on them", async () => {
    await writeRawRows(small.inputPath, ten);
    const without = await preprocessDataset({ ...small, trainSplit: 0.75 }, silent);
    // By the hashes of what was written: HDF5 keeps the second in which it was.
    expect(await preprocessDataset({ ...small, trainSplit: 0.75, testSplit: 0 }, silent)).toEqual(without);
    const summary = await preprocessDataset({ ...small, trainSplit: 0.75, testSplit: 0.2 }, silent);
    const models = async (key: string) => [...new Set((await readClean(small.outputPath, key)).Model)];
    expect([await models("train"), await models("val"), await models("test")]).toEqual([
      [100, 101, 102, 105, 107, 108, 109],
      [104],
      [103, 106],
    ]);
    expect(summary).toMatchObject({ rows: 20, val: { tracers: 1, rows: 2 }, test: { tracers: 2, rows: 4 } });
    expect(summary.train).toEqual(without.train);
    expect(without.test).toBeUndefined();
  });

  it("writes a file of test tracers alone where all of them test", async () => {
    const said: string[] = [];
    await writeRawRows(small.inputPath, ten);
    const summary = await preprocessDataset({ ...small, trainSplit: 0, testSplit: 1 }, (message) => said.push(message));
    expect((await readClean(small.outputPath, "test")).Model).toHaveLength(20);
    expect(said.filter((line) => line.startsWith("wrote"))).toEqual(["wrote /test: 10 tracers, 20 rows × 9 columns"]);
    const absent = { tracers: 0, rows: 0, hash: "" };
    expect(summary).toMatchObject({ train: absent, val: absent, test: { tracers: 10, rows: 20 } });
    const file = await openHdf5(small.outputPath);
    expect(file.keys()).toEqual(["test"]);
    file.close();
  });

  it("keeps the Index of the whole in both", async () => {
    await clean(ten, { trainSplit: 0.75 });
    const index = async (key: string) => (await readClean(small.outputPath, key)).Index!;
    expect([...(await index("train")), ...(await index("val"))].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 20 }, (_, i) => i),
    );
  });

  it("may leave none to validate, but not none to train", async () => {
    expect((await clean(ten, { trainSplit: 1 })).Model).toHaveLength(20);
    expect((await readClean(small.outputPath, "val")).Model).toEqual([]);
    expect(await failing([row(1, 10)], { trainSplit: 0.75 })).toMatchInlineSnapshot(`
      "DataError: no tracer is left to train: 1 tracer, train_split 0.75
        at   …/raw.h5
        fix  give more tracers, or raise dataset.preprocessing.train_split"
    `);
    expect(await failing(ten, { trainSplit: 0.75, testSplit: 0.05 })).toContain(
      "no tracer is left to test: 10 tracers, test_split 0.05",
    );
  });
});

describe("what it says", () => {
  it("tells rows and columns at each step", async () => {
    const said: string[] = [];
    await writeRawRows(small.inputPath, [row(1, 10), row(1, 20), row(2, 0), row(3, 5, {}), row(3, 6)]);
    const done: number[] = [];
    const summary = await preprocessDataset(
      { ...small, trainSplit: 0.75 },
      (message) => said.push(message),
      (n, total) => done.push(n / total),
    );
    expect(said.map((line) => line.replace(folder, "…"))).toMatchInlineSnapshot(`
      [
        "read …/raw.h5: 5 rows × 9 columns",
        "renamed 3 columns",
        "dropped 1 column (zeta)",
        "start: 2 tracers from initial.npy, put before the rows at Time 0, 1 tracer from its own first row",
        "warning: rows are not one step apart: in tracer 3, its first row comes 5 yr after the start row at Time 0 (the first of 2 such steps of 4); the median step is 10 yr; the surrogate will take each row for one step of 10 yr",
        "sorted 3 tracers and added 2 start rows: 7 rows",
        "1 tracer with a single row",
        "wrote /train: 2 tracers, 4 rows × 9 columns",
        "wrote /val: 1 tracer, 3 rows × 9 columns",
      ]
    `);
    expect(done.at(-1)).toBe(1);
    expect(done).toEqual([...done].sort((a, b) => a - b));
    expect(summary).toMatchObject({ inputRows: 5, inputColumns: 9, tracers: 3, rows: 7, oneRowTracers: 1 });
  });

  it("keeps hash, version and settings with the data", async () => {
    await writeRawRows(small.inputPath, [row(1, 10), row(2, 10)]);
    const { train } = await preprocessDataset(small, silent);
    const frame = await openFrame(small.outputPath, "train");
    expect(frame.attribute("astrochem_hash")).toBe(train.hash);
    expect(frame.attribute("astrochem_format_version")).toBe("1");
    expect(JSON.parse(frame.attribute("astrochem_settings")!)).toMatchObject({ seed: 42, min_radfield: 1e-4 });
    frame.close();
  });

  const lacking = lackingPython("pandas", "tables");
  it.skipIf(lacking !== undefined)(
    `numbers tracers that have names${lacking ? ` (skipped: ${lacking})` : ""}`,
    async () => {
      python(
        `
import sys, pandas as pd
df = pd.DataFrame({"Tracer": ["b2", "a", "b2"], "Time": [20., 5., 10.], "Density": 1., "radfield": 1., "Av": 1., "gasTemp": 1.,
                   "#CH3OH": 1e-6, "H2": [0.2, 0.5, 0.1]})
df.to_hdf(sys.argv[1], key="df")`,
        at("names.h5"),
      );
      const outputPath = at("names-clean.h5");
      const said: string[] = [];
      await preprocessDataset({ ...small, inputPath: at("names.h5"), outputPath }, (message) => said.push(message));
      expect((await readClean(outputPath, "train")).Model).toEqual([0, 0, 1, 1, 1]);
      const file = await openHdf5(outputPath);
      expect(file.dataset("tracers").readStrings()).toEqual(["a", "b2"]);
      file.close();
      expect(said.join("\n")).toContain("Model is their position in ascending order");
    },
  );
});

describe("bad input is a clear error and leaves no file", () => {
  it("names a missing file and a missing key", async () => {
    const absent = { ...small, inputPath: at("absent.h5") };
    expect(await thrownBy(() => preprocessDataset(absent, silent), folder)).toContain("no such file");
    expect(await failing([row(1, 10)], { inputKey: "data" })).toMatchInlineSnapshot(`
      "DataError: no key \`data\` in …/raw.h5
        fix  keys in the file: df"
    `);
  });

  it("names a file that is cut off", async () => {
    await writeRawRows(at("whole.h5"), [row(1, 10)]);
    const bytes = readFileSync(at("whole.h5"));
    writeFileSync(at("cut.h5"), bytes.subarray(0, bytes.length - 10));
    const message = await thrownBy(() => preprocessDataset({ ...small, inputPath: at("cut.h5") }, silent), folder);
    expect(message).toContain("the file is cut off");
  });

  it("names missing columns and what raw files call them", async () => {
    const { "#CH3OH": _, H2: __, ...bare } = row(1, 10);
    expect(await failing([bare as RawRow])).toMatchInlineSnapshot(`
      "DataError: 2 columns are missing: \`#CH4O\` (raw files call it \`#CH3OH\`), \`H2\`
        at   …/raw.h5, key df
        fix  add them to the file, or correct the species list and the physical parameters of the dataset's config"
    `);
    const { Tracer: ___, ...anonymous } = row(1, 10);
    expect(await failing([anonymous as RawRow])).toContain("`Model` (raw files call it `Tracer`)");
    expect(await failing([row(1, 10)], { columnsToDrop: ["H2"] })).toContain("`H2` (listed under columns_to_drop)");
  });

  it("names columns that become one", async () => {
    expect(await failing([{ ...row(1, 10), Radfield: 1 }])).toMatchInlineSnapshot(`
      "DataError: the columns \`Radfield\` and \`radfield\` are both \`Radfield\` after renaming
        at   …/raw.h5, key df
        fix  list the one you do not want under columns_to_drop: Radfield or radfield"
    `);
  });

  it("leaves two species two where renaming would make them one", async () => {
    const both = { ...row(1, 10), "#CH4O": 1 };
    const said: string[] = [];
    await writeRawRows(small.inputPath, [both]);
    await preprocessDataset(small, (message) => said.push(message));
    expect(said).toContain("took columns by their own names: #CH4O beside #CH3OH; not renamed");
    expect((await readClean(small.outputPath, "train"))["#CH4O"]).toEqual([1e-20, 1].map(Math.fround));
    expect((await clean([both], { columnsToDrop: ["#CH4O"] }))["#CH4O"]![1]).not.toBe(1);
  });

  it("writes a list's own spelling, whatever the file's", async () => {
    const own = { species: ["#CH3OH", "H2"] };
    expect(Object.keys(await clean([row(1, 10)], own))).toContain("#CH3OH");
    const { "#CH3OH": methanol, ...rest } = row(1, 10) as Record<string, number>;
    const renamed = { ...rest, "#CH4O": methanol } as unknown as RawRow;
    expect((await clean([renamed], own))["#CH3OH"]![1]).toBe(Math.fround(methanol!));
  });

  it("says which of two columns a species may be, and never suggests another molecule", async () => {
    const { "#CH3OH": _, ...rest } = row(1, 10) as Record<string, number>;
    const rows = (more: object): RawRow[] => [{ ...rest, ...more } as unknown as RawRow];
    const two = await failing(rows({ "#HCOOH": 1e-9, "#HCO2H": 1e-9 }), { species: ["#H2CO2", "H2"] });
    expect(two).toContain("`#H2CO2` (`#HCOOH` or `#HCO2H`? list the species by them)");
    expect(await failing(rows({ "#CH3O": 1 }), { species: ["#CH3OH", "H2"] })).toContain("missing: `#CH3OH`\n");
  });

  it("names row and column of the first impossible value, and counts them", async () => {
    const rows = [
      row(1, 10),
      row(1, 20, { H2: -1e-10 }),
      row(1, 30, { "#CH3OH": Number.NaN, H2: Number.POSITIVE_INFINITY }),
    ];
    expect(await failing(rows)).toMatchInlineSnapshot(`
      "DataError: column \`H2\` is -1e-10 in row 1 (the first of 3 bad values): an abundance must be finite and not negative
        at   …/raw.h5, key df
        fix  repair or remove these rows"
    `);
  });

  it.each([
    ["Density", 0],
    ["Density", -5],
    ["Av ", Number.NaN],
    ["gasTemp", Number.POSITIVE_INFINITY],
    ["radfield", Number.NaN],
    ["Time", Number.NaN],
    ["Time", -1],
  ])("refuses %s = %d", async (column, value) => {
    const message = await failing([row(1, 10), { ...row(1, 20), [column]: value }]);
    expect(message).toContain(`column \`${column}\` is ${value} in row 1: `);
  });

  it("refuses a lone row at Time 0 without conditions", async () => {
    expect(await failing([row(1, 0, { Density: 0 })])).toMatchInlineSnapshot(`
      "DataError: tracer 1 has one row only, and its Density is 0
        fix  remove this tracer: it has no conditions"
    `);
  });

  it("names the tracer and time of a row that is there twice", async () => {
    expect(await failing([row(1, 10), row(5, 20), row(1, 30), row(5, 20)])).toMatchInlineSnapshot(`
      "DataError: tracer 5 has two rows at time 20: rows 1 and 3
        at   …/raw.h5, key df
        fix  remove one of them, or give the tracers different ids"
    `);
  });

  it.each([0, 0.5])("names the points that one tracer has, with times that differ by %d years", async (shift) => {
    const parcel = (Point: number): RawRow[] =>
      [10, 20, 30].map((time) => row(7, time + shift * Point, { Point, parcel_radius: 0.1 * Point }));
    expect(await failing([...parcel(1), ...parcel(2)])).toMatchInlineSnapshot(`
      "DataError: the rows of tracer 7 belong to 2 points (\`Point\` is 1, 2)
        at   …/raw.h5, key df
        fix  make the tracer Tracer × Point: frame["Tracer"] = frame.groupby(["Tracer", "Point"]).ngroup()"
    `);
  });

  it("says which column has the same name but for case, however short", () => {
    const raw = ["tracer", "Time", "Density", "RADFIELD", "av", "gasTemp", "#CH3OH", "h2"];
    expect(() => planColumns(raw, small, "raw.h5")).toThrowErrorMatchingInlineSnapshot(`
      [DataError: 4 columns are missing: \`Model\` (raw files call it \`Tracer\`; is it \`tracer\`?), \`Radfield\` (raw files call it \`radfield\`; is it \`RADFIELD\`?), \`Av\` (is it \`av\`?), \`H2\` (is it \`h2\`?)
        at   raw.h5
        fix  frame = frame.rename(columns={"tracer": "Tracer", "RADFIELD": "radfield", "av": "Av", "h2": "H2"}); or add them to the file, or correct the species list and the physical parameters of the dataset's config]
    `);
  });

  it("refuses a frame without rows", async () => {
    await writeRawRows(at("none.h5"), []);
    const file = await thrownBy(() => preprocessDataset({ ...small, inputPath: at("none.h5") }, silent), folder);
    expect(file).toContain("missing");
    const options = {
      ...small,
      inputPath: at("none.h5"),
      phys: [],
      species: [],
      startState: start(new Float64Array(0)),
    };
    expect(await thrownBy(() => preprocessDataset(options, silent), folder)).toContain("the frame has no rows");
  });

  it("refuses an output where none can be, and one that would replace the input", async () => {
    writeFileSync(at("file"), "");
    const blocked = { ...small, outputPath: at("file/clean.h5") };
    await writeRawRows(small.inputPath, [row(1, 10)]);
    expect(await thrownBy(() => preprocessDataset(blocked, silent), folder)).toContain(
      "DataError: cannot write …/file/clean.h5",
    );
    const same = { ...small, outputPath: small.inputPath };
    expect(await thrownBy(() => preprocessDataset(same, silent), folder)).toMatchInlineSnapshot(`
      "ConfigError: the output would replace the input: …/raw.h5
        fix  give another dataset.preprocessing.output_path"
    `);
  });

  it.skipIf(process.platform === "win32")("leaves nothing on a disk that fills up, sorted or not", async () => {
    mkdirSync(at("full"));
    for (const order of ["sorted", "interleaved"] as const) {
      await makeRaw({ path: at(`${order}.h5`), tracers: 200, steps: 100, species: 100, order, dtype: "<f4" });
    }
    const script = `
      import { preprocessDataset } from "./src/data/preprocess.ts";
      const [options, ...inputs] = process.argv.slice(1);
      for (const inputPath of inputs) {
        const own = { ...JSON.parse(options), inputPath, startState: { abundances: new Float64Array(100), name: "initial.npy" } };
        await preprocessDataset(own, () => {}).catch((error) => console.log(error.name + ": " + error.message));
      }`;
    const options = JSON.stringify({ ...small, outputPath: at("full/clean.h5"), species: rawSpecies(100) });
    const inputs = `'${options}' '${at("sorted.h5")}' '${at("interleaved.h5")}'`;
    // A limit on the size of files stands in for the disk: 4 MB of the 8.6 MB that are to be written.
    const command = `ulimit -f 4096; '${process.execPath}' --import tsx --input-type=module -e '${script}' ${inputs}`;
    const result = spawnSync("bash", ["-c", command], { encoding: "utf8", cwd: repository });
    expect(result.stderr).toBe("");
    const message = result.stdout.replaceAll(folder, "…").replaceAll(/\.clean\.h5\.[^, ]*/g, "(temporary)");
    expect(message).toMatchInlineSnapshot(`
      "DataError: cannot write rows 0 to 19970: the file would exceed the size limit
        at   …/full/(temporary), dataset /train/block0_values
        fix  raise the limit (ulimit -f), or write elsewhere
      DataError: cannot write the temporary file of sorted rows: EFBIG: file too large, write
        at   …/full/clean.h5
        fix  free some disk space, or write elsewhere
      "
    `);
    expect(readdirSync(at("full"))).toEqual([]);
  });
});
