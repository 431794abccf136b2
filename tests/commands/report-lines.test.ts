import { describe, expect, it } from "vitest";
import { printableLine } from "../../src/commands/printable.ts";
import {
  factLines,
  formatBytes,
  formatShape,
  forTerminal,
  withShortPaths,
  wrapped,
} from "../../src/commands/report-lines.ts";

describe("text of a foreign file", () => {
  it("loses what would steer the terminal", () => {
    expect(printableLine("\u001b[31mred\u001b]0;title\u0007\n\u202e")).toBe(
      "\\u001b[31mred\\u001b]0;title\\u0007\\u000a\\u202e",
    );
    expect(printableLine("#CH3OH+ µ 星")).toBe("#CH3OH+ µ 星");
  });

  it("is cut where it is too long", () => {
    expect(printableLine("abcdef", 4)).toBe("abc…");
  });
});

describe("lines of a report", () => {
  it("break at blanks, and never within a word", () => {
    expect(wrapped("one two three", "  ", 8)).toBe("one two\n  three");
    expect(wrapped("unbreakable word", "", 4)).toBe("unbreakable\nword");
  });

  it("break for a terminal only, by its width", () => {
    const text = "one two three four\nfive";
    expect([forTerminal(text, {}), forTerminal(text, { columns: 0 })]).toEqual([text, text]);
    expect(forTerminal(text, { columns: 10 })).toBe("one two\n  three\n  four\nfive");
  });

  it("do not count colours, keep their indent", () => {
    const colour = (text: string) => `\u001b[32m${text}\u001b[39m`;
    const text = `${colour("one")} two ${colour("three")} four`;
    expect(forTerminal(text, { columns: 18 })).toBe(text);
    expect(forTerminal(text, { columns: 13 })).toBe(`${colour("one")} two ${colour("three")}\n  four`);
    expect(forTerminal("  one  two three", { columns: 10 })).toBe("  one  two\n    three");
  });

  it("name what is below the working folder by a short path", () => {
    const text = "/w/a.h5: /w/b, not /other/w/c (/w/d) or /w";
    expect(withShortPaths(text, "/w")).toBe("a.h5: b, not /other/w/c (d) or /w");
    expect([withShortPaths(text, null), withShortPaths(text, "/")]).toEqual([text, text]);
  });

  it("stand in two columns, a long value below itself", () => {
    const value = Array(12).fill("0123456789").join(" ");
    expect(
      factLines(
        [
          ["a", "1"],
          ["name", `${value}\nlast`],
        ],
        "  ",
      ),
    ).toMatchInlineSnapshot(`
      "  a     1
        name  0123456789 0123456789 0123456789 0123456789 0123456789 0123456789
              0123456789 0123456789 0123456789 0123456789 0123456789 0123456789
              last"
    `);
  });

  it("tell sizes and shapes", () => {
    expect([0, 999, 1000, 4_930_000, 2.5e13].map(formatBytes)).toEqual([
      "0 B",
      "999 B",
      "1.00 kB",
      "4.93 MB",
      "25.0 TB",
    ]);
    expect([formatShape([]), formatShape([3, 2])]).toEqual(["[]", "[3, 2]"]);
  });
});
