import { describe, expect, it } from "vitest";
import { readSpeciesList } from "../../src/chemistry/species.ts";
import { matchNames, originalNames, renameColumn, suggestName } from "../../src/chemistry/species-names.ts";
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

describe("matchNames", () => {
  const found = (wanted: string[], present: string[]): Record<string, string> =>
    Object.fromEntries(matchNames(wanted, present).sources);

  it("takes names as they are, and renames either side where only the other spelling is there", () => {
    expect(found(["CH3OH", "H2"], ["CH3OH", "CH4O", "H2"])).toEqual({ CH3OH: "CH3OH", H2: "H2" });
    expect(found(["CH4O", "C2H3N"], ["CH3OH", "CH3CN"])).toEqual({ CH4O: "CH3OH", C2H3N: "CH3CN" });
    expect(found(["#CH3OH", "@HCOOH"], ["#CH4O", "@H2CO2"])).toEqual({ "#CH3OH": "#CH4O", "@HCOOH": "@H2CO2" });
    expect(found(["HCO2H"], ["HCOOH"])).toEqual({ HCO2H: "HCOOH" });
  });

  it("renames nothing where two names of a side would become one", () => {
    expect(found(["CH2OH", "CH3O"], ["CH3O", "CH2OH"])).toEqual({ CH2OH: "CH2OH", CH3O: "CH3O" });
    expect(found(["CH2OH", "CH3O"], ["CH2OH"])).toEqual({ CH2OH: "CH2OH" });
    expect(found(["H2CO2"], ["HCOOH", "HCO2H"])).toEqual({});
  });

  it("finds another spelling of the same species, and says so", () => {
    const wanted = ["E-", "HE", "SI+", "HCO+", "#CO", "@CO"];
    const present = ["e-", "He", "Si+", "HCO(+)", "JCO", "KCO"];
    const { sources, respelt } = matchNames(wanted, present);
    expect([...sources.values()]).toEqual(present);
    expect(respelt).toEqual(wanted);
    expect(found(["electron"], ["E"])).toEqual({ electron: "E" });
  });

  it.each([
    ["HCN", "HNC"],
    ["C3H2", "c-C3H2"],
    ["#CO", "CO"],
    ["H2", "H2+"],
    ["CH3OH", "CH3O"],
    ["C18O", "CO"],
    ["#CO", "#CO*"],
  ])("does not take %s for %s", (wanted, present) => {
    expect(found([wanted], [present])).toEqual({});
  });
});

describe("suggestName", () => {
  it("never names another molecule", () => {
    expect(suggestName("CH3OH", ["CH3O", "CH3OCH3"])).toBeUndefined();
    expect(suggestName("Densty", ["H2CO", "Density"])).toBe("Density");
    expect(suggestName("PAHX", ["PH2"])).toBeUndefined();
  });
});

describe("the columns of the bundled sample", () => {
  it("become the species list, and nothing else is touched", async () => {
    const frame = await openFrame("data/sample_collapse.h5", "df");
    const raw = [...frame.columns];
    frame.close();
    const species = readSpeciesList("utils/species.txt");
    const renamed = raw.map(renameColumn);
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
