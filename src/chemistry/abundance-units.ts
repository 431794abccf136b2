import { DataError } from "../errors.ts";
import { parseSpecies } from "./species.ts";

/** Rows of abundances within a wider array. */
export interface AbundanceRows {
  readonly rows: number;
  /** Values from one row to the next. */
  readonly width: number;
  /** Where the first row's abundances begin. */
  readonly offset?: number;
  /** Number of the first row. */
  readonly firstRow?: number;
}

/** The share by which totals of elements may be off, for a solver's errors and single precision. */
export const totalsTolerance = 0.01;

/**
 * Looks for abundances that are not relative to hydrogen nuclei: values above 1, or hydrogen nuclei that do not sum to 1. A list without H or
 * H2 lacks much of the hydrogen, so that its sum may be less.
 */
export class AbundanceUnits {
  readonly #species: readonly string[];
  /** Positions of the species with hydrogen, and their atoms of it. */
  readonly #places: Int32Array;
  readonly #atoms: Float64Array;
  readonly #least: number;
  readonly #h2: number;
  #first: { row: number; total: number; value: number; species: number } | null = null;
  #rows = 0;
  #largestTotal = 0;
  #largestValue = 0;
  /** Rows in which H2 is 1. */
  #rowsOfH2 = 0;

  constructor(species: readonly string[]) {
    const atoms = species.map(hydrogenAtoms);
    this.#species = species;
    this.#places = Int32Array.from(species.keys()).filter((place) => atoms[place]! > 0);
    this.#atoms = Float64Array.from(this.#places, (place) => atoms[place]!);
    this.#least = species.includes("H") && species.includes("H2") ? 1 - totalsTolerance : Number.NEGATIVE_INFINITY;
    this.#h2 = species.indexOf("H2");
  }

  /** @param values linear */
  add(values: ArrayLike<number>, { rows, width, offset = 0, firstRow = 0 }: AbundanceRows): void {
    for (let row = 0; row < rows; row++) {
      const at = offset + row * width;
      let total = 0;
      for (let i = 0; i < this.#places.length; i++) total += this.#atoms[i]! * values[at + this.#places[i]!]!;
      let largest = 0;
      for (let s = 1; s < this.#species.length; s++) if (values[at + s]! > values[at + largest]!) largest = s;
      const value = values[at + largest]!;
      if (!(value > 1 + totalsTolerance || total > 1 + totalsTolerance || total < this.#least)) continue;
      this.#rows++;
      this.#first ??= { row: firstRow + row, total, value, species: largest };
      if (total > this.#largestTotal) this.#largestTotal = total;
      if (value > this.#largestValue) this.#largestValue = value;
      if (this.#h2 >= 0 && Math.abs(values[at + this.#h2]! - 1) <= totalsTolerance) this.#rowsOfH2++;
    }
  }

  /**
   * @param placeOf words for a row: `row 5, tracer 0`
   * @returns what is wrong, where first, how often and the likely cause; null where nothing is
   */
  doubt(placeOf: (row: number) => string): string | null {
    if (this.#first === null) return null;
    const { row, total, value, species } = this.#first;
    const isTotal = total > 1 + totalsTolerance || total < this.#least;
    const what = isTotal
      ? `hydrogen nuclei sum to ${rounded(total)} instead of 1`
      : `the abundance of ${this.#species[species]} is ${rounded(value)}, above 1,`;
    const others = this.#rows === 1 ? "" : ` (the first of ${this.#rows} such rows)`;
    return `${what} in ${placeOf(row)}${others}: ${this.#cause()}`;
  }

  #cause(): string {
    if (this.#largestTotal <= 1 + totalsTolerance && this.#largestValue <= 1 + totalsTolerance) {
      return "mass fractions, relative to all nuclei, or a species with much hydrogen missing?";
    }
    // Relative to H2, hydrogen nuclei sum to 2 in molecular gas, and to more where H2 is rare, but then H2 itself is 1.
    const isRelativeToH2 =
      2 * this.#rowsOfH2 > this.#rows || (this.#largestTotal > 1 + totalsTolerance && this.#largestTotal <= 4);
    const cause = isRelativeToH2 ? "abundances relative to H2?" : "number densities (per cm^3)?";
    return `${cause} Divide each row by its number of hydrogen nuclei (H + 2 H2 + …)`;
  }
}

/** 0 of names that are no formula. */
function hydrogenAtoms(name: string): number {
  try {
    return parseSpecies(name).atoms.get("H") ?? 0;
  } catch (error) {
    if (error instanceof DataError) return 0;
    throw error;
  }
}

function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
