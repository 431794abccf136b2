import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { columnCaveat } from "../../src/data/column-types.ts";
import { openFrame } from "../../src/data/frame.ts";
import { testFolder } from "../helpers/folder.ts";

const folder = testFolder();

/** What reading each column gives: its numbers, or the first line and the remedy of the error. */
async function columnsOf(version: number, key: string): Promise<Record<string, string>> {
  const fixture = fileURLToPath(new URL(`../fixtures/hdf5/types-pandas${version}.h5.gz`, import.meta.url));
  const path = join(folder, `${version}.h5`);
  writeFileSync(path, gunzipSync(readFileSync(fixture)));
  const frame = await openFrame(path, key);
  const values = new Float64Array(frame.rows);
  const found = frame.columns.map((column): [string, string] => {
    try {
      frame.read(0, frame.rows, [column], values);
      return [column, [...values].join()];
    } catch (error) {
      const lines = (error as Error).message.split("\n");
      expect(() => frame.labels(column)).toThrow(lines[0]!.replace(", expected numbers", ""));
      return [column, `${lines[0]}; ${lines[2]?.trim()}`];
    }
  });
  frame.close();
  return Object.fromEntries(found);
}

const refused = (column: string, what: string, line: string): string =>
  `column \`${column}\` ${what}, expected numbers; fix  before to_hdf: ${line}`;
const span = (column: string): string => `frame["${column}"] = frame["${column}"] / pandas.Timedelta(days=365.25)`;
const date = (column: string): string =>
  `frame["${column}"] = (frame["${column}"] - frame["${column}"].min()) / pandas.Timedelta(days=365.25)`;

describe.each([2, 3])("columns of pandas %i that are no plain numbers", (version) => {
  it.each(["fixed", "table"])("are refused with the line that converts them, format %s", async (key) => {
    const columns = await columnsOf(version, key);
    // pandas 2 leaves the unit out in the fixed format.
    const spans =
      key === "fixed" && version === 2 ? ["timedelta64", "timedelta64"] : ["timedelta64[ns]", "timedelta64[s]"];
    for (const [i, name] of ["span_ns", "span_s"].entries()) {
      expect(columns[name]).toBe(refused(name, `holds time spans (${spans[i]})`, span(name)));
    }
    const zoned = version === 2 ? "datetime64[ns]" : "datetime64[us]";
    const dates = { date_ns: "datetime64[ns]", date_us: "datetime64[us]", zoned, utc: zoned };
    for (const [name, type] of Object.entries(dates)) {
      expect(columns[name]).toBe(refused(name, `holds dates (${type})`, date(name)));
    }
    expect(columns.flag).toContain("holds True and False (bool), expected numbers");
    expect(columns.complex).toContain("holds complex numbers (complex");
    expect(columns.half).toContain("holds values of a type that is not read");
    expect(columns.wide).toContain('frame["wide"].astype("float64")');
    if (version === 3) expect(columns.period).toContain("holds periods (period[D]), expected numbers");
    if (key === "table") expect(columns.category).toContain("is categorical: only its codes are stored");
  });

  it("are refused where each column is a field of its own", async () => {
    const columns = await columnsOf(version, "columns");
    expect(columns.span_ns).toBe(refused("span_ns", "holds time spans (timedelta64[ns])", span("span_ns")));
    expect(columns.date_us).toContain("holds dates (datetime64[us])");
    expect(columns.flag).toContain("holds True and False (bool)");
  });

  it.each(["fixed", "table"])("stand beside integers of any size, which are read, format %s", async (key) => {
    const { Tracer, u1, u2, u8, i1 } = await columnsOf(version, key);
    expect([Tracer, u1, u2, u8, i1]).toEqual(["0,1,2", "1,2,255", "1,2,65535", `1,2,${2 ** 63}`, "1,-2,3"]);
  });
});

describe("the declared type", () => {
  it.each(["float64", "int8", "uint16", undefined])("%s is a number's", (declared) => {
    expect(columnCaveat({ dtype: "<f8", declared })).toBeUndefined();
  });

  it.each([
    ["datetime64", "dates"],
    ["datetime64[s, UTC]", "dates"],
    ["timedelta64[h]", "time spans"],
    ["period[M]", "periods"],
    ["boolean", "True and False"],
    ["Sparse[float64]", "values of a type that is not read"],
  ])("%s is none", (declared, words) => {
    expect(columnCaveat({ dtype: "<i8", declared })?.what).toBe(`holds ${words} (${declared})`);
  });

  it("leaves texts to be ids", () => {
    for (const dtype of ["|S8", "vlen"]) expect(columnCaveat({ dtype, declared: "str" })).toBeUndefined();
  });
});
