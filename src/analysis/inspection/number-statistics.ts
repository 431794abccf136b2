/** Counts and limits of plain numbers. */
export class NumberStatistics {
  /** Of the finite ones; infinite without any. */
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  nan = 0;
  infinite = 0;
  negative = 0;
  zero = 0;

  add(values: Iterable<number | bigint> & ArrayLike<number | bigint>): void {
    for (let i = 0; i < values.length; i++) {
      const value = Number(values[i]);
      if (Number.isNaN(value)) this.nan++;
      else if (!Number.isFinite(value)) this.infinite++;
      else {
        if (value < this.min) this.min = value;
        if (value > this.max) this.max = value;
        if (value < 0) this.negative++;
        else if (value === 0) this.zero++;
      }
    }
  }
}
