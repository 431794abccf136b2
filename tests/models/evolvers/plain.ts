/** Matrices as lists of rows, in double precision: hand arithmetic beside the tensors. */
export type Rows = readonly (readonly number[])[];

/** A matrix of smooth values of both signs. */
export function wave(rows: number, columns: number, seed: number): number[][] {
  return Array.from({ length: rows }, (_, i) =>
    Array.from({ length: columns }, (_, j) => 0.6 * Math.sin(seed + 1.3 * (i * columns + j))),
  );
}

/** W·x + b. */
export function affine(weight: Rows, bias: readonly number[], x: readonly number[]): number[] {
  return weight.map((row, i) => row.reduce((sum, w, j) => sum + w * x[j]!, bias[i]!));
}

/** x Φ(x), Φ by Simpson's rule over the density. */
export function gelu(x: number): number {
  const [n, h] = [200, x / 200];
  let integral = 0;
  for (let k = 0; k <= n; k++) {
    const weight = k === 0 || k === n ? 1 : k % 2 ? 4 : 2;
    integral += weight * Math.exp(-((k * h) ** 2) / 2);
  }
  return x * (0.5 + (integral * h) / 3 / Math.sqrt(2 * Math.PI));
}

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
