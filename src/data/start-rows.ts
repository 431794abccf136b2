import { totalsTolerance } from "../chemistry/abundance-units.ts";
import { tableOfNames } from "../chemistry/element-table.ts";
import { counted } from "../counted.ts";
import { ConfigError } from "../errors.ts";
import type { Frame } from "./frame.ts";
import type { Log } from "./preprocess-report.ts";
import { type RawIndex, timesOf } from "./raw-index.ts";
import { isOneStep, MedianStep, stepTolerance, years } from "./time-steps.ts";

/** Where tracers start: all from one state at Time 0, each from its own first row, or as each tracer's rows tell. */
export type StartMode = "configured" | "first_row" | "auto";

/** A state at Time 0. */
export interface StartState {
  /** [species], linear. */
  readonly abundances: Float64Array;
  /** As the log calls it: `utils/initial_abundances.npy`. */
  readonly name: string;
}

/** @throws ConfigError where a state does not fit the species, or has a value that is no abundance */
export function checkStartState({ abundances, name }: StartState, species: readonly string[]): void {
  if (abundances.length !== species.length) {
    throw new ConfigError(`${abundances.length} initial abundances for ${species.length} species`, {
      where: name,
      fix: "make dataset.initial_abundances_path and dataset.species_path fit together",
    });
  }
  const bad = abundances.findIndex((value) => !(value >= 0 && Number.isFinite(value)));
  if (bad >= 0)
    throw new ConfigError(`the initial abundance of ${species[bad]} is ${abundances[bad]}`, { where: name });
}

/** How the rows of each tracer begin. */
export interface StartRows {
  /** [tracers]: 1 where the start state is put before the tracer's rows, at Time 0. */
  readonly isAdded: Uint8Array;
  /** Steps between rows of the file. */
  readonly steps: MedianStep;
}

/** Why tracers that come without a start row keep their first row for a start. */
interface Reasons {
  atZero: number;
  later: number;
  otherTotals: number;
}

/**
 * Decides which tracers get the start state. With `auto` those do whose first row comes one step after Time 0 and holds as much of each
 * element as the start state: any other has a start of its own.
 * @param state    null where none is known: then every tracer starts from its first row
 * @param isEven   whether rows have to be one step apart
 * @throws ConfigError where a start state is asked for and there is none
 */
export function decideStarts(
  {
    index,
    frame,
    columns,
  }: { index: RawIndex; frame: Frame; columns: { sources: readonly string[]; species: readonly string[] } },
  { mode, state, isEven }: { mode: StartMode; state: StartState | null; isEven: boolean },
  log: Log,
): StartRows {
  if (state === null && mode === "configured") {
    throw new ConfigError("no start state is known", {
      fix: "give dataset.initial_abundances_path, or dataset.start=first_row",
    });
  }
  const tracers = index.tracers.length;
  const isAdded = new Uint8Array(tracers);
  const steps = new MedianStep();
  const largest = new Float64Array(tracers);
  for (let k = 0; k < tracers; k++) {
    const times = timesOf(index, k);
    for (let row = 1; row < times.length; row++) {
      const step = times[row]! - times[row - 1]!;
      steps.add(step);
      largest[k] = Math.max(largest[k]!, step);
    }
  }
  const median = steps.value;
  const reasons: Reasons = { atZero: 0, later: 0, otherTotals: 0 };
  for (let k = 0; k < tracers; k++) {
    const first = index.times[index.starts[k]!]!;
    const isNext = isEven
      ? median === null || isOneStep(first, median, first)
      : largest[k] === 0 || first <= (1 + stepTolerance) * largest[k]!;
    if (first === 0) reasons.atZero++;
    else if (mode === "first_row" || state === null) continue;
    else if (mode === "configured" || isNext) isAdded[k] = 1;
    else reasons.later++;
  }
  if (mode === "auto" && state !== null) reasons.otherTotals = keepOtherTotals(isAdded, index, frame, columns, state);
  tell(isAdded, reasons, { mode, state, median }, log);
  return { isAdded, steps };
}

/** Takes those out of `isAdded` whose first row holds more or less of an element than the start state. @returns how many */
function keepOtherTotals(
  isAdded: Uint8Array,
  index: RawIndex,
  frame: Frame,
  { sources, species }: { sources: readonly string[]; species: readonly string[] },
  { abundances }: StartState,
): number {
  const totals = totalsOf(species);
  const wanted = totals(abundances);
  const candidates = [...isAdded.keys()]
    .filter((k) => isAdded[k] === 1)
    .map((k) => ({ k, row: index.order[index.starts[k]!]! }))
    .sort((a, b) => a.row - b.row);
  let count = 0;
  // Whole chunks, so that none is decompressed twice.
  const rowsAtOnce = Math.min(frame.chunkRows, frame.rows);
  const block = new Float64Array(rowsAtOnce * sources.length);
  let [from, read] = [0, 0];
  for (const { k, row } of candidates) {
    if (row >= from + read) {
      from = row - (row % rowsAtOnce);
      read = Math.min(rowsAtOnce, frame.rows - from);
      frame.read(from, read, sources, block);
    }
    const found = totals(block.subarray((row - from) * sources.length, (row - from + 1) * sources.length));
    if (found.every((total, e) => Math.abs(total - wanted[e]!) <= totalsTolerance * wanted[e]! + 1e-14)) continue;
    isAdded[k] = 0;
    count++;
  }
  return count;
}

/** How much there is of each element, in units of H nuclei. */
function totalsOf(species: readonly string[]): (abundances: Float64Array) => Float64Array {
  const { elements, atoms: counts } = tableOfNames(species);
  const terms = counts.flatMap((row, s) => row.flatMap((atoms, e) => (atoms > 0 ? [{ s, e, atoms }] : [])));
  return (abundances) => {
    const sums = new Float64Array(elements.length);
    for (const { s, e, atoms } of terms) sums[e]! += atoms * Math.max(abundances[s]!, 0);
    return sums;
  };
}

function tell(
  isAdded: Uint8Array,
  { atZero, later, otherTotals }: Reasons,
  { mode, state, median }: { mode: StartMode; state: StartState | null; median: number | null },
  log: Log,
): void {
  const added = isAdded.reduce((sum, flag) => sum + flag, 0);
  const own = isAdded.length - added;
  const parts = [
    added > 0 && `${counted(added, "tracer")} from ${state!.name}, put before the rows at Time 0`,
    own > 0 && `${counted(own, "tracer")} from ${own === 1 ? "its" : "their"} own first row`,
  ].filter((part) => part !== false);
  const why = [
    mode === "auto" && atZero > 0 && `${atZero} with a row at Time 0`,
    later > 0 &&
      `${later} that ${later === 1 ? "begins" : "begin"} elsewhere than one step (${median === null ? "?" : years(median)}) after Time 0`,
    otherTotals > 0 && `${otherTotals} with other totals of elements`,
    state === null && "no start state is known",
  ].filter((part) => part !== false);
  log(`start: ${parts.join(", ")}${why.length > 0 && own > 0 ? ` (${why.join(", ")})` : ""}`, { added, own });
}
