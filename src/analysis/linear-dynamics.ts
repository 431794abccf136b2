import { Matrix, pseudoInverse } from "ml-matrix";

/** Parts of the largest singular value below which a direction of the (standardised) inputs counts as absent. */
const rankTolerance = 1e-10;

/**
 * Least squares of z' = A z + B u + c, from sums over any number of steps: the states z and inputs u of one row, the state z' of
 * the next.
 */
export class LinearDynamicsFit {
  readonly #states: number;
  readonly #inputs: number;
  /** Sums over steps of products of [z, u, 1] with itself and with z'. */
  readonly #products: Float64Array;
  readonly #targets: Float64Array;
  readonly #low: Float64Array;
  readonly #high: Float64Array;

  constructor(states: number, inputs: number) {
    [this.#states, this.#inputs] = [states, inputs];
    const width = states + inputs + 1;
    this.#products = new Float64Array(width * width);
    this.#targets = new Float64Array(width * states);
    this.#low = new Float64Array(states).fill(Number.POSITIVE_INFINITY);
    this.#high = new Float64Array(states).fill(Number.NEGATIVE_INFINITY);
  }

  /** @param states [rows, states] of one tracer; `inputs` [rows, inputs], those of a row lead to the next */
  add(states: Float64Array, inputs: ArrayLike<number>): void {
    const [k, m] = [this.#states, this.#inputs];
    const width = k + m + 1;
    const row = new Float64Array(width).fill(1);
    for (let at = 0; at < states.length; at++) {
      this.#low[at % k] = Math.min(this.#low[at % k]!, states[at]!);
      this.#high[at % k] = Math.max(this.#high[at % k]!, states[at]!);
    }
    for (let t = 0; (t + 2) * k <= states.length; t++) {
      for (let i = 0; i < k; i++) row[i] = states[t * k + i]!;
      for (let i = 0; i < m; i++) row[k + i] = inputs[t * m + i]!;
      for (let i = 0; i < width; i++) {
        for (let j = 0; j < width; j++) this.#products[i * width + j]! += row[i]! * row[j]!;
        for (let j = 0; j < k; j++) this.#targets[i * k + j]! += row[i]! * states[(t + 1) * k + j]!;
      }
    }
  }

  /** The dynamics that fit best; of several the smallest coefficients, as where an input never changes. */
  solve(): LinearDynamics {
    const [k, width] = [this.#states, this.#states + this.#inputs + 1];
    // Columns of one size each: the numerical rank then does not depend on units.
    const size = Float64Array.from({ length: width }, (_, i) => Math.sqrt(this.#products[i * width + i]!) || 1);
    const products = new Matrix(width, width);
    const targets = new Matrix(width, k);
    for (let i = 0; i < width; i++) {
      for (let j = 0; j < width; j++) products.set(i, j, this.#products[i * width + j]! / (size[i]! * size[j]!));
      for (let j = 0; j < k; j++) targets.set(i, j, this.#targets[i * k + j]! / size[i]!);
    }
    const solved = pseudoInverse(products, rankTolerance).mmul(targets);
    const coefficients = new Float64Array(width * k);
    for (let i = 0; i < width; i++) {
      for (let j = 0; j < k; j++) coefficients[i * k + j] = solved.get(i, j) / size[i]!;
    }
    return new LinearDynamics(coefficients, this.#inputs, { low: this.#low, high: this.#high });
  }
}

/**
 * Steps a state by z' = A z + B u + c, each component kept within the range of the states that it was fitted to: fits of one step
 * have growing modes, which over hundreds of steps would make of the baseline a straw man.
 */
export class LinearDynamics {
  readonly #coefficients: Float64Array;
  readonly #states: number;
  readonly #inputs: number;
  readonly #range: { readonly low: Float64Array; readonly high: Float64Array };

  /** @param coefficients [states + inputs + 1, states]: Aᵀ, Bᵀ, c; `range` [states] each */
  constructor(coefficients: Float64Array, inputs: number, range: { low: Float64Array; high: Float64Array }) {
    [this.#coefficients, this.#inputs, this.#range] = [coefficients, inputs, range];
    this.#states = range.low.length;
  }

  /**
   * @param start   [states]
   * @param inputs  [steps or more, inputs]
   * @returns       [steps, states]
   */
  rollout(start: ArrayLike<number>, inputs: ArrayLike<number>, steps: number): Float64Array {
    const [k, m] = [this.#states, this.#inputs];
    const { low, high } = this.#range;
    const out = new Float64Array(steps * k);
    let [from, at]: [ArrayLike<number>, number] = [start, 0];
    for (let t = 0; t < steps; t++) {
      for (let j = 0; j < k; j++) {
        let sum = this.#coefficients[(k + m) * k + j]!;
        for (let i = 0; i < k; i++) sum += from[at + i]! * this.#coefficients[i * k + j]!;
        for (let i = 0; i < m; i++) sum += inputs[t * m + i]! * this.#coefficients[(k + i) * k + j]!;
        out[t * k + j] = Math.min(Math.max(sum, low[j]!), high[j]!);
      }
      [from, at] = [out, t * k];
    }
    return out;
  }
}
