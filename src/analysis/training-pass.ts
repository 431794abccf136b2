import type { PhysicalScaling } from "../chemistry/scaling.ts";
import { MeanTrajectory } from "./baselines.ts";
import { AbundanceHistograms, LogHistogram } from "./histograms.ts";
import { type LinearDynamics, LinearDynamicsFit } from "./linear-dynamics.ts";
import { NearestHistory } from "./nearest-history.ts";
import { CovarianceSums, PrincipalComponents } from "./principal-components.ts";
import { partOf, spread, type TracerBlock, type TracerPlace, type TracerReader } from "./tracer-blocks.ts";

/** Training rows that the principal components and the linear dynamics are fitted to, at most. */
const fittedRows = 2 ** 15;
/** Training rows of which the mean trajectory and the histograms are made, at most. */
const averagedRows = 2 ** 17;
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
  /** Of these the principal components and the linear dynamics were fitted. */
  readonly fittedRows: number;
  /** Of these the mean trajectory and the histograms of abundances were made. */
  readonly averagedRows: number;
  readonly mean: MeanTrajectory;
  readonly components: PrincipalComponents;
  readonly dynamics: LinearDynamics;
  readonly nearest: NearestHistory;
  /** The tracers in the order of `nearest`. */
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
  /** Called between blocks: throws where the user has had enough. */
  readonly checkpoint: () => Promise<void>;
}

/**
 * Reads the training split twice: some of it for the principal components, then all of it. Of each tracer its physical history and
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
  const described = new Set(spread(places, options.vectors));
  const sums = new CovarianceSums(species.length);
  for (const block of reader.blocks([...fitted])) {
    for (const k of block.places.keys()) sums.add(block.scaledTracer(k));
    await options.checkpoint();
  }
  const components = new PrincipalComponents(sums, options.components);
  const fit = new LinearDynamicsFit(components.count, physical.length);
  const found = {
    mean: new MeanTrajectory(species.length),
    nearest: new NearestHistory(physical.length, options.longestRows),
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
      const history = partOf(conditions, block, k);
      found.nearest.add(history);
      ordered.push(place);
      if (averaged.has(place) || fitted.has(place)) {
        const scaled = block.scaledTracer(k);
        if (fitted.has(place)) fit.add(components.project(scaled), history);
        if (averaged.has(place)) {
          found.abundances.add(scaled);
          found.mean.add(scaled, block.rows);
          found.averagedRows += block.rows;
        }
      }
      if (described.has(place)) vectors.push(tracerVector(block, k, components, physical));
    }
    await options.checkpoint();
  }
  // Scaling keeps the order.
  for (const range of [found.low, found.high]) reader.scaling.scaleInto(range, range);
  const dynamics = fit.solve();
  return {
    ...found,
    tracers: places.length,
    rows,
    fittedRows: sums.rows,
    components,
    dynamics,
    places: ordered,
    vectors,
  };
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
  for (let at = 0; at < physical.length; at++) histograms[at % width]!.add(Math.log10(physical[at]!));
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
  const at = physical.indexOf("Density");
  const values = partOf(block.physical, block, k);
  return at < 0 ? null : values[(block.rows - 1) * physical.length + at]!;
}
