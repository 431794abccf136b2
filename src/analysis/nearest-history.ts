/** Rows of a history that are compared at most, evenly spread over the longest one. */
const comparedRows = 64;
/** Compared rows whose means stand for them in a first look. */
const segmentRows = 8;
const mostSegments = comparedRows / segmentRows;
/** Bounds are lowered by so much of themselves. */
const rounding = 1e-9;

/** A history as it is compared: thinned, the means of its whole segments, and the mean of all of it. */
interface Thinned {
  readonly rows: Float32Array;
  readonly means: Float64Array;
  readonly mean: Float64Array;
}

/**
 * Finds the known history nearest to another: mean squared difference of the scaled log parameters over the rows that both have. The
 * chemistry is not looked at, so what is found is a prediction.
 *
 * Means differ by no more than their rows do, so that a look at the means of whole histories, and then at those of segments, rules
 * out nearly all of the known ones.
 */
export class NearestHistory {
  /** Of a history as it is given, and those of them that are compared. */
  readonly #width: number;
  readonly #columns: readonly number[];
  readonly #parameters: number;
  readonly #stride: number;
  /** Numbers of the longest history as it is compared. */
  readonly #longest: number;
  #known = 0;
  /**
   * Of all known histories, with room for more: rows, [known, longest thinned, parameters], means of whole histories, [known, parameters],
   * and how many numbers each is compared by. Arrays of its own for each history would take as much again.
   */
  #rows = new Float32Array(0);
  #means = new Float64Array(0);
  #lengths = new Int32Array(0);
  /** Means of segments, [known, mostSegments, parameters]: side by side, so that a look at them all is not one at all of memory. */
  #segments = new Float64Array(0);

  /**
   * @param parameters  of a history's row
   * @param rows        of the longest history, known or asked for
   * @param columns     the parameters that are compared; all where they are left out
   */
  constructor(
    parameters: number,
    rows: number,
    columns = Array.from({ length: parameters }, (_, p) => p) as readonly number[],
  ) {
    [this.#width, this.#columns] = [parameters, columns];
    this.#parameters = columns.length;
    this.#stride = Math.max(1, Math.ceil(rows / comparedRows));
    this.#longest = Math.ceil(rows / this.#stride) * columns.length;
  }

  /** @param physical scaled, [rows, parameters] */
  add(physical: Float32Array): void {
    const thinned = this.#thinned(physical);
    const at = this.#known++;
    if (at === this.#lengths.length) this.#makeRoom(2 * at + 64);
    this.#rows.set(thinned.rows, at * this.#longest);
    this.#means.set(thinned.mean, at * this.#parameters);
    this.#segments.set(thinned.means, at * mostSegments * this.#parameters);
    this.#lengths[at] = thinned.rows.length;
  }

  /** Position, in the order of `add`, of the nearest known history; of the first where several are as near. */
  find(physical: Float32Array): number {
    const asked = this.#thinned(physical);
    const bounds = this.#leastOfMeans(asked);
    // Beginning with the most promising one leaves few others to look at.
    let at = 0;
    for (let k = 1; k < bounds.length; k++) if (bounds[k]! < bounds[at]!) at = k;
    let best = this.#distance(asked, at, Number.POSITIVE_INFINITY);
    for (let k = 0; k < bounds.length; k++) {
      if (k === at || bounds[k]! > best || this.#isFarther(asked, k, best)) continue;
      const found = this.#distance(asked, k, best);
      if (found < best || (found === best && k < at)) [best, at] = [found, k];
    }
    return at;
  }

  #makeRoom(count: number): void {
    const [rows, means, lengths, segments] = [this.#rows, this.#means, this.#lengths, this.#segments];
    this.#rows = new Float32Array(count * this.#longest);
    this.#rows.set(rows);
    this.#means = new Float64Array(count * this.#parameters);
    this.#means.set(means);
    this.#lengths = new Int32Array(count);
    this.#lengths.set(lengths);
    this.#segments = new Float64Array(count * mostSegments * this.#parameters);
    this.#segments.set(segments);
  }

  /** No more than each `distance`, from the means of histories of one length; 0 of others. */
  #leastOfMeans({ rows, mean }: Thinned): Float64Array {
    const width = this.#parameters;
    const [means, lengths] = [this.#means, this.#lengths];
    const bounds = new Float64Array(this.#known);
    for (let k = 0; k < bounds.length; k++) {
      if (lengths[k] !== rows.length) continue;
      let sum = 0;
      for (let i = 0, from = k * width; i < width; i++, from++) {
        const difference = mean[i]! - means[from]!;
        sum += difference * difference;
      }
      bounds[k] = (sum / width) * (1 - rounding);
    }
    return bounds;
  }

  /** Whether `distance` is above `best`, as far as the segments that both have tell. */
  #isFarther({ rows, means }: Thinned, k: number, best: number): boolean {
    const length = Math.min(rows.length, this.#lengths[k]!);
    const width = this.#parameters;
    const limit = (best * length * (1 + rounding)) / segmentRows;
    const from = k * mostSegments * width;
    const count = Math.floor(length / (segmentRows * width)) * width;
    let sum = 0;
    for (let i = 0; i < count && sum <= limit; i++) {
      const difference = means[i]! - this.#segments[from + i]!;
      sum += difference * difference;
    }
    return sum > limit;
  }

  /** Mean squared difference over the rows that both have; Infinity where it is above `most`. */
  #distance({ rows }: Thinned, k: number, most: number): number {
    const length = Math.min(rows.length, this.#lengths[k]!);
    const limit = most * length;
    const [known, from] = [this.#rows, k * this.#longest];
    let sum = 0;
    // A sum that is too large already needs no more terms.
    for (let i = 0; i < length && sum <= limit; i++) {
      const difference = rows[i]! - known[from + i]!;
      sum += difference * difference;
    }
    return sum <= limit ? sum / length : Number.POSITIVE_INFINITY;
  }

  #thinned(physical: Float32Array): Thinned {
    const [columns, width] = [this.#columns, this.#parameters];
    const count = Math.ceil(physical.length / this.#width / this.#stride);
    const rows = new Float32Array(count * width);
    const means = new Float64Array(Math.floor(count / segmentRows) * width);
    const all = new Float64Array(width);
    for (let row = 0; row < count; row++) {
      const from = row * this.#stride * this.#width;
      const mean = Math.floor(row / segmentRows) * width;
      for (let i = 0; i < width; i++) {
        const value = physical[from + columns[i]!]!;
        rows[row * width + i] = value;
        all[i]! += value / count;
        if (mean < means.length) means[mean + i]! += value / segmentRows;
      }
    }
    return { rows, means, mean: all };
  }
}
