import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { openFrame } from "../../src/data/frame.ts";
import { testFolder } from "../helpers/folder.ts";
import { applyChanges, sectionsOf } from "./page-steps.ts";

const sections = sectionsOf(readFileSync("docs/tutorial.md", "utf8"));
const folder = testFolder();

/** The bundled sample as UCLCHEM writes it: a file of text a tracer. */
async function writeRuns(): Promise<void> {
  const frame = await openFrame("data/sample_collapse.h5", "df");
  const columns = frame.columns.filter((name) => frame.isNumeric(name));
  const [width, all] = [columns.length, new Float64Array(frame.rows * columns.length)];
  frame.read(0, frame.rows, columns, all);
  frame.close();
  const tracer = columns.indexOf("Tracer");
  const kept = [...columns.keys()].filter((k) => k !== tracer);
  const lines = new Map<number, string[]>();
  for (let row = 0; row < all.length / width; row++) {
    const id = all[row * width + tracer]!;
    if (!lines.has(id)) lines.set(id, [kept.map((k) => columns[k]).join(",")]);
    lines.get(id)!.push(kept.map((k) => all[row * width + k]!.toExponential(5)).join(","));
  }
  mkdirSync(join(folder, "runs"));
  for (const [id, text] of lines) writeFileSync(join(folder, "runs", `model_${id}.dat`), `${text.join("\n")}\n`);
}

beforeAll(async () => {
  await writeRuns();
  mkdirSync(join(folder, "bin"));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(resolve("."), join(folder, "node_modules", "astrochem"), "dir");
  writeFileSync(
    join(folder, "bin/astrochem"),
    `#!/bin/sh\nexec "${process.execPath}" "${resolve("dist/cli.js")}" "$@"\n`,
  );
  chmodSync(join(folder, "bin/astrochem"), 0o755);
  for (const section of sections) applyChanges(section, folder);
});

describe("docs/tutorial.md", () => {
  const lines = sections.flatMap(({ title, commands }) => commands.map((line) => [title, line] as const));

  it.each(lines)(
    "%s: %s",
    (_, line) => {
      // A few seconds of training serve to see that it runs.
      const short = line.startsWith("astrochem train-") ? `${line} model.max_minutes=0.03` : line;
      const env = { ...process.env, PATH: `${join(folder, "bin")}:${process.env.PATH}` };
      const { status, stdout, stderr } = spawnSync("bash", ["-c", short], { cwd: folder, encoding: "utf8", env });
      expect(status, `${stdout}${stderr}`).toBe(0);
      if (line.startsWith("node")) expect(stdout).toMatch(/CO after step 3: \d/);
    },
    120_000,
  );
});
