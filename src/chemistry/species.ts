import { readFileSync } from "node:fs";
import { DataError } from "../errors.ts";
import { elements } from "./elements.ts";
import { NameReader, type NamingOptions, type Species } from "./name-reader.ts";

/**
 * Reads a name such as `#CH3OH`, `HCO+`, `e-` or `c-C3H2`. An element may occur several times; its counts add up.
 * @param naming elements beside the known ones, and a convention of names, as in the dataset's configuration
 * @throws DataError where the name is not a formula of the known elements, or may mean an isotope that is not declared
 */
export function parseSpecies(name: string, naming: NamingOptions = {}): Species {
  const reading = NameReader.of(naming).read(name);
  if ("species" in reading) return reading.species;
  const { rest, isotopes } = reading;
  if (isotopes.length > 0) {
    throw new DataError(`"${name}" may have the isotope ${isotopes.join(", ")}, or that many atoms`, {
      fix: `declare it: dataset.elements=[${isotopes.join(",")}]`,
    });
  }
  const known = [...elements, ...(naming.elements ?? [])].join(", ");
  throw new DataError(`"${name}" is not a formula of ${known}: cannot read "${rest}"`, {
    fix: "species are spelt as in UCLCHEM: CH3OH, HCO+, #H2O (surface), @H2O (bulk), E-",
  });
}

/** Whether a name can be read as a formula; also where it may mean an isotope. */
export function isSpeciesName(name: string, naming: NamingOptions = {}): boolean {
  // A formula is short: of a name of any length the pattern would be tried all along.
  if (name.length > 40) return false;
  const reading = NameReader.of(naming).read(name);
  return "species" in reading || reading.isotopes.length > 0;
}

/**
 * Reads a species list, one name a line. There is no comment character: names begin with `#`. What the names mean is not asked here.
 * @throws DataError for an unreadable file, an empty line between names, a name that occurs twice
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
    .split(/\r\n|\r|\n/)
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
  }
  return names;
}
