import { expect, it } from "vitest";
import { commands } from "../../src/commands/registry.ts";
import { run } from "./child.ts";

const long = "x".repeat(20_000);
const words: Record<string, readonly string[]> = {
  one: ["absent"],
  override: ["+a=1"],
  empty: [""],
  "too many": Array.from({ length: 1000 }, (_, i) => `file${i}`),
  long: [long, long],
  "long key": [`${long}=1`],
  "long path": ["--output", long, "--resume", long],
  "long value": [`run_dir=${long}`, `dataset=${long}`],
  nested: [`+a=${"[".repeat(20_000)}`],
  "1,000 overrides": Array.from({ length: 1000 }, (_, i) => `model.k${i}=${i}`),
};
/** Those that would work with no word at all, or with none that they know. */
const harmless = new Set(["backend none", "demo none", "inspect none", "watch none"]);
const cases = commands.flatMap(({ name }) => [
  ...(harmless.has(`${name} none`) ? [] : [[name, "no word", []] as const]),
  ...Object.entries(words).map(([what, list]) => [name, what, list] as const),
]);

it.each(cases)("%s ends by itself with a message where it is given %s", { timeout: 70_000 }, async (name, _, list) => {
  const { code, stderr } = await run([name, ...list]);
  expect(code, stderr.slice(-500)).toBeOneOf([2, 3, 4]);
  expect(stderr).toContain("error: ");
  expect(stderr).not.toMatch(/\n {4}at |bug of astrochem/);
});
