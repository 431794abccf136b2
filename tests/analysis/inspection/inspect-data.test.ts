import { copyFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { hintsFor } from "../../../src/analysis/inspection/hints.ts";
import { inspectFile } from "../../../src/analysis/inspection/inspect-file.ts";
import type { DataInspection, FrameInspection } from "../../../src/analysis/inspection/inspection.ts";
import { createHdf5 } from "../../../src/data/hdf5.ts";
import { writeClean, writeSplits } from "../../data/clean-sample.ts";
import { testFolder, thrownBy } from "../../helpers/folder.ts";
import { makeRaw } from "../../helpers/make-raw.ts";
import { type RawRow, writeRawRows } from "../../helpers/raw-frame.ts";
import { options, settings } from "./settings.ts";

const folder = testFolder();
const at = (name: string): string => join(folder, name);

/** Two tracers of four rows, ten years apart. */
function rows(): RawRow[] {
  return Array.from({ length: 8 }, (_, i) => {
    const step = i % 4;
    return {
      Tracer: i < 4 ? 3 : 9,
      Time: 10 * (step + 1),
      Density: 2 + step,
      Av: 1,
      zeta: 1,
      H: 0.5,
      CO: 1e-5,
      "#CO": 1e-7,
    };
  });
}

async function inspected(name: string, changed: readonly RawRow[]): Promise<FrameInspection> {
  await writeRawRows(at(name), changed);
  const data = (await inspectFile(at(name), options)) as DataInspection;
  expect(data.kind).toBe("data");
  return data.frames[0]!;
}

describe("what preprocess will refuse or doubt", () => {
  it("is told: several points under one tracer", async () => {
    const points = rows().flatMap((row) => [1, 2].map((Point) => ({ ...row, Point, Time: row.Time! + Point })));
    const frame = await inspected("points.h5", points);
    expect(frame.problems).toEqual([
      "the rows of tracer 3 belong to 2 points (`Point` is 1, 2), and 1 other tracer likewise; make the tracer Tracer × Point: " +
        'frame["Tracer"] = frame.groupby(["Tracer", "Point"]).ngroup()',
    ]);
    const constant = await inspected(
      "point.h5",
      rows().map((row) => ({ ...row, Point: row.Tracer! })),
    );
    expect(constant.problems).toEqual([]);
  });

  it("is told: another unit, several histories under one id", async () => {
    const two = [0, 5].flatMap((shift) =>
      rows()
        .slice(0, 4)
        .map((row) => ({ ...row, Time: row.Time! + shift, H2: 1 })),
    );
    expect((await inspected("units.h5", two)).doubts).toEqual([
      "hydrogen nuclei sum to 2.5 instead of 1 in row 0 (the first of 8 such rows): abundances relative to H2? " +
        "Divide each row by its number of hydrogen nuclei (H + 2 H2 + …)",
      "the rows of tracer 3 go back in time once, first from 40 to 15 (rows 3 and 4): " +
        "they are sorted by time into one history. If an id stands for several, give each its own",
    ]);
    expect((await inspected("sound.h5", rows())).doubts).toEqual([]);
  });

  it("is not a solver's rounding, which counts as below the clipping", async () => {
    const frame = await inspected(
      "tiny.h5",
      rows().map((row, i) => ({ ...row, CO: i === 2 ? -1e-31 : 1e-5 })),
    );
    expect(frame.values).toMatchObject({ negative: 0, below_clipping: 1, bad_columns: [] });
  });
});

describe("a raw frame", () => {
  it("is told by its columns: tracers, conditions, species by phase", async () => {
    const frame = await inspected("plain.h5", rows());
    expect(frame).toMatchObject({ key: "df", form: "raw", rows: 8, text_columns: [], unknown_columns: [] });
    expect(frame.species).toEqual({ count: 3, gas: 2, surface: 1, bulk: 0, not_listed: ["#CO"], missing: ["H2"] });
    expect(frame.tracers).toEqual({
      column: "Tracer",
      count: 2,
      is_complete: true,
      rows: { min: 4, median: 4, max: 4 },
      time: { min: 10, max: 40 },
      spacing: { min: 10, median: 10, max: 10 },
      is_interleaved: false,
      unsorted_rows: 0,
      duplicate_rows: 0,
      duplicates_are_exact: true,
      rows_without_id: 0,
    });
    const density = frame.physical.find(({ name }) => name === "Density");
    expect(density).toMatchObject({ unit: "cm^-3", min: 2, median: 3.5, max: 5, range: [1, 100], below: 0, above: 0 });
    expect(frame.physical.map(({ name }) => name).sort()).toEqual(["Av", "Density", "Time", "zeta"]);
    expect(frame.values).toMatchObject({ nan: 0, negative: 0, largest: 0.5, bad_columns: [] });
  });

  it("has its bad values counted, with the first row of each column", async () => {
    const bad = rows();
    bad[2]!.CO = Number.NaN;
    bad[5]!.CO = -1;
    bad[6]!.H = Number.POSITIVE_INFINITY;
    bad[1]!.H = 0;
    bad[7]!.H = 1e-25;
    bad[0]!.H = 2;
    bad[3]!.Density = 1000;
    bad[4]!.Density = 0.5;
    const { values, physical } = await inspected("bad.h5", bad);
    expect(values).toMatchObject({ nan: 1, infinite: 1, negative: 1, zero: 1, below_clipping: 1, above_clipping: 1 });
    expect(values!.bad_columns.map(({ column, first_bad_row }) => [column, first_bad_row])).toEqual([
      ["CO", 2],
      ["H", 6],
    ]);
    expect(physical.find(({ name }) => name === "Density")).toMatchObject({ below: 1, above: 1, min: 0.5, max: 1000 });
  });

  it("has unsorted, interleaved and duplicate rows counted, neighbours or not", async () => {
    const [a, b, c, d, e, f, g, h] = rows() as [RawRow, RawRow, RawRow, RawRow, RawRow, RawRow, RawRow, RawRow];
    // Tracer 3: 20, 10, 30, 20 again; tracer 9 between them: 10, 20, 20, 40.
    const mixed = [b, e, a, f, c, { ...g, Time: 20 }, { ...d, Time: 20 }, h];
    const { tracers } = await inspected("mixed.h5", mixed);
    expect(tracers).toMatchObject({
      is_interleaved: true,
      unsorted_rows: 2,
      duplicate_rows: 2,
      duplicates_are_exact: true,
    });
    expect(tracers!.spacing).toEqual({ min: 10, median: 10, max: 20 });
  });

  it("has unknown columns, and columns that become one, named", async () => {
    const odd = rows().map(({ H, ...row }) => ({ ...row, radfield: 1, Radfield: 1, mood: 3, H: H! }));
    const frame = await inspected("odd.h5", odd);
    expect(frame.unknown_columns).toEqual(["mood"]);
    expect(frame.physical.at(-1)).toMatchObject({ column: "mood", median: 3, unit: "", range: null });
    expect(frame.repeated_columns).toEqual(["Radfield"]);
  });

  it("is not read with --quick", async () => {
    await writeRawRows(at("quick.h5"), rows());
    const data = (await inspectFile(at("quick.h5"), { ...options, isQuick: true })) as DataInspection;
    expect(data.frames[0]).toMatchObject({ rows: 8, tracers: null, values: null, physical: [] });
    expect(data.frames[0]!.species.count).toBe(3);
  });

  it("tells its progress, and ends where that throws", async () => {
    await writeRawRows(at("progress.h5"), rows());
    const told: number[] = [];
    await inspectFile(at("progress.h5"), { ...options, progress: (done, total) => told.push(done / total) });
    expect(told.at(-1)).toBe(1);
    const stop = new Error("stop");
    await expect(
      inspectFile(at("progress.h5"), {
        ...options,
        progress: () => {
          throw stop;
        },
      }),
    ).rejects.toBe(stop);
  });

  it("is read in blocks, the same in any order of its rows", async () => {
    const raw = { tracers: 40, steps: 50, species: 30, dtype: "<f4" } as const;
    await makeRaw({ ...raw, path: at("sorted.h5"), order: "sorted" });
    await makeRaw({ ...raw, path: at("interleaved.h5"), order: "interleaved", compression: 1 });
    const [sorted, mixed] = await Promise.all(
      ["sorted.h5", "interleaved.h5"].map(
        async (name) => ((await inspectFile(at(name), options)) as DataInspection).frames[0]!,
      ),
    );
    expect(sorted!.tracers).toMatchObject({ count: 40, rows: { min: 50, median: 50, max: 50 }, is_interleaved: false });
    expect(mixed!.tracers).toEqual({ ...sorted!.tracers, is_interleaved: true });
    expect(mixed!.physical).toEqual(sorted!.physical);
  });

  it.each(["raw.h5", "raw_table.h5", "raw_zlib_f32.h5", "clean.h5"])("that pandas wrote: %s", async (name) => {
    const path = join("tests/fixtures/golden/preprocess", name);
    const data = (await inspectFile(path, options)) as DataInspection;
    expect(data.form).toBe(name === "clean.h5" ? "clean" : "raw");
    for (const frame of data.frames) expect(frame.tracers!.count).toBeGreaterThan(0);
  });
});

describe("a clean file", () => {
  it("has both splits, and the tracers that stand in both", async () => {
    const path = await writeClean(folder, "clean.h5", { tracers: [5, 6] }, { tracers: [5] });
    const data = (await inspectFile(path, options)) as DataInspection;
    expect(data).toMatchObject({ form: "clean", shared_tracers: 1, unreadable: [] });
    expect(data.frames.map(({ key, rows }) => [key, rows])).toEqual([
      ["train", 11],
      ["val", 5],
    ]);
    expect(data.frames[0]!.attributes.astrochem_hash).toMatch(/^[\da-f]{64}$/);
  });

  it("may have test tracers, too, or these alone; the next step is to score them", async () => {
    const next = (data: DataInspection) =>
      hintsFor(data, { settings: options.settings, overrides: [], path: "c.h5" })
        .flatMap(({ command }) => command ?? [])
        .map((command) => command.replace(/ dataset\.physical\S+|'dataset\.physical[^']*'/g, "").replace(/ +/g, " "));
    const splits = { train: { tracers: [5] }, val: { tracers: [5, 5] }, test: { tracers: [5, 5, 5] } };
    const three = (await inspectFile(await writeSplits(folder, "three.h5", splits), options)) as DataInspection;
    // The first tracer stands in all of them, the second in two.
    expect(three).toMatchObject({ form: "clean", shared_tracers: 2 });
    expect(three.frames.map(({ key }) => key).sort()).toEqual(["test", "train", "val"]);
    expect(next(three).at(-1)).toBe("astrochem evaluate dataset.dataset_path=c.h5 split=test");
    const path = await writeSplits(folder, "alone.h5", { test: splits.test });
    const alone = (await inspectFile(path, options)) as DataInspection;
    expect(alone).toMatchObject({ form: "clean", shared_tracers: null });
    expect(next(alone)).toEqual(["astrochem evaluate split=test test_path=c.h5"]);
  });

  it("shows one frame alone with a key, and refuses one that is not there", async () => {
    const path = await writeClean(folder, "key.h5", { tracers: [5] }, { tracers: [5] });
    const data = (await inspectFile(path, { ...options, key: "val" })) as DataInspection;
    expect(data.frames.map(({ key }) => key)).toEqual(["val"]);
    expect(await thrownBy(() => inspectFile(path, { ...options, key: "df" }), folder)).toMatchInlineSnapshot(`
      "DataError: no key \`df\` in …/key.h5
        fix  keys in the file: train, val"
    `);
  });
});

describe("other HDF5 files", () => {
  it("have their datasets listed", async () => {
    const file = await createHdf5(at("other.h5"));
    file.createGroup("deep");
    file.createDataset("deep/values", { shape: [3, 2], dtype: "<f8" });
    file.close();
    expect(await inspectFile(at("other.h5"), options)).toMatchObject({
      kind: "hdf5",
      datasets: [{ name: "deep/values", shape: [3, 2], type: "f8" }],
    });
  });

  it("are caches where they say so", async () => {
    const file = await createHdf5(at("cache.h5"));
    file.createDataset("dataset", { shape: [7, 3], dtype: "<f4" });
    file.setAttribute("/", "astrochem_hash", "abc");
    file.setAttribute("/", "astrochem_parts", JSON.stringify({ seed: "0123" }));
    file.close();
    const found = await inspectFile(at("cache.h5"), options);
    expect(found).toMatchObject({ kind: "cache", hash: "abc", parts: { seed: "0123" } });
  });

  it("that claim more than they hold are refused, not read for ever", async () => {
    await writeRawRows(at("few.h5"), rows());
    const file = await createHdf5(at("claims.h5"));
    file.createGroup("df");
    const attributes = { pandas_type: "frame", nblocks: 1n, axis0_variety: "regular", axis1_variety: "regular" };
    for (const [name, value] of Object.entries(attributes)) file.setAttribute("df", name, value);
    file.writeStrings("df/axis0", ["Time", "Density"]);
    file.writeStrings("df/block0_items", ["Time", "Density"]);
    file.createDataset("df/block0_values", { shape: [2 ** 40, 2], dtype: "<f4" });
    file.createDataset("df/axis1", { shape: [2 ** 40], dtype: "<i8" });
    file.close();
    expect(await inspectFile(at("claims.h5"), options)).toMatchObject({
      kind: "hdf5",
      unreadable: [
        { key: "df", problem: expect.stringMatching(/claims 1099511627776 × 2 values, more than a file of/) },
      ],
    });
  });

  it("that claim more column names than any frame has are not read for ever either", async () => {
    const file = await createHdf5(at("names.h5"));
    file.createGroup("df");
    const attributes = { pandas_type: "frame", nblocks: 0n, axis0_variety: "regular", axis1_variety: "regular" };
    for (const [name, value] of Object.entries(attributes)) file.setAttribute("df", name, value);
    file.createDataset("df/axis0", { shape: [2 ** 40], dtype: "S8" });
    file.createDataset("df/axis1", { shape: [1], dtype: "<i8" });
    file.close();
    expect(await inspectFile(at("names.h5"), options)).toMatchObject({
      kind: "hdf5",
      unreadable: [{ key: "df", problem: expect.stringContaining("1099511627776 texts are too many to be names") }],
    });
  });

  it("are refused where they are cut off or no HDF5 at all", async () => {
    const path = await writeClean(folder, "whole.h5", { tracers: [5] }, { tracers: [5] });
    copyFileSync(path, at("cut.h5"));
    truncateSync(at("cut.h5"), 3000);
    writeFileSync(at("text.h5"), "not HDF5");
    expect(await thrownBy(() => inspectFile(at("cut.h5"), options), folder)).toMatch(/^DataError: the file is cut off/);
    expect(await thrownBy(() => inspectFile(at("text.h5"), options), folder)).toMatch(/^DataError: not an HDF5 file/);
  });
});

it("compares with what the configuration scales: nothing of a frame is outside of its own limits", async () => {
  const { physical } = await inspected("limits.h5", rows());
  for (const { name, min, max } of physical) {
    if (settings.ranges[name] === undefined) continue;
    const own = { ...settings, ranges: { ...settings.ranges, [name]: [min!, max!] as const } };
    const data = (await inspectFile(at("limits.h5"), { ...options, settings: own })) as DataInspection;
    expect(data.frames[0]!.physical.find((column) => column.name === name)).toMatchObject({ below: 0, above: 0 });
  }
});
