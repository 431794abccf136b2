import { parse } from "csv-parse/sync";
import { isNumberCell } from "./fortran-number.ts";

/** How a table of text is written. */
export interface TextLayout {
  /** Blank: any run of spaces and tabs. */
  readonly delimiter: "," | ";" | "\t" | " ";
  /** As the header has them, stripped; empty without a header. */
  readonly header: readonly string[];
  /** Lines before the first row, counted from 1: the header's; 0 without one. */
  readonly headerLine: number;
  /** Values of a row. */
  readonly width: number;
}

const delimiters = [",", ";", "\t", " "] as const;
/** Comments before a header are fewer. */
const mostLines = 200;

/**
 * Finds the header of a table: the first line of names that is followed by a line of as many values, most of them numbers.
 * @param text    the beginning of a file
 * @param isWhole whether it is all of the file: else its last line may be cut
 * @returns null where it is no table
 */
export function findLayout(text: string, isWhole: boolean): TextLayout | null {
  const lines = text.replace(/^\ufeff/, "").split(/\r\n|\n|\r/, mostLines);
  const isCut = !isWhole && lines.length < mostLines;
  const filled = lines
    .map((line, i) => ({ line, number: i + 1, isCut: isCut && i === lines.length - 1 }))
    .filter(({ line }) => line.trim() !== "");
  for (const delimiter of delimiters) {
    for (const [i, { line, number, isCut }] of filled.entries()) {
      const header = isCut ? [] : headerOf(line, delimiter);
      if (header.length < (delimiter === " " ? 3 : 2)) continue;
      const next = filled.slice(i + 1).find((other) => !isComment(other.line));
      if (next === undefined || next.isCut ? hasTime(header) : isRow(next.line, delimiter, header.length))
        return {
          delimiter,
          header: withUnits(header, filled[i - 1]?.line, delimiter),
          headerLine: number,
          width: header.length,
        };
    }
  }
  return withoutHeader(filled.filter(({ isCut }) => !isCut).map(({ line }) => line));
}

function withoutHeader(lines: readonly string[]): TextLayout | null {
  const rows = lines.filter((line) => !isComment(line)).slice(0, 5);
  for (const delimiter of delimiters) {
    const width = rows[0] === undefined ? 0 : splitLine(rows[0], delimiter).length;
    if (width < 3) continue;
    if (rows.every((line) => isRow(line, delimiter, width, 1))) return { delimiter, header: [], headerLine: 0, width };
  }
  return null;
}

function isComment(line: string): boolean {
  return /^\s*(?:#\s|!)/.test(line);
}

/** A line of units may stand between the names and the rows. */
function withUnits(units: readonly string[], above: string | undefined, delimiter: TextLayout["delimiter"]): string[] {
  const names = above === undefined || hasTime(units) ? [] : headerOf(above, delimiter);
  if (names.length !== units.length || !hasTime(names)) return [...units];
  const bare = units.map((unit) => unit.replace(/^[[(]|[\])]$/g, ""));
  return names.map((name, i) => (/^(?:-*|1|none)$/i.test(bare[i]!) ? name : `${name} (${bare[i]})`));
}

/** The names of a header; none where the line is no header. NumPy puts `# ` before it. */
function headerOf(line: string, delimiter: TextLayout["delimiter"]): string[] {
  const bare = line.replace(/^\s*#\s+/, "");
  // `Time (yr)` is one name.
  const joined = delimiter === " " ? bare.replace(/\s+([[(][^\])]*[\])])/g, "$1") : bare;
  const names = splitLine(joined, delimiter).map((name) => name.trim());
  while (names.at(-1) === "") names.pop();
  // pandas' row index has no name.
  if (names[0] === "" && names.length > 1) names[0] = "Unnamed: 0";
  const isHeader = names.every((name) => !isNumberCell(name));
  return isHeader && names.every((name) => name.length <= 80) ? names : [];
}

function hasTime(names: readonly string[]): boolean {
  return names.some((name) => /^time\b|^time_/i.test(name));
}

/** @param share of the values that must be numbers */
function isRow(line: string, delimiter: TextLayout["delimiter"], width: number, share = 0.5): boolean {
  const cells = splitLine(line, delimiter);
  while (cells.length > width && cells.at(-1)!.trim() === "") cells.pop();
  const filled = cells.filter((cell) => cell.trim() !== "");
  return cells.length === width && filled.length > 0 && filled.filter(isNumberCell).length >= share * filled.length;
}

/** Options of csv-parse for the rows of a table. */
export function csvOptions(delimiter: TextLayout["delimiter"]) {
  return {
    delimiter: delimiter === " " ? [" ", "\t"] : delimiter,
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    bom: true,
  };
}

/** The cells of a line; of runs of blanks none is empty. */
function splitLine(line: string, delimiter: TextLayout["delimiter"]): string[] {
  try {
    const [cells = []] = parse(line, csvOptions(delimiter)) as string[][];
    return delimiter === " " ? cells.filter((cell) => cell !== "") : cells;
  } catch {
    // A quote that is never closed.
    return [];
  }
}
