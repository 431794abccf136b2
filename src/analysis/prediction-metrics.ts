import type { Phase } from "../chemistry/name-reader.ts";
import type { ErrorGroups } from "./error-groups.ts";
import { dexQuantiles, relativeQuantiles, sketchBins } from "./error-sketch.ts";
import type {
  ConservationErrors,
  ErrorBands,
  GroupErrors,
  PredictionKind,
  PredictionMetrics,
  SpeciesErrors,
  StepErrors,
} from "./error-types.ts";
import type { PredictionErrors } from "./prediction-errors.ts";

export const phases: readonly Phase[] = ["gas", "surface", "bulk"];
const bandShares = [0.1, 0.25, 0.5, 0.75, 0.9, 0.99];

/** What else is known of a kind of prediction. */
export interface PredictionFacts {
  readonly kind: PredictionKind;
  /** Distinct tracers, also where windows of them were added one by one. */
  readonly tracers: number;
  /** Steps that the emulator was trained for; null without one. */
  readonly trainedSteps: number | null;
}

/** The figures of the errors summed up so far. @throws RangeError where nothing was added */
export function predictionMetrics(errors: PredictionErrors, facts: PredictionFacts): PredictionMetrics {
  const { species } = errors.scale;
  const all = [...species.keys()];
  const overall = groupErrors(errors, all);
  if (overall === null) throw new RangeError(`nothing was predicted: ${facts.kind}`);
  const bySpecies = all.map((s) => speciesErrors(errors, s));
  const of = (holds: (s: number) => boolean): GroupErrors | null => groupErrors(errors, all.filter(holds));
  const trained = facts.trainedSteps === null ? [] : [...errors.stepRows.keys()].slice(0, facts.trainedSteps);
  return {
    kind: facts.kind,
    tracers: facts.tracers,
    rows: errors.rows,
    non_finite: errors.nonFinite,
    overall,
    as_trained: errors.bySteps.stats(trained),
    over_species: overSpecies(bySpecies),
    phases: phases.flatMap((phase) => {
      const group = of((s) => species[s]!.phase === phase);
      return group ? [{ phase, ...group }] : [];
    }),
    elements: errors.scale.elements.flatMap((element) => {
      const group = of((s) => species[s]!.atoms.has(element));
      return group ? [{ element, ...group }] : [];
    }),
    levels: levels(errors),
    species: bySpecies,
    steps: stepErrors(errors.bySteps, errors.stepRows, errors.stepTimes),
    ...(errors.byTimes ? { times: stepErrors(errors.byTimes.groups, errors.byTimes.rows, errors.byTimes.sums) } : {}),
    conservation: errors.scale.totals.names.map((element, total) => conservation(errors, total, element)),
  };
}

function groupErrors({ bySpecies, scale }: PredictionErrors, list: readonly number[]): GroupErrors | null {
  const above = list.map((s) => s + scale.species.length);
  const all = bySpecies.stats([...list, ...above]);
  return all && { all, above_floor: bySpecies.stats(above) };
}

function speciesErrors(errors: PredictionErrors, s: number): SpeciesErrors {
  const { bySpecies, scale, rows, truthSum, truthSquares } = errors;
  const { name, phase } = scale.species[s]!;
  const group = groupErrors(errors, [s])!;
  const mean_log10 = truthSum[s]! / rows;
  const variance = truthSquares[s]! / rows - mean_log10 ** 2;
  const bias = bySpecies.bias[s]! + bySpecies.bias[s + scale.species.length]!;
  // Rounding makes the variance of a constant slightly negative.
  const std_log10 = Math.sqrt(Math.max(variance, 0));
  return { species: name, phase, ...group, mean_log10, std_log10, bias_dex: bias / rows };
}

function overSpecies(species: readonly SpeciesErrors[]): PredictionMetrics["over_species"] {
  const means = species.map(({ all }) => all.relative.mean);
  const mean = means.reduce((sum, each) => sum + each, 0) / means.length;
  const squares = means.reduce((sum, each) => sum + (each - mean) ** 2, 0);
  return { mean, median: median(means), std: Math.sqrt(squares / means.length), max: Math.max(...means) };
}

/** The middle value, or the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function levels({ byLevel, scale }: PredictionErrors): PredictionMetrics["levels"] {
  return [...byLevel.counts.keys()].flatMap((level) => {
    const stats = byLevel.stats([level]);
    return stats ? [{ from_log10: Math.round(scale.log10_lower) + level, ...stats }] : [];
  });
}

function stepErrors(bySteps: ErrorGroups, stepRows: Float64Array, stepTimes: Float64Array): StepErrors[] {
  return [...stepRows.keys()].flatMap((at) => {
    const rows = stepRows[at]!;
    const count = bySteps.counts[at]!;
    if (rows === 0) return [];
    const sketch = bySteps.sketches.subarray(at * sketchBins, (at + 1) * sketchBins);
    return [
      {
        step: at + 1,
        time_yr: stepTimes[at]! / rows,
        rows,
        dex: bands(dexQuantiles(sketch, count, bandShares), bySteps.dex[at]! / count, bySteps.largestDex[at]!),
        relative: bands(
          relativeQuantiles(sketch, count, bandShares),
          bySteps.relative[at]! / count,
          bySteps.largestRelative[at]!,
        ),
      },
    ];
  });
}

function bands(quantiles: readonly number[], mean: number, max: number): ErrorBands {
  const [p10, p25, middle, p75, p90, p99] = quantiles.map((value) => Math.min(value, max));
  return { p10: p10!, p25: p25!, median: middle!, p75: p75!, p90: p90!, p99: p99!, mean };
}

function conservation(errors: PredictionErrors, total: number, element: string): ConservationErrors {
  const { relative } = errors.conservation.stats([total]) ?? { relative: { mean: 0, median: 0, p99: 0, max: 0 } };
  const worst = errors.worstTotals[total];
  return {
    element,
    mean: relative.mean,
    median: relative.median,
    p99: relative.p99,
    max: relative.max,
    ...(worst && { worst }),
  };
}
