import { EigenvalueDecomposition, Matrix } from "ml-matrix";

/** Sums of rows and of their products, so that the covariance of any number of rows is had in bounded memory. */
export class CovarianceSums {
  readonly width: number;
  rows = 0;
  readonly #sums: Float64Array;
  /** Of the differences from `#origin`, upper triangle. */
  readonly #products: Float64Array;
  readonly #origin: Float64Array;

  constructor(width: number) {
    this.width = width;
    this.#sums = new Float64Array(width);
    this.#products = new Float64Array(width * width);
    this.#origin = new Float64Array(width);
  }

  /** @param values [rows, width] */
  add(values: Float32Array): void {
    const { width } = this;
    const rows = values.length / width;
    if (this.rows === 0) this.#origin.set(values.subarray(0, width));
    const row = new Float64Array(width);
    for (let r = 0; r < rows; r++) {
      // Differences from the first row: what is constant then has no covariance, to the last bit.
      for (let i = 0; i < width; i++) row[i] = values[r * width + i]! - this.#origin[i]!;
      for (let i = 0; i < width; i++) {
        const value = row[i]!;
        this.#sums[i]! += value;
        if (value === 0) continue;
        const at = i * width;
        for (let j = i; j < width; j++) this.#products[at + j]! += value * row[j]!;
      }
    }
    this.rows += rows;
  }

  mean(): Float64Array {
    return this.#sums.map((sum, i) => sum / this.rows + this.#origin[i]!);
  }

  /** [width, width], of the population. */
  covariance(): Matrix {
    const { width, rows } = this;
    const matrix = new Matrix(width, width);
    for (let i = 0; i < width; i++) {
      for (let j = i; j < width; j++) {
        const value = this.#products[i * width + j]! / rows - (this.#sums[i]! / rows) * (this.#sums[j]! / rows);
        matrix.set(i, j, value);
        matrix.set(j, i, value);
      }
    }
    return matrix;
  }
}

/** The directions in which rows vary most. */
export class PrincipalComponents {
  readonly width: number;
  readonly count: number;
  /** Share of the variance that each explains, falling. */
  readonly explained: readonly number[];
  readonly #mean: Float64Array;
  /** [count, width], orthonormal. */
  readonly #vectors: Float64Array;

  /** @param count components at most; there are no more than columns */
  constructor(sums: CovarianceSums, count: number) {
    const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(sums.covariance(), {
      assumeSymmetric: true,
    });
    const order = [...realEigenvalues.keys()].sort((a, b) => realEigenvalues[b]! - realEigenvalues[a]!);
    const total = realEigenvalues.reduce((sum, value) => sum + Math.max(value, 0), 0);
    this.width = sums.width;
    this.count = Math.min(count, sums.width);
    this.#mean = sums.mean();
    const kept = order.slice(0, this.count);
    this.explained = kept.map((k) => (total > 0 ? Math.max(realEigenvalues[k]!, 0) / total : 0));
    this.#vectors = new Float64Array(this.count * this.width);
    for (const [c, k] of kept.entries()) {
      for (let i = 0; i < this.width; i++) this.#vectors[c * this.width + i] = eigenvectorMatrix.get(i, k);
    }
  }

  /** @param values [rows, width] @returns [rows, count] */
  project(values: Float32Array): Float64Array {
    const { width, count } = this;
    const rows = values.length / width;
    const out = new Float64Array(rows * count);
    const row = new Float64Array(width);
    for (let r = 0; r < rows; r++) {
      for (let i = 0; i < width; i++) row[i] = values[r * width + i]! - this.#mean[i]!;
      for (let c = 0; c < count; c++) {
        let sum = 0;
        for (let i = 0; i < width; i++) sum += row[i]! * this.#vectors[c * width + i]!;
        out[r * count + c] = sum;
      }
    }
    return out;
  }

  /** Back to values, kept within [0, 1], where scaled abundances lie. @param scores [rows, count] @returns [rows, width] */
  restore(scores: Float64Array): Float32Array {
    const { width, count } = this;
    const rows = scores.length / count;
    const out = new Float32Array(rows * width);
    const row = new Float64Array(width);
    for (let r = 0; r < rows; r++) {
      row.set(this.#mean);
      for (let c = 0; c < count; c++) {
        const score = scores[r * count + c]!;
        for (let i = 0; i < width; i++) row[i]! += score * this.#vectors[c * width + i]!;
      }
      for (let i = 0; i < width; i++) out[r * width + i] = Math.min(Math.max(row[i]!, 0), 1);
    }
    return out;
  }
}
