import { EvenChoice } from "./even-choice.ts";
import type { TracerPlace } from "./tracer-blocks.ts";

/** Windows of tracers: every run of `window` rows, or a seeded sample of them. */
export interface WindowChoice {
  /** All there are. */
  readonly all: number;
  readonly evaluated: number;
  /** First rows, within the tracer, of its windows that are evaluated. */
  of(place: TracerPlace): readonly number[];
}

/**
 * Chooses at most `most` windows, spread over all of them.
 * @param most null for all
 */
export function chooseWindows(
  places: readonly TracerPlace[],
  window: number,
  most: number | null,
  seed: number,
): WindowChoice {
  const counts = places.map((place) => [place, Math.max(0, place.rows - window + 1)] as const);
  const choice = new EvenChoice(counts, most, seed, "evaluated windows");
  return { all: choice.all, evaluated: choice.chosen, of: (place) => [...choice.of(place)] };
}
