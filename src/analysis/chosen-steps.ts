/** Steps of several tracers or windows, one behind the other. */
export interface ChosenSteps {
  /** Since each one's start, at least 1. */
  readonly steps: Int32Array;
  /** Where each one's begin; one entry more, the count of all. */
  readonly starts: Int32Array;
}

/** Joins the steps of several. @param lists of each, rising: 0 is the first step */
export function joined(lists: readonly Int32Array[]): ChosenSteps {
  const starts = new Int32Array(lists.length + 1);
  for (const [k, list] of lists.entries()) starts[k + 1] = starts[k]! + list.length;
  const steps = new Int32Array(starts.at(-1)!);
  for (const [k, list] of lists.entries()) {
    for (const [i, at] of list.entries()) steps[starts[k]! + i] = at + 1;
  }
  return { steps, starts };
}

/** Where chosen steps lie in an array, in which step s of the k-th is at `firsts[k] + s`. */
export function placesOf({ steps, starts }: ChosenSteps, firsts: (k: number) => number): Int32Array {
  const places = new Int32Array(steps.length);
  for (let k = 0; k + 1 < starts.length; k++) {
    const first = firsts(k);
    for (let i = starts[k]!; i < starts[k + 1]!; i++) places[i] = first + steps[i]!;
  }
  return places;
}

/** Some rows of an array. @param values [rows, width] @returns [places.length, width] */
export function gathered<T extends Float32Array | Float64Array>(values: T, places: Int32Array, width: number): T {
  const out = new (values.constructor as new (length: number) => T)(places.length * width);
  for (const [i, place] of places.entries()) {
    out.set(values.subarray(place * width, (place + 1) * width), i * width);
  }
  return out;
}
