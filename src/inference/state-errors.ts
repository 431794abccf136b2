/** Smaller abundances do not count in the error of a state. */
const floor = 1e-12;

/**
 * How far states are off: the mean of |log10 x − log10 truth| over the species whose true abundance is above 1e-12, dex; 0 where none is.
 * @param emulated, truth  linear, [rows, species]
 * @returns                [rows]
 */
export function meanErrors(
  emulated: Float32Array,
  truth: Float32Array,
  {
    species,
    abundancesClipping: { lower, upper },
  }: {
    readonly species: readonly string[];
    readonly abundancesClipping: { readonly lower: number; readonly upper: number };
  },
): Float64Array {
  const width = species.length;
  // What is no number counts as nothing.
  const log = (x: number): number => Math.log10(x > lower ? Math.min(x, upper) : lower);
  return Float64Array.from({ length: truth.length / width }, (_, row) => {
    let [sum, count] = [0, 0];
    for (let at = row * width; at < (row + 1) * width; at++) {
      if (!(truth[at]! > floor)) continue;
      sum += Math.abs(log(emulated[at]!) - log(truth[at]!));
      count++;
    }
    return count === 0 ? 0 : sum / count;
  });
}
