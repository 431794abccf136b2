import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseSpecies, readSpeciesList } from "../../src/chemistry/species.ts";
import { stoichiometricMatrix } from "../../src/chemistry/stoichiometry.ts";

const plain = (name: string): object => {
  const { phase, charge, atoms } = parseSpecies(name);
  return { phase, charge, ...Object.fromEntries(atoms) };
};

function listFile(text: string): string {
  const path = join(mkdtempSync(join(tmpdir(), "astrochem-")), "species.txt");
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

  it.each(["", "XY", "H2o", "E", "SURFACE", "#", "BULK"])("refuses %j", (name) => {
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

  it("gives the shipped stoichiometric matrix", () => {
    const bytes = readFileSync("utils/stoichiometric_matrix.npy");
    const stored = new Float64Array(bytes.buffer.slice(bytes.byteOffset + 128)); // Fortran order
    const { data } = stoichiometricMatrix(species);
    for (let s = 0; s < 333; s++) for (let e = 0; e < 9; e++) expect(data[s * 9 + e]).toBe(stored[e * 333 + s]);
  });

  it("starts neutral with the shipped initial abundances", () => {
    const bytes = readFileSync("utils/initial_abundances.npy");
    const initial = new Float64Array(bytes.buffer.slice(bytes.byteOffset + 128));
    const { data } = stoichiometricMatrix(species, { charge: true });
    const net = species.reduce((sum, _, s) => sum + data[s * 10 + 9]! * initial[s]!, 0);
    expect(Math.abs(net)).toBeLessThan(2e-10); // 1.82324e-4 electrons against 1.823239e-4 ions
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

  it("reads Windows line ends and a missing last newline", () => {
    expect(readSpeciesList(listFile("H\r\n#H2O"))).toEqual(["H", "#H2O"]);
  });

  it("says which file it cannot read", () => {
    expect(() => readSpeciesList("/nowhere/species.txt")).toThrow("cannot read the species list /nowhere/species.txt");
  });
});
