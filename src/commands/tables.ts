/** A column of a text table. */
export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string | number;
}

/**
 * A table for a terminal: one line of titles, one per row, columns two blanks apart; numbers to the right, with thousands
 * separated, text to the left.
 */
export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = columns.map(({ title, value }) => {
    const values = rows.map(value);
    const isNumeric = values.length > 0 && values.every((each) => typeof each === "number");
    const texts = [title, ...values.map(formatCell)];
    const width = Math.max(...texts.map(widthOf));
    return texts.map((text) => {
      const padding = " ".repeat(width - widthOf(text));
      return isNumeric ? padding + text : text + padding;
    });
  });
  const lines = Array.from({ length: rows.length + 1 }, (_, line) => cells.map((column) => column[line]).join("  "));
  return lines.map((line) => line.trimEnd()).join("\n");
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
