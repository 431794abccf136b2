import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { arrowsBetweenRooms, cycleOf, importsOfSource } from "../../docs/imports.ts";
import { withDrawing } from "../../docs/update-architecture.ts";

const imports = importsOfSource();

/** Files that are longer than any should be. A new one needs a reason, and a line here. */
const longFiles: string[] = [];

describe("the imports of src", () => {
  it("lead to files that are there", () => {
    expect(imports.size).toBeGreaterThan(200);
    const absent = [...imports.values()].flat().filter((to) => !imports.has(to));
    expect(absent).toEqual([]);
  });

  it("form no cycle, types included", () => {
    expect(cycleOf(imports)?.join(" → ") ?? "no cycle").toBe("no cycle");
  });

  it("would be told with every file of a cycle, and only those", () => {
    const circle = new Map([
      ["a", ["b"]],
      ["b", ["d", "c"]],
      ["c", ["b"]],
      ["d", []],
    ]);
    expect(cycleOf(circle)).toEqual(["b", "c", "b"]);
    expect(() =>
      arrowsBetweenRooms(
        new Map([
          ["src/a/x.ts", ["src/b/y.ts"]],
          ["src/b/y.ts", ["src/a/z.ts"]],
        ]),
      ),
    ).toThrow("a → b → a");
  });
});

describe("the files of src", () => {
  it("have 400 lines at most", () => {
    const linesOf = (file: string): number => readFileSync(file, "utf8").split("\n").length - 1;
    const long = [...imports.keys()].filter((file) => linesOf(file) > 400 && !longFiles.includes(file));
    expect(long).toEqual([]);
  });
});

describe("docs/architecture.md", () => {
  const page = readFileSync("docs/architecture.md", "utf8");

  it("draws the arrows between rooms as they are (else: npm run readme, and say why in the page)", () => {
    expect(withDrawing(page)).toBe(page);
  });

  it("says what every room is for", () => {
    const rooms = [...arrowsBetweenRooms(imports).keys()];
    expect(rooms.filter((room) => !page.includes(`| \`${room}\` | `))).toEqual([]);
  });
});

describe.each(["docs/architecture.md", "docs/extending.md", "CONTRIBUTING.md"])("%s", (path) => {
  it("names files that are there", () => {
    const named = [...readFileSync(path, "utf8").matchAll(/`((?:src|tests|docs|configs|bench|utils)\/[\w./-]+)`/g)];
    // What the page itself makes, in a block that follows its name, need not be there.
    const text = readFileSync(path, "utf8");
    const absent = named
      .map(([, name]) => name!)
      .filter((name) => !existsSync(name) && !text.includes(`\n\`${name}\`\n\n\`\`\``));
    expect(absent).toEqual([]);
  });
});
