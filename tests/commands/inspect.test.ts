import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { main } from "../../src/commands/main.ts";
import { writeSampleWeights } from "../analysis/inspection/sample-weights.ts";
import { writeClean } from "../data/clean-sample.ts";
import { type RawRow, writeRawRows } from "../helpers/raw-frame.ts";
import { Buffered, temporaryFolder } from "./buffers.ts";

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

async function inspect(cwd: string, ...words: readonly string[]): Promise<Outcome> {
  const [stdout, stderr] = [new Buffered(), new Buffered()];
  const signal = new AbortController().signal;
  const code = await main(words, { cwd, env: {}, now: () => new Date(), stdout, stderr, signal });
  const shown = (text: string): string => text.replaceAll(cwd, "…");
  return { code, stdout: shown(stdout.text), stderr: shown(stderr.text) };
}

function rows(): RawRow[] {
  return Array.from({ length: 8 }, (_, i) => {
    const step = i % 4;
    const conditions = { Density: 1e4 * (1 + step), gasTemp: 20, Av: 1, radfield: 0 };
    return {
      Tracer: i < 4 ? 3 : 9,
      Time: 10 * (step + 1),
      ...conditions,
      H: 0.5,
      CO: i === 6 ? -1 : 1e-5,
      "#CO": 1e-7,
    };
  });
}

/** Every key of a value, at any depth. */
function keysOf(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  if (Array.isArray(value)) return value.flatMap(keysOf);
  return Object.entries(value).flatMap(([key, inner]) => [key, ...keysOf(inner)]);
}

