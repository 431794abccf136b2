import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { borrowedRows } from "./baselines.ts";
import { type FittedTracers, forwardChoice } from "./fitted-tracers.ts";
import type { PrincipalComponents } from "./principal-components.ts";

/** Ridge strengths that are tried, in units of the mean squared size of what is regressed on. */
const ridges = Array.from({ length: 13 }, (_, i) => 10 ** (-4 + i / 2));
/** Mean squared size below which something does not vary between tracers. */
const noVariance = 1e-12;

/** What a prediction is made of: one parameter's whole history, or the principal components of the first row. */
interface Source {
  readonly name: string;
  /** Which parameter; null for the first row. */
  readonly parameter: number | null;
  /** Centred, [tracers, features]. */
  readonly features: Matrix;
  readonly mean: Float64Array;
  /** Factor that the features have. */
  readonly size: number;
  /** Features × featuresᵀ, [tracers, tracers]. */
  readonly products: Matrix;
}

/** A ridge regression on some sources. */
interface Fit {
  readonly chosen: readonly number[];
  readonly ridge: number;
  /** Of the residuals of tracers left out one by one, in scaled principal components. */
  readonly error: number;
  /** (products + ridge)⁻¹, [tracers, tracers]. */
  readonly inverse: Matrix;
}

/**
 * Predicts every step of a tracer from its physical history and its first row, by a linear map for each step: ridge regression on
 * training tracers. Which parameters enter, whether the first row does, and the strength of the ridge are those with the least error
 * on tracers left out one by one. As a map's output is linear in the tracers that it is fitted to, one weight for each of these
 * serves all steps and species.
 */
export class LinearHistory {
  /** Names of the parameters, and `start`; empty where none is better than the mean. */
  readonly sources: readonly string[];
  readonly ridge: number | null;
  readonly #tracers: FittedTracers;
  readonly #components: PrincipalComponents;
  readonly #chosen: readonly Source[];
  readonly #inverse: Matrix | null;

