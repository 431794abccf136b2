import { readFileSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import { globSync } from "tinyglobby";

/** Files of `src` → the files that each imports: for values, for types alone, or when it is called (`import()`). */
export type Imports = ReadonlyMap<string, readonly string[]>;

const statements = [
  /^(?:import|export)\b[^;"]*?\bfrom "(\.[^"]+)"/gm,
  /^import "(\.[^"]+)"/gm,
  /\bimport\("(\.[^"]+)"\)/g,
];

/** @param folder  where `src` lies */
export function importsOfSource(folder = "."): Imports {
  const files = globSync("src/**/*.ts", { cwd: folder }).sort();
  return new Map(
    files.map((file) => {
      const text = readFileSync(join(folder, file), "utf8");
      const found = statements.flatMap((statement) => [...text.matchAll(statement)].map(([, to]) => to!));
      return [file, [...new Set(found.map((to) => join(dirname(file), to)))].sort()];
    }),
  );
}

/** A cycle of imports as its files, the first again at the end; null where there is none. */
export function cycleOf(imports: Imports): readonly string[] | null {
  const done = new Set<string>();
  const visit = (file: string, way: readonly string[]): readonly string[] | null => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file];
    if (done.has(file)) return null;
    for (const to of imports.get(file) ?? []) {
      const cycle = visit(to, [...way, file]);
      if (cycle) return cycle;
    }
    done.add(file);
    return null;
  };
  for (const file of imports.keys()) {
    const cycle = visit(file, []);
    if (cycle) return cycle;
  }
  return null;
}

/** The room of a file of `src`: its folder there, or the file itself. */
function roomOf(file: string): string {
  return file.split("/")[1]!;
}

/** Room → the rooms that it imports; those that stand furthest from the bottom first. @throws Error where they form a cycle */
export function arrowsBetweenRooms(imports: Imports): ReadonlyMap<string, readonly string[]> {
  const arrows = new Map<string, Set<string>>();
  for (const [file, targets] of imports) {
    const from = arrows.get(roomOf(file)) ?? new Set<string>();
    arrows.set(roomOf(file), from);
    for (const to of targets.map(roomOf)) if (to !== roomOf(file)) from.add(to);
  }
  const rooms: Imports = new Map([...arrows].map(([room, to]) => [room, [...to].sort()]));
  const cycle = cycleOf(rooms);
  if (cycle) throw new Error(`rooms of src import each other: ${cycle.join(" → ")}`);
  const depth = (room: string): number => Math.max(0, ...rooms.get(room)!.map((to) => 1 + depth(to)));
  return new Map([...rooms].sort(([a], [b]) => depth(b) - depth(a) || (a < b ? -1 : 1)));
}
