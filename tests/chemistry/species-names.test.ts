import { describe, expect, it } from "vitest";
import { originalNames, renameColumn, renameColumns } from "../../src/chemistry/species-names.ts";

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
    // Not renamed: no whole name of the table.
    ["HCO2H2", "HCO2H2"],
    ["Time", "Time"],
    ["dustTemp", "dustTemp"],
    ["SURFACE", "SURFACE"],
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

describe("originalNames", () => {
  it("gives what a column may have been called", () => {
    expect(originalNames("#H2CO2")).toEqual(["#HCOOH", "#HCO2H"]);
    expect(originalNames("C2H4N+")).toEqual(["CH3CNH+"]);
    expect(originalNames("H2")).toEqual([]);
  });
});
