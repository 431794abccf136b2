/** Persistence: every later row equals the first one. @param first scaled, [species] @returns [rows, species] */
export function persistence(first: Float32Array, rows: number): Float32Array {
  const out = new Float32Array(rows * first.length);
  for (let row = 0; row < rows; row++) out.set(first, row * first.length);
  return out;
}

/**
 * The mean trajectory: per row since the start and per species, the mean of the scaled (that is log10) abundance over the training
 * tracers. Past the longest tracer its last row is held.
 */
export class MeanTrajectory {
  readonly #species: number;
  readonly #sums: Float64Array[] = [];
  readonly #counts: number[] = [];

  constructor(species: number) {
    this.#species = species;
  }

  /** @param scaled [rows, species] */
  add(scaled: Float32Array, rows: number): void {
    for (let row = 0; row < rows; row++) {
      this.#sums[row] ??= new Float64Array(this.#species);
      this.#counts[row] = (this.#counts[row] ?? 0) + 1;
      const sums = this.#sums[row]!;
      for (let s = 0; s < this.#species; s++) sums[s]! += scaled[row * this.#species + s]!;
    }
  }

  /** The prediction for some steps of any tracer, [steps.length, species]. */
  predict(steps: Int32Array): Float32Array {
    const out = new Float32Array(steps.length * this.#species);
    for (const [i, step] of steps.entries()) {
      const known = Math.min(step, this.#sums.length - 1);
      const [sums, count] = [this.#sums[known]!, this.#counts[known]!];
      for (let s = 0; s < this.#species; s++) out[i * this.#species + s] = sums[s]! / count;
    }
    return out;
  }
}

/** Rows of another tracer that stand for some steps: its last row is held where it is shorter. */
export function borrowedRows(steps: Int32Array, rows: number): Int32Array {
  return steps.map((step) => Math.min(step, rows - 1));
}
