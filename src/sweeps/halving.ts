/** One of so many trials goes on. */
export const reduction = 3;

/** What a trial has come to, one number for each objective, the less the better; absent: it failed. */
export type Scores = ReadonlyMap<number, readonly number[]>;

/**
 * How many rungs there are: each has a third of the trials of the one before and three times their epochs, the last one all epochs.
 * @param epochs of a whole training; the first rung has one at least
 */
export function rungCount(trials: number, epochs: number): number {
  let rungs = 1;
  while (reduction ** rungs <= Math.min(trials, epochs)) rungs += 1;
  return rungs;
}

/** Trials that are trained in a rung, counted from 0. */
export function trialsOfRung(trials: number, rung: number): number {
  return Math.max(1, Math.floor(trials / reduction ** rung));
}

/** Epochs in all that a training of `epochs` has in the end of a rung, counted from 0. */
export function epochsOfRung(epochs: number, rung: number, rungs: number): number {
  // Rounding must not add an epoch: 12 / 3 is 4.
  return Math.ceil(epochs * reduction ** (rung - rungs + 1) - 1e-9);
}

/**
 * Synchronous successive halving (Jamieson & Talwalkar 2016; the synchronous form of Li et al. 2020, "A System for Massively Parallel
 * Hyperparameter Tuning", MLSys). A rung is decided once all its trials are there: ASHA itself promotes whatever finishes first, so that the same
 * seed would try other things on a busier machine.
 * @param train  trains the trials up to the end of a rung; null where they are not all there yet
 * @returns      those that came to the last rung; null where some rung is not there yet
 */
export async function successiveHalving(
  trials: readonly number[],
  rungs: number,
  train: (trials: readonly number[], rung: number) => Promise<Scores | null>,
): Promise<readonly number[] | null> {
  let alive = trials;
  for (let rung = 0; rung < rungs; rung++) {
    const scores = await train(alive, rung);
    if (scores === null) return null;
    if (rung + 1 < rungs) alive = bestOf(scores, trialsOfRung(trials.length, rung + 1));
  }
  return alive;
}

/** The best trials, the best one first: by fronts, within a front by the first objective, then by number. */
export function bestOf(scores: Scores, count: number): number[] {
  const [best, left] = [[] as number[], new Map(scores)];
  while (best.length < count && left.size > 0) {
    const front = paretoFront(left);
    for (const trial of front) left.delete(trial);
    best.push(...front);
  }
  return best.slice(0, count);
}

/** The trials that no other is better than in one objective and as good in the others; ordered by the first objective. */
export function paretoFront(scores: Scores): number[] {
  const all = [...scores];
  const beats = (a: readonly number[], b: readonly number[]): boolean =>
    a.every((value, i) => value <= b[i]!) && a.some((value, i) => value < b[i]!);
  const front = all.filter(([, mine]) => !all.some(([, other]) => beats(other, mine)));
  return front.sort(([i, a], [j, b]) => a[0]! - b[0]! || i - j).map(([trial]) => trial);
}
