import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { DataError } from "../../errors.ts";

const { compare } = new Intl.Collator("en", { numeric: true });
const wild = /[*?[]/;

/**
 * The files that paths and patterns (`runs/*.dat`, `run?.csv`) name, each once, sorted naturally: run2 before run10.
 * @throws DataError where a pattern fits nothing; a path without a pattern is passed on as it is
 */
export function expandInputs(inputs: string | readonly string[], place: (path: string) => string = resolve): string[] {
  const paths = (typeof inputs === "string" ? [inputs] : inputs).flatMap((input) => {
    const path = place(input);
    if (!wild.test(input) || existsSync(path)) return [path];
    const found = fitting(path);
    if (found.length === 0)
      throw new DataError(`no file fits ${input}`, { where: path, fix: "check the pattern and the folder" });
    return found;
  });
  return [...new Set(paths)].sort(compare);
}

/** Patterns may stand in any folder's name as well. */
function fitting(path: string): string[] {
  if (!wild.test(path)) return existsSync(path) ? [path] : [];
  const folder = dirname(path);
  const folders = wild.test(folder) ? fitting(folder) : [folder];
  const pattern = patternOf(basename(path));
  return folders.flatMap((each) =>
    namesIn(each)
      .filter((name) => pattern.test(name))
      .map((name) => join(each, name)),
  );
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => !name.startsWith("."));
  } catch {
    return [];
  }
}

function patternOf(glob: string): RegExp {
  const source = glob
    .replace(/\[!/g, "[^")
    .replace(/[.+^${}()|\\]/g, (sign, at, all) => (sign === "^" && all[at - 1] === "[" ? "^" : `\\${sign}`));
  return new RegExp(`^${source.replaceAll("*", ".*").replaceAll("?", ".")}$`);
}
