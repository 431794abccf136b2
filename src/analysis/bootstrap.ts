import { derivedSeed, RandomStream } from "../data/random.ts";
import type { PredictionKind } from "./error-types.ts";
import type { Interval, TracerSummary } from "./evaluation-types.ts";

/** Share of the resamples that lies within an interval. */
const confidence = 0.95;

/** A figure of the tracers, each counted so many times; once where `counts` is null. */
export type Statistic = (counts: ArrayLike<number> | null) => number;

/** How often each tracer is drawn, in each resample: rows of one tracer depend on each other, so that whole tracers are drawn. */
export function resampledCounts(tracers: number, resamples: number, seed: number): Uint16Array[] {
  const random = new RandomStream(derivedSeed(seed, "bootstrap over tracers"));
  return Array.from({ length: resamples }, () => {
    const counts = new Uint16Array(tracers);
    for (let i = 0; i < tracers; i++) counts[Math.floor(random.uniform() * tracers)]! += 1;
    return counts;
  });
}

/** Mean error over rows: in dex (column 0) or relative (1). */
export function meanError(tracers: readonly TracerSummary[], kind: PredictionKind, column: 0 | 1): Statistic {
  return (counts) => {
    let [sum, rows] = [0, 0];
    for (const [k, tracer] of tracers.entries()) {
      const weight = (counts === null ? 1 : counts[k]!) * scoredRows(tracer);
      sum += weight * tracer.errors[kind]![column];
      rows += weight;
    }
    return sum / rows;
  };
}

/** The 2.5 and 97.5 percentiles of a figure over the resamples. */
export function interval(statistic: Statistic, draws: readonly Uint16Array[]): Interval {
  const values = draws.map(statistic).sort((a, b) => a - b);
  const at = (share: number): number => values[Math.min(Math.floor(share * values.length), values.length - 1)]!;
  return { value: statistic(null), low: at((1 - confidence) / 2), high: at((1 + confidence) / 2) };
}

/** The first row is no prediction. */
export function scoredRows({ scored_rows, rows }: TracerSummary): number {
  return scored_rows ?? rows - 1;
}
