import { readFileSync } from "node:fs";
import { writeFileAtomic } from "../src/formats/atomic-file.ts";
import { arrowsBetweenRooms, importsOfSource } from "./imports.ts";

const [begin, end] = ["<!-- imports: made by `npm run readme` -->", "<!-- end of imports -->"];

/** The page with its drawing of the imports made anew from the sources. */
export function withDrawing(page: string): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error("docs/architecture.md has lost the marks of its drawing");
  return `${page.slice(0, from + begin.length)}\n\n${drawing()}\n\n${page.slice(to)}`;
}

/** A drawing of the arrows that no longer way stands for, and a table of all of them. */
function drawing(): string {
  const arrows = arrowsBetweenRooms(importsOfSource());
  const reaches = (from: string, to: string): boolean =>
    arrows.get(from)!.some((next) => next === to || reaches(next, to));
  const drawn = [...arrows].flatMap(([room, targets]) =>
    targets
      .filter((to) => !targets.some((other) => other !== to && reaches(other, to)))
      .map((to) => `  ${room} --> ${to}`),
  );
  const order = [...arrows.keys()];
  const rows = [...arrows].map(([room, targets]) => {
    const sorted = targets.toSorted((a, b) => order.indexOf(a) - order.indexOf(b));
    return `| \`${room}\` | ${sorted.map((to) => `\`${to}\``).join(", ") || "nothing"} |`;
  });
  return ["```mermaid", "flowchart TD", ...drawn, "```", "", "| room | imports |", "|---|---|", ...rows].join("\n");
}

if (process.argv[1]?.endsWith("update-architecture.ts")) {
  const path = "docs/architecture.md";
  writeFileAtomic(path, withDrawing(readFileSync(path, "utf8")));
}
