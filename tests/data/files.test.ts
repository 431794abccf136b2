import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { detectFile } from "../../src/data/files/detect-file.ts";
import { expandInputs } from "../../src/data/files/expand-inputs.ts";
import { readNumber } from "../../src/data/files/fortran-number.ts";
import { openInput } from "../../src/data/files/open-input.ts";
import type { Frame } from "../../src/data/frame.ts";
import { createHdf5 } from "../../src/data/hdf5.ts";
import { asConfigured } from "../../src/data/respelt-frame.ts";
import { testFolder } from "../helpers/folder.ts";

const folder = testFolder();
const at = (name: string): string => join(folder, name);
const header = "Time,Density,gasTemp,dustTemp,Av,radfield,zeta,point,H      ,H2     ,CO     ";
const row = (time: number | string, { point = 1, co = "1.00000E-05" } = {}): string =>
  `  ${time}, 1.0000E+05,   10.00,   10.00, 2.0E+00, 1.0E+00, 1.0E+00,   ${point},    5.0E-01,    2.5E-01,    ${co}`;

function write(name: string, text: string | Uint8Array): string {
  writeFileSync(at(name), text);
  return at(name);
}

function table(name: string, rows: readonly string[], { head = header, end = "\n" } = {}): string {
  return write(name, [head, ...rows].join(end) + end);
}

async function open(...paths: string[]): Promise<{ frame: Frame; log: string[] }> {
  const log: string[] = [];
  return { frame: await openInput(paths, { key: "df", log: (line) => log.push(line) }), log };
}

function column(frame: Frame, name: string): number[] {
  const values = new Float64Array(frame.rows);
  frame.read(0, frame.rows, [name], values);
  return [...values];
}

/** A model as UCLCHEM 4 saves it. */
async function writeModels(name: string, models: readonly string[], points: number): Promise<string> {
  const file = await createHdf5(at(name));
  const [physics, species, steps] = [["Time", "Density", "gasTemp", "dustTemp", "Av", "radfield"], ["H", "CO"], 3];
  for (const [k, model] of models.entries()) {
    file.createGroup(model);
    file.createGroup(`${model}/_coords`);
    file.writeStrings(`${model}/_coords/physics_values`, physics);
    file.writeStrings(`${model}/_coords/chemical_abun_values`, species);
    const put = (array: string, width: number, value: (step: number, point: number, i: number) => number): void => {
      const data = file.createDataset(`${model}/${array}`, { shape: [steps, points, width], dtype: "<f8" });
      const values = Array.from({ length: steps * points * width }, (_, at) =>
        value(Math.floor(at / points / width), Math.floor(at / width) % points, at % width),
      );
      data.writeRows(0, steps, Float64Array.from(values));
    };
    put("physics_array", physics.length, (step, point, i) => (i === 0 ? 100 * step : 10 * k + point + 1));
    put("chemical_abun_array", species.length, (step, point, i) => (i === 0 ? 0.5 : 1e-5 * (1 + step + 10 * point)));
  }
  file.close();
  return at(name);
}

describe("numbers", () => {
  it("are read as Fortran, C and Python write them", () => {
    const texts = ["3.05698-105", "1.2+100", "1.0D-10", "1.5d3", " .5 ", "-1.", "NaN", "-inf", "2e5"];
    expect(texts.map(readNumber)).toEqual([3.05698e-105, 1.2e100, 1e-10, 1500, 0.5, -1, Number.NaN, -Infinity, 2e5]);
    expect(["********", "", "1.0E-", "0x10", "2020-101", "1-105"].map(readNumber)).toEqual(Array(6).fill(undefined));
  });
});

