import { timestepColumn } from "../chemistry/physical-parameters.ts";
import { DataError } from "../errors.ts";

/** Whether each step is a condition, so that steps may have lengths of their own. */
export function areStepsInput(parameters: readonly { readonly name: string }[]): boolean {
  return parameters.some(({ name }) => name === timestepColumn);
}

/** The attribute of a clean split that holds its `TimeSteps`, as JSON. */
export const timeStepAttribute = "astrochem_time_step";

/** An emulator takes one row as one step: rows may be this share of the step further apart, or nearer. */
export const stepTolerance = 0.01;

/** Times are kept as float32: the difference of two has no digits below this share of the later one. */
const rounding = 2 ** -23;

/** A row that does not follow the one before it by the step that is wanted. */
export interface OddStep {
  readonly tracer: string | number;
  /** Counted within the tracer, in the order of time. */
  readonly row: number;
  /** Years since the row before it. */
  readonly step: number;
}

/** Whether rows `step` years apart, the later one at `time`, are one step of `expected` years apart. */
export function isOneStep(step: number, expected: number, time: number): boolean {
  return Math.abs(step - expected) <= stepTolerance * expected + rounding * Math.abs(time);
}

/** Goes through tracers and keeps what is further apart than one step. */
export class StepWatch {
  readonly expected: number;
  steps = 0;
  odd = 0;
  first: OddStep | null = null;

  /** @param expected years */
  constructor(expected: number) {
    this.expected = expected;
  }

  /**
   * @param times  of the tracer's rows, in order
   * @param before years of a row before the first one that `times` leaves out; undefined without
   */
  add(tracer: string | number, times: ArrayLike<number>, before?: number): void {
    for (let row = before === undefined ? 1 : 0; row < times.length; row++) {
      const time = times[row]!;
      const step = time - (row === 0 ? before! : times[row - 1]!);
      this.steps++;
      if (isOneStep(step, this.expected, time)) continue;
      this.odd++;
      this.first ??= { tracer, row, step };
    }
  }
}

/** The median of steps, of which every second, fourth, … is left out where there are many. */
export class MedianStep {
  #kept: number[] = [];
  #stride = 1;
  #seen = 0;
  least = Number.POSITIVE_INFINITY;
  largest = 0;

  add(step: number): void {
    if (step < this.least) this.least = step;
    if (step > this.largest) this.largest = step;
    if (this.#seen++ % this.#stride !== 0) return;
    this.#kept.push(step);
    if (this.#kept.length < 2 ** 20) return;
    this.#stride *= 2;
    this.#kept = this.#kept.filter((_, i) => i % 2 === 0);
  }

  /** Years; null without a step. */
  get value(): number | null {
    const sorted = Float64Array.from(this.#kept).sort();
    return sorted.length === 0 ? null : sorted[sorted.length >> 1]!;
  }
}

/** How the rows of a dataset follow each other; the weights keep it. */
export interface TimeSteps {
  /** Years from row to row: of all of them, or their median; null where it is not known. */
  readonly time_step_yr: number | null;
  /** `even`: rows are this far apart; `median`: they are not, or nobody checked; `input`: the step is a physical parameter; `unknown`. */
  readonly time_step_found: "even" | "median" | "input" | "unknown";
  /** The shortest and the longest step, years, where they are an input. */
  readonly time_step_range?: readonly [number, number] | undefined;
}

/**
 * @param frameLines lines of Python that make the frame, where it is no frame of pandas
 * @throws DataError where the rows of raw or clean data are not one step apart
 */
export function checkEvenSteps(
  watch: StepWatch,
  isAllowed: boolean,
  where: string,
  log: (message: string) => void,
  frameLines?: readonly string[],
): void {
  if (watch.first === null) return;
  const what = describeOdd(watch);
  if (isAllowed) {
    log(`warning: ${what}; the surrogate will take each row for one step of ${years(watch.expected)}`);
    return;
  }
  const start =
    watch.first.row === 0 ? "take each tracer's first row for its start: dataset.start=first_row\n       or " : "";
  throw new DataError(what, { where, fix: start + resamplingHelp(watch.expected, frameLines) });
}

function describeOdd({ first, odd, steps, expected }: StepWatch): string {
  const { tracer, row, step } = first!;
  const count = odd === 1 ? "" : ` (the first of ${odd} such steps of ${steps})`;
  const before = row === 0 ? "its first row comes" : `row ${row} comes`;
  const other = row === 0 ? "the start row at Time 0" : "the row before it";
  return `rows are not one step apart: in tracer ${tracer}, ${before} ${years(step)} after ${other}${count}; the median step is ${years(expected)}`;
}

/**
 * pandas' lines that put every tracer on one grid, and the two other ways out.
 * @param frameLines make `frame` where it is no frame of pandas
 */
function resamplingHelp(
  step: number,
  frameLines: readonly string[] = ['frame = pandas.read_hdf("raw.h5", "df")'],
): string {
  const digits = Number(step.toPrecision(6));
  return [
    "resample in Python, then preprocess the new file:",
    "import numpy, pandas",
    ...frameLines.slice(0, -1),
    frameLines.at(-1)!.startsWith("frame = ")
      ? `${frameLines.at(-1)}.sort_values(["Tracer", "Time"])`
      : `${frameLines.at(-1)}; frame = frame.sort_values(["Tracer", "Time"])`,
    `first = lambda one: ${digits} if 0 < one.Time.min() < ${digits} else one.Time.min()`,
    `grid = lambda one: numpy.arange(first(one), one.Time.max() * 1.000001, ${digits})`,
    "even = lambda one: pandas.DataFrame({name: numpy.interp(grid(one), one.Time, one[name]) for name in one})",
    'pandas.concat(even(one) for _, one in frame.groupby("Tracer")).to_hdf("even.h5", key="df")',
    "or learn the step as a condition: dataset.time_step=input",
    "or go on all the same: dataset.preprocessing.uneven_steps=allow",
  ].join("\n       ");
}

/** @throws DataError where histories have another step than the surrogate, or their steps vary */
export function checkTrainedStep(watch: StepWatch, where: string): void {
  if (watch.first === null) return;
  const { tracer, row, step } = watch.first;
  const count = watch.odd === watch.steps ? "all rows" : `${watch.odd} of ${watch.steps} rows`;
  throw new DataError(
    `the surrogate steps by ${years(watch.expected)}; in tracer ${tracer}, row ${row} comes ${years(step)} after the row before it (${count} are off)`,
    {
      where,
      fix:
        `resample the histories to ${years(watch.expected)}, use a surrogate that was trained with this step or with dataset.time_step=input, ` +
        "or take each row for one step: --ignore-time-step",
    },
  );
}

/** `92.9 yr`, `1.3e+5 yr`. */
export function years(value: number): string {
  return `${Number(value.toPrecision(4))} yr`;
}
