import { describe, expect, it } from "vitest";
import { fortranLines } from "../../../src/export/c/fortran-lines.ts";

/** What a compiler reads of free-form source. */
const joined = (source: string): string => source.replaceAll(/ &\n\s*/g, " ");

describe("lines of Fortran", () => {
  it("that are short stay as they are", () => {
    expect(fortranLines("  a = 1 ! one\n\nend")).toBe("  a = 1 ! one\n\nend");
  });

  it("are cut at blanks, never in a text, and mean the same", () => {
    const long = `    call expect(all(${"x".repeat(60)} == 1), 'it isn''t ${"so ".repeat(20)}', "or that ! ", ${"y".repeat(70)})`;
    const cut = fortranLines(long);
    for (const line of cut.split("\n")) expect(line.length).toBeLessThanOrEqual(120);
    expect(joined(cut)).toBe(long);
  });

  it("of comments are comments", () => {
    const words = "don't stop ".repeat(30).trim();
    const cut = fortranLines(`  ! ${words}`).split("\n");
    for (const line of cut) expect(line).toMatch(/^ {2}! .{1,116}$/);
    expect(cut.map((line) => line.slice(4)).join(" ")).toBe(words);
  });

  it("with a comment behind them have it above", () => {
    const cut = fortranLines(`  ${"a + ".repeat(25)}b ! ${"why ".repeat(10).trim()}`).split("\n");
    expect(cut[0]).toBe(`  ! ${"why ".repeat(10).trim()}`);
    expect(cut[1]).toBe(`  ${"a + ".repeat(25)}b`);
  });
});
