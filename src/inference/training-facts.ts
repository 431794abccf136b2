import { RangeWatch } from "../data/range-watch.ts";
import type { EmulatorWeights } from "../models/weights-file.ts";
import type { PhysicalParameter, TrainedStart } from "./options.ts";

/** Counts conditions outside of what the surrogate was trained for: of the training rows, or of the configuration where those are not known. */
export function trainedRanges({
  physicalParameters,
}: {
  readonly physicalParameters: readonly PhysicalParameter[];
}): RangeWatch {
  return new RangeWatch(
    physicalParameters.map(({ trained, ...parameter }) => ({ ...parameter, range: trained ?? parameter.range })),
    "trained",
  );
}

/** One line about what the weights do not tell. */
export function describeUnknown({ unknownFacts }: { readonly unknownFacts: readonly string[] }): string {
  return `these weights do not tell ${unknownFacts.join(", ")}: nothing can be compared with it`;
}

/** What weights do not tell of their training, for people. */
export function unknownFacts({ time_step_yr, time_step_found, start, physical_parameters }: EmulatorWeights): string[] {
  return [
    time_step_yr === null && "their time step",
    time_step_yr !== null && time_step_found === "median" && "whether the training rows were one step apart",
    start === undefined && "the state that the training started from",
    physical_parameters.some(({ trained }) => trained === undefined) && "the training rows' conditions",
  ].filter((fact) => fact !== false);
}

/** The start that weights tell of. */
export function startOf(species: readonly string[], start: EmulatorWeights["start"]): TrainedStart | null {
  if (!start) return null;
  const { abundances, origin } = start;
  return { abundances: abundances && Float64Array.from(species, (name) => abundances[name]!), origin };
}
