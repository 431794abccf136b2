import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { withTables } from "../docs/update-readme.ts";
import { commands } from "../src/commands/registry.ts";

const readme = readFileSync("README.md", "utf8");

describe("the README", () => {
  it("has the configuration tables that follow from the schemas (else: npm run readme)", () => {
    expect(withTables(readme)).toBe(readme);
  });

  it("names every command", () => {
    expect(commands.map(({ name }) => name).filter((name) => !readme.includes(`astrochem ${name}`))).toEqual([]);
  });

  it("lists every folder and file of its tree as it is", () => {
    const tree = /```text\n([\s\S]*?)```/.exec(readme.slice(readme.indexOf("## Files")))![1]!;
    const named = [...tree.matchAll(/^( *)([\w.-]+\/?)/gm)];
    const path: string[] = [];
    for (const [, indent, name] of named) {
      path.length = indent!.length / 2;
      path.push(name!);
      expect(() => readFileSync(path.join("/"), { flag: "r" }), path.join("")).not.toThrow(/ENOENT/);
    }
  });
});
