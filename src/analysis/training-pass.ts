import { indexOfRole } from "../chemistry/physical-parameters.ts";
import type { PhysicalScaling } from "../chemistry/scaling.ts";
import { MeanTrajectory } from "./baselines.ts";
import { arrayOf, type Findings, foundIn, kept, type Part, restored } from "./findings.ts";
import { FittedTracers } from "./fitted-tracers.ts";
import { AbundanceHistograms, LogHistogram } from "./histograms.ts";
import { LinearHistory } from "./linear-history.ts";
import { chooseNearest, type NearestChoice } from "./nearest-choice.ts";
import { NearestHistory } from "./nearest-history.ts";
import { CovarianceSums, PrincipalComponents } from "./principal-components.ts";
import { partOf, spread, type TracerPlace, type TracerReader, type TracerRows } from "./tracer-blocks.ts";
import type { TrainingErrors } from "./training-check.ts";

/** Training rows that the principal components are fitted to, at most. */
const fittedRows = 2 ** 15;
/** Of their tracers, those that the linear history is fitted to and the nearest history's parameters are chosen by, at most. */
const fittedTracers = 64;
/** Training rows of which the mean trajectory and the histograms are made, at most. */
const averagedRows = 2 ** 17;
/** Training tracers among which the nearest history is looked for, at most: 1.3 kB each, and a look at all of them for each scored tracer. */
const knownTracers = 2 ** 17;
/** Rows of a tracer whose principal components describe it. */
const describedRows = 8;

/** Tracers of each split that are described so, at most. */
export const describedTracers = 1000;

/** A tracer as a vector. */
export interface TracerVector {
  readonly id: number;
  readonly density: number | null;
  readonly features: readonly number[];
}

/** What the training split tells: all that the baselines know, and the ranges of what was trained on. */
export interface TrainingKnowledge {
  readonly tracers: number;
  readonly rows: number;
  /** Of these the principal components were fitted. */
  readonly fittedRows: number;
  /** Of these the mean trajectory and the histograms of abundances were made. */
  readonly averagedRows: number;
  readonly mean: MeanTrajectory;
  readonly components: PrincipalComponents;
  readonly linear: LinearHistory;
  /** Tracers that it is fitted to. */
  readonly fittedTracers: number;
  readonly nearest: NearestHistory;
  readonly nearestBy: NearestChoice;
  /** Those of the tracers that `nearest` knows, in its order. */
  readonly places: readonly TracerPlace[];
  /** Least and largest scaled abundance of all rows, [species]. */
  readonly low: Float32Array;
  readonly high: Float32Array;
  readonly parameters: readonly LogHistogram[];
  readonly abundances: AbundanceHistograms;
  readonly vectors: readonly TracerVector[];
}

export interface TrainingPassOptions {
  readonly components: number;
  readonly longestRows: number;
  readonly physical: PhysicalScaling;
  readonly errors: TrainingErrors;
  /** Null where the tracers are looked at now. */
  readonly findings: Findings | null;
  /** Called between blocks: throws where the user has had enough. */
  readonly checkpoint: () => Promise<void>;
}

/** Tracers to which something is fitted, and those that are described: so many, spread evenly. */
function chosenTracers(places: readonly TracerPlace[]) {
  const rows = places.reduce((sum, place) => sum + place.rows, 0);
  const ofRows = (most: number): ReadonlySet<TracerPlace> =>
    new Set(spread(places, Math.max(1, Math.floor((most * places.length) / rows))));
  const described = new Set(spread(places, describedTracers));
  return { rows, fitted: ofRows(fittedRows), averaged: ofRows(averagedRows), described };
}

/**
 * All training tracers, block by block. Of each its physical history and its ranges are kept; its abundances, whose logarithms take
 * longer than the reading, only up to so many rows.
 */
export function trainingPart(
  reader: TracerReader,
  places: readonly TracerPlace[],
  errors: TrainingErrors,
): Part & { readonly plan: readonly (readonly TracerPlace[])[] } {
  const { averaged, described } = chosenTracers(places);
  const plan = reader.plan(places);
  const width = reader.columns.species.length;
  return {
    name: "train",
    plan,
    blocks: plan.length,
    async *look(at) {
      const block = reader.block(plan[at]!);
      const low = new Float32Array(width).fill(Number.POSITIVE_INFINITY);
      const high = new Float32Array(width).fill(Number.NEGATIVE_INFINITY);
      block.widen(low, high);
      const rows = block.places.flatMap((place, k) => [
        ...(averaged.has(place) ? rowsOf(block, k) : []),
        ...(described.has(place) ? vectorRows(block, k) : []),
      ]);
      const { rows: scored, predicted } = await errors.look(block);
      yield { ...kept(block, [...rows, ...scored]), low, high, ...predicted };
    },
  };
}

