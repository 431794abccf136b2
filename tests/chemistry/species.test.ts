import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { NamingOptions } from "../../src/chemistry/name-reader.ts";
import { parseSpecies, readSpeciesList } from "../../src/chemistry/species.ts";
import { DataError } from "../../src/errors.ts";
import { testFolder } from "../helpers/folder.ts";

const folder = testFolder();

const plain = (name: string, naming: NamingOptions = {}): object => {
  const { phase, charge, atoms } = parseSpecies(name, naming);
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

  it.each(["E-", "e-", "E", "e", "electron", "ELECTR", "e(-)", "electrons"])("reads %s as the electron", (name) => {
    expect(plain(name)).toEqual({ phase: "gas", charge: -1 });
  });

  it.each([
    ["He+", { charge: 1, HE: 1 }],
    ["SiO", { SI: 1, O: 1 }],
    ["NaCl", { NA: 1, CL: 1 }],
    ["MgH2", { MG: 1, H: 2 }],
    ["FE+", { charge: 1, FE: 1 }],
    ["NA", { NA: 1 }],
    ["PN", { P: 1, N: 1 }],
    ["CF+", { charge: 1, C: 1, F: 1 }],
    ["ArH+", { charge: 1, AR: 1, H: 1 }],
    ["H2D+", { charge: 1, H: 2, D: 1 }],
    ["HCO(+)", { charge: 1, H: 1, C: 1, O: 1 }],
    ["CO(ice)", { phase: "surface", C: 1, O: 1 }],
    ["H2O_I", { phase: "surface", H: 2, O: 1 }],
    ["H2O_ice", { phase: "surface", H: 2, O: 1 }],
    ["JCO", { phase: "surface", C: 1, O: 1 }],
    ["KH2O", { phase: "bulk", H: 2, O: 1 }],
    ["c-C3H2", { C: 3, H: 2 }],
    ["l-C3H+", { charge: 1, C: 3, H: 1 }],
    ["Jc-C3H2", { phase: "surface", C: 3, H: 2 }],
    ["o-H2", { H: 2 }],
    ["pH2D+", { charge: 1, H: 2, D: 1 }],
    ["#a-CH4", { phase: "surface", C: 1, H: 4 }],
    ["#CO*", { phase: "surface", C: 1, O: 1 }],
    ["O(1D)", { O: 1 }],
    ["(CH3)2CO", { C: 3, H: 6, O: 1 }],
    ["GRAIN0", {}],
    ["GRAIN-", { charge: -1 }],
    ["C60+", { charge: 1, C: 60 }],
    ["HC11N", { H: 1, C: 11, N: 1 }],
    ["C10H2", { C: 10, H: 2 }],
  ])("reads %s as other networks mean it", (name, expected) => {
    expect(plain(name)).toEqual({ phase: "gas", charge: 0, ...expected });
  });

  it.each(["C18O", "H13CO+", "HC15N", "H218O", "13CO", "15NH3", "C34S", "SI18O", "#C17O", "J13CO", "C13CH", "29SiO"])(
    "asks about the isotope in %s",
    (name) => {
      expect(() => parseSpecies(name)).toThrow("may have the isotope");
    },
  );

  it("reads declared isotopes, wherever they stand", () => {
    const naming = { elements: ["13C", "18O", "15N", "29SI"] };
    const atoms = (name: string): object => Object.fromEntries(parseSpecies(name, naming).atoms);
    expect(atoms("C18O")).toEqual({ C: 1, "18O": 1 });
    expect(atoms("13C18O")).toEqual({ "13C": 1, "18O": 1 });
    expect(atoms("H218O")).toEqual({ H: 2, "18O": 1 });
    expect(atoms("H13C15N")).toEqual({ H: 1, "13C": 1, "15N": 1 });
    expect(atoms("13CH3OH")).toEqual({ "13C": 1, H: 4, O: 1 });
    expect(atoms("15N2H+")).toEqual({ "15N": 2, H: 1 });
    expect(atoms("29SiO")).toEqual({ "29SI": 1, O: 1 });
    expect(atoms("C10H2")).toEqual({ C: 10, H: 2 });
    expect(() => parseSpecies("C17O", naming)).toThrow("17O");
  });

  it("declares elements and other spellings, and refuses what cannot be told apart", () => {
    expect(plain("KCL", { elements: ["K"] })).toMatchObject({ phase: "gas", K: 1, CL: 1 });
    expect(plain("KCO", { elements: ["K"], names: "kida" })).toMatchObject({ phase: "bulk", C: 1, O: 1 });
    expect(plain("PAH-", { elements: ["PAH"] })).toMatchObject({ charge: -1, PAH: 1 });
    expect(plain("HT", { elements: ["D=T"] })).toMatchObject({ H: 1, D: 1 });
    expect(plain("CoO", { elements: ["Co"] })).toMatchObject({ Co: 1, O: 1 });
    expect(plain("CO", { elements: ["Co"] })).toMatchObject({ C: 1, O: 1 });
    expect(() => parseSpecies("CO", { elements: ["CO"] })).toThrow("also a sequence of other elements");
    expect(() => parseSpecies("C2H", { elements: ["2H"] })).toThrow("cannot be told from a count");
    expect(() => parseSpecies("H", { elements: ["D=H"] })).toThrow("H is H");
    expect(plain("gCO", { names: "alchemic" })).toMatchObject({ phase: "surface" });
    expect(() => parseSpecies("JCO", { names: "uclchem" })).toThrow("is not a formula");
  });

  it.each([
    ...["", "XY", "H2o", "E+", "#E-", "SURFACE", "#", "BULK", "##H", "+", "constructor"],
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

  it("names file and line of an empty line", () => {
    expect(() => readSpeciesList(listFile("H\n\nHE"))).toThrow("species.txt:2");
  });

  it("does not take names for comments, nor a list that is empty", () => {
    expect(readSpeciesList(listFile("#H\n@H\n"))).toEqual(["#H", "@H"]);
    expect(() => readSpeciesList(listFile(""))).toThrow("has an empty line");
    expect(readSpeciesList(listFile("H\rHE\rC"))).toEqual(["H", "HE", "C"]);
  });

  it("reads Windows line ends and a missing last newline", () => {
    expect(readSpeciesList(listFile("H\r\n#H2O"))).toEqual(["H", "#H2O"]);
  });

  it("says which file it cannot read", () => {
    expect(() => readSpeciesList("/nowhere/species.txt")).toThrow("cannot read the species list /nowhere/species.txt");
  });
});
