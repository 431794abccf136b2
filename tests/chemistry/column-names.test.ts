import { describe, expect, it } from "vitest";
import { readColumnName } from "../../src/chemistry/column-names.ts";
import { unitFactor } from "../../src/chemistry/physical-parameters.ts";

const read = (column: string) => {
  const reading = readColumnName(column);
  return reading && [reading.name, reading.unit].filter((part) => part !== undefined).join(" in ");
};

describe("a column's name", () => {
  it.each([
    ["Tracer", "Model"],
    ["particle_id", "Model"],
    ["t", "Time"],
    ["T", "gasTemp"],
    ["t_yr", "Time in yr"],
    ["Time (kyr)", "Time in kyr"],
    ["time in Myr", "Time in Myr"],
    ["nH [cm^-3]", "Density in cm^-3"],
    ["rho (g cm^-3)", "Density in g cm^-3"],
    ["rho_g cm^-3", "Density in g cm^-3"],
    ["radfield", "Radfield"],
    ["G0", "Radfield"],
    ["A_V [mag]", "Av in mag"],
    ["Tgas_K", "gasTemp in K"],
    ["T_dust", "dustTemp"],
    ["Time (model units)", "Time in model units"],
    // Formulas come first: a letter that is an element is no density.
    ["N", "N"],
    ["NH", "NH"],
    [" H2 ", "H2"],
    ["x_HCO+", "HCO+"],
    ["n(CO)", "CO"],
    ["X[#H2O]", "#H2O"],
    ["velocity", undefined],
    ["X_", undefined],
  ])("`%s` is read as %s", (column, expected) => {
    expect(read(column)).toBe(expected);
  });
});

describe("units", () => {
  it("are known in several spellings, and of no other column", () => {
    expect(unitFactor("Time", "kyr")).toBe(1000);
    expect(unitFactor("Time", " Myr ")).toBe(1e6);
    expect(unitFactor("Time", "s")! * 31_557_600).toBeCloseTo(1, 12);
    expect(unitFactor("Density", "cm**-3")).toBe(1);
    expect(unitFactor("Density", "kg m^-3")! / unitFactor("Density", "g cm^-3")!).toBeCloseTo(1e-3, 12);
    expect([unitFactor("Density", "yr"), unitFactor("CO", "cm^-3"), unitFactor("constructor", "s")]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});
