import { mkdtempSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { AstrochemError } from "../../src/errors.ts";
import type { Target } from "./target.ts";
import { type TargetName, targets } from "./targets.ts";

/**
 * Runs cases in a process of its own, since some could end it: `child.ts NAME SEED COUNT SKIP`. Says on its output, line by line,
 * which case begins, and how it went. `harness.ts` listens.
 */
const [name, seed, count, skip] = process.argv.slice(2);
const tell = (line: object): number => writeSync(1, `${JSON.stringify(line)}\n`);

async function verdict(one: Target, value: unknown, folder: string): Promise<object> {
  try {
    await one.attack(value, folder);
    return { outcome: "accepted" };
  } catch (error) {
    if (error instanceof AstrochemError && one.exitCodes.includes(error.exitCode)) return { outcome: "refused" };
    const text = error instanceof Error ? `${error.name}: ${error.message}\n${error.stack}` : String(error);
    return { outcome: "fault", what: text.slice(0, 1500) };
  }
}

const one = await targets[name as TargetName]();
const folder = mkdtempSync(join(tmpdir(), `astrochem-hostile-${name}-`));
process.chdir(folder);
try {
  const cases = fc.sample(one.cases, { seed: Number(seed), numRuns: Number(count) });
  for (const [index, value] of cases.entries()) {
    if (index < Number(skip)) continue;
    tell({ index });
    const result = await verdict(one, value, folder);
    tell({ index, ...result, kilobytes: process.resourceUsage().maxRSS });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
