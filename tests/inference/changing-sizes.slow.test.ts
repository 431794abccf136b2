import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";

it("memory stays flat over 600 calls of changing batches and lengths", () => {
  const words = ["--import", "tsx", "bench/changing-sizes.ts", "--calls", "600", "--species", "12", "--threads", "2"];
  const told = execFileSync(process.execPath, words, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  const megabytes = [...told.matchAll(/^\d+00, (\d+),/gm)].map(([, value]) => Number(value));
  expect(megabytes).toHaveLength(6);
  expect(Math.max(...megabytes)).toBeLessThan(400);
  expect(megabytes.at(-1)! - megabytes[1]!).toBeLessThan(60);
});
