import { copyFileSync, existsSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FrameWriter } from "../../src/data/frame.ts";
import { createHdf5 } from "../../src/data/hdf5.ts";
import { preprocessDataset } from "../../src/data/preprocess.ts";
import type { PreprocessOptions } from "../../src/data/preprocess-options.ts";
import { writeShard } from "../../src/data/preprocess-shards.ts";
import { shardPath } from "../../src/data/shard-format.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";

const folder = testFolder();
const at = (name: string): string => join(folder, name);
const silent = (): void => {};
const command = (index: number): string => `astrochem preprocess shard=${index}`;

// HDF5 notes in each dataset the second in which it was made: all else is to be the same.
beforeEach(() => vi.useFakeTimers({ toFake: ["Date"], now: new Date(2026, 10, 27) }));
afterEach(() => vi.useRealTimers());

type Row = Record<string, number>;

/** Histories of uneven lengths with values that float32 does not hold, row by row of time, not of tracer. */
function histories(ids: readonly number[], { first = 10, id = "Tracer" } = {}): Row[] {
  const rows = ids.flatMap((tracer, k) =>
    Array.from({ length: 2 + (tracer % 5) }, (_, step) => ({
      [id]: tracer,
      Time: first + 10 * step,
      nH: 100 / 3 + tracer + step / 7,
      radfield: 1e-5 * (1 + step),
      Av: 3.3,
      gasTemp: 10 + tracer / 9,
      H: 0.5,
      // The totals of some tracers are within rounding of the 1 % that tell their own start from the configured one.
      CO: 1e-5 * (k % 3 === 0 ? 1.01 : 1) * (1 + step / 3),
      unused: 1,
    })),
  );
  return rows.sort((a, b) => a.Time! - b.Time!);
}

async function writeDoubles(name: string, rows: readonly Row[], key = "df"): Promise<string> {
  const order = Object.keys(rows[0]!);
  const float64 = order.slice(1).filter((column) => column !== "Av");
  const file = await createHdf5(at(name));
  const columns = { float32: ["Av"], int64: [order[0]!], float64, order };
  const writer = new FrameWriter(file, key, columns, rows.length);
  const floats = Float32Array.from(rows, (row) => row.Av!);
  const ids = BigInt64Array.from(rows, (row) => BigInt(row[order[0]!]!));
  const doubles = Float64Array.from(rows.flatMap((row) => float64.map((column) => row[column]!)));
  writer.append(floats, ids, rows.length, doubles);
  writer.finish();
  file.close();
  return at(name);
}

function writeTable(name: string, rows: readonly Row[], columns = Object.keys(rows[0]!)): string {
  const lines = rows.map((row) => columns.map((column) => row[column]).join(","));
  writeFileSync(at(name), `${[columns.join(","), ...lines].join("\n")}\n`);
  return at(name);
}

function optionsOf(paths: readonly string[], other: Partial<PreprocessOptions> = {}): PreprocessOptions {
  const [inputPath, ...moreInputs] = paths;
  return {
    inputPath: inputPath!,
    moreInputs,
    inputKey: "df",
    outputPath: at("clean.h5"),
    metadata: ["Index", "Model", "Time"],
    phys: ["Density", "Radfield", "Av", "gasTemp"],
    species: ["H", "CO"],
    columns: { Density: "nH" },
    units: { Time: "kyr", Density: "g cm^-3" },
    columnsToDrop: [],
    startState: { abundances: Float64Array.of(0.5, 1e-5), name: "initial.npy" },
    start: "auto",
    unevenSteps: "error",
    clipping: { lower: 1e-20, upper: 1 },
    trainSplit: 0.5,
    testSplit: 0.2,
    seed: 42,
    minRadfield: 1e-4,
    ...other,
  };
}

async function makeShards(options: PreprocessOptions, count: number): Promise<void> {
  rmSync(`${options.outputPath}.shards`, { recursive: true, force: true });
  for (let index = 0; index < count; index++) await writeShard(options, { index, count }, silent);
}

