/** Error figures of a set of predictions. Relative errors are |truth − prediction| / truth; dex is |Δ log10|. */
export interface ErrorSummary {
  readonly rows: number;
  /** Mean over species of the mean relative error; a few species near the floor rule it. */
  readonly mean_relative: number;
  /** Median over species of the mean relative error. */
  readonly median_relative: number;
  /** Mean over all values. */
  readonly mean_dex: number;
  /** Species by falling error in dex. */
  readonly worst: readonly { readonly species: string; readonly mean_dex: number; readonly mean_relative: number }[];
}

/** Sums errors row by row, so that any number of rows is weighted rightly in bounded memory. */
export class ErrorAccumulator {
  readonly #species: readonly string[];
  readonly #relative: Float64Array;
  readonly #dex: Float64Array;
  #rows = 0;

  constructor(species: readonly string[]) {
    this.#species = species;
    this.#relative = new Float64Array(species.length);
    this.#dex = new Float64Array(species.length);
  }

  /** @param predicted, truth  [rows, species], linear abundances above 0 */
  add(predicted: ArrayLike<number>, truth: ArrayLike<number>): void {
    const width = this.#species.length;
    const rows = truth.length / width;
    if (!Number.isInteger(rows) || predicted.length !== truth.length) {
      throw new Error(
        `${predicted.length} predicted and ${truth.length} true values do not make rows of ${width} species`,
      );
    }
    for (let row = 0, at = 0; row < rows; row++) {
      for (let s = 0; s < width; s++, at++) {
        const [p, t] = [predicted[at]!, truth[at]!];
        this.#relative[s]! += Math.abs(t - p) / t;
        this.#dex[s]! += Math.abs(Math.log10(p / t));
      }
    }
    this.#rows += rows;
  }

  /** Errors in dex per species, [species], averaged over rows. */
  meanDex(): Float64Array {
    return this.#dex.map((sum) => sum / this.#rows);
  }

  summary(worstCount = 5): ErrorSummary {
    const relative = this.#relative.map((sum) => sum / this.#rows);
    const dex = this.meanDex();
    const worst = this.#species
      .map((species, s) => ({ species, mean_dex: dex[s]!, mean_relative: relative[s]! }))
      .sort((a, b) => b.mean_dex - a.mean_dex)
      .slice(0, worstCount);
    const mean_dex = mean(dex);
    return { rows: this.#rows, mean_relative: mean(relative), median_relative: median(relative), mean_dex, worst };
  }
}

/**
 * Relative error of the elements' totals, |E_truth − E_predicted| / E_truth, averaged over rows and elements.
 * @param predicted, truth  [rows, species], linear
 * @param stoichiometry     [species, elements], atoms per species
 */
export function conservationError(
  predicted: ArrayLike<number>,
  truth: ArrayLike<number>,
  stoichiometry: { readonly data: ArrayLike<number>; readonly species: number; readonly elements: number },
): number {
  const { species, elements } = stoichiometry;
  const rows = truth.length / species;
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    for (let element = 0; element < elements; element++) {
      let [totalTruth, totalPredicted] = [0, 0];
      for (let s = 0; s < species; s++) {
        const atoms = stoichiometry.data[s * elements + element]!;
        totalTruth += atoms * truth[row * species + s]!;
        totalPredicted += atoms * predicted[row * species + s]!;
      }
      sum += Math.abs(totalTruth - totalPredicted) / totalTruth;
    }
  }
  return sum / (rows * elements);
}

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/** The middle value, or the mean of the two middle ones. */
export function median(values: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