describe("a file is known by its content", () => {
  it("text tables of each writing", async () => {
    const rows = [row(1), row(2)];
    const kinds = async (path: string) => (({ kind, layout }) => [kind, layout?.delimiter])(await detectFile(path));
    expect(await kinds(table("full.h5", rows))).toEqual(["uclchem-text", ","]);
    expect(await kinds(table("crlf.txt", rows, { head: `\ufeff${header}`, end: "\r\n" }))).toEqual([
      "uclchem-text",
      ",",
    ]);
    const old = `Elemental abundances, C: 1.0E-4 O: 3.0E-4\n Radfield   1.0 Zeta 1.0\n${header}`;
    expect(await kinds(table("old.dat", rows, { head: old }))).toEqual(["uclchem-text", ","]);
    expect(await kinds(table("tabs", ["1\t2\t3"], { head: "Time (yr)\tA b\tC" }))).toEqual(["table", "\t"]);
    expect(await kinds(table("blanks", [" 1  2 3"], { head: "Time (yr) Density [cm^-3]  H" }))).toEqual(["table", " "]);
    expect(await kinds(write("bare.out", "0.0E0  1.0  2.0\n1.0E5  1.0  2.0\n"))).toEqual(["headerless", " "]);
    expect(await kinds(write("list.txt", "H\nH2\nCO\n"))).toEqual(["unknown", undefined]);
    expect(await kinds(write("z.csv", Buffer.from([0x1f, 0x8b, 8, 0])))).toEqual(["packed", undefined]);
  });

  it("a header longer than what is looked at first", async () => {
    const names = Array.from({ length: 9000 }, (_, k) => `SPECIES${k}`);
    const path = table("wide.csv", [["1", ...names.map(() => "0.5")].join(",")], {
      head: ["Time", ...names].join(","),
    });
    expect((await detectFile(path)).layout?.width).toBe(9001);
  });

  it("other formats are told with what converts them", async () => {
    expect((await detectFile(write("bare.out", "0.0 1.0 2.0\n1.0 1.0 2.0\n"))).fix).toContain("header=None");
    expect((await detectFile(write("p.gz", Buffer.from([0x1f, 0x8b, 8, 0])))).fix).toContain("gunzip -k");
    expect((await detectFile(write("u.csv", Buffer.from("\ufeffTime,H\n1,2\n", "utf16le")))).fix).toContain("iconv");
    const codes = await createHdf5(at("codes.h5"));
    for (const split of ["train", "val", "test"]) codes.createDataset(split, { shape: [2, 3, 4], dtype: "<f4" });
    codes.close();
    const { kind, fix } = await detectFile(at("codes.h5"));
    expect([kind, fix?.includes('file["timesteps"]')]).toEqual(["codes", true]);
    await expect(open(at("codes.h5"))).rejects.toThrow("data of the CODES benchmark");
  });
});

