import { elements, parseSpecies } from "./species.ts";

/** Atoms per species and element, row-major. */
export interface StoichiometricMatrix {
  /** [species, elements] */
  readonly data: Float64Array;
  /** Names of the columns; `charge` is the last one where it was asked for. */
  readonly elements: readonly string[];
}

/** Counts atoms (and charges) in every species. @throws DataError for a name that is no formula */
export function stoichiometricMatrix(
  species: readonly string[],
  options: { charge?: boolean } = {},
): StoichiometricMatrix {
  const columns: string[] = options.charge ? [...elements, "charge"] : [...elements];
  const data = new Float64Array(species.length * columns.length);
  for (const [row, name] of species.entries()) {
    const { atoms, charge } = parseSpecies(name);
    for (const [column, element] of elements.entries()) data[row * columns.length + column] = atoms.get(element) ?? 0;
    if (options.charge) data[(row + 1) * columns.length - 1] = charge;
  }
  return { data, elements: columns };
}

/** What each species is made of, as the weights keep it. */
export interface ElementTable {
  readonly elements: string[];
  /** Atoms, [species][elements]. */
  readonly atoms: number[][];
  /** In elementary charges, [species]. */
  readonly charges: number[];
}

/** @throws DataError for a name that is no formula */
export function elementTable(species: readonly string[]): ElementTable {
  const parsed = species.map(parseSpecies);
  return {
    elements: [...elements],
    atoms: parsed.map(({ atoms }) => elements.map((element) => atoms.get(element) ?? 0)),
    charges: parsed.map(({ charge }) => charge),
  };
}
