import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { openFrame } from "../../src/data/frame.ts";
import { createHdf5 } from "../../src/data/hdf5.ts";
import { testFolder } from "../helpers/folder.ts";
import { applyChanges, type PageSection, sectionsOf } from "./page-steps.ts";

const page = readFileSync("docs/extending.md", "utf8");
const sections = sectionsOf(page);
/** A copy of the project that the page's changes are made in. */
const folder = testFolder();

/** Runs a line as a shell would, in the copy, with the program that was built there. */
function shell(line: string): { status: number | null; told: string } {
  const { NO_COLOR, FORCE_COLOR, ...rest } = process.env;
  const env = { ...rest, PATH: `${join(folder, "bin")}:${rest.PATH}` };
  const { status, stdout, stderr } = spawnSync("bash", ["-c", line], { cwd: folder, encoding: "utf8", env });
  return { status, told: `${stdout}${stderr}` };
}

/** Every fourth tracer of the sample as one dataset a column in the group `runs`: what the page's dataset reads. */
async function writeColumns(path: string): Promise<void> {
  const frame = await openFrame("data/sample_collapse.h5", "df");
  const columns = frame.columns.filter((name) => frame.isNumeric(name));
  const all = new Float64Array(frame.rows * columns.length);
  frame.read(0, frame.rows, columns, all);
  const tracer = columns.findIndex((name) => name === "Tracer" || name === "Model");
  const rows = [...Array(frame.rows).keys()].filter((row) => all[row * columns.length + tracer]! % 4 === 0);
  frame.close();
  const file = await createHdf5(path);
  file.createGroup("runs");
  for (const [c, name] of columns.entries()) {
    const dataset = file.createDataset(`runs/${name}`, { shape: [rows.length], dtype: "<f8" });
    dataset.writeRows(
      0,
      rows.length,
      Float64Array.from(rows, (row) => all[row * columns.length + c]!),
    );
  }
  file.close();
}

beforeAll(async () => {
  for (const name of ["src", "configs", "utils", "docs", "package.json", "tsconfig.json", "tsconfig.build.json"]) {
    cpSync(name, join(folder, name), { recursive: true });
  }
  symlinkSync(resolve("node_modules"), join(folder, "node_modules"), "dir");
  mkdirSync(join(folder, "bin"));
  writeFileSync(join(folder, "bin/astrochem"), `#!/bin/sh\nexec "${process.execPath}" dist/cli.js "$@"\n`);
  chmodSync(join(folder, "bin/astrochem"), 0o755);
  await writeColumns(join(folder, "columns.h5"));
  for (const section of sections) applyChanges(section, folder);
});

describe("docs/extending.md", () => {
  it("makes changes that compile as strictly as everything else", () => {
    const tsc = resolve("node_modules/typescript/bin/tsc");
    const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], {
      cwd: folder,
      encoding: "utf8",
    });
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
  });

  it("makes changes that are formatted and free of the linter's complaints", () => {
    cpSync("biome.json", join(folder, "biome.json"));
    cpSync(".gitignore", join(folder, ".gitignore"));
    const changed = [...new Set(sections.flatMap(({ changes }) => changes.map(({ path }) => path)))];
    const biome = resolve("node_modules/@biomejs/biome/bin/biome");
    const args = [biome, "ci", "--colors=off", ...changed.filter((path) => path.endsWith(".ts"))];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
    expect(status, stderr).toBe(0);
  });

  const lines = sections.flatMap(({ title, commands }) => commands.map((line) => [title, line] as const));
  it.each(lines)(
    "%s: %s",
    (_, line) => {
      const { status, told } = shell(line);
      expect(status, told).toBe(0);
      expect(told).not.toContain("runs eagerly");
      // An evaluation draws all of its figures, on a machine that may be busy with other tests.
    },
    600_000,
  );

  it("has a training through each thing that it adds to one", () => {
    const log = (path: string): string => readFileSync(join(folder, path), "utf8");
    expect(log("weights/columns/emulator.json")).toContain('"epoch": 1');
    expect(readFileSync(join(folder, "weights/columns/emulator.safetensors"), "latin1")).toContain("leaky_integrator");
  });

  it("counts the files of its changes as they are", () => {
    const filesOf = ({ changes }: PageSection): number => new Set(changes.map(({ path }) => path)).size;
    const counts = Object.fromEntries(sections.map((section) => [section.title, filesOf(section)]));
    const rows = [...page.matchAll(/^\| ([^|]+) \| [^|]+ \| (\d+), shown \|/gm)].map(([, what, count]) => [
      what,
      Number(count),
    ]);
    expect(Object.fromEntries(rows)).toEqual({
      // The dataset's own YAML is not part of the layout.
      "another HDF5 layout": counts["A dataset, and another HDF5 layout"]! - 1,
      "a loss": counts["A loss"],
      "an evolver with a hidden state": counts["A model"],
      "a figure": counts["A figure"],
      "a command": counts["A command"],
      "a metric": counts["A metric"],
      "weights in another format": counts["Weights in another format"],
      "another part of the ONNX export": counts["A part of the ONNX export"],
      "a physical parameter on another scale": counts["A physical parameter on another scale"],
    });
  });
});
