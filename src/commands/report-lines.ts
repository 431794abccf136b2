import { dirname, sep } from "node:path";
import { stripVTControlCharacters } from "node:util";
import type { CommandContext } from "./command.ts";
import { printable, printableLine } from "./printable.ts";

/** Lines of a report fit into a terminal of this width. */
const width = 80;

/** Breaks a text at its blanks. @param indent before every line but the first */
export function wrapped(text: string, indent = "", room = width): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1)!;
    if (line !== "" && line !== indent && widthOf(line) + 1 + widthOf(word) > room) lines.push(indent + word);
    else lines[lines.length - 1] = line === "" || line === indent ? line + word : `${line} ${word}`;
  }
  return lines.join("\n");
}

/** Text for where it goes: in a terminal, lines that are too long are broken at blanks; elsewhere they stay whole. */
export function forTerminal(text: string, { columns }: { readonly columns?: number | undefined }): string {
  // Some terminals say 0.
  if (!columns) return text;
  const fitted = (line: string): string => {
    if (widthOf(line) <= columns) return line;
    const [indent] = /^ */.exec(line)!;
    return indent + wrapped(line.slice(indent.length), `${indent}  `, columns - indent.length);
  };
  return text.split("\n").map(fitted).join("\n");
}

/** Columns that a text takes: characters, but for those that colour it. */
function widthOf(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}

/** A line for the user, beside the results. In a terminal it fits, and paths below the working folder are short. */
export function say({ stderr, cwd }: Pick<CommandContext, "stderr" | "cwd">, line: string): void {
  stderr.write(`${forTerminal(printable(withShortPaths(line, stderr.columns ? cwd : null)), stderr)}\n`);
}

/** `/home/me/work/data/x.h5` → `data/x.h5` where that is below `cwd`. @param cwd  absolute; null changes nothing */
export function withShortPaths(text: string, cwd: string | null): string {
  if (cwd === null || dirname(cwd) === cwd) return text;
  const folder = cwd + sep;
  return text
    .split(folder)
    .reduce((before, after) => before + (before === "" || /[\s"'`(=,:]$/.test(before) ? "" : folder) + after);
}

/** Names and values in two columns; what does not fit beside a name goes on below, under the value. */
export function factLines(facts: readonly (readonly [name: string, value: string])[], indent = ""): string {
  const names = facts.map(([name]) => printableLine(name, 44));
  const column = Math.max(...names.map((name) => name.length)) + 2;
  const below = `\n${indent}${" ".repeat(column)}`;
  return facts
    .map(([, value], i) => {
      const lines = value
        .split("\n")
        .map((line) => wrapped(printableLine(line, 600), "", width - indent.length - column));
      return indent + names[i]!.padEnd(column) + lines.join("\n").replaceAll("\n", below);
    })
    .join("\n");
}

export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log10(bytes) / 3));
  return power === 0 ? `${bytes} B` : `${(bytes / 1000 ** power).toPrecision(3)} ${units[power]}`;
}

/** `[333, 14]`; at most eight axes. */
export function formatShape(shape: readonly number[]): string {
  return shape.length > 8 ? `[${shape.slice(0, 8).join(", ")}, …]` : `[${shape.join(", ")}]`;
}
