import { describe, expect, it } from "vitest";
import { elementTable, type MatrixFile, type TableSources, tableOfNames } from "../../src/chemistry/element-table.ts";
import { elements } from "../../src/chemistry/elements.ts";
import type { NamesConvention } from "../../src/chemistry/name-reader.ts";
import { readSpeciesList } from "../../src/chemistry/species.ts";
import { DataError } from "../../src/errors.ts";
import { readNpy } from "../../src/formats/npy.ts";

const sources: TableSources = { naming: {}, matrix: null, allowsNoFormula: false, where: "species.txt" };

function failure(names: readonly string[], options: Partial<TableSources> = {}): string {
  try {
    elementTable(names, { ...sources, ...options });
  } catch (error) {
    if (error instanceof DataError) return error.message;
    throw error;
  }
  return "no error";
}

describe("the table of the bundled species", () => {
  const species = readSpeciesList("utils/species.txt");

  it("equals the shipped matrix, whose columns sum to what the original's did", () => {
    const { table, notes } = elementTable(species, sources);
    expect(notes).toEqual([]);
    expect(table.elements).toEqual(["H", "HE", "C", "N", "O", "S", "SI", "MG", "CL"]);
    const data = Float64Array.from(table.atoms.flat());
    expect(readNpy("utils/stoichiometric_matrix.npy")).toEqual({ dtype: "f8", shape: [333, 9], data });
    const sums = elements.map((_, e) => table.atoms.reduce((sum, counts) => sum + counts[e]!, 0));
    expect(sums).toEqual([432, 5, 277, 98, 134, 75, 49, 4, 9]);
    expect(tableOfNames(species)).toEqual(table);
  });

  it("starts with the solver's elemental abundances, and neutral", () => {
    const initial = readNpy("utils/initial_abundances.npy").data as Float64Array;
    const { atoms, charges } = tableOfNames(species);
    const expected = [1, 0.1, 1.770001e-4, 6.18e-5, 3.34e-4, 3.51e-6, 1.78e-6, 2.256e-6, 3.39e-8];
    for (const [e, abundance] of expected.entries()) {
      const total = atoms.reduce((sum, counts, s) => sum + counts[e]! * initial[s]!, 0);
      expect(total / abundance, elements[e]).toBeCloseTo(1, 9);
    }
    // 1.82324e-4 electrons against 1.823239e-4 ions.
    expect(Math.abs(charges.reduce((sum, charge, s) => sum + charge * initial[s]!, 0))).toBeLessThan(2e-10);
  });
});

describe("elementTable", () => {
  it("has columns for the nine, the declared, and others that occur", () => {
    const naming = { elements: ["18O"] };
    const { table } = elementTable(["H2", "NA+", "C18O", "E-"], { ...sources, naming });
    expect(table.elements).toEqual([...elements, "18O", "NA"]);
    expect(table.atoms[2]).toEqual([0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0]);
    expect(table.charges).toEqual([0, 1, 0, -1]);
  });

  it("names all bad names in one message, with what to do", () => {
    expect(failure(["H", "H2OX", "C18O", "13CO", "M", "XYZ"])).toMatchInlineSnapshot(`
      "5 species' names are no formulas: \`H2OX\`, \`C18O\` (18O?), \`13CO\` (13C?), \`M\`, \`XYZ\`
        at   species.txt, lines 2, 3, 4, 5, 6
        fix  isotopes: add dataset.elements=[18O,13C]; spell them as in UCLCHEM, declare more elements (dataset.elements=[K,PAH]); name the convention (dataset.names=kida); or give the atoms of all species: dataset.stoichiometric_matrix_path=FILE.npy; names without a formula are allowed where every conservation_weight is 0"
    `);
    expect(failure(["CO", "C18O", "H13CO+"])).toMatchInlineSnapshot(`
      "2 species' names may mean an isotope or a count: \`C18O\` (18O?), \`H13CO+\` (13C?)
        at   species.txt, lines 2, 3
        fix  isotopes: add dataset.elements=[18O,13C]; or give the atoms of all species: dataset.stoichiometric_matrix_path=FILE.npy"
    `);
    const many = Array.from({ length: 40 }, (_, i) => `Q${"a".repeat(i + 1)}`);
    expect(failure(many)).toContain("and 28 more");
  });

  it("asks about a count behind the element that is its mass, where the species without is in the list", () => {
    expect(failure(["CO", "CO18"])).toContain("`CO18` (18O?)");
    expect(failure(["C", "C13"])).toContain("`C13` (13C?)");
    expect(failure(["C", "C11", "C12", "C13"])).toBe("no error");
    expect(failure(["HCN", "HC11N", "HC13N"])).toBe("no error");
    expect(failure(["C60", "C"])).toBe("no error");
  });

  it("gives names without a formula no atoms where nothing is conserved, and says so; isotopes it asks about all the same", () => {
    const { table, notes } = elementTable(["H", "GRAIN-", "PAHX+", "e-"], { ...sources, allowsNoFormula: true });
    expect(table.atoms.map((counts) => counts.some((count) => count > 0))).toEqual([true, false, false, false]);
    expect(table.charges).toEqual([0, -1, 1, -1]);
    expect(notes).toEqual(["no atoms are counted in names without a formula: GRAIN-, PAHX+"]);
    expect(failure(["CO", "C18O"], { allowsNoFormula: true })).toContain("18O");
  });

  it("takes the prefix of a named convention for ice in names without a formula, too", () => {
    const phases = (names: NamesConvention) =>
      elementTable(["gPAHX", "JPAHX", "#PAHX"], { ...sources, naming: { names }, allowsNoFormula: true }).table.phases;
    expect(phases("alchemic")).toEqual(["surface", "gas", "surface"]);
    expect(phases("kida")).toEqual(["gas", "surface", "surface"]);
    expect(phases("auto")).toEqual(["gas", "gas", "surface"]);
  });

  it("says when it read J and K as ice unasked", () => {
    const names = ["CO", "JCO", "KH2O"];
    expect(elementTable(names, sources).notes).toEqual([
      "read J and K as surface and mantle of the ice: JCO, KH2O (dataset.names=kida)",
    ]);
    expect(elementTable(names, { ...sources, naming: { names: "kida" } }).notes).toEqual([]);
  });
});

