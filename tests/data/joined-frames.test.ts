import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { CleanData } from "../../src/data/clean-data.ts";
import { commonStart } from "../../src/data/data-facts.ts";
import { openInput } from "../../src/data/files/open-input.ts";
import { FrameWriter, openFrame } from "../../src/data/frame.ts";
import { createHdf5 } from "../../src/data/hdf5.ts";
import { preprocessDataset } from "../../src/data/preprocess.ts";
import type { PreprocessOptions } from "../../src/data/preprocess-options.ts";
import { testFolder } from "../helpers/folder.ts";
import { type RawRow, writeRawRows } from "../helpers/raw-frame.ts";

const folder = testFolder();
const at = (name: string): string => join(folder, name);

/** Two rows a tracer, ten years apart, from `first` on. */
function tracers(ids: readonly number[], { first = 10, co = 1e-5, id = "Tracer" } = {}): RawRow[] {
  return ids.flatMap((tracer) =>
    [0, 1].map((step) => ({
      [id]: tracer,
      Time: first + 10 * step,
      Density: 100 + tracer,
      radfield: 2,
      Av: 3,
      gasTemp: 10,
      H: 0.5,
      CO: co,
    })),
  );
}

async function write(name: string, rows: readonly RawRow[]): Promise<string> {
  await writeRawRows(at(name), rows);
  return at(name);
}

const options: Omit<PreprocessOptions, "inputPath" | "moreInputs"> = {
  inputKey: "df",
  outputPath: at("clean.h5"),
  metadata: ["Index", "Model", "Time"],
  phys: ["Density", "Radfield", "Av", "gasTemp"],
  species: ["H", "CO"],
  columnsToDrop: [],
  startState: { abundances: Float64Array.of(0.5, 1e-5), name: "initial.npy" },
  start: "auto",
  unevenSteps: "error",
  clipping: { lower: 1e-20, upper: 1 },
  trainSplit: 1,
  seed: 42,
  minRadfield: 1e-4,
};

/** Rows [Model, Time, Density, CO] of all tracers, and what was said. */
async function clean(paths: readonly string[], other: Partial<PreprocessOptions> = {}) {
  const log: string[] = [];
  const [inputPath, ...moreInputs] = paths;
  await preprocessDataset({ ...options, inputPath: inputPath!, moreInputs, ...other }, (line) => log.push(line));
  const frame = await openFrame(options.outputPath, "train");
  const values = new Float64Array(frame.rows * 4);
  frame.read(0, frame.rows, ["Model", "Time", "Density", "CO"], values);
  frame.close();
  return { rows: Array.from({ length: frame.rows }, (_, row) => [...values.subarray(4 * row, 4 * row + 4)]), log };
}

describe("several pandas frames", () => {
  it("are one set of tracers, each with its start: the configured one, or its own row at Time 0", async () => {
    const paths = [await write("a.h5", tracers([1, 2])), await write("b.h5", tracers([7], { first: 0, co: 3e-5 }))];
    const { rows, log } = await clean(paths);
    const three = Math.fround(3e-5);
    expect(rows.map(([model, time]) => [model, time])).toEqual([
      ...[1, 2].flatMap((model) => [0, 10, 20].map((time) => [model, time])),
      [7, 0],
      [7, 10],
    ]);
    expect(rows.slice(-2).map(([, , density, co]) => [density, co])).toEqual([
      [107, three],
      [107, three],
    ]);
    expect(log.join("\n")).toContain("1 tracer from its own first row (1 with a row at Time 0)");
    expect(log.join("\n")).not.toContain("numbered from 0");
  });

  it("whose ids clash are numbered on, whatever their column is called", async () => {
    const paths = [
      await write("a.h5", tracers([0, 5])),
      await write("b.h5", tracers([5], { id: "particle_id", first: 0, co: 3e-5 })),
    ];
    const { rows, log } = await clean(paths);
    expect(rows.map(([model, , density]) => [model, density])).toEqual([
      ...Array(3).fill([0, 100]),
      ...Array(3).fill([1, 105]),
      ...Array(2).fill([2, 105]),
    ]);
    expect(log).toContain("tracers are numbered from 0: 5 is an id in two files (a.h5: 0 to 1, b.h5: 2)");
  });

  it("have the column of tracers that the dataset names", async () => {
    const rows = tracers([5]).map((row) => ({ ...row, mine: 3, Tracer: 9 }));
    const paths = await Promise.all(["a.h5", "b.h5"].map((name) => write(name, rows)));
    const found = await clean(paths, { columns: { Model: "mine" } });
    expect(found.rows.map(([model]) => model)).toEqual([0, 0, 0, 1, 1, 1]);
    expect(found.log).toContain("tracers are numbered from 0: 3 is an id in two files (a.h5: 0, b.h5: 1)");
  });

  it("of different steps are told apart from even ones, with lines that join them in Python", async () => {
    const slow = tracers([9]).map((row) => ({ ...row, Time: 3 * row.Time! }));
    const paths = [await write("a.h5", tracers([1, 2])), await write("b.h5", slow)];
    await expect(clean(paths)).rejects.toThrow(
      /in tracer 9, row 1 comes 30 yr after[\s\S]*groupby\(\["File", "Tracer"\]\)/,
    );
  });

  it("are refused where one is clean already, has no tracers, or is a table", async () => {
    const a = await write("a.h5", tracers([1]));
    await clean([a]);
    const refused = async (path: string, key = "df"): Promise<string> =>
      openInput([a, path], { key }).then(
        () => "read",
        (error: Error) => error.message.split("\n")[0]!,
      );
    const file = await createHdf5(at("clean-df.h5"));
    const columns = { float32: ["Time", "H"], int64: ["Index", "Model"], order: ["Index", "Model", "Time", "H"] };
    new FrameWriter(file, "df", columns, 0).finish();
    file.close();
    const nameless = tracers([1]).map(({ Tracer: _, ...row }) => row);
    expect(await refused(at("clean-df.h5"))).toBe("the file is clean already: only raw files are joined");
    expect(await refused(await write("nameless.h5", nameless))).toBe("no column tells which tracer a row belongs to");
  });
});

describe("tables of text", () => {
  it("whose ids stand in a column that only the dataset names are told apart by file", async () => {
    const text = (co: string): string =>
      ["Time,Density,gasTemp,Av,radfield,myid,H,CO", `10,1e5,10,3,2,4,0.5,${co}`, `20,1e5,10,3,2,4,0.5,${co}`].join(
        "\n",
      );
    writeFileSync(at("a.csv"), `${text("1e-5")}\n`);
    writeFileSync(at("b.csv"), `${text("1e-5")}\n`);
    const { rows } = await clean([at("a.csv"), at("b.csv")], { columns: { Model: "myid" } });
    expect(rows.map(([model, time]) => [model, time])).toEqual([0, 1].flatMap((id) => [0, 10, 20].map((t) => [id, t])));
  });
});

describe("the start that weights hold", () => {
  it("is the one that tracers share beside others with starts of their own", async () => {
    const paths = [await write("a.h5", tracers([1, 2])), await write("b.h5", tracers([7], { first: 0, co: 3e-5 }))];
    await clean(paths);
    const train = await openFrame(options.outputPath, "train");
    const columns = { metadata: options.metadata, phys: options.phys, species: options.species };
    const start = await commonStart({ train } as CleanData, columns);
    train.close();
    expect([...start.abundances!]).toEqual([0.5, Math.fround(1e-5)]);
    expect(start.origin).toBe("the first row of 2 of 3 training tracers; the others start from states of their own");
  });
});
