import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "..");
const sources = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(ts|mjs)$/.test(name))
    .map((name) => join(folder, name));
const texts = new Map(
  ["src", "tests", "bench", "docs"].flatMap(sources).map((path) => [path, readFileSync(join(root, path), "utf8")]),
);

/** Exported functions, classes and constants that no other file names, and those that only tests name and their own file does not use. */
function idle(): string[] {
  return [...texts].flatMap(([path, text]) => {
    if (!path.startsWith("src")) return [];
    const names = [...text.matchAll(/^export (?:abstract )?(?:async )?(?:function\*?|class|const) (\w+)/gm)];
    return names.flatMap(([, name]) => {
      const mentions = new RegExp(`\\b${name}\\b`, "g");
      const others = [...texts].filter(([other, body]) => other !== path && body.match(mentions) !== null);
      const isUsedHere = text.match(mentions)!.length > 1;
      const isUsed = others.some(([other]) => isUsedHere || !other.startsWith("tests"));
      return isUsed ? [] : [`${path}: ${name}`];
    });
  });
}

it("nothing is exported that no other file uses, or that only tests use", () => {
  // To be mended where they are.
  const left = ["noLimits", "onnxTypes", "fontFiles", "writeFigure"];
  expect(idle().filter((found) => !left.some((name) => found.endsWith(` ${name}`)))).toEqual([]);
});
