import { type ElementTable, speciesOfTable, tableOfNames } from "../chemistry/element-table.ts";
import type { Species } from "../chemistry/name-reader.ts";
import { PowerTable } from "./power-table.ts";
import { SparseTotals } from "./sparse-totals.ts";

/** What errors are counted by: the species, their scaling, and the abundance above which a value counts as present. */
export interface ErrorScale {
  readonly species: readonly Species[];
  /** The columns of the table of elements. */
  readonly elements: readonly string[];
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
  table: ElementTable = tableOfNames(names),
): ErrorScale {
  const [log10_lower, log10_upper] = [Math.log10(clipping.lower), Math.log10(clipping.upper)];
  const species = speciesOfTable(names, table);
  return {
    species,
    elements: table.elements,
    log10_lower,
    log10_upper,
    floor,
    // Two roundings of a value up to 1, by half of 2^-24 each.
    resolution: (log10_upper - log10_lower) * Math.LN10 * 2 ** -24,
    levels: Math.ceil(log10_upper - log10_lower) + 1,
    powers: new PowerTable(log10_lower, log10_upper),
    totals: new SparseTotals(table),
  };
}
