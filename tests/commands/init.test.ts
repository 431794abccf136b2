import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { main } from "../../src/commands/main.ts";
import { toValue } from "../../src/config/tree.ts";
import { parseYaml } from "../../src/config/yaml.ts";
import { openFrame } from "../../src/data/frame.ts";
import { type RawRow, writeRawRows } from "../helpers/raw-frame.ts";
import { Buffered, temporaryFolder } from "./buffers.ts";

/** A line of words in a folder. */
async function call(cwd: string, ...words: string[]) {
  const [stdout, stderr] = [new Buffered(), new Buffered()];
  const signal = new AbortController().signal;
  const code = await main(words, { cwd, env: {}, now: () => new Date(), stdout, stderr, signal });
  return { code, stdout: stdout.text.replaceAll(cwd, "…"), stderr: stderr.text.replaceAll(cwd, "…") };
}

const year_s = 31_557_600;
const species = ["H", "H2", "CO", "H2O", "#H2O", "HCO+", "C", "O", "e-"];

/** Histories in the words of another code: times in seconds, a constant temperature, amounts that fall and rise. */
function ownRows({ tracers = 6, steps = 12, step = (k: number) => 1000 * k } = {}): RawRow[] {
  return Array.from({ length: tracers * steps }, (_, row) => {
    const [tracer, k] = [Math.floor(row / steps), row % steps];
    const abundance = (i: number) =>
      [`x_${species[i]}`, 10 ** (-1 - i / 2 - Math.sin((k + tracer) / 5 + i) / 4)] as const;
    return {
      pid: 10 + tracer,
      "t [s]": year_s * step(k + 1),
      "nH (cm^-3)": 1.234e4 * (1 + k) * (1 + tracer),
      A_V: 1.5 + k,
      Tgas: 10,
      junk: tracer - 2,
      ...Object.fromEntries(species.map((_, i) => abundance(i))),
    };
  });
}

async function ownFile(options: Parameters<typeof ownRows>[0] = {}) {
  const cwd = temporaryFolder();
  await writeRawRows(join(cwd, "own.h5"), ownRows(options));
  return cwd;
}

const yamlOf = (cwd: string) =>
  toValue(parseYaml(readFileSync(join(cwd, "configs/datasets/own.yaml"), "utf8"), "own.yaml"));

