/** The least and the largest value of each column, over any number of rows. */
export class ColumnRange {
  readonly lower: Float32Array;
  readonly upper: Float32Array;

  constructor(columns: number) {
    this.lower = new Float32Array(columns).fill(Number.POSITIVE_INFINITY);
    this.upper = new Float32Array(columns).fill(Number.NEGATIVE_INFINITY);
  }

  /** @param values [rows, columns], finite */
  add(values: Float32Array): void {
    const { lower, upper } = this;
    for (let at = 0; at < values.length; ) {
      for (let column = 0; column < lower.length; column++, at++) {
        const value = values[at]!;
        if (value < lower[column]!) lower[column] = value;
        if (value > upper[column]!) upper[column] = value;
      }
    }
  }
}

/** Three figures, by `Math.floor`, `Math.ceil` or `Math.round`. */
export function roundedOutwards(value: number, round: (value: number) => number): number {
  if (value === 0) return 0;
  const unit = 10 ** (Math.floor(Math.log10(Math.abs(value))) - 2);
  return Number((round(value / unit) * unit).toPrecision(3));
}