describe("astrochem inspect", () => {
  it("tells a person what a raw file holds and what to do", async () => {
    const cwd = temporaryFolder();
    await writeRawRows(join(cwd, "my run.h5"), rows());
    const { code, stdout, stderr } = await inspect(cwd, "inspect", "my run.h5");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatchInlineSnapshot(`
      "my run.h5: raw data, 6.43 kB

      /df
        rows             8 × 9 columns
        species          3: 2 gas, 1 surface (#), 0 bulk (@)
        missing species  #C, #C2, #C2H, #C2H2, #C2H2O, #C2H3, #C2H3N, #C2H4 and 322
                         more
        tracers          2, 4 rows each
        time             10 to 40 yr, a row every 10 yr
        order            tracer after tracer, sorted by time, no duplicates
        abundances       1.00e-7 to 0.5000, 1 negative
        hash             b80ee643704fa53d

      condition  unit    min     median  max     range              outside  bad
      Density    cm^-3   10,000  25,000  40,000  68,481 to 1.28e+9  8        0
      gasTemp    K       20      20      20      13 to 133          0        0
      Av         mag     1       1       1       0.1 to 6,914       0        0
      radfield   Habing  0       0       0       1.00e-4 to 26      0        0
      Time       yr      10      25      40                                  0

      bad abundances  NaN  infinite  negative  first in row
      CO                0         0         1             6

      next
      - df: 330 species of the list are not there: write a list of the file's own, one
        name a line, and set dataset.species_path, dataset.initial_abundances_path and
        dataset.stoichiometric_matrix_path=null
      - df: abundances that are NaN, infinite or negative stop the preprocessing:
        repair or remove their rows
      - values lie beyond the ranges that are scaled to 0 and 1; to cover them, add
        the settings to the commands
      - make the clean dataset:
          astrochem preprocess 'dataset.physical_parameter_ranges.Density=[10000,1284211415]' 'dataset.preprocessing.input_path=my run.h5' 'dataset.dataset_path=outputs/temp_data/my run_clean.h5'
      "
    `);
    const lines = stdout.split("\n").filter((line) => !line.startsWith("    astrochem"));
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it("gives the line that makes a foreign file into a dataset: it runs as it stands", async () => {
    const cwd = temporaryFolder();
    copyFileSync("data/sample_collapse.h5", join(cwd, "theirs.h5"));
    const { stdout } = await inspect(cwd, "inspect", "theirs.h5", "dataset=sample", "--json");
    const { form, frames, hints } = JSON.parse(stdout);
    expect([form, frames[0].rows, frames[0].tracers.count]).toEqual(["raw", 4704, 48]);
    const [line] = hints.flatMap(({ command }: { command: string | null }) => command ?? []);
    expect(line).toBe(
      "astrochem preprocess dataset=sample dataset.preprocessing.input_path=theirs.h5 dataset.dataset_path=outputs/temp_data/theirs_clean.h5",
    );
    expect(await inspect(cwd, ...line.split(" ").slice(1))).toMatchObject({ code: 0 });
    const clean = JSON.parse((await inspect(cwd, "inspect", "outputs/temp_data/theirs_clean.h5", "--json")).stdout);
    expect(clean).toMatchObject({ form: "clean", shared_tracers: 0 });
    // Its tracers have 99 rows, fewer than the usual window.
    expect(clean.hints.at(-1).command).toMatch(/^astrochem train-emulator .* model.window_size=99$/);
  });

  it("shows names that would command the terminal, as text and in JSON", async () => {
    const cwd = temporaryFolder();
    const name = "C\u001b]0;x\u0007O\u009b2J";
    await writeRawRows(
      join(cwd, "evil.h5"),
      rows().map((row) => ({ ...row, [name]: -1 })),
    );
    const [text, json] = [await inspect(cwd, "inspect", "evil.h5"), await inspect(cwd, "inspect", "evil.h5", "--json")];
    for (const { code, stdout } of [text, json]) {
      expect(code).toBe(0);
      expect(stdout).toMatch(/C\\u(\{1b\}|001b)\]0;x/);
      expect(stdout).not.toMatch(/[^\P{Cc}\n]/u);
    }
    expect(JSON.stringify(JSON.parse(json.stdout))).toContain(JSON.stringify(name).slice(1, -1));
  });

  it("gives the settings that cover data beyond the ranges", async () => {
    const cwd = temporaryFolder();
    await writeRawRows(
      join(cwd, "hot.h5"),
      rows().map((row) => ({ ...row, gasTemp: 1234.5, Density: 4567 })),
    );
    const { hints } = JSON.parse((await inspect(cwd, "inspect", "hot.h5", "--json")).stdout);
    const [line] = hints.flatMap(({ command }: { command: string | null }) => command ?? []);
    expect(line).toContain("'dataset.physical_parameter_ranges.gasTemp=[13,1240]'");
    expect(line).toContain("'dataset.physical_parameter_ranges.Density=[4560,1284211415]'");
  });

  it("says what a frame lacks to be raw data", async () => {
    const cwd = temporaryFolder();
    await writeRawRows(
      join(cwd, "odd.h5"),
      rows().map(({ Tracer, ...row }) => ({ Tracer_id: Tracer!, ...row })),
    );
    const { form, hints } = JSON.parse((await inspect(cwd, "inspect", "odd.h5", "--json")).stdout);
    expect(form).toBe("other");
    expect(hints[0].text).toBe(
      "df: it would be raw data with columns named Tracer: rename the file's own, or add them",
    );
  });

  it("tells of a species list which names preprocess refuses or asks about", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "mine.txt"), "H2\nJCO\n");
    const list = ["dataset.species_path=mine.txt", "dataset.stoichiometric_matrix_path=null"];
    const doubtful = await inspect(cwd, "inspect", "mine.txt", ...list);
    expect(doubtful.stdout).toMatch(/\ndoubtful +read J and K as surface and mantle of the ice: JCO\n/);
    writeFileSync(join(cwd, "mine.txt"), "H2\nC18O\nCO\n");
    expect((await inspect(cwd, "inspect", "mine.txt", ...list)).stdout).toMatch(
      /\nproblem +a species' name may mean an isotope or a count: `C18O` \(18O\?\);/,
    );
  });

  it("tells of weights how to use them", async () => {
    const cwd = temporaryFolder();
    writeSampleWeights(cwd);
    const { stdout } = await inspect(cwd, "inspect", "emulator.safetensors");
    expect(stdout).toMatchInlineSnapshot(`
      "emulator.safetensors: weights of an emulator, 1.18 kB

      format version  4
      parameters      62
      species         3: 1 gas, 1 surface (#), 1 bulk (@)
                      missing of the list: #C, #C2, #C2H, #C2H2, #C2H2O, #C2H3 and 324
                      more

      model
        input_dim   3
        hidden_dim  5
        output_dim  2

      metadata
        model_name                 emulator
        provenance.data_hash       ab
        provenance.seed            3
        provenance.epoch (from 1)  6
        provenance.best_metric     0.2500
        provenance.versions        {"astrochem": "0.1.0"}
        physical_parameters        [{"name": "Density", "range": [1, 1000000]}]
        window_size                4
        time_step_yr               92.90
        autoencoder_hash           97bd02568822a8a5…

      array         type  shape   min      max      not finite
      net.0.bias    F32   [5]     -0.5529  0.05690  0
      net.0.weight  F32   [5, 3]  -0.5116  0.5238   0
      net.3.bias    F32   [5]     -0.2599  0.2045   0
      net.3.weight  F32   [5, 5]  -0.4172  0.4381   0
      net.6.bias    F32   [2]     -0.2625  -0.2228  0
      net.6.weight  F32   [2, 5]  -0.4121  0.4118   0

      next
      - emulate histories with it:
          astrochem emulate HISTORIES.h5 --weights .
      "
    `);
  });

  it("prints what its documentation describes", async () => {
    const cwd = temporaryFolder();
    await writeClean(cwd, "clean.h5", { tracers: [5] }, { tracers: [4] });
    writeSampleWeights(cwd);
    const described = readFileSync("docs/inspect.md", "utf8");
    for (const name of ["clean.h5", "emulator.safetensors", "."]) {
      const {
        metadata: _,
        model: __,
        attributes: ___,
        ...found
      } = JSON.parse((await inspect(cwd, "inspect", name, "--json")).stdout);
      for (const frame of found.frames ?? []) delete frame.attributes;
      const missing = keysOf(found).filter((key) => !described.includes(`\`${key}\``));
      expect(missing, name).toEqual([]);
    }
  });

  it("ends with the exit code of what is wrong", async () => {
    const cwd = temporaryFolder();
    expect(await inspect(cwd, "inspect", "absent.h5")).toMatchObject({
      code: 3,
      stdout: "",
      stderr: "error: there is no such file: …/absent.h5\n  fix  check the path\n",
    });
    expect(await inspect(cwd, "inspect")).toMatchObject({ code: 2, stdout: "" });
    expect(await inspect(cwd, "inspect", "a.h5", "dataset=nowhere")).toMatchObject({ code: 2, stdout: "" });
  });
});
