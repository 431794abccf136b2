import { readSpeciesList } from "../../src/chemistry/species.ts";
import { stoichiometricMatrix } from "../../src/chemistry/stoichiometry.ts";

/** Atoms per species of the shipped species list, [333, 9]. */
export function utilsStoichiometry(): Float32Array {
  return Float32Array.from(stoichiometricMatrix(readSpeciesList("utils/species.txt")).data);
}