describe("init", () => {
  it("makes a dataset of a file with other names and units, and says why", async () => {
    const cwd = await ownFile();
    const { code, stdout, stderr } = await call(cwd, "init", "own", "own.h5");
    expect(stderr).toBe("");
    expect(stdout).toMatchInlineSnapshot(`
      "Time: column \`t [s]\`               its name says so, in s
      Density: column \`nH (cm^-3)\`       its name says so, in cm^-3
      Av: column \`A_V\`                   by its name, in mag
      gasTemp: column \`Tgas\`             by its name, in K
      Model: column \`pid\`                by its name
      range of Density: 12300 to 889000  the least and the largest value, rounded
                                         outwards
      range of Av: 1.5 to 12.5           the least and the largest value, rounded
                                         outwards
      range of gasTemp: 5 to 20          doubtful: it is 10 in all rows: half and
                                         twice of that
      9 species                          all columns whose names are formulas
      not used: junk                     doubtful: no numbers, or no name of a time,
                                         tracer, condition or species
      rows                               doubtful: hydrogen nuclei sum to 0.148
                                         instead of 1 in row 0, tracer 10 (the first
                                         of 72 such rows): mass fractions, relative to
                                         all nuclei, or a species with much hydrogen
                                         missing?
      6 tracers of 12 rows               4 train, the others validate
      time step: constant                rows are 1000 yr apart
      start: first_row                   each tracer's first row: no initial
                                         abundances are known
      windows of 12 rows                 tracers are shorter than the usual 240
      3 latents                          a third of the species; 14 are usual

      wrote configs/datasets/own.yaml; next:
        astrochem preprocess dataset=own
        astrochem train-autoencoder dataset=own model.latent_dim=3 && astrochem train-emulator dataset=own autoencoder.latent_dim=3 model.window_size=12
        astrochem evaluate dataset=own
      "
    `);
    expect(code).toBe(0);
    expect(readFileSync(join(cwd, "configs/datasets/own.yaml"), "utf8")).toMatchInlineSnapshot(`
      "# yaml-language-server: $schema=../schemas/dataset.json
      # Made by \`astrochem init\` from "own.h5". Use: dataset=own. README.md has the table of all keys.

      # The clean file, which \`preprocess\` writes.
      dataset_path: data/own_clean.h5

      # Scaled to 0 and 1 by log10, in the emulator's order: cm^-3, Habing, mag, K.
      physical_parameter_ranges:
        Density: [12300, 889000]
        Av: [1.5, 12.5]
        gasTemp: [5, 20]
      phys: [Density, Av, gasTemp]

      # What the raw file calls its columns, and their units where they are not ours.
      columns:
        Model: pid
        Time: t [s]
        Density: nH (cm^-3)
        Av: A_V
        gasTemp: Tgas
        H: x_H
        H2: x_H2
        CO: x_CO
        H2O: x_H2O
        '#H2O': x_#H2O
        HCO+: x_HCO+
        C: x_C
        O: x_O
        e-: x_e-
      units:
        Time: s

      # Whether rows are one step apart, and where tracers start.
      time_step: constant
      start: first_row

      # Species, one name a line.
      species_path: own_species.txt
      stoichiometric_matrix_path: null

      preprocessing:
        input_path: own.h5
        input_key: df
        columns_to_drop: []
      "
    `);
    expect(readFileSync(join(cwd, "configs/datasets/own_species.txt"), "utf8").trim().split("\n")).toEqual(species);
    expect(existsSync(join(cwd, "configs/schemas/dataset.json"))).toBe(true);
  });

  it("prints three commands that go from the file to an evaluated surrogate", async () => {
    const cwd = await ownFile();
    const { commands } = JSON.parse((await call(cwd, "init", "own", "own.h5", "--json")).stdout) as {
      commands: string[];
    };
    expect(commands).toHaveLength(3);
    const quick = ["recipe=original", "model.max_epochs=2", "threads=1"];
    for (const line of commands.flatMap((command) => command.split(" && "))) {
      const words = line.split(" ").map((word) => word.replaceAll("'", ""));
      expect(words.shift()).toBe("astrochem");
      const { code, stderr } = await call(cwd, ...words, ...(words[0]!.startsWith("train") ? quick : []));
      expect([line, code, code === 0 ? "" : stderr]).toEqual([line, 0, ""]);
    }
    expect(existsSync(join(cwd, "weights/own/emulator.safetensors"))).toBe(true);

    // The weights know the file's names and units: such files are emulated, of text too, and those in our own.
    const rows = ownRows({ tracers: 2 });
    const names = Object.keys(rows[0]!);
    const ours: Record<string, string> = {
      pid: "Tracer",
      "t [s]": "Time",
      "nH (cm^-3)": "Density",
      A_V: "Av",
      Tgas: "gasTemp",
    };
    const csv = (header: string[], factor: (name: string) => number) =>
      `${[header.join(), ...rows.map((row) => names.map((name) => row[name]! * factor(name)).join())].join("\n")}\n`;
    writeFileSync(
      join(cwd, "theirs.csv"),
      csv(names, () => 1),
    );
    const renamed = names.map((name) => ours[name] ?? name.replace("x_", ""));
    writeFileSync(
      join(cwd, "ours.csv"),
      csv(renamed, (name) => (name === "t [s]" ? 1 / year_s : 1)),
    );
    const emulated = async (file: string) => {
      const { code, stderr } = await call(cwd, "emulate", file, "--overwrite");
      expect([file, code, code === 0 ? "" : stderr]).toEqual([file, 0, ""]);
      const frame = await openFrame(join(cwd, "emulated.h5"), "emulated");
      const values = new Float64Array(24 * 3);
      frame.read(0, 24, ["Time", "Density", "CO"], values);
      frame.close();
      return [...values].map((value) => Number(value.toPrecision(5)));
    };
    const first = await emulated("own.h5");
    expect(first.filter((_, i) => i % 3 === 0).slice(0, 3)).toEqual([1000, 2000, 3000]);
    expect(await emulated("ours.csv")).toEqual(first);
    expect(await emulated("theirs.csv")).toEqual(first);
    const inspected = await call(cwd, "inspect", "own.h5", "dataset=own", "--json");
    expect(JSON.parse(inspected.stdout)).toMatchObject({
      notes: ["the dataset renames 14 columns, such as pid: Model and converts Time (s)"],
      frames: [{ form: "raw", missing_physical: [], species: { missing: [] } }],
    });
  });

  it("takes uneven steps for an input, and keeps the package's tables where the species are its own", async () => {
    const cwd = await ownFile({ step: (k) => 10 ** k });
    await call(cwd, "init", "own", "own.h5");
    expect(yamlOf(cwd)).toMatchObject({ time_step: "input", start: "first_row" });
    await call(cwd, "init", "mine", "data/sample_collapse.h5");
    const text = readFileSync(join(cwd, "configs/datasets/mine.yaml"), "utf8");
    expect(text).toContain("start: auto");
    expect(text).not.toContain("species_path");
  });

  it("takes several tables of text for a tracer each, by a pattern or one by one", async () => {
    const cwd = temporaryFolder();
    for (const run of [1, 2, 10]) {
      const rows = [1, 2, 3, 4].map((k) => `${k * 100},${run * 1e4},10,${k},0.5,${1e-4 / k}`);
      writeFileSync(join(cwd, `run${run}.csv`), `Time,Density,gasTemp,Av,H2,CO\n${rows.join("\n")}\n`);
    }
    const { stdout, stderr } = await call(cwd, "init", "own", "run*.csv");
    expect(stderr).toBe("");
    expect(stdout).toContain("3 tracers of 4 rows");
    expect(yamlOf(cwd)).toMatchObject({ preprocessing: { input_path: "run*.csv" }, time_step: "constant" });
    expect((await call(cwd, "preprocess", "dataset=own")).code).toBe(0);
    await call(cwd, "init", "own", "run1.csv", "run2.csv", "--overwrite");
    expect(yamlOf(cwd)).toMatchObject({ preprocessing: { input_path: ["run1.csv", "run2.csv"] } });
    expect((await call(cwd, "init", "one", "run1.csv")).stderr).toContain("the file has one tracer");
  });

  it("overwrites nothing unasked", async () => {
    const cwd = await ownFile();
    await call(cwd, "init", "own", "own.h5");
    writeFileSync(join(cwd, "configs/datasets/own.yaml"), "mine: 1\n");
    expect(await call(cwd, "init", "own", "own.h5")).toMatchInlineSnapshot(`
      {
        "code": 2,
        "stderr": "error: …/configs/datasets/own.yaml exists
        at   …/configs/datasets/own.yaml
        fix  give another name, or replace it with --overwrite
      ",
        "stdout": "",
      }
    `);
    expect(yamlOf(cwd)).toEqual({ mine: 1 });
    expect((await call(cwd, "init", "own", "own.h5", "--overwrite")).code).toBe(0);
    expect(yamlOf(cwd)).toMatchObject({ time_step: "constant" });
  });

  it("refuses names that are none or are taken", async () => {
    const cwd = await ownFile();
    expect((await call(cwd, "init", "../own", "own.h5")).stderr).toMatchInlineSnapshot(`
      "error: \`../own\` cannot be the name of a dataset
        fix  use letters, digits, \`.\`, \`_\`, \`-\`: my_run
      "
    `);
    expect((await call(cwd, "init", "grav", "own.h5")).stderr).toContain("the package has a dataset `grav`");
    expect(existsSync(join(cwd, "configs"))).toBe(false);
  });

  it("says what to do with files that it cannot use", async () => {
    const cwd = await ownFile({ tracers: 1 });
    const told = async (...words: string[]) => (await call(cwd, "init", "own", ...words)).stderr;
    expect(await told("absent.h5")).toMatchInlineSnapshot(`
      "error: no such file: …/absent.h5
        fix  check the path
      "
    `);
    writeFileSync(join(cwd, "empty.h5"), "");
    expect(await told("empty.h5")).toMatchInlineSnapshot(`
      "error: the file is empty: …/empty.h5
        fix  make or copy it again
      "
    `);
    expect(await told("own.h5")).toMatchInlineSnapshot(`
      "error: the file has one tracer (10, 12 rows)
        at   …/own.h5, key df
        fix  give at least two, several files such as 'runs/*.dat': one of them has to validate what the others taught
      "
    `);
    await writeRawRows(join(cwd, "none.h5"), [{ Tracer: 1, Time: 1, CO: 1 }]);
    expect(await told("none.h5")).toMatchInlineSnapshot(`
      "error: no column is a condition that a surrogate could learn from
        at   …/none.h5, key df
        fix  call the columns Density, Radfield, Av, gasTemp (cm^-3, Habing, mag, K); any of them will do
      "
    `);
    await writeRawRows(join(cwd, "untimed.h5"), [{ Tracer: 1, Av: 1, CO: 1 }]);
    expect(await told("untimed.h5")).toMatchInlineSnapshot(`
      "error: no column is the time
        at   …/untimed.h5, key df
        fix  call it Time in the file
      "
    `);
    writeFileSync(join(cwd, "dates.csv"), "Tracer,Time,Av,CO\n1,2020-01-01,1,0.1\n2,2020-01-02,1,0.1\n");
    expect(await told("dates.csv")).toContain("column `Time` holds text");
    expect(existsSync(join(cwd, "configs"))).toBe(false);
  });

  it("sends clean files to the training", async () => {
    const cwd = await ownFile();
    await call(cwd, "init", "own", "own.h5");
    await call(cwd, "preprocess", "dataset=own");
    expect((await call(cwd, "init", "again", "data/own_clean.h5")).stderr).toMatchInlineSnapshot(`
      "error: the file is clean already: \`init\` is for raw files
        at   …/data/own_clean.h5
        fix  give the raw file that it was made of, or train on it: astrochem train-autoencoder dataset.dataset_path=…/data/own_clean.h5
      "
    `);
  });

  it("says where it may not write", async () => {
    const cwd = await ownFile();
    writeFileSync(join(cwd, "configs"), "a file in the way");
    expect((await call(cwd, "init", "own", "own.h5")).stderr).toMatchInlineSnapshot(`
      "error: cannot write …/configs/datasets: ENOTDIR: not a directory, mkdir '…/configs/datasets'
        at   …/configs/datasets
        fix  a part of the path is a file, not a folder: write elsewhere
      "
    `);
  });
});
