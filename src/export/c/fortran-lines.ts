/** Columns of a line: Fortran 2003 has 132, of which a continuation takes some. */
const most = 120;

/** Source of which no line is longer than Fortran allows, however long the names in it: cut at blanks outside of texts. */
export function fortranLines(source: string): string {
  return source.split("\n").flatMap(cutLine).join("\n");
}

function cutLine(line: string): string[] {
  if (line.length <= most) return [line];
  const indent = /^\s*/.exec(line)![0];
  const comment = outside(line, "!")[0] ?? line.length;
  const isComment = comment === indent.length;
  if (!isComment && comment < line.length) {
    return [...cutLine(`${indent}${line.slice(comment)}`), ...cutLine(line.slice(0, comment).trimEnd())];
  }
  const blanks = isComment ? placesOf(line, " ") : outside(line, " ");
  const at = blanks.findLast((place) => place > indent.length + 1 && place < most - 2);
  if (at === undefined) return [line];
  const rest = `${indent}${isComment ? "! " : "  "}${line.slice(at + 1)}`;
  return [`${line.slice(0, at)}${isComment ? "" : " &"}`, ...cutLine(rest)];
}

function placesOf(line: string, letter: string): number[] {
  return [...line].flatMap((each, i) => (each === letter ? [i] : []));
}

/** Where a letter is that is in no text. */
function outside(line: string, letter: string): number[] {
  const texts = [...line.matchAll(/'[^']*'|"[^"]*"/g)].map(
    ({ 0: text, index }) => [index, index + text.length] as const,
  );
  return placesOf(line, letter).filter((place) => !texts.some(([from, to]) => place >= from && place < to));
}