describe("a table of text", () => {
  it("is a frame with a tracer", async () => {
    const { frame } = await open(table("one.dat", [row(1), row(2, { co: "3.05698-105" })]));
    expect([frame.rows, frame.columns.at(-1), frame.labels("Tracer").values]).toEqual([2, "CO", [0]]);
    expect(column(frame, "CO")).toEqual([1e-5, 3.05698e-105]);
    expect(frame.placeOf?.(1)).toBe(`${at("one.dat")}, line 3`);
  });

  it("names line, column and text of a cell that is no number, where the column is asked for", async () => {
    const { frame } = await open(table("stars.dat", [row(1), row(2, { co: "********" }), row(3, { co: "" })]));
    expect(frame.isNumeric("CO")).toBe(false);
    expect(() => column(frame, "CO")).toThrow(
      /column `CO` holds `\*{8}` in line 3 \(the first of 2 such cells\): a Fortran field too narrow[\s\S]*stars\.dat, line 3/,
    );
    expect(column(frame, "H")).toEqual([0.5, 0.5, 0.5]);
  });

  it("refuses a line that is cut off, a line of another length, a header alone", async () => {
    await expect(open(write("cut.dat", `${header}\n${row(1)}\n  2.0, 1.0E5`))).rejects.toThrow(
      /the last line is cut off: line 3 has 2 values, the header 11 names[\s\S]*head -n 2/,
    );
    await expect(open(table("long.dat", [row(1), `${row(2)}, 7`, row(3)]))).rejects.toThrow("line 3 has 12 values");
    await expect(open(table("alone.dat", []))).rejects.toThrow("the table has a header but no rows");
    const twice = await open(table("twice.dat", [row(1), header, row(1)]));
    expect(() => column(twice.frame, "Time")).toThrow("the header again");
  });

  it("passes over comments, and tells a last value that lost its end from one without a line's end", async () => {
    const commented = await open(
      table("comments.csv", ["1,1", "#half of it", "# and, more", "2,2"], { head: "Time,H" }),
    );
    expect(column(commented.frame, "Time")).toEqual([1, 2]);
    const cut = write("cut-value.csv", "Time,H\n1,1.00E-05\n2,1.00E-05\n3,1.00E-0");
    await expect(open(cut)).rejects.toThrow("the last line is cut off: its last value has 7 characters, those above 8");
    for (const last of ["3,1.00E-04", "3,1.00E-0\n"]) {
      const whole = await open(write("whole.csv", `Time,H\n1,1.00E-05\n2,1.00E-05\n${last}`));
      expect(whole.frame.rows).toBe(3);
    }
  });

  it("names the text of a column that begins with none of numbers, and doubts a comma of thousands", async () => {
    const { frame } = await open(table("words.csv", ['1;0x10;"1,000"', '2;1e-5;"2,000"'], { head: "Time;CO;Density" }));
    expect(() => column(frame, "CO")).toThrow(/holds text, expected numbers: "0x10" in .*words\.csv, line 2/);
    expect(() => column(frame, "Density")).toThrow("a comma of thousands, or of decimals");
  });

  it("is several tracers: by id, by point, where the time goes back", async () => {
    const ids = await open(table("ids.csv", ["b,1,0", "b,2,0", "a,1,0"], { head: "Tracer,Time,H" }));
    expect(ids.frame.labels("Tracer")).toEqual({ values: ["a", "b"], codes: Int32Array.of(1, 1, 0) });
    const points = await open(
      table(
        "points.dat",
        [1, 2].flatMap((t) => [1, 2, 3].map((point) => row(t, { point }))),
      ),
    );
    expect([...points.frame.labels("Tracer").codes]).toEqual([0, 1, 2, 0, 1, 2]);
    expect(points.log).toEqual([`${at("points.dat")}: \`point\` tells 3 points: a tracer each`]);
    const back = await open(table("back.csv", ["0,1", "5,1", "0,1", "5,1"], { head: "Time,H" }));
    expect([...back.frame.labels("Tracer").codes]).toEqual([0, 0, 1, 1]);
  });

  it("has its conditions named and times in years", async () => {
    const head = "time_seconds,time_years,number_density,temperature,visual_extinction,fuv_field,He,e-";
    const carbox = await open(table("carbox.csv", ["0,0,1,2,3,4,5,6", "3e7,1,1,2,3,4,5,6"], { head }));
    expect(carbox.frame.columns).toEqual([
      "Tracer",
      "time_seconds",
      "Time",
      "Density",
      "gasTemp",
      "Av",
      "Radfield",
      "He",
      "e-",
    ]);
    expect(carbox.log[0]).toContain("time_years as Time (yr)");
    const seconds = await open(
      table("s.txt", ["31557600 1 1", "63115200 1 1"], { head: "Time (s)  Density [m^-3]  H" }),
    );
    expect(column(seconds.frame, "Time")).toEqual([expect.closeTo(1, 12), expect.closeTo(2, 12)]);
    expect(column(seconds.frame, "Density")).toEqual([1e-6, 1e-6]);
    // A dataset that says the same of the columns renames and converts nothing twice, but a unit that no name has.
    const dataset = { columns: { Time: "Time (s)", Density: "Density[m^-3]" }, units: { Time: "s", Density: "m^-3" } };
    expect(column(asConfigured(seconds.frame, dataset), "Time")).toEqual(column(seconds.frame, "Time"));
    const bare = await open(table("bare.csv", ["31557600,1"], { head: "time,H" }));
    expect(column(asConfigured(bare.frame, { units: { Time: "s" } }), "Time")).toEqual([expect.closeTo(1, 12)]);
    // Another unit is not what it seems, and `rho` may be one of mass: nothing is taken for what it might be.
    const other = await open(table("other-unit.csv", ["1,1,1,1"], { head: "Time,Density (pc),rho,t" }));
    expect(other.frame.columns).toEqual(["Tracer", "Time", "Density (pc)", "rho", "t"]);
    const units = await open(table("units.csv", ["31557600,1,1"], { head: "Time,Density,H\ns,cm^-3,-" }));
    expect([column(units.frame, "Time"), units.frame.columns]).toEqual([
      [expect.closeTo(1, 12)],
      ["Tracer", "Time", "Density", "H"],
    ]);
    const long = await open(table("long.csv", ["0,1", "3e11,1"], { head: "Time,H" }));
    expect(long.log[0]).toContain("if they are seconds");
  });
});

