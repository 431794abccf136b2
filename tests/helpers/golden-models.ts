import { tableOfNames } from "../../src/chemistry/element-table.ts";
import { readSpeciesList } from "../../src/chemistry/species.ts";

/** Atoms per species of the shipped species list, [333, 9]. */
export function utilsStoichiometry(): Float32Array {
  return Float32Array.from(tableOfNames(readSpeciesList("utils/species.txt")).atoms.flat());
}
