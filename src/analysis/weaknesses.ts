import { interval, meanError, resampledCounts } from "./bootstrap.ts";
import type { FailureMaps, PredictionMetrics } from "./error-types.ts";
import type { Metrics, TracerSummary } from "./evaluation-types.ts";
import { decimals, factor, mainly, percent, years } from "./plain-numbers.ts";
import type { Weakness } from "./verdict-types.ts";

/** Bootstrap resamples of the intervals. */
const resamples = 2000;
/** Conditions are told of bins that hold this share of the rows. */
const leastShare = 0.01;
const [namedSpecies, namedAbundant] = [5, 3];

/** The 95 % intervals of the mean errors in dex; null for a single tracer, of which nothing can be resampled. */
export function intervalsOf(
  tracers: readonly TracerSummary[],
  predictions: Metrics["predictions"],
  seed: number,
): Metrics["intervals"] | null {
  if (tracers.length < 2) return null;
  const draws = resampledCounts(tracers.length, resamples, seed);
  const kinds = Object.values(predictions)
    .map(({ kind }) => kind)
    .filter((kind) => tracers.every(({ errors }) => errors[kind] !== undefined));
  const dex = Object.fromEntries(kinds.map((kind) => [kind, interval(meanError(tracers, kind, 0), draws)]));
  return { resamples, dex };
}

type Facts = Pick<Metrics, "predictions" | "failure_maps" | "physical_parameters" | "tracers" | "floor">;

/** Where the emulation, else the reconstruction, is worst: in time, conditions, by tracer, by species, and in what it should conserve. */
export function weaknessesOf({ predictions, failure_maps, physical_parameters, tracers, floor }: Facts): Weakness[] {
  const kind = predictions.emulation ? "emulation" : "reconstruction";
  const errors = predictions[kind];
  if (errors === undefined) return [];
  return [
    worstTime(errors),
    worstConditions(failure_maps[kind]?.conditions ?? [], errors.overall.all.dex.mean, physical_parameters),
    worstTracer(tracers.flatMap(({ id, errors: own }) => (own[kind] ? [{ id, dex: own[kind][0] }] : []))),
    worstSpecies(errors),
    worstAbundant(errors, floor),
    worstConservation(errors),
  ].filter((weakness) => weakness !== null);
}

/** The worst step, and the stretch around it where the error is at least half as large. */
function worstTime({ steps, overall }: PredictionMetrics): Weakness | null {
  if (steps.length < 2) return null;
  const most = Math.max(...steps.map(({ rows }) => rows));
  // A step of few rows is worst by chance.
  const usable = steps.filter(({ rows }) => 2 * rows >= most);
  const peak = usable.reduce((a, b) => (b.dex.mean > a.dex.mean ? b : a));
  const isHigh = ({ dex }: (typeof steps)[number]): boolean => 2 * dex.mean >= peak.dex.mean;
  let [from, to] = [steps.indexOf(peak), steps.indexOf(peak)];
  while (from > 0 && isHigh(steps[from - 1]!)) from--;
  while (to + 1 < steps.length && isHigh(steps[to + 1]!)) to++;
  const stretch = steps.slice(from, to + 1);
  const [begin, end] = [stretch[0]!, stretch.at(-1)!];
  const stretch_dex = weighted(stretch.map(({ dex, rows }) => [dex.mean, rows]));
  const mean = overall.all.dex.mean;
  const where = peak === steps.at(-1) ? "the last step" : `step ${peak.step} of ${steps.at(-1)!.step}`;
  const around = `from ${years(begin.time_yr)} to ${years(end.time_yr)} yr it is ${decimals(stretch_dex)} dex`;
  const tails = {
    1: "beside it the error is less than half of that",
    [steps.length]: "nowhere less than half of that",
  };
  const tail = tails[stretch.length] ?? around;
  return {
    about: "time",
    step: peak.step,
    dex: peak.dex.mean,
    from_step: begin.step,
    to_step: end.step,
    from_yr: begin.time_yr,
    to_yr: end.time_yr,
    stretch_dex,
    sentence: `Time: the error is largest at ${where} (${years(peak.time_yr)} yr), ${decimals(peak.dex.mean)} dex against ${decimals(mean)} on average; ${tail}.`,
  };
}

