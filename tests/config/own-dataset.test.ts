import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { messageOf, testFolder } from "../helpers/folder.ts";

const cwd = testFolder();
const folder = join(cwd, "configs/datasets");
const keys = `dataset_path: data/mine_clean.h5
physical_parameter_ranges: {Density: [1, 10]}
phys: [Density]
preprocessing: {input_path: raw.h5}
`;

function load(text: string, overrides: readonly string[] = []) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "mine.yaml"), text);
  const options = { configDirs: [], cwd, env: {}, now: new Date(0) };
  return loadConfig({ root: "config", overrides: ["dataset=mine", ...overrides], ...options });
}

describe("a dataset's own file", () => {
  it("goes to `dataset` with and without the header", () => {
    const plain = load(keys).config;
    expect(plain.dataset).toMatchObject({ name: "mine", phys: ["Density"] });
    expect(load(`# @package dataset\n${keys}`).config).toEqual(plain);
    expect(load(`# @package _global_.dataset\n${keys}`).config).toEqual(plain);
  });

  it("names inputs that lie beside it, wherever the command runs", () => {
    writeFileSync(join(cwd, "raw.h5"), "");
    writeFileSync(join(folder, "names.txt"), "CO\n");
    const { config, notes } = load(`${keys}species_path: names.txt\n`);
    expect(config.dataset).toMatchObject({
      species_path: "configs/datasets/names.txt",
      initial_abundances_path: "utils/initial_abundances.npy",
      preprocessing: { input_path: "raw.h5" },
    });
    expect(notes).toEqual([]);
    expect(load(`${keys}species_path: names.txt\n`, ["working_path=elsewhere"]).config.dataset.species_path).toBe(
      join(folder, "names.txt"),
    );
    expect(load(keys, ["dataset.species_path=names.txt"]).config.dataset.species_path).toBe("names.txt");
  });

  it("names patterns and lists of files beside it", () => {
    const inputs = (text: string) => load(keys.replace("raw.h5", text)).config.dataset.preprocessing.input_path;
    expect(inputs('"run*.csv"')).toBe("run*.csv");
    writeFileSync(join(folder, "run1.csv"), "");
    expect(inputs('"run*.csv"')).toBe("configs/datasets/run*.csv");
    expect(inputs("[run1.csv, other.csv]")).toEqual(["configs/datasets/run1.csv", "other.csv"]);
  });

  it("says which of two files of one name it takes", () => {
    writeFileSync(join(folder, "names.txt"), "CO\n");
    writeFileSync(join(cwd, "names.txt"), "HCO+\n");
    const { notes } = load(`${keys}species_path: names.txt\n`);
    expect(notes.map((note) => note.replaceAll(cwd, "…"))).toEqual([
      "dataset.species_path: configs/datasets/names.txt is taken, not …/names.txt",
    ]);
  });

  it("refuses units that it does not know", () => {
    const attempt = () => load(`${keys}units: {Time: fortnight, Density: g cm^-3}\n`);
    expect(() => attempt()).toThrow();
    try {
      attempt();
    } catch (error) {
      expect(messageOf(error, cwd)).toMatchInlineSnapshot(`
        "\`dataset.units\` \`fortnight\` is no unit of Time: yr, yrs, y, year, years, a, kyr, myr, gyr, s, sec, second, seconds, day, days
          at   configs/datasets/mine.yaml:5:1
          fix  it is {Time: fortnight, Density: 'g cm^-3'}"
      `);
    }
  });
});
