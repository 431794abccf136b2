import { derivedSeed, RandomStream } from "../data/random.ts";
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
 * Chooses at most `most` windows, one at random from each of as many equal stretches of the list of all of them: every tracer and
 * every part of it is there in proportion.
 * @param most null for all
 */
export function chooseWindows(
  places: readonly TracerPlace[],
  window: number,
  most: number | null,
  seed: number,
): WindowChoice {
  const first = new Map<TracerPlace, number>();
  let all = 0;
  for (const place of places) {
    first.set(place, all);
    all += windowsIn(place, window);
  }
  if (most === null || all <= most) {
    return { all, evaluated: all, of: (place) => [...Array(windowsIn(place, window)).keys()] };
  }
  const random = new RandomStream(derivedSeed(seed, "evaluated windows"));
  const chosen = Array.from({ length: most }, (_, i) => Math.floor(((i + random.uniform()) * all) / most));
  return {
    all,
    evaluated: most,
    of(place) {
      const from = first.get(place)!;
      const to = from + windowsIn(place, window);
      return chosen.slice(lowerBound(chosen, from), lowerBound(chosen, to)).map((at) => at - from);
    },
  };
}

function windowsIn({ rows }: TracerPlace, window: number): number {
  return Math.max(0, rows - window + 1);
}

/** Position of the first entry of a rising list that is not below `value`. */
function lowerBound(list: readonly number[], value: number): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
