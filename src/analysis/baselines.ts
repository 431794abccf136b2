/** Persistence: every later row equals the first one. @param scaled [rows, species] @returns [rows − 1, species] */
export function persistence(scaled: Float32Array, rows: number): Float32Array {
  const width = scaled.length / rows;
  const out = new Float32Array((rows - 1) * width);
  for (let row = 0; row < rows - 1; row++) out.set(scaled.subarray(0, width), row * width);
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

  /** The prediction for rows 1 … rows − 1 of any tracer, [rows − 1, species]. */
  predict(rows: number): Float32Array {
    const out = new Float32Array((rows - 1) * this.#species);
    for (let row = 1; row < rows; row++) {
      const known = Math.min(row, this.#sums.length - 1);
      const [sums, count] = [this.#sums[known]!, this.#counts[known]!];
      for (let s = 0; s < this.#species; s++) out[(row - 1) * this.#species + s] = sums[s]! / count;
    }
    return out;
  }
}

/** Rows 1 … rows − 1 of another tracer; its last row is held where it is shorter. @param other [its rows, species] */
export function borrowed(other: Float32Array, otherRows: number, rows: number): Float32Array {
  const width = other.length / otherRows;
  const out = new Float32Array((rows - 1) * width);
  for (let row = 1; row < rows; row++) {
    const from = Math.min(row, otherRows - 1) * width;
    out.set(other.subarray(from, from + width), (row - 1) * width);
  }
  return out;
}
