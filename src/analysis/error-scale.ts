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
  /** Relative error of an abundance that is kept as a float32 on the scaled axis: errors of totals below it are rounding. */
  readonly resolution: number;
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
    // Two roundings of a value up to 1, by half of 2^-24 each.
    resolution: (log10_upper - log10_lower) * Math.LN10 * 2 ** -24,
    levels: Math.ceil(log10_upper - log10_lower) + 1,
    powers: new PowerTable(log10_lower, log10_upper),
    totals: new SparseTotals(species),
  };
}
