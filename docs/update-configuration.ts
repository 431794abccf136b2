import { readFileSync } from "node:fs";
import { configTables } from "../src/config/describe.ts";
import { writeFileAtomic } from "../src/formats/atomic-file.ts";

const [begin, end] = ["<!-- config: made by `npm run readme` -->", "<!-- end of config -->"];

/** The page with its tables of the configuration made anew from the schemas. */
export function withTables(page: string): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error("docs/configuration.md has lost the marks of its tables");
  return `${page.slice(0, from + begin.length)}\n\n${configTables().trim()}\n\n${page.slice(to)}`;
}

if (process.argv[1]?.endsWith("update-configuration.ts")) {
  const path = "docs/configuration.md";
  writeFileAtomic(path, withTables(readFileSync(path, "utf8")));
}
