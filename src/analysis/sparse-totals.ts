import type { ElementTable } from "../chemistry/element-table.ts";

/** The totals of elements and charge, from the species that hold them. */
export class SparseTotals {
  /** The elements that occur, then `charge`. */
  readonly names: readonly string[];
  readonly #species: readonly Int32Array[];
  readonly #weights: readonly Float64Array[];

  constructor({ elements, atoms, charges }: ElementTable) {
    const present = [...elements.keys()].filter((e) => atoms.some((counts) => counts[e] !== 0));
    const isCharged = charges.some((charge) => charge !== 0);
    this.names = [...present.map((e) => elements[e]!), ...(isCharged ? ["charge"] : [])];
    const weights = [...present.map((e) => atoms.map((counts) => counts[e]!)), ...(isCharged ? [charges] : [])];
    this.#species = weights.map((list) => Int32Array.from(list.keys()).filter((s) => list[s] !== 0));
    this.#weights = weights.map((list) => Float64Array.from(list.filter((weight) => weight !== 0)));
  }

  /** Σ weight · value. @param values of one row */
  sum(total: number, values: Float64Array): number {
    const species = this.#species[total]!;
    const weights = this.#weights[total]!;
    let [sum, other] = [0, 0];
    let i = 0;
    // Two sums: an addition need not wait for the one before.
    for (; i + 1 < species.length; i += 2) {
      sum += weights[i]! * values[species[i]!]!;
      other += weights[i + 1]! * values[species[i + 1]!]!;
    }
    if (i < species.length) sum += weights[i]! * values[species[i]!]!;
    return sum + other;
  }

  /** Σ |weight| · |value|, which for abundances is all that a total adds up. @param start of the row in `values` */
  size(total: number, values: Float32Array | Float64Array, start: number): number {
    const species = this.#species[total]!;
    const weights = this.#weights[total]!;
    let sum = 0;
    for (let i = 0; i < species.length; i++) sum += Math.abs(weights[i]! * values[start + species[i]!]!);
    return sum;
  }
}
