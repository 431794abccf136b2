import { expect, it } from "vitest";
import { formatNumber, formatTable } from "../../src/commands/tables.ts";

it("aligns numbers to the right and text to the left", () => {
  const table = formatTable(
    [
      { title: "split", value: (row: { name: string; rows: number }) => row.name },
      { title: "rows", value: (row) => row.rows },
    ],
    [
      { name: "train", rows: 1234567 },
      { name: "val", rows: 8 },
    ],
  );
  expect(table).toMatchInlineSnapshot(`
    "split       rows
    train  1,234,567
    val            8"
  `);
});

it("prints the titles alone where there are no rows", () => {
  expect(
    formatTable(
      [
        { title: "a", value: () => 1 },
        { title: "bc", value: () => "" },
      ],
      [],
    ),
  ).toBe("a  bc");
});

it("aligns names with letters beyond the basic plane", () => {
  const rows = [{ name: "𝛼𝛽" }, { name: "abc" }];
  const table = formatTable(
    [
      { title: "n", value: (row) => row.name },
      { title: "x", value: () => "|" },
    ],
    rows,
  );
  expect(table.split("\n").map((line) => [...line].length)).toEqual([6, 6, 6]);
});

it("treats a column as text where one of its cells is", () => {
  const rows = [{ v: 12345 }, { v: "none" }];
  expect(formatTable([{ title: "v", value: (row) => row.v }], rows)).toBe("v\n12,345\nnone");
});

it.each([
  [0, "0"],
  [-1234, "-1,234"],
  [0.5, "0.5000"],
  [0.00123, "1.23e-3"],
  [12345.678, "1.23e+4"],
  [1e300, "1.00e+300"],
  [Number.NaN, "NaN"],
  [Number.NEGATIVE_INFINITY, "-Infinity"],
])("writes %d as %s", (value, text) => {
  expect(formatNumber(value)).toBe(text);
});

it("fits a terminal of 80 columns: titles are broken, then texts, never numbers", () => {
  const title = "a title of many words";
  const rows = [
    { name: "one two three ".repeat(4).trim(), error: 0.01234 },
    { name: "short", error: "" },
  ];
  const numbers = Array.from({ length: 6 }, () => ({ title, value: (row: (typeof rows)[number]) => row.error }));
  const table = formatTable([{ title: "name", value: (row: (typeof rows)[number]) => row.name }, ...numbers], rows);
  expect(table).toMatchInlineSnapshot(`
    "                         a title  a title  a title  a title  a title  a title
                             of many  of many  of many  of many  of many  of many
    name                       words    words    words    words    words    words
    one two three one two    0.01234  0.01234  0.01234  0.01234  0.01234  0.01234
    three one two three one
    two three
    short"
  `);
});

it("leaves a table whole that no break can make fit", () => {
  const table = formatTable([{ title: "path", value: () => "x".repeat(90) }], [0]);
  expect(table).toBe(`path\n${"x".repeat(90)}`);
});

it("aligns numbers to the right where some are missing", () => {
  const rows = [{ x: 1234 }, { x: "" }];
  expect(formatTable([{ title: "x", value: (row: (typeof rows)[number]) => row.x }], rows)).toBe("    x\n1,234\n");
});
