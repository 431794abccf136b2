import { readFileSync } from "node:fs";
import { configTables } from "../src/config/describe.ts";
import { writeFileAtomic } from "../src/formats/atomic-file.ts";

const [begin, end] = ["<!-- config: made by `npm run readme` -->", "<!-- end of config -->"];

/** The README with its configuration tables made anew from the schemas. */
export function withTables(readme: string): string {
  const [from, to] = [readme.indexOf(begin), readme.indexOf(end)];
  if (from < 0 || to < from) throw new Error("README.md has lost the marks of its configuration tables");
  return `${readme.slice(0, from + begin.length)}\n\n${configTables().trim()}\n\n${readme.slice(to)}`;
}

if (process.argv[1]?.endsWith("update-readme.ts")) {
  writeFileAtomic("README.md", withTables(readFileSync("README.md", "utf8")));
}
