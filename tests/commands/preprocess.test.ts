import { copyFileSync, existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { main } from "../../src/commands/main.ts";
import { openFrame } from "../../src/data/frame.ts";
import { Buffered, temporaryFolder } from "./buffers.ts";

const raw = fileURLToPath(new URL("../fixtures/golden/preprocess/raw.h5", import.meta.url));
const reference = fileURLToPath(new URL("../fixtures/golden/preprocess/clean.h5", import.meta.url));

/** The golden tracers are pieces of histories, each put behind the one start. */
const asOriginal = ["dataset.start=configured", "dataset.preprocessing.uneven_steps=allow"];

/** The command in a fresh folder of its own; `…` stands for it in what was written. */
async function preprocess(words: readonly string[], cwd = temporaryFolder()) {
  const [stdout, stderr] = [new Buffered(), new Buffered()];
  const now = () => new Date(2026, 10, 23, 4, 5, 6);
  const signal = new AbortController().signal;
  const code = await main(["preprocess", ...asOriginal, ...words], { cwd, env: {}, now, stdout, stderr, signal });
  const shown = (text: string) => text.replaceAll(cwd, "…").replaceAll(raw, "raw.h5");
  const run = join(cwd, "outputs", "2026-11-23", "04-05-06-preprocess");
  return { code, stdout: shown(stdout.text), stderr: shown(stderr.text), cwd, run };
}

describe("preprocess", () => {
  it("makes a clean file of the size of the original's and tells its splits", async () => {
    const { code, stdout, stderr, cwd } = await preprocess([`input_path=${raw}`, "output_path=clean.h5"]);
    expect(stderr).toMatchInlineSnapshot(`
      "read raw.h5: 71 rows × 344 columns
      renamed 46 columns
      dropped 5 columns (dustTemp, zeta, dstep, BULK, SURFACE)
      warning: the rows of tracer 17 go back in time 6 times, first from 16722 to 12077 (rows 6 and 12); 5 other tracers likewise: they are sorted by time into one history. If an id stands for several, give each its own
      start: 8 tracers from utils/initial_abundances.npy, put before the rows at Time 0
      warning: rows are not one step apart: in tracer 3, its first row comes 92.9 yr after the start row at Time 0 (the first of 63 such steps of 71); the median step is 2323 yr; the surrogate will take each row for one step of 2323 yr
      sorted 8 tracers and added 8 start rows: 79 rows
      the rows are not in order: sorting them through a temporary file
      wrote /train: 6 tracers, 57 rows × 340 columns
      wrote /val: 2 tracers, 22 rows × 340 columns
      "
    `);
    expect(stdout).toMatchInlineSnapshot(`
      "split   tracers  rows  columns
      /train        6    57      340
      /val          2    22      340
      clean.h5 (0.1 MB)
      run: outputs/2026-11-23/04-05-06-preprocess
      "
    `);
    expect(code).toBe(0);
    for (const key of ["train", "val"]) {
      const [ours, theirs] = [await openFrame(join(cwd, "clean.h5"), key), await openFrame(reference, key)];
      expect([ours.rows, ours.columns]).toEqual([theirs.rows, theirs.columns]);
      ours.close();
      theirs.close();
    }
  });

  it("reads UCLCHEM's text, a tracer a file, in natural order", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "species.txt"), "H\nH2\nCO\n");
    for (const k of [1, 2, 10]) {
      const rows = [1, 2, 3].map((row) => `${100 * row},1.0E+05,20.0,20.0,2.0,1.0,1.0,1,0.5,0.25,${k}.0-105`);
      const head = "Time,Density,gasTemp,dustTemp,Av,radfield,zeta,point,H      ,H2     ,CO     ";
      writeFileSync(join(cwd, `run${k}.dat`), [head, ...rows, ""].join("\r\n"));
    }
    const own = ["dataset.species_path=species.txt", "dataset.stoichiometric_matrix_path=null", "output_path=clean.h5"];
    const words = [...own, "dataset.start=first_row", "train_split=0.4"];
    const globbed = await preprocess([...words, "input_path=run*.dat"], cwd);
    expect([globbed.code, globbed.stderr]).toEqual([0, expect.stringContaining("run1.dat, run2.dat, run10.dat")]);
    expect(globbed.stdout).toContain("/train        1     3       10");
    const listed = await preprocess([...words, "input_path=[run1.dat,run2.dat,run10.dat]", "output_path=b.h5"], cwd);
    expect(listed.code).toBe(0);
    const bad = readFileSync(join(cwd, "run2.dat"), "utf8").replace("2.0-105", "*******");
    writeFileSync(join(cwd, "run2.dat"), bad);
    const { code, stderr } = await preprocess([...words, "input_path=run*.dat", "output_path=c.h5"], cwd);
    expect([code, stderr]).toEqual([3, expect.stringContaining("at   …/run2.dat, line 2, column CO")]);
  });

  it("leaves config, environment, log and summary in the run's folder", async () => {
    const words = [`input_path=${raw}`, "output_path=deep/in/clean.h5", "train_split=0.5", "seed=7"];
    const { run, cwd } = await preprocess(words);
    expect(readdirSync(run).sort()).toEqual([
      "config.yaml",
      "environment.json",
      "overrides.yaml",
      "run.log",
      "summary.json",
    ]);
    const read = (name: string) => readFileSync(join(run, name), "utf8");
    expect(read("config.yaml")).toContain("output_path: deep/in/clean.h5");
    expect(read("overrides.yaml")).toContain("- dataset.preprocessing.train_split=0.5\n");
    expect(JSON.parse(read("environment.json"))).toMatchObject({
      seed: 7,
      command_line: ["astrochem", "preprocess", ...asOriginal, ...words],
    });
    expect(JSON.parse(read("summary.json"))).toMatchObject({
      outcome: "completed",
      outputPath: join(cwd, "deep/in/clean.h5"),
      train: { tracers: 4 },
      val: { tracers: 4 },
    });
  });

  it("prints JSON only with --json", async () => {
    const { stdout } = await preprocess([`input_path=${raw}`, "output_path=clean.h5", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({
      tracers: 8,
      rows: 79,
      columns: 340,
      train: { tracers: 6, rows: 57 },
      val: { rows: 22 },
    });
  });

  it("writes nothing where the raw file is missing", async () => {
    const { code, stdout, stderr, cwd } = await preprocess(["input_path=absent.h5", "output_path=clean.h5"]);
    expect([code, stdout]).toEqual([3, ""]);
    expect(stderr).toMatchInlineSnapshot(`
      "error: no such file: …/absent.h5
        fix  check the path
      "
    `);
    expect(readdirSync(cwd)).toEqual(["outputs"]);
  });

  it("writes nothing where the raw file is cut off", async () => {
    const cwd = temporaryFolder();
    copyFileSync(raw, join(cwd, "cut.h5"));
    truncateSync(join(cwd, "cut.h5"), 100_000);
    const { code, stdout } = await preprocess(["input_path=cut.h5", "output_path=clean.h5"], cwd);
    expect([code, stdout]).toEqual([3, ""]);
    expect(readdirSync(cwd).sort()).toEqual(["cut.h5", "outputs"]);
  });

  it("keeps the clean file that was there where it fails", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "clean.h5"), "the old one");
    const { code } = await preprocess(
      [`input_path=${raw}`, "input_key=other", "output_path=clean.h5", "--overwrite"],
      cwd,
    );
    expect(code).toBe(3);
    expect(readFileSync(join(cwd, "clean.h5"), "utf8")).toBe("the old one");
    expect(readdirSync(cwd).sort()).toEqual(["clean.h5", "outputs"]);
  });

  it("makes no run folder where the configuration is wrong", async () => {
    const { code, stderr, cwd } = await preprocess(["train_split=1.5", "min_radfeld=1"]);
    expect(code).toBe(2);
    expect(stderr).toContain("train_split");
    expect(existsSync(join(cwd, "outputs"))).toBe(false);
  });

  it("ends between two blocks of rows when it is interrupted, and leaves nothing", async () => {
    const [stdout, stderr, cwd] = [new Buffered(), new Buffered(), temporaryFolder()];
    const { Interruption } = await import("../../src/commands/interruption.ts");
    const signal = AbortSignal.abort(new Interruption("SIGTERM"));
    const words = ["preprocess", `input_path=${raw}`, "output_path=clean.h5"];
    const code = await main(words, { cwd, env: {}, now: () => new Date(), stdout, stderr, signal });
    expect([code, stdout.text]).toEqual([143, ""]);
    expect(readdirSync(cwd)).toEqual(["outputs"]);
  });
});
