/** One tracer's rows. */
export interface TracerAbundances {
  readonly rows: number;
  /** [rows, species], linear. */
  readonly abundances: Float32Array;
}

/**
 * The mean trajectory: per row since the start and per species, the mean of log10 abundance over the training tracers.
 * Past the longest tracer its last row is held.
 */
export class MeanTrajectory {
  readonly #species: number;
  readonly #sums: Float64Array[] = [];
  readonly #counts: number[] = [];

  constructor(species: number) {
    this.#species = species;
  }

  add({ rows, abundances }: TracerAbundances): void {
    for (let row = 0; row < rows; row++) {
      this.#sums[row] ??= new Float64Array(this.#species);
      this.#counts[row] = (this.#counts[row] ?? 0) + 1;
      const sums = this.#sums[row]!;
      for (let s = 0; s < this.#species; s++) sums[s]! += Math.log10(abundances[row * this.#species + s]!);
    }
  }

  /** The prediction for rows 1 … rows − 1 of any tracer, [rows − 1, species], linear. */
  predict(rows: number): Float32Array {
    const out = new Float32Array((rows - 1) * this.#species);
    for (let row = 1; row < rows; row++) {
      const known = Math.min(row, this.#sums.length - 1);
      for (let s = 0; s < this.#species; s++) {
        out[(row - 1) * this.#species + s] = 10 ** (this.#sums[known]![s]! / this.#counts[known]!);
      }
    }
    return out;
  }
}

/** Persistence: every later row equals the first one. @returns [rows − 1, species] */
export function persistence({ rows, abundances }: TracerAbundances): Float32Array {
  const width = abundances.length / rows;
  const out = new Float32Array((rows - 1) * width);
  for (let row = 0; row < rows - 1; row++) out.set(abundances.subarray(0, width), row * width);
  return out;
}