  /** @param names of the parameters */
  constructor(tracers: FittedTracers, components: PrincipalComponents, names: readonly string[]) {
    [this.#tracers, this.#components] = [tracers, components];
    const sources = sourcesOf(tracers, components, names);
    const fit = bestFit(sources, targetsOf(tracers, components));
    this.#chosen = fit === null ? [] : fit.chosen.map((k) => sources[k]!);
    this.sources = this.#chosen.map(({ name }) => name);
    this.ridge = fit?.ridge ?? null;
    this.#inverse = fit?.inverse ?? null;
  }

  /**
   * @param history  scaled, [rows, parameters]
   * @param first    scaled abundances of the first row, [species]
   * @returns        scaled, within [0, 1], [steps.length, species]
   */
  predict(history: Float32Array, first: Float32Array, steps: Int32Array): Float32Array {
    const { states } = this.#tracers;
    const width = first.length;
    const weights = this.#weights(history, first);
    const sums = new Float64Array(steps.length * width);
    // Two tracers at once, so that a sum is read and written half as often; an odd last one is paired with itself, weighing nothing.
    for (let k = 0; k < states.length; k += 2) {
      const other = Math.min(k + 1, states.length - 1);
      const [a, b] = [states[k]!, states[other]!];
      const [weightA, weightB] = [weights[k]!, other > k ? weights[other]! : 0];
      const [rowsA, rowsB] = [a, b].map((state) => borrowedRows(steps, state.length / width)) as [
        Int32Array,
        Int32Array,
      ];
      for (let i = 0; i < steps.length; i++) {
        const [to, fromA, fromB] = [i * width, rowsA[i]! * width, rowsB[i]! * width];
        for (let s = 0; s < width; s++) sums[to + s]! += weightA * a[fromA + s]! + weightB * b[fromB + s]!;
      }
    }
    return Float32Array.from(sums, (sum) => Math.min(Math.max(sum, 0), 1));
  }

  /** Of the fitted tracers in the prediction; their sum is 1. */
  #weights(history: Float32Array, first: Float32Array): Float64Array {
    const count = this.#tracers.states.length;
    const weights = new Float64Array(count).fill(1 / count);
    if (this.#inverse === null) return weights;
    const compared = this.#tracers.compared(history);
    const products = new Float64Array(count);
    for (const { parameter, features, mean, size } of this.#chosen) {
      const values = parameter === null ? this.#components.project(first) : part(compared, parameter, mean.length);
      const centred = Matrix.columnVector(Array.from(mean, (value, i) => size * (values[i]! - value)));
      for (const [k, product] of features.mmul(centred).to1DArray().entries()) products[k]! += product;
    }
    const found = this.#inverse.mmul(Matrix.columnVector(products)).to1DArray();
    const rest = (1 - found.reduce((sum, weight) => sum + weight, 0)) / count;
    return Float64Array.from(found, (weight) => weight + rest);
  }
}

/** Those that vary between the tracers. */
function sourcesOf(tracers: FittedTracers, components: PrincipalComponents, names: readonly string[]): Source[] {
  const sources = names.map((name, parameter) => {
    const histories = tracers.historiesOf(parameter);
    return sourceOf(name, parameter, histories, 1 / Math.sqrt(histories[0]!.length));
  });
  const size = meanSquare(sources);
  const firsts = tracers.states.map((state) => components.project(state.subarray(0, components.width)));
  const start = sourceOf("start", null, firsts, 1);
  // Of the size of a history: neither outweighs the other where both are chosen.
  const scale = size > noVariance && meanSquare([start]) > noVariance ? Math.sqrt(size / meanSquare([start])) : 1;
  return [...sources, sourceOf("start", null, firsts, scale)].filter((source) => meanSquare([source]) > noVariance);
}

function sourceOf(name: string, parameter: number | null, vectors: readonly ArrayLike<number>[], size: number): Source {
  const width = vectors[0]!.length;
  const mean = new Float64Array(width);
  for (const vector of vectors) for (let i = 0; i < width; i++) mean[i]! += vector[i]! / vectors.length;
  const features = new Matrix(vectors.length, width);
  for (const [k, vector] of vectors.entries()) {
    for (let i = 0; i < width; i++) features.set(k, i, size * (vector[i]! - mean[i]!));
  }
  return { name, parameter, features, mean, size, products: features.mmul(features.transpose()) };
}

/** Mean over sources and tracers. */
function meanSquare(sources: readonly Source[]): number {
  return sources.reduce((sum, { products }) => sum + products.trace() / products.rows, 0) / sources.length;
}

/** What the fit is judged by: principal components of the judged rows, less their mean, [tracers, rows × components]. */
function targetsOf(tracers: FittedTracers, components: PrincipalComponents): Matrix {
  const targets = new Matrix(tracers.states.map((_, k) => [...components.project(tracers.judged(k))]));
  return targets.subRowVector(targets.mean("column"));
}

/** Null where nothing is better than the mean of the others. */
function bestFit(sources: readonly Source[], targets: Matrix): Fit | null {
  const count = targets.rows;
  if (count < 3) return null;
  let best: Fit | null = null;
  const ofMean = (meanAbsolute(targets) * count) / (count - 1);
  forwardChoice(sources.length, (chosen) => {
    if (chosen.length === 0) return ofMean;
    const fit = fitOf(chosen, sources, targets);
    if (fit.error < (best?.error ?? ofMean)) best = fit;
    return fit.error;
  });
  return best;
}

/** The fit with the best ridge, from one decomposition for all of them. */
function fitOf(chosen: readonly number[], sources: readonly Source[], targets: Matrix): Fit {
  const count = targets.rows;
  const products = Matrix.zeros(count, count);
  for (const k of chosen) products.add(sources[k]!.products);
  const size = products.trace() / count;
  const { realEigenvalues, eigenvectorMatrix: vectors } = new EigenvalueDecomposition(products, {
    assumeSymmetric: true,
  });
  const rotated = vectors.transpose().mmul(targets);
  let [ridge, error] = [0, Number.POSITIVE_INFINITY];
  for (const relative of ridges) {
    const found = leftOutError(
      vectors,
      rotated,
      targets,
      realEigenvalues.map((value) => shrinkage(value, relative * size)),
    );
    if (found < error) [ridge, error] = [relative * size, found];
  }
  const inverses = Matrix.diag(realEigenvalues.map((value) => 1 / (Math.max(value, 0) + ridge)));
  return { chosen, ridge, error, inverse: vectors.mmul(inverses).mmul(vectors.transpose()) };
}

function shrinkage(eigenvalue: number, ridge: number): number {
  return Math.max(eigenvalue, 0) / (Math.max(eigenvalue, 0) + ridge);
}

/**
 * Mean residual of tracers left out one by one, without fitting anew: each residual of the fit to all, over one less the tracer's
 * own part in its prediction.
 */
function leftOutError(vectors: Matrix, rotated: Matrix, targets: Matrix, shrinkages: readonly number[]): number {
  const shrunk = vectors.clone().mulRowVector(shrinkages as number[]);
  const residuals = Matrix.sub(targets, shrunk.mmul(rotated));
  for (let k = 0; k < residuals.rows; k++) {
    let own = 1 / residuals.rows;
    for (let i = 0; i < residuals.rows; i++) own += shrunk.get(k, i) * vectors.get(k, i);
    residuals.mulRow(k, 1 / Math.max(1 - own, 1e-9));
  }
  return meanAbsolute(residuals);
}

function meanAbsolute(matrix: Matrix): number {
  return Matrix.abs(matrix).sum() / matrix.size;
}

/** One of a list of vectors of one length, one behind the other. */
function part(values: Float32Array, k: number, length: number): Float32Array {
  return values.subarray(k * length, (k + 1) * length);
}
