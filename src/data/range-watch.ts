import { offScale, onScale, type ParameterScale, scaleOf } from "../chemistry/physical-parameters.ts";
import { DataError } from "../errors.ts";

/** A physical parameter and where its values are expected; anywhere without a range. */
export interface ExpectedRange {
  readonly name: string;
  readonly range: readonly [lower: number, upper: number] | undefined;
  /** Left out: that of the parameter's role. */
  readonly scale?: ParameterScale | undefined;
}

/** What lies outside of a parameter's range. */
interface Outside {
  readonly name: string;
  readonly range: readonly [number, number];
  readonly isLog: boolean;
  /** The range, a little wider. */
  readonly low: number;
  readonly high: number;
  rows: number;
  first: string;
  /** Of all values, inside or not. */
  least: number;
  largest: number;
}

/** Below this share of a range, on its scale, outside of it nothing is told: files round their ends. */
const tolerance = 1e-3;
/** Of a value: data are float32, and ranges of them are written in decimals. A range of one value has no width to be tolerant by. */
const rounding = 2 ** -22;

/** Counts conditions outside of the ranges that a surrogate knows. What it gives for them is a guess that looks like any other result. */
export class RangeWatch {
  /** Number of parameters. */
  readonly width: number;
  readonly #parameters: readonly Outside[];
  /** Which range it is: `trained`, `configured`. */
  readonly #kind: string;
  #rows = 0;

  constructor(parameters: readonly ExpectedRange[], kind: "trained" | "configured") {
    [this.#kind, this.width] = [kind, parameters.length];
    this.#parameters = parameters.map(
      ({ name, range = [-Number.MAX_VALUE, Number.MAX_VALUE], scale = scaleOf(name) }) => {
        const [from, to] = range.map((end) => onScale(scale, end)) as [number, number];
        const slack = (to - from) * tolerance;
        const [lowest, highest] = [offScale(scale, from - slack), offScale(scale, to + slack)];
        const [low, high] = [lowest - Math.abs(lowest) * rounding, highest + Math.abs(highest) * rounding];
        // An open range has no ends to widen.
        return {
          name,
          range,
          isLog: scale.log,
          rows: 0,
          first: "",
          least: Number.POSITIVE_INFINITY,
          largest: Number.NEGATIVE_INFINITY,
          low: Number.isNaN(low) ? Number.NEGATIVE_INFINITY : low,
          high: Number.isNaN(high) ? Number.POSITIVE_INFINITY : high,
        };
      },
    );
  }

  /**
   * @param values [parameters], physical units @param place where they stand, for the first one outside
   * @returns whether one is outside
   */
  add(values: ArrayLike<number>, from: number, place: () => string): boolean {
    this.#rows++;
    let isOutside = false;
    for (const [k, parameter] of this.#parameters.entries()) {
      const value = values[from + k]!;
      if (value < parameter.least) parameter.least = value;
      if (value > parameter.largest) parameter.largest = value;
      if (value >= parameter.low && value <= parameter.high) continue;
      isOutside = true;
      if (parameter.rows++ === 0) parameter.first = `${shown(value)} in ${place()}`;
    }
    return isOutside;
  }

  /** A line for each parameter with values outside. */
  lines(): string[] {
    return this.#parameters.filter(({ rows }) => rows > 0).map((parameter) => this.#describe(parameter));
  }

  /** Tells each line, or refuses. @throws DataError with `isStrict`, where there is one */
  tell(log: (message: string) => void, isStrict: boolean, where?: string): void {
    const lines = this.lines();
    if (lines.length > 0 && isStrict) throw outsideRanges(lines, where);
    for (const line of lines) log(`warning: ${line}`);
  }

  #describe(parameter: Outside): string {
    const { name, rows, range, first, least, largest, low, high } = parameter;
    const far = [least < low && `down to ${shown(least)}`, largest > high && `up to ${shown(largest)}`].filter(
      (part) => part !== false,
    );
    const ends = `${shown(range[0])} to ${shown(range[1])}`;
    const cause = this.#likelyCause(parameter);
    return `${name}: ${rows} of ${this.#rows} rows outside the ${this.#kind} range ${ends}, ${far.join(" and ")}; the first is ${first}${cause}`;
  }

  #likelyCause({ name, rows, range, least, largest, isLog }: Outside): string {
    if (2 * rows < this.#rows) return "";
    const [low, high] = range.map(Math.log10) as [number, number];
    if (isLog && least >= low - 1 && largest <= high + 1 && largest < range[0]) return " (are these log10 values?)";
    const other = this.#parameters.find(
      (each) => each.name !== name && 2 * each.rows >= this.#rows && least >= each.low && largest <= each.high,
    );
    return other === undefined ? "" : ` (these look like ${other.name}: are the columns in another order?)`;
  }
}

/** The error of `--strict`. */
export function outsideRanges(lines: readonly string[], where?: string): DataError {
  return new DataError(`conditions are outside the ranges\n${lines.map((line) => `  ${line}`).join("\n")}`, {
    where,
    fix: "leave these rows out, train with data that hold them, or leave out --strict",
  });
}

function shown(value: number): string {
  const rounded = Number(value.toPrecision(4));
  return rounded >= 1e6 || (rounded < 1e-3 && rounded > 0) ? rounded.toExponential() : String(rounded);
}
