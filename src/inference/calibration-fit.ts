/** Rows one after the other, `width` values each. */
export interface Rows {
  readonly data: Float32Array;
  readonly width: number;
}

/** Added to the correlations: directions in which the training hardly varies count, but not without bound. */
const ridge = 0.05;
/** The least standard deviation of a column, in parts of the largest. */
const leastDeviation = 0.02;

/**
 * What makes rows uncorrelated, with deviations of 1: row · matrix + offset.
 * @param kinds  how many columns have one unit: conditions, latents
 * @returns      matrix [d, d], offset [d]
 */
export function whitening(
  { data, width: d }: Rows,
  kinds: readonly number[],
): { matrix: Float32Array; offset: Float32Array } {
  const rows = data.length / d;
  const [mean, deviation] = [new Float64Array(d), new Float64Array(d)];
  for (let at = 0; at < data.length; at++) mean[at % d]! += data[at]! / rows;
  for (let at = 0; at < data.length; at++) deviation[at % d]! += (data[at]! - mean[at % d]!) ** 2 / rows;
  for (let k = 0; k < d; k++) deviation[k] = Math.sqrt(deviation[k]!);
  let from = 0;
  for (const count of kinds) {
    const part = deviation.subarray(from, from + count);
    const least = leastDeviation * part.reduce((most, value) => Math.max(most, value), 0) || 1;
    for (const [k, value] of part.entries()) part[k] = Math.max(value, least);
    from += count;
  }
  const correlations = new Float64Array(d * d);
  const row = new Float64Array(d);
  for (let start = 0; start < data.length; start += d) {
    for (let k = 0; k < d; k++) row[k] = (data[start + k]! - mean[k]!) / deviation[k]!;
    for (let i = 0; i < d; i++) for (let j = 0; j <= i; j++) correlations[i * d + j]! += (row[i]! * row[j]!) / rows;
  }
  for (let k = 0; k < d; k++) correlations[k * d + k]! += ridge;
  const inverse = inverseFactor(correlations, d);
  const [matrix, offset] = [new Float32Array(d * d), new Float32Array(d)];
  for (let j = 0; j < d; j++) {
    let sum = 0;
    for (let i = 0; i < d; i++) {
      const value = inverse[j * d + i]! / deviation[i]!;
      matrix[i * d + j] = value;
      sum -= mean[i]! * value;
    }
    offset[j] = sum;
  }
  return { matrix, offset };
}

/** L⁻¹ of C = L Lᵀ, both lower triangles, [d, d]. */
function inverseFactor(c: Float64Array, d: number): Float64Array {
  const factor = c.slice();
  for (let j = 0; j < d; j++) {
    for (let i = j; i < d; i++) {
      let sum = c[i * d + j]!;
      for (let k = 0; k < j; k++) sum -= factor[i * d + k]! * factor[j * d + k]!;
      factor[i * d + j] = i === j ? Math.sqrt(sum) : sum / factor[j * d + j]!;
    }
  }
  const inverse = new Float64Array(d * d);
  for (let j = 0; j < d; j++) {
    for (let i = j; i < d; i++) {
      let sum = i === j ? 1 : 0;
      for (let k = j; k < i; k++) sum -= factor[i * d + k]! * inverse[k * d + j]!;
      inverse[i * d + j] = sum / factor[i * d + i]!;
    }
  }
  return inverse;
}

/** Rows · matrix + offset. */
export function whitened(
  { data, width: d }: Rows,
  { matrix, offset }: { matrix: Float32Array; offset: Float32Array },
): Rows {
  const out = new Float32Array(data.length);
  for (let start = 0; start < data.length; start += d) {
    for (let j = 0; j < d; j++) {
      let sum = offset[j]!;
      for (let i = 0; i < d; i++) sum += data[start + i]! * matrix[i * d + j]!;
      out[start + j] = sum;
    }
  }
  return { data: out, width: d };
}

/**
 * Rows that cover all others best: the first, then each time the one that is furthest from those taken, so that what is rare is there, too.
 * @param square  of the distance between two rows, each given by its first index
 * @param least   rows that are nearer to those taken are left
 */
export function farthest(
  { data, width }: Rows,
  count: number,
  square: (data: Float32Array, a: number, b: number, width: number) => number = euclidean,
  least = 0,
): Float32Array {
  const rows = data.length / width;
  const near = new Float64Array(rows).fill(Number.POSITIVE_INFINITY);
  const taken: number[] = [];
  for (let next = 0; taken.length < Math.min(count, rows); ) {
    taken.push(next);
    let furthest = 0;
    const last = next;
    for (let row = 0; row < rows; row++) {
      near[row] = Math.min(near[row]!, square(data, row * width, last * width, width));
      if (near[row]! > near[furthest]!) furthest = row;
    }
    next = furthest;
    if (near[furthest]! <= least ** 2) break;
  }
  const out = new Float32Array(taken.length * width);
  for (const [i, row] of taken.entries()) out.set(data.subarray(row * width, (row + 1) * width), i * width);
  return out;
}

function euclidean(data: Float32Array, a: number, b: number, width: number): number {
  let sum = 0;
  for (let k = 0; k < width; k++) sum += (data[a + k]! - data[b + k]!) ** 2;
  return sum;
}

/** The square of the largest difference of any value. */
export function largestDifference(data: Float32Array, a: number, b: number, width: number): number {
  let most = 0;
  for (let k = 0; k < width; k++) most = Math.max(most, Math.abs(data[a + k]! - data[b + k]!));
  return most ** 2;
}

/** The least value that a part `level` of all values does not exceed. */
export function quantile(values: ArrayLike<number>, level: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(level * sorted.length) - 1))]!;
}

/** The least intercept, dex: an expected error of 0 would be a promise. */
const leastIntercept = 1e-4;

/**
 * The line intercept + slope · x, both positive, below which a part `level` of the errors lie: of those the one with the least quantile (pinball)
 * loss, scaled so that the part is met.
 */
export function quantileLine(
  x: ArrayLike<number>,
  errors: ArrayLike<number>,
  level: number,
): { intercept: number; slope: number } {
  const interceptOf = (slope: number): number =>
    Math.max(
      leastIntercept,
      quantile(
        Float64Array.from(errors, (error, i) => error - slope * x[i]!),
        level,
      ),
    );
  const loss = (slope: number): number => {
    const intercept = interceptOf(slope);
    let sum = 0;
    for (let i = 0; i < errors.length; i++) {
      const above = errors[i]! - intercept - slope * x[i]!;
      sum += above > 0 ? level * above : (level - 1) * above;
    }
    return sum;
  };
  // The loss is convex in the slope.
  const golden = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [0, quantile(errors, 1) / Math.max(quantile(x, 0.5), 1e-6)];
  for (let i = 0; i < 40; i++) {
    const [a, b] = [high - golden * (high - low), low + golden * (high - low)];
    if (loss(a) <= loss(b)) high = b;
    else low = a;
  }
  const slope = (low + high) / 2;
  const intercept = interceptOf(slope);
  const scale = quantile(
    Float64Array.from(errors, (error, i) => error / (intercept + slope * x[i]!)),
    level,
  );
  return { intercept: intercept * scale, slope: slope * scale };
}
