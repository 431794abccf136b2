/** Rows of a history that are compared at most, evenly spread over the longest one. */
const comparedRows = 64;
/** Compared rows whose means stand for them in a first look. */
const segmentRows = 8;

/** A history as it is compared: thinned, and the means of its whole segments. */
interface Thinned {
  readonly rows: Float32Array;
  readonly means: Float64Array;
}

/**
 * Finds the known history nearest to another: mean squared difference of the scaled log parameters over the rows that both have. The
 * chemistry is not looked at, so what is found is a prediction.
 *
 * Means of segments differ by no more than their rows do, so that a look at them rules out nearly all of the known histories.
 */
export class NearestHistory {
  readonly #parameters: number;
  readonly #stride: number;
  readonly #known: Thinned[] = [];

  /** @param rows of the longest history, known or asked for */
  constructor(parameters: number, rows: number) {
    this.#parameters = parameters;
    this.#stride = Math.max(1, Math.ceil(rows / comparedRows));
  }

  /** @param physical scaled, [rows, parameters] */
  add(physical: Float32Array): void {
    this.#known.push(this.#thinned(physical));
  }

  /** Position, in the order of `add`, of the nearest known history; of the first where several are as near. */
  find(physical: Float32Array): number {
    const asked = this.#thinned(physical);
    const bounds = Float64Array.from(this.#known, (known) => this.#leastDistance(asked, known));
    // Beginning with the most promising one leaves few others to look at.
    let at = 0;
    for (let k = 1; k < bounds.length; k++) if (bounds[k]! < bounds[at]!) at = k;
    let best = distance(asked, this.#known[at]!, Number.POSITIVE_INFINITY);
    for (let k = 0; k < bounds.length; k++) {
      if (k === at || bounds[k]! > best) continue;
      const found = distance(asked, this.#known[k]!, best);
      if (found < best || (found === best && k < at)) [best, at] = [found, k];
    }
    return at;
  }

  /** No more than `distance`, from the segments that both have. */
  #leastDistance(a: Thinned, b: Thinned): number {
    const length = Math.min(a.rows.length, b.rows.length);
    const segment = segmentRows * this.#parameters;
    const count = Math.floor(length / segment) * this.#parameters;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const difference = a.means[i]! - b.means[i]!;
      sum += difference * difference;
    }
    // A little less, for rounding.
    return ((sum * segmentRows) / length) * (1 - 1e-9);
  }

  #thinned(physical: Float32Array): Thinned {
    const width = this.#parameters;
    const count = Math.ceil(physical.length / width / this.#stride);
    const rows = new Float32Array(count * width);
    const means = new Float64Array(Math.floor(count / segmentRows) * width);
    for (let row = 0; row < count; row++) {
      const from = row * this.#stride * width;
      rows.set(physical.subarray(from, from + width), row * width);
      const mean = Math.floor(row / segmentRows) * width;
      if (mean >= means.length) continue;
      for (let i = 0; i < width; i++) means[mean + i]! += physical[from + i]! / segmentRows;
    }
    return { rows, means };
  }
}

/** Mean squared difference over the rows that both have; Infinity where it is above `most`. */
function distance({ rows: a }: Thinned, { rows: b }: Thinned, most: number): number {
  const length = Math.min(a.length, b.length);
  const limit = most * length;
  let sum = 0;
  // A sum that is too large already needs no more terms.
  for (let i = 0; i < length && sum <= limit; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum <= limit ? sum / length : Number.POSITIVE_INFINITY;
}
