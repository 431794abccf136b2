/**
 * How many epochs each phase gets. Where all phases together are longer than the limit, each gives way in proportion; phases
 * without an end share what the others leave.
 * @param wanted   epochs of each phase; null for a phase that goes on
 * @param maximum  epochs of the whole training; null for no limit
 * @returns        epochs of each phase, their sum at most the maximum; null where nothing ends it
 */
export function planEpochs(wanted: readonly (number | null)[], maximum: number | null): (number | null)[] {
  if (maximum === null) return [...wanted];
  const limited = wanted.reduce<number>((sum, epochs) => sum + (epochs ?? 0), 0);
  const endless = wanted.filter((epochs) => epochs === null).length;
  const total = endless > 0 ? Math.max(limited, maximum) : limited;
  const ofEndless = endless > 0 ? (total - limited) / endless : 0;
  const scale = total > 0 ? Math.min(1, maximum / total) : 0;
  let [sum, given] = [0, 0];
  return wanted.map((epochs) => {
    sum += epochs ?? ofEndless;
    const upTo = Math.round(sum * scale);
    const mine = upTo - given;
    given = upTo;
    return mine;
  });
}

/**
 * When a phase has to end: what is left of the time, by the shares of the phases that are still to come. Time that a phase leaves
 * goes to the later ones.
 * @param shares  of this phase and all later ones, in any unit
 * @returns       on the clock of `now` and `end`
 */
export function phaseDeadline(shares: readonly number[], now: number, end: number): number {
  const [mine = 1, ...later] = shares;
  return now + ((end - now) * mine) / later.reduce((sum, share) => sum + share, mine);
}

/** Epochs of all phases together; null where one of them has no limit. */
export function sumOf(epochs: readonly (number | null)[]): number | null {
  return epochs.reduce((sum, each) => (sum === null || each === null ? null : sum + each), 0);
}
