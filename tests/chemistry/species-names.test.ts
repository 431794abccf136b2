import { describe, expect, it } from "vitest";
import { readSpeciesList } from "../../src/chemistry/species.ts";
import { originalNames, renameColumn, renameColumns } from "../../src/chemistry/species-names.ts";
import { openFrame } from "../../src/data/frame.ts";

describe("renameColumn", () => {
  it.each([
    ["  radfield ", "Radfield"],
    ["Tracer", "Model"],
    ["CH3OH", "CH4O"],
    ["#CH3OH", "#CH4O"],
    ["CH3OH+", "CH4O+"],
    ["CH3OH2+", "CH5O+"],
    ["@HCOOH", "@H2CO2"],
    ["HCOO", "HCO2"],
    ["H2CSH+", "H3CS+"],
    ["CH3CNH+", "C2H4N+"],
    ["CH3CNH", "C2H4N"],
    ["CH3CN", "C2H3N"],
    [" @NCCN\t", "@N2C2"],
    // Not renamed: no whole name of the table.
    ["HCO2H2", "HCO2H2"],
    ...["Time", "Density", "gasTemp", "dustTemp", "Av", "zeta", "dstep", "SURFACE", "BULK"].map((name) => [name, name]),
    ["", ""],
    ["#", "#"],
    ["__proto__", "__proto__"],
    ["H2CSH", "H2CSH"],
  ])("makes %j %j", (from, to) => {
    expect(renameColumn(from)).toBe(to);
  });

  it("renames once: what comes out of one renaming does not go into another", () => {
    expect(renameColumn("HCO2H")).toBe("H2CO2");
  });
});

describe("renameColumns", () => {
  it("names both columns that would become one", () => {
    expect(() => renameColumns(["HCOOH", "HCO2H"])).toThrowErrorMatchingInlineSnapshot(`
      [DataError: the columns "HCOOH" and "HCO2H" both become H2CO2
        at   column "HCO2H"
        fix  drop one of them from the file, or name one of them in dataset.preprocessing.columns_to_drop]
    `);
  });
});

describe("the columns of the bundled sample", () => {
  it("become the species list, and nothing else is touched", async () => {
    const frame = await openFrame("data/sample_collapse.h5", "df");
    const raw = [...frame.columns];
    frame.close();
    const species = readSpeciesList("utils/species.txt");
    const renamed = renameColumns(raw);
    const known = new Set(species);
    expect(renamed.filter((name) => known.has(name)).sort()).toEqual([...species].sort());
    const others = ["Av", "BULK", "Density", "Model", "Radfield", "SURFACE", "Time", "dstep", "dustTemp", "gasTemp"];
    expect(renamed.filter((name) => !known.has(name)).sort()).toEqual([...others, "zeta"].sort());
    for (const [i, name] of raw.entries()) {
      if (renamed[i] !== name.trim()) expect(originalNames(renamed[i]!)).toContain(name.trim());
    }
  });
});

describe("originalNames", () => {
  it("gives what a column may have been called", () => {
    expect(originalNames("#H2CO2")).toEqual(["#HCOOH", "#HCO2H"]);
    expect(originalNames("C2H4N+")).toEqual(["CH3CNH+"]);
    expect(originalNames("H2")).toEqual([]);
  });
});
