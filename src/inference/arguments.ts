import { boundOf, boundText } from "../chemistry/physical-parameters.ts";
import { parameterScale, type ScaledParameter } from "../chemistry/scaling.ts";
import { isRounding } from "../data/value-checks.ts";
import { DataError } from "../errors.ts";

/** A row-major array with its shape, as scripts give and get it. */
export interface Matrix {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/** What scripts may give: any array of numbers. */
export interface MatrixInput {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[];
}

/** One dimension of an expected shape: a name for any length, or a name with the length that it must have. */
export type Dimension = string | readonly [name: string, length: number];

/**
 * Checks an argument's shape and that data and shape agree.
 * @throws DataError naming the argument, the shape got and the shape wanted
 */
export function checkShape(name: string, value: MatrixInput, wanted: readonly Dimension[]): void {
  const text = `[${wanted.map((d) => (typeof d === "string" ? d : `${d[0]}=${d[1]}`)).join(", ")}]`;
  const { data, shape } = value ?? {};
  if (typeof data?.length !== "number" || !Array.isArray(shape)) {
    throw new DataError(`${name} is not an array with a shape`, {
      where: name,
      fix: `give { data, shape } with shape ${text}`,
    });
  }
  const fits = shape.length === wanted.length && wanted.every((d, i) => typeof d === "string" || shape[i] === d[1]);
  if (!fits || !shape.every((length) => Number.isInteger(length) && length > 0)) {
    throw new DataError(`${name} has shape [${shape.join(", ")}], not ${text}`, { where: name, fix: `give ${text}` });
  }
  const entries = shape.reduce((product, length) => product * length, 1);
  if (data.length !== entries) {
    throw new DataError(`${name} holds ${data.length} values, but its shape [${shape.join(", ")}] means ${entries}`, {
      where: name,
      fix: "make data and shape agree",
    });
  }
}

/** @throws DataError for an array of the caller that cannot hold a result of that shape, or may be gone before it is there */
export function checkInto(into: Float32Array | undefined, shape: readonly number[]): void {
  if (into === undefined) return;
  const [where, entries] = ["into", shape.reduce((product, length) => product * length, 1)];
  const fix = `give new Float32Array(${entries}), and the same one again in later calls`;
  if (!(into instanceof Float32Array)) throw new DataError("into is no Float32Array", { where, fix });
  if (!(into.buffer instanceof ArrayBuffer) || ("resizable" in into.buffer && into.buffer.resizable))
    throw new DataError("into lies in memory that is shared or may shrink", { where, fix });
  if (into.length === entries) return;
  throw new DataError(`into holds ${into.length} values, not the ${entries} of [${shape.join(", ")}]`, { where, fix });
}

const largestFloat32 = 3.4028234663852886e38;

/**
 * Checks every value; which values are allowed is for `allowed` to say.
 * @throws DataError naming the argument, the first bad index and the value there
 */
export function checkValues(
  name: string,
  { data, shape }: MatrixInput,
  allowed: { readonly test: (value: number, at: number) => boolean; readonly words: string; readonly fix: string },
): void {
  for (let at = 0; at < data.length; at++) {
    const value = data[at];
    // `null` would pass for 0: JSON makes it of NaN. What float32 cannot hold would become infinite on the way.
    if (typeof value === "number" && Math.abs(value) <= largestFloat32 && allowed.test(value, at)) continue;
    throw new DataError(`${name} holds ${value}; ${allowed.words}`, {
      where: `${name}[${indexOf(at, shape).join(", ")}]`,
      fix: allowed.fix,
    });
  }
}

/**
 * Linear abundances: finite, zero or more. Zeros and what rounding made negative are raised to the lower clipping value.
 * @param lower the lower clipping value
 */
export function linearAbundance(lower: number): Parameters<typeof checkValues>[2] {
  return {
    test: (value) => value >= 0 || isRounding(value, lower),
    words: "abundances are finite and not negative",
    fix: `clean the input; values between -${lower} and ${lower} are raised to ${lower}, NaN and other negative ones are not guessed`,
  };
}

/** Physical parameters: finite, and above the bound of their scale (0 of log10). */
export function linearPhysical(parameters: readonly ScaledParameter[]): Parameters<typeof checkValues>[2] {
  const scales = parameters.map(parameterScale);
  const bounds = scales.map(boundOf);
  const rules = new Set(scales.map(boundText));
  const rule = rules.size === 1 ? [...rules][0]! : "above the bounds of their scales";
  return {
    test: (value, at) => value > bounds[at % bounds.length]!,
    words: `physical parameters are finite${rule === "" ? "" : ` and ${rule}`}`,
    fix: "give cm^-3, Habing, mag and K, not their logarithms; or pass { scaled: true } with scaled values",
  };
}

/** Scaled values and latents: any finite number. */
export const finite = {
  test: (): boolean => true,
  words: "values must be finite",
  fix: "clean the input",
};

/** The index of a flat position in an array of that shape. */
function indexOf(at: number, shape: readonly number[]): number[] {
  const index: number[] = [];
  let rest = at;
  for (const length of [...shape].reverse()) {
    index.unshift(rest % length);
    rest = Math.floor(rest / length);
  }
  return index;
}