const joined = (options: PreprocessOptions, count: number) =>
  preprocessDataset({ ...options, shards: { count, command } }, silent);

/** The clean file of one process, and that of shards. */
async function bothWays(options: PreprocessOptions, count: number): Promise<[Buffer, Buffer]> {
  const one = await preprocessDataset(options, silent);
  const expected = readFileSync(options.outputPath);
  rmSync(options.outputPath);
  await makeShards(options, count);
  expect(existsSync(options.outputPath)).toBe(false);
  const { scattered: _, ...summary } = await joined(options, count);
  expect(one).toMatchObject(summary);
  return [expected, readFileSync(options.outputPath)];
}

describe("shards of a preprocessing, joined", () => {
  it.each([
    ["ids of their own", [[1, 5, 3], [12, 10], [8], [20, 21, 22, 7]], 4],
    [
      "ids that clash, and more shards than files",
      [
        [1, 5, 3],
        [5, 1],
        [3, 8, 9, 4],
      ],
      5,
    ],
    [
      "one shard",
      [
        [1, 5, 4],
        [2, 3],
      ],
      1,
    ],
  ])("are byte for byte the file of one process: pandas frames with %s", async (_, ids, count) => {
    const paths: string[] = [];
    for (const [k, own] of ids.entries()) paths.push(await writeDoubles(`frame${k}.h5`, histories(own)));
    const [expected, found] = await bothWays(optionsOf(paths), count);
    expect(found.equals(expected)).toBe(true);
  });

  /** Rows by tracer, in the order of the ids given. */
  const byTracer = (ids: readonly number[], id?: string): Row[] =>
    ids.flatMap((tracer) => histories([tracer], id === undefined ? {} : { id }));

  it.each([1, 2, 3, 4, 9])("are so of a single frame that is cut between its tracers, into %d", async (count) => {
    const path = await writeDoubles("single.h5", byTracer([12, 3, 7, 1, 24, 5]));
    const [expected, found] = await bothWays(optionsOf([path]), count);
    expect(found.equals(expected)).toBe(true);
  });

  it("are so of fewer frames than shards, whose ids clash, and of a column of ids of another name", async () => {
    const two = [await writeDoubles("x.h5", byTracer([12, 3, 7])), await writeDoubles("y.h5", byTracer([3, 9, 1, 2]))];
    const [expected, found] = await bothWays(optionsOf(two), 3);
    expect(found.equals(expected)).toBe(true);
    const named = await writeDoubles("named.h5", byTracer([8, 2, 4, 6, 11, 9], "run"));
    const columns = { Density: "nH", Model: "run" };
    const [one, shards] = await bothWays(optionsOf([named], { columns }), 3);
    expect(shards.equals(one)).toBe(true);
  });

  it("are so where the rows of tracers alternate, which leaves one shard all of them", async () => {
    const path = await writeDoubles("alternating.h5", histories([1, 2, 3, 4, 5, 6]));
    const options = optionsOf([path]);
    const [expected, found] = await bothWays(options, 2);
    expect(found.equals(expected)).toBe(true);
    const told: string[] = [];
    await writeShard(options, { index: 1, count: 2 }, (line) => told.push(line));
    expect(told.join("\n")).toContain("no rows are left for this shard");
  });

  it("are so of tables of text, without ids and with names for ids", async () => {
    const columns = ["Time", "nH", "radfield", "Av", "gasTemp", "H", "CO"];
    const bare = [1, 2, 3, 4, 9].map((tracer) => writeTable(`run${tracer}.csv`, histories([tracer]), columns));
    const [expected, found] = await bothWays(optionsOf(bare), 3);
    expect(found.equals(expected)).toBe(true);
    const named = [1, 2, 3].map((k) => {
      const path = writeTable(`named${k}.csv`, histories([k, k + 4]));
      writeFileSync(path, readFileSync(path, "utf8").replaceAll(/^(\d)/gm, "cloud-$1"));
      return path;
    });
    const [one, shards] = await bothWays(optionsOf(named), 2);
    expect(shards.equals(one)).toBe(true);
  });

  it("need not be made anew for another split, start or seed", async () => {
    const paths = [await writeDoubles("a.h5", histories([1, 2, 3])), await writeDoubles("b.h5", histories([4, 5, 6]))];
    await makeShards(optionsOf(paths), 2);
    const other = optionsOf(paths, { seed: 7, trainSplit: 0.7, start: "first_row" });
    await joined(other, 2);
    const found = readFileSync(other.outputPath);
    await preprocessDataset(other, silent);
    expect(found.equals(readFileSync(other.outputPath))).toBe(true);
  });

  it("refuse what one process refuses", async () => {
    const paths = [
      await writeDoubles("c.h5", histories([1, 2])),
      await writeDoubles("d.h5", histories([3]).slice(0, -1)),
    ];
    const odd = histories([4]).map((row, k) => ({ ...row, Time: row.Time! + (k === 1 ? 3 : 0) }));
    const options = optionsOf([...paths, await writeDoubles("e.h5", odd)]);
    await makeShards(options, 2);
    const [one, shards] = [
      await thrownBy(() => preprocessDataset(options, silent), folder),
      await thrownBy(() => joined(options, 2), folder),
    ];
    expect(shards).toBe(one);
    expect(shards).toContain("rows are not one step apart");
    const bad = histories([4]).map((row, k) => ({ ...row, CO: k === 1 ? -1 : 1e-5 }));
    await writeDoubles("e.h5", bad);
    const failing = () => writeShard(options, { index: 0, count: 2 }, silent);
    rmSync(shardPath(options.outputPath, 0, 2));
    expect(await thrownBy(failing, folder)).toContain("column `CO` is -1 in row");
    expect(existsSync(shardPath(options.outputPath, 0, 2))).toBe(false);
  });
});

