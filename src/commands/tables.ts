import { wrapped } from "./report-lines.ts";

/** A column of a text table. */
export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string | number;
}

/** Of a terminal, whatever the one at hand: what fits there fits everywhere. */
const terminalWidth = 80;
const gap = 2;

/** A column on its way: what does not fit beside the others is broken at blanks, numbers never. */
interface Cells {
  readonly title: string;
  readonly texts: readonly string[];
  readonly isNumeric: boolean;
  width: number;
}

/**
 * A table for a terminal of 80 columns: titles, then one line per row, columns two blanks apart; numbers to the right, with thousands
 * separated, text to the left. Where it would be wider, titles and then the widest texts are broken at blanks.
 */
export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = columns.map(({ title, value }): Cells => {
    const values = rows.map(value);
    const texts = values.map(formatCell);
    const isNumeric = values.some((each) => typeof each === "number") && values.every(isNumberOrNone);
    return { title, texts, isNumeric, width: Math.max(...[title, ...texts].map(widthOf)) };
  });
  narrow(cells);
  const titles = cells.map((column) => wrapped(column.title, "", column.width).split("\n"));
  const height = Math.max(...titles.map(({ length }) => length));
  const lines = [
    ...lined(
      cells,
      titles.map((each) => [...Array<string>(height - each.length).fill(""), ...each]),
    ),
    ...rows.flatMap((_, row) =>
      lined(
        cells,
        cells.map(({ texts, width }) => wrapped(texts[row]!, "", width).split("\n")),
      ),
    ),
  ];
  return lines.join("\n");
}

function isNumberOrNone(value: string | number): boolean {
  return typeof value === "number" || value === "";
}

/** Narrows columns by as much as is missing: titles first, then texts. */
function narrow(cells: readonly Cells[]): void {
  breakLines(cells, ({ title, texts }) => ({ broken: [title], whole: texts }));
  breakLines(
    cells.filter(({ isNumeric }) => !isNumeric),
    ({ title, texts }) => ({ broken: [title, ...texts], whole: [] }),
  );

  function breakLines(
    chosen: readonly Cells[],
    partsOf: (cell: Cells) => { readonly broken: readonly string[]; readonly whole: readonly string[] },
  ): void {
    const parts = chosen.map((cell) => {
      const { broken, whole } = partsOf(cell);
      return { cell, broken, whole, least: Math.max(...whole.map(widthOf), ...broken.map(longestWord)) };
    });
    // Those that have the most to give.
    parts.sort((a, b) => b.cell.width - b.least - (a.cell.width - a.least));
    for (const { cell, broken, whole, least } of parts) {
      const excess = cells.reduce((sum, { width }) => sum + width + gap, -gap) - terminalWidth;
      if (excess <= 0) return;
      const room = Math.max(least, cell.width - excess);
      const lines = broken.flatMap((text) => wrapped(text, "", room).split("\n"));
      cell.width = Math.max(...[...whole, ...lines].map(widthOf));
    }
  }
}

/** The lines of one row. @param row [columns][lines] */
function lined(cells: readonly Cells[], row: readonly (readonly string[])[]): string[] {
  const height = Math.max(...row.map(({ length }) => length));
  return Array.from({ length: height }, (_, line) =>
    cells
      .map(({ isNumeric, width }, column) => {
        const text = row[column]![line] ?? "";
        const padding = " ".repeat(Math.max(0, width - widthOf(text)));
        return isNumeric ? padding + text : text + padding;
      })
      .join(" ".repeat(gap))
      .trimEnd(),
  );
}

function longestWord(text: string): number {
  return Math.max(...text.split(" ").map(widthOf));
}

/** Integers with separated thousands, small and large numbers with three digits of mantissa, NaN and infinities by name. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return value.toLocaleString("en-US");
  const magnitude = Math.abs(value);
  return magnitude >= 0.01 && magnitude < 1e4 ? value.toPrecision(4) : value.toExponential(2);
}

function formatCell(value: string | number): string {
  return typeof value === "number" ? formatNumber(value) : value;
}

/** Characters, not UTF-16 units: names may hold any letter. */
function widthOf(text: string): number {
  return [...text].length;
}
