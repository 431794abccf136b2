import { describe, expect, it } from "vitest";
import { AbundanceUnits } from "../../src/chemistry/abundance-units.ts";

const network = ["H", "H2", "CO", "#H2O"];
/** Molecular gas: 2 · 0.4999 + 0.0001 + 2 · 5e-5 hydrogen nuclei. */
const gas = [1e-4, 0.4999, 1e-4, 5e-5];

function doubt(species: readonly string[], rows: readonly (readonly number[])[]): string | null {
  const units = new AbundanceUnits(species);
  units.add(rows.flat(), { rows: rows.length, width: species.length, firstRow: 10 });
  return units.doubt((row) => `row ${row}`);
}

const scaled = (factor: number): number[] => gas.map((value) => factor * value);

describe("abundances relative to hydrogen nuclei", () => {
  it("raise no doubt, nor do clipped or rounded ones, or what a solver is off", () => {
    const rounded = [...Float32Array.from(gas)];
    const clipped = gas.map((value) => Math.max(value, 1e-20));
    expect(doubt(network, [gas, rounded, clipped, scaled(1.009), scaled(0.991)])).toBeNull();
  });

  it("raise none in a list without hydrogen, or with a part of it", () => {
    expect(doubt(["CO", "O", "HE"], [[1e-4, 1e-4, 0.1]])).toBeNull();
    expect(doubt(["CO", "#H2O", "HCO+"], [[1e-4, 5e-5, 1e-9]])).toBeNull();
    expect(doubt(["H2", "CO"], [[0.25, 1e-4]])).toBeNull();
    expect(doubt(["X1", "X2"], [[0.3, 0.9]])).toBeNull();
  });

  it("raise none where values are missing: those are errors of their own", () => {
    expect(doubt(network, [[Number.NaN, 0.5, 0, 0]])).toBeNull();
  });
});

describe("abundances in another unit", () => {
  it("relative to H2 are told by twice the hydrogen, with the first row and how many there are", () => {
    expect(doubt(network, [gas, scaled(2), scaled(2)])).toBe(
      "hydrogen nuclei sum to 2 instead of 1 in row 11 (the first of 2 such rows): abundances relative to H2? " +
        "Divide each row by its number of hydrogen nuclei (H + 2 H2 + …)",
    );
  });

  it("relative to H2 are told in atomic gas, where H2 is 1 and H anything", () => {
    expect(doubt(network, [[5e3, 1, 1e-1, 0]])).toContain(
      "sum to 5000 instead of 1 in row 10: abundances relative to H2?",
    );
  });

  it("per cm^3 are told, in a list without hydrogen, too", () => {
    expect(doubt(network, [scaled(2e4)])).toContain(
      "sum to 20000 instead of 1 in row 10: number densities (per cm^3)?",
    );
    expect(doubt(["CO", "O"], [[3, 20]])).toContain("the abundance of O is 20, above 1, in row 10: number densities");
  });

  it("that lack hydrogen are told where the list has H and H2", () => {
    expect(doubt(network, [scaled(0.71)])).toBe(
      "hydrogen nuclei sum to 0.71 instead of 1 in row 10: " +
        "mass fractions, relative to all nuclei, or a species with much hydrogen missing?",
    );
  });

  it("are found in rows within a wider array", () => {
    const units = new AbundanceUnits(network);
    units.add([7, 7, ...gas, 7, 7, ...scaled(2)], { rows: 2, width: 6, offset: 2 });
    expect(units.doubt((row) => `row ${row}`)).toContain("in row 1: abundances relative to H2?");
  });
});
