import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { writeRandomWeights } from "../../bench/random-weights.ts";
import { testFolder } from "../helpers/folder.ts";

const folder = testFolder();

it("memory does not grow from one loaded surrogate to the next, 50 times, where each is disposed", async () => {
  writeRandomWeights(folder, 333);
  const program = ["--expose-gc", "--import", import.meta.resolve("tsx"), join(import.meta.dirname, "load-cycles.ts")];
  const { stdout } = await promisify(execFile)(process.execPath, [...program, folder, "50"]);
  const megabytes = stdout
    .trim()
    .split("\n")
    .map((line) => Number(line) / 1e6);
  expect(megabytes).toHaveLength(50);
  // Caches are full after ten. Each that is not disposed holds 4 MB, which would make 160.
  expect(megabytes.at(-1)! - megabytes[9]!, megabytes.map(Math.round).join(" ")).toBeLessThan(40);
}, 120_000);