describe("a matrix file", () => {
  const names = ["H2", "CO", "PAH+"];
  const rows = [
    [2, 0, 0, 0, 0, 0, 0, 0, 0],
    [0, 0, 1, 0, 1, 0, 0, 0, 0],
    [10, 0, 24, 0, 0, 0, 0, 0, 0],
  ];
  const file = (values: readonly number[][]): MatrixFile => ({
    path: "m.npy",
    shape: [values.length, values[0]!.length],
    data: values.flat(),
  });

  it("wins, and gives atoms to names without a formula", () => {
    const { table, notes } = elementTable(names, { ...sources, matrix: file(rows) });
    expect(table.atoms).toEqual(rows);
    expect(table.charges).toEqual([0, 0, 1]);
    expect(notes).toEqual([]);
  });

  it("may have a column of charges", () => {
    const charged = rows.map((row, s) => [...row, [0, 0, 2][s]!]);
    expect(elementTable(names, { ...sources, matrix: file(charged) }).table.charges).toEqual([0, 0, 2]);
    const wrong = rows.map((row) => [...row, 1]);
    expect(failure(names, { matrix: file(wrong) })).toContain("charge 1 of H2, its name 0");
  });

  it("that does not fit is an error with both counts", () => {
    expect(failure(names.slice(1), { matrix: file(rows) })).toContain("has 3 rows, and the species list has 2 names");
    expect(failure(names, { matrix: file(rows.map((row) => row.slice(1))) })).toContain("has 8 columns, not 9 (H, HE");
    expect(failure(names, { matrix: { ...file(rows), shape: [27] } })).toContain("shape [27], not [species, elements]");
    const two = rows.map((row, s) => (s === 1 ? row.with(2, 2) : row));
    expect(failure(names, { matrix: file(two) })).toContain("2 of C in CO, its name 1");
    const negative = rows.map((row, s) => (s === 2 ? row.with(0, Number.NaN) : row));
    expect(failure(names, { matrix: file(negative) })).toContain("NaN atoms of H in PAH+");
  });

  it("answers the question about isotopes", () => {
    const isotope = [[0, 0, 1, 0, 1, 0, 0, 0, 0]];
    expect(elementTable(["C18O"], { ...sources, matrix: file(isotope) }).table.atoms).toEqual(isotope);
  });
});

describe("tableOfNames", () => {
  it("takes any name: doubtful counts are isotopes, no formula is no atoms", () => {
    const { elements: columns, atoms, charges } = tableOfNames(["13C18O", "GRAIN-", "QQ+", "JCO"]);
    expect(columns).toEqual([...elements, "13C", "18O"]);
    expect(atoms.map((counts) => counts.reduce((sum, count) => sum + count, 0))).toEqual([2, 0, 0, 2]);
    expect(charges).toEqual([0, -1, 1, 0]);
  });

  it("has no rows for no species", () => {
    expect(tableOfNames([]).atoms).toEqual([]);
  });
});
