import { counted } from "../counted.ts";
import { splitWords } from "../data/splits.ts";
import { ConfigError, DataError } from "../errors.ts";
import { interval, meanError, resampledCounts, type Statistic, scoredRows } from "./bootstrap.ts";
import { baselineKinds, type PredictionKind, surrogateKinds } from "./error-types.ts";
import type { Comparison, Metrics, TracerSummary } from "./evaluation-types.ts";

/** An evaluation and how it is called in the table. */
export interface NamedRun {
  readonly name: string;
  readonly metrics: Metrics;
}

/**
 * Compares evaluations of the same rows. Intervals are percentiles over resamples of the tracers, the same tracers for all runs: rows
 * of one tracer depend on each other, and a difference between runs is sharper than the spread between tracers.
 * @param runs two or more; the first is what the others are compared with
 * @throws DataError where they were evaluated on different rows, ConfigError for fewer than two runs
 */
export function compareRuns(runs: readonly NamedRun[], options: { resamples: number; seed: number }): Comparison {
  checkRows(runs);
  const { resamples, seed } = options;
  const reference = runs[0]!.metrics;
  const tracers = runs.map(({ metrics }) => byId(metrics));
  const draws = resampledCounts(tracers[0]!.length, resamples, seed);
  const kinds = [...surrogateKinds, ...baselineKinds].filter((kind) =>
    tracers.every((list) => list.every(({ errors }) => errors[kind] !== undefined)),
  );
  return {
    format: "astrochem-comparison",
    format_version: 1,
    rows_hash: reference.provenance.rows_hash,
    tracers: tracers[0]!.length,
    resamples,
    seed,
    runs: runs.map(({ name, metrics }) => ({ name, provenance: metrics.provenance })),
    kinds: kinds.map((kind) => ({ kind, runs: runs.map((run, r) => comparedRun(run, kind, tracers, r, draws)) })),
  };
}

type ComparedRun = Comparison["kinds"][number]["runs"][number];

function comparedRun(
  { metrics }: NamedRun,
  kind: PredictionKind,
  tracers: readonly (readonly TracerSummary[])[],
  r: number,
  draws: readonly Uint16Array[],
): ComparedRun {
  const meanOf = (run: number, column: 0 | 1): Statistic => meanError(tracers[run]!, kind, column);
  const difference = (column: 0 | 1): Statistic => {
    const [own, first] = [meanOf(r, column), meanOf(0, column)];
    return (counts) => own(counts) - first(counts);
  };
  const difference_dex = r === 0 ? null : interval(difference(0), draws);
  return {
    mean_dex: interval(meanOf(r, 0), draws),
    mean_relative: interval(meanOf(r, 1), draws),
    difference_dex,
    difference_relative: r === 0 ? null : interval(difference(1), draws),
    differs: difference_dex !== null && (difference_dex.low > 0 || difference_dex.high < 0),
    phases_dex: Object.fromEntries(metrics.predictions[kind]!.phases.map(({ phase, all }) => [phase, all.dex.mean])),
  };
}

/** Refuses runs whose rows differ from those of the first. */
function checkRows(runs: readonly NamedRun[]): void {
  const [first, ...others] = runs;
  if (first === undefined || others.length === 0) {
    throw new ConfigError("a comparison needs two runs or more", { fix: "astrochem compare RUN RUN" });
  }
  for (const { name, metrics } of others) {
    if (metrics.provenance.rows_hash === first.metrics.provenance.rows_hash) continue;
    const count = ({ tracers, validation, provenance }: Metrics): string => {
      const rows = tracers.reduce((sum, tracer) => sum + scoredRows(tracer), 0);
      const { path } = provenance.test_dataset ?? provenance.dataset;
      return `${counted(rows, "row")} of ${counted(validation.tracers, `${splitWords[provenance.split ?? "val"]} tracer`)} of ${path}`;
    };
    throw new DataError(
      `${name} was evaluated on other rows than ${first.name}: ${count(metrics)}, not ${count(first.metrics)}`,
      { where: name, fix: "evaluate both with the same dataset=…, split=…, max_tracers=…, max_rows=… and seed=…" },
    );
  }
}

function byId({ tracers }: Metrics): TracerSummary[] {
  return tracers.toSorted((a, b) => a.id - b.id || a.rows - b.rows);
}