describe("shards that do not fit", () => {
  const shard = (options: PreprocessOptions, index: number): string => shardPath(options.outputPath, index, 2);

  async function two(): Promise<PreprocessOptions> {
    const paths = [await writeDoubles("f.h5", histories([1, 2])), await writeDoubles("g.h5", histories([4, 5]))];
    const options = optionsOf(paths, { outputPath: at("refused/clean.h5") });
    await makeShards(options, 2);
    return options;
  }

  it("are named, with the words that make them anew", async () => {
    const options = await two();
    const failure = () => thrownBy(() => joined(options, 2), folder);
    rmSync(shard(options, 1));
    expect(await failure()).toContain("shard 1 of 2 is missing");
    copyFileSync(shard(options, 0), shard(options, 1));
    expect(await failure()).toContain("shard 1 of 2 holds shard 0");
    truncateSync(shard(options, 1), 3000);
    expect(await failure()).toMatch(/shard 1 of 2 cannot be read: the file is cut off.*astrochem preprocess shard=1/s);
    copyFileSync(options.inputPath, shard(options, 1));
    expect(await failure()).toContain("shard 1 of 2 cannot be read: it is no shard");
    expect(existsSync(options.outputPath)).toBe(false);
  });

  it("are those of another configuration, and those older than their raw files", async () => {
    const options = await two();
    const other = optionsOf([options.inputPath, ...options.moreInputs!], {
      outputPath: options.outputPath,
      units: { Time: "yr" },
    });
    expect(await thrownBy(() => joined(other, 2), folder)).toContain("shard 0 of 2 was made with another units");
    utimesSync(options.moreInputs![0]!, 1, 1);
    expect(await thrownBy(() => joined(options, 2), folder)).toMatch(/shard 1 of 2 is older than its raw file .*g\.h5/);
    const alone = optionsOf([writeTable("alone.csv", histories([1, 2]))], { outputPath: options.outputPath });
    expect(await thrownBy(() => joined(alone, 2), folder)).toContain("only HDF5 frames are cut into shards");
  });
});
