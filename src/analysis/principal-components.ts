import { EigenvalueDecomposition, Matrix } from "ml-matrix";

const rowsAtOnce = 4;

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
    const four = new Float64Array(rowsAtOnce * width);
    for (let r = 0; r < rows; r += rowsAtOnce) {
      const count = Math.min(rowsAtOnce, rows - r) * width;
      four.fill(0, count);
      // Differences from the first row: what is constant then has no covariance, to the last bit.
      for (let at = 0; at < count; at++) four[at] = values[r * width + at]! - this.#origin[at % width]!;
      this.#addRows(four);
    }
    this.rows += rows;
  }

  /** Adds four rows at once, so that a product is read and written once for all. */
  #addRows(four: Float64Array): void {
    const { width } = this;
    const products = this.#products;
    const [second, third, fourth] = [width, 2 * width, 3 * width];
    for (let i = 0; i < width; i++) {
      const a = four[i]!;
      const b = four[second + i]!;
      const c = four[third + i]!;
      const d = four[fourth + i]!;
      this.#sums[i]! += a + b + c + d;
      if (a === 0 && b === 0 && c === 0 && d === 0) continue;
      const at = i * width;
      for (let j = i; j < width; j++) {
        products[at + j]! += a * four[j]! + b * four[second + j]! + c * four[third + j]! + d * four[fourth + j]!;
      }
    }
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
    const [vectors, mean] = [this.#vectors, this.#mean];
    for (let r = 0; r < rows; r++) {
      for (let i = 0; i < width; i++) row[i] = values[r * width + i]! - mean[i]!;
      // Two at once: their additions need not wait for each other. Of an odd number the last is computed twice.
      for (let c = 0; c < count; c += 2) {
        const first = c * width;
        const second = Math.min(c + 1, count - 1) * width;
        let sum = 0;
        let other = 0;
        for (let i = 0; i < width; i++) {
          const value = row[i]!;
          sum += value * vectors[first + i]!;
          other += value * vectors[second + i]!;
        }
        out[r * count + c] = sum;
        out[r * count + Math.min(c + 1, count - 1)] = other;
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
    const vectors = this.#vectors;
    for (let r = 0; r < rows; r++) {
      row.set(this.#mean);
      // Two components at once, so that a value is read and written half as often.
      for (let c = 0; c < count; c += 2) {
        const [first, second] = [c * width, Math.min(c + 1, count - 1) * width];
        const score = scores[r * count + c]!;
        const other = c + 1 < count ? scores[r * count + c + 1]! : 0;
        for (let i = 0; i < width; i++) row[i]! += score * vectors[first + i]! + other * vectors[second + i]!;
      }
      for (let i = 0; i < width; i++) {
        const value = row[i]!;
        out[r * width + i] = Math.min(Math.max(value, 0), 1);
      }
    }
    return out;
  }
}
