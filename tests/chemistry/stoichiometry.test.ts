import { describe, expect, it } from "vitest";
import { elements, readSpeciesList } from "../../src/chemistry/species.ts";
import { stoichiometricMatrix } from "../../src/chemistry/stoichiometry.ts";
import { DataError } from "../../src/errors.ts";
import { readNpy } from "../../src/formats/npy.ts";

describe("stoichiometricMatrix", () => {
  const species = readSpeciesList("utils/species.txt");

  it("equals the shipped matrix, whose columns sum to what the original's did", () => {
    const matrix = stoichiometricMatrix(species);
    expect(matrix.elements).toEqual(["H", "HE", "C", "N", "O", "S", "SI", "MG", "CL"]);
    expect(readNpy("utils/stoichiometric_matrix.npy")).toEqual({ dtype: "f8", shape: [333, 9], data: matrix.data });
    const sums = elements.map((_, e) => species.reduce((sum, _, s) => sum + matrix.data[s * 9 + e]!, 0));
    expect(sums).toEqual([432, 5, 277, 98, 134, 75, 49, 4, 9]);
  });

  it("adds a column of charges where it is asked to", () => {
    const rows = [
      [4, 0, 1, 0, 1, 0, 0, 0, 0, 0],
      [3, 0, 0, 0, 1, 0, 0, 0, 0, 1],
      [0, 0, 0, 0, 0, 0, 0, 0, 0, -1],
    ];
    expect(stoichiometricMatrix(["#CH3OH", "H3O+", "E-"], { charge: true })).toEqual({
      elements: [...elements, "charge"],
      data: Float64Array.from(rows.flat()),
    });
  });

  it("starts with the solver's elemental abundances, and neutral", () => {
    const initial = readNpy("utils/initial_abundances.npy").data as Float64Array;
    const { data, elements: columns } = stoichiometricMatrix(species, { charge: true });
    const total = columns.map((_, c) => species.reduce((sum, _, s) => sum + data[s * 10 + c]! * initial[s]!, 0));
    const expected = [1, 0.1, 1.770001e-4, 6.18e-5, 3.34e-4, 3.51e-6, 1.78e-6, 2.256e-6, 3.39e-8];
    for (const [e, abundance] of expected.entries()) expect(total[e]! / abundance, columns[e]).toBeCloseTo(1, 9);
    // 1.82324e-4 electrons against 1.823239e-4 ions.
    expect(Math.abs(total[9]!)).toBeLessThan(2e-10);
  });

  it("has no rows for no species, and refuses what is none", () => {
    expect(stoichiometricMatrix([]).data).toHaveLength(0);
    expect(() => stoichiometricMatrix(["H", "SURFACE"])).toThrow(DataError);
  });
});
