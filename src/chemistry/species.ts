import { readFileSync } from "node:fs";
import { DataError } from "../errors.ts";

/** The elements of the network, in UCLCHEM's spelling and in the order of the stoichiometric matrix. */
export const elements = ["H", "HE", "C", "N", "O", "S", "SI", "MG", "CL"] as const;
export type ElementName = (typeof elements)[number];

/** Where a species is found: free, on a grain's surface (`#`), or in the ice's bulk (`@`). */
export type Phase = "gas" | "surface" | "bulk";

/** What a name says of a species. */
export interface Species {
  readonly name: string;
  readonly phase: Phase;
  /** In elementary charges; −1 for the electron. */
  readonly charge: number;
  /** Atoms of each element that occurs. */
  readonly atoms: ReadonlyMap<ElementName, number>;
}

const phases: Record<string, Phase> = { "#": "surface", "@": "bulk" };

/**
 * Reads a name such as `#CH3OH`, `HCO+` or `E-`. An element may occur several times; its counts add up.
 * @throws DataError where the name is not a formula of the known elements
 */
export function parseSpecies(name: string): Species {
  const phase = phases[name[0] ?? ""] ?? "gas";
  const [, formula, sign] = /^(.*?)(\++|-*)$/s.exec(phase === "gas" ? name : name.slice(1))!;
  const charge = [...sign!].reduce((sum, character) => sum + (character === "+" ? 1 : -1), 0);
  if (name === "E-") return { name, phase, charge, atoms: new Map() };
  const atoms = new Map<ElementName, number>();
  // Two letters first, or HE would be H and an unknown E.
  const pattern = /(HE|CL|SI|MG|H|C|N|O|S)([1-9]\d{0,2})?/y;
  while (pattern.lastIndex < formula!.length) {
    const at = pattern.lastIndex;
    const match = pattern.exec(formula!);
    if (!match) throw unreadable(name, formula!.slice(at));
    const element = match[1] as ElementName;
    atoms.set(element, (atoms.get(element) ?? 0) + (match[2] ? Number(match[2]) : 1));
  }
  if (atoms.size === 0) throw unreadable(name, name);
  return { name, phase, charge, atoms };
}

/**
 * Reads a species list, one name a line. There is no comment character: names begin with `#`.
 * @throws DataError for an unreadable file, an empty line between names, a name that is no formula, a name that occurs twice
 */
export function readSpeciesList(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new DataError(`cannot read the species list ${path}: ${(cause as Error).message}`, {
      where: path,
      fix: "correct dataset.species_path",
      cause,
    });
  }
  const names = text
    .trimEnd()
    .split(/\r?\n/)
    .map((line) => line.trim());
  const lines = new Map<string, number>();
  for (const [index, name] of names.entries()) {
    const where = `${path}:${index + 1}`;
    if (name === "") throw new DataError("the species list has an empty line", { where, fix: "one name a line" });
    const first = lines.get(name);
    if (first !== undefined) {
      throw new DataError(`${name} occurs twice in the species list, first in line ${first}`, {
        where,
        fix: "remove one",
      });
    }
    lines.set(name, index + 1);
    parseAt(name, where);
  }
  return names;
}

function parseAt(name: string, where: string): void {
  try {
    parseSpecies(name);
  } catch (cause) {
    if (!(cause instanceof DataError)) throw cause;
    throw new DataError(cause.message.split("\n")[0]!, { where, fix: "correct the name", cause });
  }
}

function unreadable(name: string, rest: string): DataError {
  return new DataError(`"${name}" is not a formula of ${elements.join(", ")}: cannot read "${rest}"`, {
    fix: "species are spelt as in UCLCHEM: CH3OH, HCO+, #H2O (surface), @H2O (bulk), E-",
  });
}