describe("several files", () => {
  it("are a tracer each, in natural order", async () => {
    for (const k of [10, 2, 1]) table(`run${k}.dat`, [row(k), row(k + 1)]);
    const paths = expandInputs(["run*.dat"], at);
    expect(paths).toEqual([at("run1.dat"), at("run2.dat"), at("run10.dat")]);
    const { frame, log } = await open(...paths);
    expect([frame.rows, frame.labels("Tracer").values, column(frame, "Tracer")]).toEqual([
      6,
      [0, 1, 2],
      [0, 0, 1, 1, 2, 2],
    ]);
    expect(column(frame, "Time")).toEqual([1, 2, 2, 3, 10, 11]);
    expect(log).toEqual(["3 files: 3 tracers, in this order: run1.dat, run2.dat, run10.dat"]);
    expect(() => expandInputs("no*.dat", at)).toThrow("no file fits no*.dat");
  });

  it("may have other columns each, of which those that all have are read", async () => {
    const other = table("other.csv", ["1,1,x", "2,3,y"], { head: "Time,H,remark" });
    const { frame, log } = await open(table("first.csv", ["4,5,6", "8,9,10"], { head: "H,Time,CO" }), other);
    expect([column(frame, "Time"), column(frame, "H")]).toEqual([
      [5, 9, 1, 2],
      [4, 8, 1, 3],
    ]);
    expect(log.at(-1)).toBe("warning: 2 columns are not in all files, such as CO (not in other.csv)");
    expect(() => column(frame, "CO")).toThrow(/`CO` is not in all files: .*other\.csv lacks it/);
    // Its lines in Python give each file its own names.
    expect(frame.pandasLines).toContainEqual(expect.stringContaining("names=names[file]"));
  });
});

describe("UCLCHEM 4", () => {
  it("is a tracer a model and point", async () => {
    const path = await writeModels("grid.h5", ["basic_grid_10", "basic_grid_2"], 2);
    expect((await detectFile(path)).what).toBe("UCLCHEM 4, 2 models of 3 rows, 2 species, 2 points");
    const { frame, log } = await open(path);
    expect(log[0]).toContain("4 tracers, in this order: basic_grid_2, point 1, basic_grid_2, point 2");
    expect([frame.rows, frame.labels("Tracer").values]).toEqual([12, [0, 1, 2, 3]]);
    expect(column(frame, "Time")).toEqual([0, 100, 200, 0, 100, 200, 0, 100, 200, 0, 100, 200]);
    expect(column(frame, "Density").filter((_, k) => k % 3 === 0)).toEqual([11, 12, 1, 2]);
    const part = new Float64Array(4);
    frame.read(2, 2, ["CO", "Time"], part);
    expect([...part]).toEqual([expect.closeTo(3e-5, 12), 200, expect.closeTo(1.1e-4, 12), 0]);
    frame.close();
  });
});
