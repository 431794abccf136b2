import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseSpecies, readSpeciesList } from "../../src/chemistry/species.ts";
import { DataError } from "../../src/errors.ts";
import { testFolder } from "../helpers/folder.ts";

const folder = testFolder();

const plain = (name: string): object => {
  const { phase, charge, atoms } = parseSpecies(name);
  return { phase, charge, ...Object.fromEntries(atoms) };
};

function listFile(text: string): string {
  const path = join(folder, "species.txt");
  writeFileSync(path, text);
  return path;
}

describe("parseSpecies", () => {
  it("reads phase, charge and atoms", () => {
    expect(plain("#H2O")).toEqual({ phase: "surface", charge: 0, H: 2, O: 1 });
    expect(plain("@SIC3H")).toEqual({ phase: "bulk", charge: 0, SI: 1, C: 3, H: 1 });
    expect(plain("HCO+")).toEqual({ phase: "gas", charge: 1, H: 1, C: 1, O: 1 });
    expect(plain("E-")).toEqual({ phase: "gas", charge: -1 });
  });

  it("adds up an element that occurs several times", () => {
    expect(plain("CH3OH")).toEqual({ phase: "gas", charge: 0, C: 1, H: 4, O: 1 });
  });

  it("does not take HE for H, CL for C, SI for S", () => {
    expect(plain("HE+")).toEqual({ phase: "gas", charge: 1, HE: 1 });
    expect(plain("HCL")).toEqual({ phase: "gas", charge: 0, H: 1, CL: 1 });
    expect(plain("SIS")).toEqual({ phase: "gas", charge: 0, SI: 1, S: 1 });
  });

  it("adds up charges", () => {
    expect([plain("H++"), plain("O--"), plain("H-")]).toMatchObject([{ charge: 2 }, { charge: -2 }, { charge: -1 }]);
  });

  it.each([
    ...["", "XY", "H2o", "E", "E+", "#E-", "SURFACE", "#", "BULK", "##H", "+", "constructor"],
    ...["H0", "C007", "C1000", `C${"9".repeat(400)}`, "H+-", "H+2", "H 2", "H\n", "H\rHE", "H\u2028", "2H"],
  ])("refuses %j", (name) => {
    expect(() => parseSpecies(name)).toThrow(DataError);
    expect(() => parseSpecies(name)).toThrow("is not a formula");
  });
});

describe("the shipped species list", () => {
  const species = readSpeciesList("utils/species.txt");

  it("has 333 species: 83 on the surface, 83 in the bulk, 167 gas", () => {
    const phases = species.map((name) => parseSpecies(name).phase);
    const count = (phase: string): number => phases.filter((p) => p === phase).length;
    expect([species.length, count("surface"), count("bulk"), count("gas")]).toEqual([333, 83, 83, 167]);
  });
});

describe("readSpeciesList", () => {
  it("names file and line of a duplicate", () => {
    const path = listFile("H\nHE\nH\n");
    expect(() => readSpeciesList(path)).toThrow(
      `H occurs twice in the species list, first in line 1\n  at   ${path}:3`,
    );
  });

  it("names file and line of an empty line and of a bad name", () => {
    expect(() => readSpeciesList(listFile("H\n\nHE"))).toThrow("species.txt:2");
    expect(() => readSpeciesList(listFile("H\nQ2"))).toThrow("species.txt:2");
  });

  it("does not take names for comments, nor a list that is empty or one line of old Mac's", () => {
    expect(readSpeciesList(listFile("#H\n@H\n"))).toEqual(["#H", "@H"]);
    expect(() => readSpeciesList(listFile(""))).toThrow("has an empty line");
    expect(() => readSpeciesList(listFile("H\rHE\rC"))).toThrow("is not a formula");
  });

  it("reads Windows line ends and a missing last newline", () => {
    expect(readSpeciesList(listFile("H\r\n#H2O"))).toEqual(["H", "#H2O"]);
  });

  it("says which file it cannot read", () => {
    expect(() => readSpeciesList("/nowhere/species.txt")).toThrow("cannot read the species list /nowhere/species.txt");
  });
});