/** Reads the training split twice: some of it for the principal components and the linear history, then all of it. */
export async function trainingPass(
  reader: TracerReader,
  places: readonly TracerPlace[],
  options: TrainingPassOptions,
): Promise<TrainingKnowledge> {
  const { species, physical } = reader.columns;
  const { rows, fitted, averaged, described } = chosenTracers(places);
  const known = new Set(spread(places, knownTracers));
  const { sums, tracers } = await fittedSums(reader, [...fitted], options);
  const components = new PrincipalComponents(sums, options.components);
  const linear = new LinearHistory(tracers, components, physical);
  const nearestBy = chooseNearest(tracers, reader.scaling.log10_upper - reader.scaling.log10_lower);
  const found = {
    mean: new MeanTrajectory(species.length),
    nearest: new NearestHistory(physical.length, options.longestRows, nearestBy.columns),
    low: new Float32Array(species.length).fill(Number.POSITIVE_INFINITY),
    high: new Float32Array(species.length).fill(Number.NEGATIVE_INFINITY),
    parameters: physical.map(() => new LogHistogram()),
    abundances: new AbundanceHistograms(species.length, 60),
    averagedRows: 0,
  };
  const [ordered, vectors]: [TracerPlace[], TracerVector[]] = [[], []];
  const part = trainingPart(reader, places, options.errors);
  for await (const [at, seen] of foundIn(part, options.findings, options.checkpoint)) {
    const block = restored(part.plan[at]!, seen);
    for (const [s, low] of arrayOf(seen, "low", Float32Array).entries()) found.low[s] = Math.min(found.low[s]!, low);
    for (const [s, high] of arrayOf(seen, "high", Float32Array).entries())
      found.high[s] = Math.max(found.high[s]!, high);
    addParameters(found.parameters, block.physical);
    const conditions = scaledPhysical(block, options.physical);
    for (const [k, place] of block.places.entries()) {
      if (known.has(place)) {
        found.nearest.add(partOf(conditions, block, k));
        ordered.push(place);
      }
      if (averaged.has(place)) {
        const scaled = block.scaledRows(rowsOf(block, k));
        found.abundances.add(scaled);
        found.mean.add(scaled, block.rows);
        found.averagedRows += block.rows;
      }
      if (described.has(place)) vectors.push(tracerVector(block, k, components, physical));
    }
    options.errors.add(block, seen);
  }
  // Scaling keeps the order.
  for (const range of [found.low, found.high]) reader.scaling.scaleInto(range, range);
  return {
    ...found,
    tracers: places.length,
    rows,
    fittedRows: sums.rows,
    components,
    linear,
    fittedTracers: tracers.states.length,
    nearestBy,
    places: ordered,
    vectors,
  };
}

/** The rows of tracer k, counted through its block. */
function rowsOf({ rows }: TracerRows, k: number): Int32Array {
  return Int32Array.from({ length: rows }, (_, row) => k * rows + row);
}

/** What the first reading gives: sums for the principal components, and some whole tracers. */
async function fittedSums(reader: TracerReader, places: readonly TracerPlace[], options: TrainingPassOptions) {
  const { species, physical } = reader.columns;
  const sums = new CovarianceSums(species.length);
  const tracers = new FittedTracers(physical.length, species.length, options.longestRows);
  const kept = new Set(spread(places, fittedTracers));
  for (const block of reader.blocks(places)) {
    const conditions = scaledPhysical(block, options.physical);
    for (const [k, place] of block.places.entries()) {
      const scaled = block.scaledTracer(k);
      sums.add(scaled);
      if (kept.has(place)) tracers.add(scaled, partOf(conditions, block, k));
    }
    await options.checkpoint();
  }
  return { sums, tracers };
}

/** Scaled, [tracers, rows, physical]. */
export function scaledPhysical({ physical }: TracerRows, scaling: PhysicalScaling): Float32Array {
  const scaled = new Float32Array(physical.length);
  scaling.scaleInto(physical, scaled);
  return scaled;
}

/** log10 of every row's parameters into their histograms. */
export function addParameters(histograms: readonly LogHistogram[], physical: Float32Array): void {
  const width = histograms.length;
  for (let at = 0; at < physical.length; at++) histograms[at % width]!.add(physical[at]!);
}

/** Principal component scores at rows spread evenly over a tracer's length. */
export function tracerVector(
  block: TracerRows,
  k: number,
  components: PrincipalComponents,
  physical: readonly string[],
): TracerVector {
  const features = [...components.project(block.scaledRows(vectorRows(block, k)))];
  return { id: block.places[k]!.id, density: finalDensity(block, k, physical), features };
}

/** The rows of tracer k that describe it, counted through its block. */
export function vectorRows({ rows }: TracerRows, k: number): Int32Array {
  return Int32Array.from({ length: describedRows }, (_, i) => {
    return k * rows + Math.round((i * (rows - 1)) / (describedRows - 1));
  });
}

/** Density at a tracer's last row; null without the parameter. */
export function finalDensity(block: TracerRows, k: number, physical: readonly string[]): number | null {
  const at = indexOfRole(physical, "density");
  const values = partOf(block.physical, block, k);
  return at < 0 ? null : values[(block.rows - 1) * physical.length + at]!;
}
