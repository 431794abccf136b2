import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { packageFolder, resolveIn, resolveInput } from "../../src/config/paths.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "astrochem-paths-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("resolveIn", () => {
  it("leads below the working path, or to an absolute path", () => {
    expect(resolveIn(folder, "weights/a.safetensors")).toBe(join(folder, "weights/a.safetensors"));
    expect(resolveIn(folder, "/elsewhere/a")).toBe("/elsewhere/a");
    expect(resolveIn(folder, "utils/species.txt")).toBe(join(folder, "utils/species.txt"));
  });
});

describe("resolveInput", () => {
  it("falls back to the package's own tables and sample", () => {
    expect(resolveInput(folder, "utils/species.txt")).toBe(join(packageFolder, "utils/species.txt"));
    expect(resolveInput(folder, "./utils/../utils/species.txt")).toBe(join(packageFolder, "utils/species.txt"));
    expect(resolveInput(folder, "data/sample_collapse.h5")).toBe(join(packageFolder, "data/sample_collapse.h5"));
  });

  it("prefers the user's own", () => {
    mkdirSync(join(folder, "utils"));
    writeFileSync(join(folder, "utils/species.txt"), "H");
    expect(resolveInput(folder, "utils/species.txt")).toBe(join(folder, "utils/species.txt"));
  });

  it("names the user's path where there is neither, and never reaches other files of the package", () => {
    for (const path of ["utils/none.txt", "data/other.h5", "package.json", "utils/../package.json", "src/errors.ts"]) {
      expect(resolveInput(folder, path)).toBe(join(folder, path));
    }
    expect(resolveInput(folder, "/nowhere/utils/species.txt")).toBe("/nowhere/utils/species.txt");
  });
});
