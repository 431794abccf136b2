import { parseSpecies, type Species } from "../chemistry/species.ts";
import { PowerTable } from "./power-table.ts";
import { SparseTotals } from "./sparse-totals.ts";

/** What errors are counted by: the species, their scaling, and the abundance above which a value counts as present. */
export interface ErrorScale {
  readonly species: readonly Species[];
  /** log10 of the clipping range. */
  readonly log10_lower: number;
  readonly log10_upper: number;
  /** Linear abundance. */
  readonly floor: number;
  /** Decades of abundance: level l goes from log10_lower + l to one more. */
  readonly levels: number;
  readonly powers: PowerTable;
  readonly totals: SparseTotals;
}

export function errorScale(
  names: readonly string[],
  clipping: { readonly lower: number; readonly upper: number },
  floor: number,
): ErrorScale {
  const [log10_lower, log10_upper] = [Math.log10(clipping.lower), Math.log10(clipping.upper)];
  const species = names.map(parseSpecies);
  return {
    species,
    log10_lower,
    log10_upper,
    floor,
    levels: Math.ceil(log10_upper - log10_lower) + 1,
    powers: new PowerTable(log10_lower, log10_upper),
    totals: new SparseTotals(species),
  };
}
