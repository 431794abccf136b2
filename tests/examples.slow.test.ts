import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { parseSpecies } from "../src/chemistry/species.ts";
import { readAutoencoder, readEmulator } from "../src/models/weights-file.ts";
import { testFolder } from "./helpers/folder.ts";

const folder = testFolder();
const weights = (name: string): string => join(folder, "outputs/demo/weights/sample", name);

function node(...words: readonly string[]): string {
  return execFileSync(process.execPath, words, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

function example(name: string, ...words: readonly string[]): string {
  return node(join(process.cwd(), "examples", name), ...words);
}

function cells(line: string): string[] {
  return line.trim().split(/ {2,}/);
}

/** The lines of the table whose titles begin so, as cells. */
function table(text: string, ...titles: readonly string[]): string[][] {
  const lines = text.split("\n");
  const at = lines.findIndex((line) => titles.every((title, i) => cells(line)[i] === title));
  expect(at, titles.join()).toBeGreaterThanOrEqual(0);
  const after = lines.slice(at + 1);
  const end = after.findIndex((line) => line === "" || line.startsWith("  histogram") || line.startsWith("  shares"));
  return after.slice(0, end < 0 ? undefined : end).map(cells);
}

beforeAll(() => {
  node(join(process.cwd(), "dist/cli.js"), "demo", "--quick");
});

describe("the examples, on the models of a quick demo", () => {
  /** The mean relative error of the epoch that was kept. Bounds, which a training does without, take off what is beyond the data's range. */
  const trained = (kind: string, epoch: number): number => {
    const log = JSON.parse(readFileSync(weights(`${kind}.json`), "utf8")) as { epoch: number; mean: number }[];
    return log.find((record) => record.epoch === epoch)!.mean;
  };
  const expectWithin = (mean: number, most: number): void => {
    expect(mean).toBeGreaterThan(0);
    expect(mean).toBeLessThanOrEqual(1.001 * most);
  };

  it("autoencoder-errors: its mean is at most the training's", () => {
    const text = example("autoencoder-errors.mjs");
    expect(text).toMatch(/^1188 validation rows of 12 tracers, 333 species, 14 latents\n/);
    const [[, mean, median, deviation, max]] = table(text, "mean relative error", "mean") as [string[]];
    const { epoch } = readAutoencoder(weights("autoencoder.safetensors")).provenance;
    expectWithin(Number(mean), trained("autoencoder", epoch!));
    expect(Number(median)).toBeLessThan(Number(mean));
    expect(Number(deviation)).toBeLessThan(Number(max));
    const worst = table(text, "species", "relative error").map(([, relative]) => Number(relative));
    expect(worst).toHaveLength(10);
    expect(worst).toEqual([...worst].sort((a, b) => b - a));
    expect(worst[0]).toBe(Number(max));
    expect(table(text, "epoch", "learning rate", "error, dex").at(-1)![0]).toMatch(/^3( \(kept\))?$/);
    expect(text).toContain(`the mean relative error chose epoch ${epoch! + 1}`);
  });

  it("emulator-errors: its mean is at most the training's", () => {
    const text = example("emulator-errors.mjs");
    const { window_size, provenance } = readEmulator(weights("emulator.safetensors"));
    // 99 rows a tracer.
    expect(text).toContain(`${12 * (99 - window_size + 1)} windows of ${window_size - 1} steps, 12 validation tracers`);
    const [[, mean]] = table(text, "relative error", "mean") as [string[]];
    expectWithin(Number(mean), trained("emulator", provenance.epoch!));
    const steps = table(text, "step");
    // Eight, evenly from the first to the last.
    const evenly = Array.from({ length: 8 }, (_, k) => Math.round(1 + (k * (window_size - 2)) / 7));
    expect(steps.map(([step]) => Number(step))).toEqual(evenly);
    for (const [, relative, median, conservation] of steps) {
      expect(Number(median)).toBeLessThanOrEqual(Number(relative));
      expect(Number(conservation)).toBeGreaterThan(0);
    }
  });

  it("explore-dataset: its ranges are those that inspect finds", () => {
    const text = example("explore-dataset.mjs");
    expect(text).toMatch(/^36 tracers to train on, 12 to validate; 333 species\n/);
    const data = "outputs/demo/data/sample_collapse_clean.h5";
    const { frames } = JSON.parse(node(join(process.cwd(), "dist/cli.js"), "inspect", data, "--json"));
    for (const [name, min, , , , max] of table(text, "parameter")) {
      const both = frames.map((frame: { physical: { name: string }[] }) => frame.physical.find((c) => c.name === name));
      expect(Number(min) / Math.min(...both.map((c: { min: number }) => c.min))).toBeCloseTo(1, 3);
      expect(Number(max) / Math.max(...both.map((c: { max: number }) => c.max))).toBeCloseTo(1, 3);
    }
    for (const [, ...shares] of table(text, "phase")) {
      expect(shares.reduce((sum, share) => sum + Number(share), 0)).toBeCloseTo(1, 3);
    }
    const variable = table(text, "species", "variability");
    expect(variable).toHaveLength(15);
    for (const [name] of variable) expect(parseSpecies(name!).atoms.size).toBeGreaterThan(0);
  });

  it("latents-table: 100 rows, every latent within reach of the training's range", () => {
    const text = example("latents-table.mjs");
    expect(text).toContain("100 rows of 1188, 14 latents each, in latents.csv");
    const [titles, ...rows] = readFileSync(join(folder, "latents.csv"), "utf8").trimEnd().split("\n");
    expect(titles!.split(",")).toEqual(["Model", "Time", ...Array.from({ length: 14 }, (_, k) => `latent_${k}`)]);
    expect(rows).toHaveLength(100);
    const [low, high] = readAutoencoder(weights("autoencoder.safetensors")).latent_range!;
    const values = rows.flatMap((row) => row.split(",").slice(2).map(Number));
    expect(Math.min(...values)).toBeGreaterThan(low - (high - low));
    expect(Math.max(...values)).toBeLessThan(high + (high - low));
    expect(new Set(rows).size).toBe(100);
  });

  it("emulate: the solver's abundances beside the emulated ones, for the species asked for", () => {
    const text = example(
      "emulate.mjs",
      "outputs/demo/weights/sample",
      "outputs/demo/data/sample_collapse_clean.h5",
      "CO,#H2O",
    );
    expect(text).toMatch(/98 steps under Density, Radfield, Av, gasTemp/);
    const lines = table(text.slice(text.indexOf("#H2O")), "time, yr");
    expect(lines).toHaveLength(7);
    for (const [, solver, emulated, error] of lines.map((line) => line.map(Number))) {
      expect(Math.log10(emulated! / solver!)).toBeCloseTo(error!, 1);
    }
  });
});
