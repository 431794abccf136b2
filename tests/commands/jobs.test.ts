import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { chemistryOf } from "../../src/commands/jobs.ts";
import { loadConfig } from "../../src/config/load.ts";
import { writeNpy } from "../../src/formats/npy.ts";
import { testFolder } from "../helpers/folder.ts";

const folder = testFolder();
const at = (name: string): string => join(folder, name);

function chemistry(names: readonly string[], ...overrides: string[]) {
  writeFileSync(at("mine.txt"), names.join("\n"));
  const all = ["dataset=grav", `working_path=${folder}`, "dataset.species_path=mine.txt", ...overrides];
  return chemistryOf(
    loadConfig({ root: "config", overrides: all, configDirs: [], cwd: folder, env: {}, now: new Date(0) }),
  );
}

describe("chemistryOf", () => {
  it("does not apply the package's matrix to another list, and says so", () => {
    const { table, notes } = chemistry(["H2", "NA"]);
    expect(table.elements.at(-1)).toBe("NA");
    expect(notes).toEqual([
      "computed the elements from the names: the package's matrix belongs to another species list",
    ]);
    expect(chemistry(["H2", "NA"], "dataset.stoichiometric_matrix_path=null").notes).toEqual([]);
  });

  it("takes a file that is named, and refuses one that does not fit", () => {
    writeNpy(at("two.npy"), {
      shape: [2, 9],
      data: Float64Array.of(2, ...Array(8).fill(0), 10, 0, 24, ...Array(6).fill(0)),
    });
    const matrix = "dataset.stoichiometric_matrix_path=two.npy";
    expect(chemistry(["H2", "PAHX"], matrix).table.atoms[1]).toEqual([10, 0, 24, 0, 0, 0, 0, 0, 0]);
    expect(() => chemistry(["H2", "PAHX", "CO"], matrix)).toThrow("has 2 rows, and the species list has 3 names");
  });

  it("refuses names without a formula where some loss conserves the elements", () => {
    expect(chemistry(["H2", "PAHX"]).notes.at(-1)).toContain("PAHX");
    expect(() => chemistry(["H2", "PAHX"], "recipe=original")).toThrow("`PAHX`");
    expect(() => chemistry(["H2", "PAHX"], "recipe=original", "model.conservation_weight=0")).not.toThrow();
  });

  it("reads isotopes that the configuration declares", () => {
    expect(() => chemistry(["CO", "C18O"])).toThrow("18O?");
    expect(chemistry(["CO", "C18O"], "dataset.elements=[18O]").table.elements.at(-1)).toBe("18O");
  });
});
