import { type FittedTracers, forwardChoice } from "./fitted-tracers.ts";

/** By which physical parameters the nearest history is looked for, and how that was chosen. */
export interface NearestChoice {
  /** Positions of the parameters, rising. */
  readonly columns: readonly number[];
  /** Mean error in dex of each fitted tracer's nearest other one: by these parameters, by all of them. Null with fewer than three. */
  readonly dex: number | null;
  readonly dex_by_all: number | null;
}

/**
 * Chooses the parameters by which the nearest of the other fitted tracers predicts each of them best; all of them where none are better.
 * @param span of scaled abundances, dex
 */
export function chooseNearest(tracers: FittedTracers, span: number): NearestChoice {
  const all = Array.from({ length: tracers.parameters }, (_, p) => p);
  const count = tracers.states.length;
  // Of two, each is the other's nearest.
  if (count < 3) return { columns: all, dex: null, dex_by_all: null };
  const errors = pairs(
    tracers.states.map((_, k) => tracers.judged(k)),
    (a, b) => Math.abs(a - b) * span,
  );
  const distances = all.map((p) => pairs(tracers.historiesOf(p), (a, b) => (a - b) ** 2));
  const errorBy = (columns: readonly number[]): number =>
    columns.length === 0
      ? Number.POSITIVE_INFINITY
      : leftOutError(
          count,
          columns.map((p) => distances[p]!),
          errors,
        );
  const chosen = forwardChoice(tracers.parameters, errorBy);
  const [dex, dex_by_all] = [errorBy(chosen), errorBy(all)];
  return dex < dex_by_all ? { columns: chosen, dex, dex_by_all } : { columns: all, dex: dex_by_all, dex_by_all };
}

/** Mean over each two vectors' entries, [vectors, vectors]. */
function pairs(vectors: readonly Float32Array[], term: (a: number, b: number) => number): Float64Array {
  const count = vectors.length;
  const out = new Float64Array(count * count);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < i; j++) {
      const [a, b] = [vectors[i]!, vectors[j]!];
      let sum = 0;
      for (let at = 0; at < a.length; at++) sum += term(a[at]!, b[at]!);
      out[i * count + j] = sum / a.length;
      out[j * count + i] = sum / a.length;
    }
  }
  return out;
}

/** Mean error of each one's nearest other one; the first of equals. */
function leftOutError(count: number, distances: readonly Float64Array[], errors: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < count; i++) {
    let [nearest, least] = [-1, Number.POSITIVE_INFINITY];
    for (let j = 0; j < count; j++) {
      if (j === i) continue;
      let distance = 0;
      for (const by of distances) distance += by[i * count + j]!;
      if (distance < least) [nearest, least] = [j, distance];
    }
    sum += errors[i * count + nearest]!;
  }
  return sum / count;
}
