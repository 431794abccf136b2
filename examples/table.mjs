/** Prints objects as a table: a line of their keys, then a line each; numbers with four digits, to the right. */
export function printTable(rows) {
  const titles = Object.keys(rows[0]);
  const columns = titles.map((title) => {
    const cells = rows.map((row) => row[title]);
    const texts = [title, ...cells.map(text)];
    const width = Math.max(...texts.map((each) => each.length));
    return texts.map((each) => (typeof cells[0] === "number" ? each.padStart(width) : each.padEnd(width)));
  });
  for (let line = 0; line <= rows.length; line++)
    print(
      columns
        .map((column) => column[line])
        .join("  ")
        .trimEnd(),
    );
}

/** Prints a line. */
export function print(line = "") {
  process.stdout.write(`${line}\n`);
}

function text(value) {
  if (typeof value !== "number") return String(value);
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e5) return String(value);
  return size >= 0.001 && size < 1e5 ? value.toPrecision(4) : value.toExponential(3);
}
