import { indexOfRole } from "../chemistry/physical-parameters.ts";
import type { PhysicalScaling } from "../chemistry/scaling.ts";
import { MeanTrajectory } from "./baselines.ts";
import { FittedTracers } from "./fitted-tracers.ts";
import { AbundanceHistograms, LogHistogram } from "./histograms.ts";
import { LinearHistory } from "./linear-history.ts";
import { chooseNearest, type NearestChoice } from "./nearest-choice.ts";
import { NearestHistory } from "./nearest-history.ts";
import { CovarianceSums, PrincipalComponents } from "./principal-components.ts";
import { partOf, spread, type TracerBlock, type TracerPlace, type TracerReader } from "./tracer-blocks.ts";

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
  readonly vectors: number;
  /** Called with every block of the second reading. */
  readonly visit: (block: TracerBlock) => Promise<void>;
  /** Called between blocks: throws where the user has had enough. */
  readonly checkpoint: () => Promise<void>;
}

/**
 * Reads the training split twice: some of it for the principal components and the linear history, then all of it. Of each tracer its physical history and
 * its ranges are kept; its abundances, whose logarithms take longer than the reading, only up to so many rows.
 */
export async function trainingPass(
  reader: TracerReader,
  places: readonly TracerPlace[],
  options: TrainingPassOptions,
): Promise<TrainingKnowledge> {
  const { species, physical } = reader.columns;
  const rows = places.reduce((sum, place) => sum + place.rows, 0);
  const ofRows = (most: number): ReadonlySet<TracerPlace> =>
    new Set(spread(places, Math.max(1, Math.floor((most * places.length) / rows))));
  const [fitted, averaged] = [ofRows(fittedRows), ofRows(averagedRows)];
  const known = new Set(spread(places, knownTracers));
  const described = new Set(spread(places, options.vectors));
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
  for (const block of reader.blocks(places)) {
    block.widen(found.low, found.high);
    addParameters(found.parameters, block.physical);
    const conditions = scaledPhysical(block, options.physical);
    for (const [k, place] of block.places.entries()) {
      if (known.has(place)) {
        found.nearest.add(partOf(conditions, block, k));
        ordered.push(place);
      }
      if (averaged.has(place)) {
        const scaled = block.scaledTracer(k);
        found.abundances.add(scaled);
        found.mean.add(scaled, block.rows);
        found.averagedRows += block.rows;
      }
      if (described.has(place)) vectors.push(tracerVector(block, k, components, physical));
    }
    await options.visit(block);
    await options.checkpoint();
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
export function scaledPhysical({ physical }: TracerBlock, scaling: PhysicalScaling): Float32Array {
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
  block: TracerBlock,
  k: number,
  components: PrincipalComponents,
  physical: readonly string[],
): TracerVector {
  const rows = Int32Array.from({ length: describedRows }, (_, i) => {
    return k * block.rows + Math.round((i * (block.rows - 1)) / (describedRows - 1));
  });
  const features = [...components.project(block.scaledRows(rows))];
  return { id: block.places[k]!.id, density: finalDensity(block, k, physical), features };
}

/** Density at a tracer's last row; null without the parameter. */
export function finalDensity(block: TracerBlock, k: number, physical: readonly string[]): number | null {
  const at = indexOfRole(physical, "density");
  const values = partOf(block.physical, block, k);
  return at < 0 ? null : values[(block.rows - 1) * physical.length + at]!;
}