function worstConditions(
  conditions: NonNullable<FailureMaps["conditions"]>,
  mean: number,
  parameters: Metrics["physical_parameters"],
): Weakness | null {
  const bins = conditions.flatMap(({ name, edges_log10, rows, mean_dex }) => {
    const all = rows.reduce((sum, count) => sum + count, 0);
    return rows.flatMap((count, i) => {
      const share = count / all;
      if (!(share >= leastShare)) return [];
      const [from, to] = [10 ** edges_log10[i]!, 10 ** edges_log10[i + 1]!];
      return [{ name, from, to, share, dex: mean_dex[i]! }];
    });
  });
  // Where all rows share one bin of each parameter, there is nothing to tell.
  if (bins.length <= conditions.length) return null;
  const { name, from, to, share, dex } = bins.reduce((a, b) => (b.dex > a.dex ? b : a));
  const unit = parameters.find((parameter) => parameter.name === name)?.unit ?? "";
  const range = `${mainly(from)} to ${mainly(to)}${unit === "" ? "" : ` ${unit}`}`;
  return {
    about: "conditions",
    parameter: name,
    from,
    to,
    dex,
    share,
    sentence: `Conditions: it is largest where ${name} is ${range}, ${decimals(dex)} dex against ${decimals(mean)} (${percent(share)} of the rows).`,
  };
}

function worstTracer(tracers: readonly { readonly id: number; readonly dex: number }[]): Weakness | null {
  if (tracers.length < 2) return null;
  const sorted = tracers.toSorted((a, b) => a.dex - b.dex);
  const { id, dex } = sorted.at(-1)!;
  const median_dex = sorted[sorted.length >> 1]!.dex;
  return {
    about: "tracer",
    id,
    dex,
    median_dex,
    sentence: `Tracers: the worst, ${id}, is off by ${decimals(dex)} dex, the median one by ${decimals(median_dex)}.`,
  };
}

function worstSpecies({ species }: PredictionMetrics): Weakness {
  const worst = largest(species, ({ all }) => all.dex.mean, namedSpecies).map(([name, dex]) => ({
    species: name,
    dex,
  }));
  const list = worst.map(({ species: name, dex }) => `${name} ${decimals(dex)}`).join(", ");
  return { about: "species", worst, sentence: `Species: the worst are off by (dex) ${list}.` };
}

/** Relative errors count where there is enough of a species to matter. */
function worstAbundant({ species, overall }: PredictionMetrics, floor: number): Weakness | null {
  if (overall.above_floor === null) return null;
  const mean_relative = overall.above_floor.relative.mean;
  const present = species.filter(({ above_floor }) => above_floor !== null);
  const worst = largest(present, ({ above_floor }) => above_floor!.relative.mean, namedAbundant).map(
    ([name, relative]) => ({ species: name, mean_relative: relative }),
  );
  const list = worst.map(({ species: name, mean_relative: each }) => `${name} ${percent(each)}`).join(", ");
  const { median } = overall.above_floor.relative;
  return {
    about: "species above the floor",
    mean_relative,
    worst,
    sentence: `Abundances above ${floor.toExponential(0)}: the relative error is ${percent(mean_relative)} on average, ${percent(median)} in the median; the worst species are ${list}.`,
  };
}

function worstConservation({ conservation }: PredictionMetrics): Weakness | null {
  const elements = conservation.filter(({ element }) => element !== "charge");
  const found = elements.flatMap(({ element, worst }) => (worst ? [{ element, ...worst }] : []));
  if (found.length === 0) return null;
  const { element, error, step, tracer } = found.reduce((a, b) => (factor(b.error) > factor(a.error) ? b : a));
  const mean = elementsMean(conservation)!;
  const charge_mean = conservation.find((each) => each.element === "charge")?.mean ?? null;
  const row = `step ${step}${tracer === null ? "" : ` of tracer ${tracer}`}`;
  const off = factor(error) < 1.5 ? `${percent(Math.abs(error))} off` : `off by a factor of ${factorText(error)}`;
  const charge = charge_mean === null ? "" : `; the net charge is off by ${percent(charge_mean)} of all charges`;
  return {
    about: "conservation",
    mean,
    charge_mean,
    element,
    error,
    step,
    tracer,
    sentence: `Conservation: the elements' totals are off by ${percent(mean)} on average, ${element} at worst: ${off} at ${row}${charge}.`,
  };
}

/** Mean over the elements of the mean relative error of their totals; null without elements. */
export function elementsMean(conservation: PredictionMetrics["conservation"]): number | null {
  const elements = conservation.filter(({ element }) => element !== "charge");
  return elements.length === 0 ? null : elements.reduce((sum, { mean }) => sum + mean, 0) / elements.length;
}

function factorText(error: number): string {
  const value = factor(error);
  return value < 100 ? value.toPrecision(2) : mainly(value);
}

function largest<T extends { readonly species: string }>(
  list: readonly T[],
  of: (each: T) => number,
  count: number,
): (readonly [string, number])[] {
  const falling = list.map((each) => [each.species, of(each)] as const).sort((a, b) => b[1] - a[1]);
  return falling.slice(0, count);
}

function weighted(values: readonly (readonly [value: number, weight: number])[]): number {
  const weights = values.reduce((sum, [, weight]) => sum + weight, 0);
  return values.reduce((sum, [value, weight]) => sum + value * weight, 0) / weights;
}
