import { execFileSync } from "node:child_process";
import { rmSync, statfsSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type Frame, openFrame } from "../../src/data/frame.ts";
import type { PreprocessSummary } from "../../src/data/preprocess.ts";
import { testFolder } from "../helpers/folder.ts";
import { makeRaw, rawSpecies, rawTracerId, rawValue } from "../helpers/make-raw.ts";

const folder = testFolder();
const [tracers, steps, species] = [7600, 296, 335]; // 3.1 GB of float32
const wanted = rawSpecies(species).slice(0, 333);

/** The built program in a process of its own, whose memory is nobody else's; prints its summary and its highest RSS. */
const script = `
  const { preprocessDataset } = await import(process.argv[1]);
  const options = JSON.parse(process.argv[2]);
  const startState = { abundances: new Float64Array(options.species.length).fill(1e-30), name: "initial.npy" };
  const summary = await preprocessDataset({ ...options, startState }, () => {});
  console.log(JSON.stringify({ summary, megabytes: process.resourceUsage().maxRSS / 1024 }));`;

function preprocess(inputPath: string, outputPath: string): { summary: PreprocessSummary; megabytes: number } {
  const options = {
    inputPath,
    outputPath,
    inputKey: "df",
    metadata: ["Index", "Model", "Time"],
    phys: ["Density", "Radfield", "Av", "gasTemp"],
    species: wanted,
    columnsToDrop: ["dustTemp", "dstep", "zeta"],
    clipping: { lower: 1e-20, upper: 1 },
    trainSplit: 0.75,
    seed: 42,
    minRadfield: 1e-4,
    start: "configured",
    unevenSteps: "error",
  };
  const program = new URL("../../dist/data/preprocess.js", import.meta.url).href;
  const args = ["--input-type=module", "-e", script, program, JSON.stringify(options)];
  const repository = fileURLToPath(new URL("../../", import.meta.url));
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8", cwd: repository }));
}

/** Compares a few hundred rows of a split with the function that made the raw file. */
function checkRows(frame: Frame): void {
  const columns = ["Index", "Model", "Time", "Density", "X0", "X332"];
  const row = new Float64Array(columns.length);
  for (let i = 0; i < 300; i++) {
    frame.read(Math.floor((i * frame.rows) / 300), 1, columns, row);
    const [index, model] = [row[0]!, row[1]!];
    const tracer = Math.floor(index / (steps + 1));
    const step = index % (steps + 1);
    const expected = [
      step === 0 ? 0 : rawValue(tracer, step - 1, 0),
      rawValue(tracer, Math.min(step, steps - 1), 1),
      ...[8, 8 + 332].map((column) => Math.max(1e-20, step === 0 ? 0 : rawValue(tracer, step - 1, column))),
    ];
    expect(model).toBe(rawTracerId(tracer));
    expect([...row.subarray(2)]).toEqual(expected.map(Math.fround));
  }
}

const { bavail, bsize } = statfsSync(tmpdir());
const lacksSpace = bavail * bsize < 10e9;

describe.skipIf(lacksSpace)(`3 GB of raw data${lacksSpace ? " (skipped: less than 10 GB free)" : ""}`, () => {
  const hashes: Record<string, string[]> = {};

  it.each(["sorted", "interleaved"] as const)("become clean in less than 700 MB of memory (%s)", async (order) => {
    const [inputPath, outputPath] = [join(folder, `${order}.h5`), join(folder, `${order}-clean.h5`)];
    await makeRaw({ path: inputPath, tracers, steps, species, order, dtype: "<f4" });
    expect(statSync(inputPath).size).toBeGreaterThan(3e9);
    const { summary, megabytes } = preprocess(inputPath, outputPath);
    rmSync(inputPath);
    expect(megabytes).toBeLessThan(700);
    expect(summary).toMatchObject({ tracers, rows: tracers * (steps + 1), scattered: order === "interleaved" });
    for (const key of ["train", "val"]) {
      const frame = await openFrame(outputPath, key);
      checkRows(frame);
      frame.close();
    }
    hashes[order] = [summary.train.hash, summary.val.hash];
    rmSync(outputPath);
  });

  it("give the same values in either order", () => {
    expect(hashes.sorted).toEqual(hashes.interleaved);
  });
});
