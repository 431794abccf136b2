import { ConfigError, NumericsError } from "../errors.ts";
import { boundOf, isPlainLog, onScale, type ParameterScale, plainLog, scaleOf } from "./physical-parameters.ts";

/** The range to which linear abundances are clipped before they are scaled. */
export interface ClippingRange {
  readonly lower: number;
  readonly upper: number;
}

/**
 * How a quantity is scaled: (f(x + offset) − shift) / scale, f the identity or log10. Its form on the host is `Scaling`, that of tensors
 * `scaledTensor` and `unscaledTensor` (models/scale-tensors.ts).
 */
export interface Scale {
  /** Per column, the last dimension; one entry: for all alike. */
  readonly shift: readonly number[];
  readonly scale: readonly number[];
  /** f is log10: of all columns, or of those that it marks. */
  readonly log?: boolean | readonly boolean[];
  /** Per column; left out: 0. */
  readonly offset?: readonly number[];
  /** What x is clipped to before; needs `log`. */
  readonly clip?: ClippingRange;
}

/** How raw latents become the emulator's. */
export type LatentAffine = Pick<Scale, "shift" | "scale">;

/** log10 of the ends of the abundances' clipping range. */
export interface LogRange {
  readonly log10_lower: number;
  readonly log10_upper: number;
}

/** The scale between the ends of a range. */
export function logScale({ log10_lower, log10_upper }: LogRange): Scale {
  return { shift: [log10_lower], scale: [log10_upper - log10_lower], log: true };
}

/** A scale on the host. */
export class Scaling implements Scale {
  readonly shift: readonly number[];
  readonly scale: readonly number[];
  readonly log: boolean | readonly boolean[];
  readonly clip?: ClippingRange;
  readonly offset?: readonly number[];

  constructor({ shift, scale, log = false, clip, offset }: Scale) {
    [this.shift, this.scale, this.log] = [shift, scale, log];
    if (offset) this.offset = offset;
    if (clip) this.clip = clip;
  }

  /** Any shape; the last dimension is the columns. `target` may be the source. */
  scaleInto(source: ArrayLike<number>, target: Float32Array): void {
    const { shift, scale, clip } = this;
    const [logs, offsets] = this.#columns();
    const [lower, upper] = clip ? [clip.lower, clip.upper] : [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
    const width = shift.length;
    for (let i = 0, k = 0; i < source.length; i++, k = k + 1 === width ? 0 : k + 1) {
      const x = source[i]! + offsets[k]!;
      target[i] = ((logs[k] ? Math.log10(Math.min(Math.max(x, lower), upper)) : x) - shift[k]!) / scale[k]!;
    }
  }

  /** The inverse of `scaleInto`, but for the clipping. */
  unscaleInto(source: ArrayLike<number>, target: Float32Array): void {
    const [logs, offsets] = this.#columns();
    const unit = (x: number, k: number): number => (logs[k] ? x * Math.LN10 : x);
    const [start, slope] = [this.shift, this.scale].map((values) => Float64Array.from(values, unit));
    const width = this.shift.length;
    for (let i = 0, k = 0; i < source.length; i++, k = k + 1 === width ? 0 : k + 1) {
      const y = source[i]! * slope![k]! + start![k]!;
      target[i] = (logs[k] ? Math.exp(y) : y) - offsets[k]!;
    }
  }

  #columns(): [logs: readonly boolean[], offsets: readonly number[]] {
    const { log, shift, offset } = this;
    return [typeof log === "boolean" ? shift.map(() => log) : log, offset ?? shift.map(() => 0)];
  }
}

/** Abundances, clipped to a range, whose ends become 0 and 1. With [1e-20, 1] one scaled unit is 20 dex. */
export class AbundanceScaling extends Scaling implements LogRange {
  readonly log10_lower: number;
  readonly log10_upper: number;
  declare readonly clip: ClippingRange;

  /** @throws ConfigError where the range has no logarithm or nothing in it */
  constructor(range: ClippingRange) {
    checkRange("abundances_clipping", [range.lower, range.upper], plainLog, "dataset.abundances_clipping");
    const ends = { log10_lower: Math.log10(range.lower), log10_upper: Math.log10(range.upper) };
    super({ ...logScale(ends), clip: range });
    [this.log10_lower, this.log10_upper] = [ends.log10_lower, ends.log10_upper];
  }
}

/** A physical parameter as a weights file lists it. */
export interface ScaledParameter {
  readonly name: string;
  /** Its ends become 0 and 1. */
  readonly range: readonly [number, number];
  /** Left out: log10. */
  readonly scale?: ParameterScale | undefined;
}

/** Physical parameters, whose ranges' ends become 0 and 1; not clipped, so values may leave [0, 1]. */
export class PhysicalScaling extends Scaling {
  readonly names: readonly string[];

  /** As a weights file lists them. */
  static of(parameters: readonly ScaledParameter[]): PhysicalScaling {
    return new PhysicalScaling(
      parameters.map(({ name }) => name),
      Object.fromEntries(parameters.map(({ name, range }) => [name, range])),
      parameters.map(parameterScale),
    );
  }

  /**
   * @param names   the columns in their order
   * @param ranges  by name: the order of the ranges means nothing
   * @throws ConfigError for a parameter without a range, or with one that its scale does not have, or with nothing in it
   */
  constructor(
    names: readonly string[],
    ranges: Readonly<Record<string, readonly [number, number]>>,
    scales: readonly ParameterScale[] = names.map(scaleOf),
  ) {
    const ends = names.map((name, k) => {
      const range = Object.hasOwn(ranges, name) ? ranges[name] : undefined;
      if (range) {
        checkRange(name, range, scales[k]!, "dataset.physical_parameter_ranges");
        return range.map((value) => onScale(scales[k]!, value)) as [number, number];
      }
      throw new ConfigError(`the physical parameter ${name} has no range`, {
        where: "dataset.physical_parameter_ranges",
        fix: `add ${name}: [lower, upper]`,
      });
    });
    super({
      shift: ends.map(([lower]) => lower),
      scale: ends.map(([lower, upper]) => upper - lower),
      ...(scales.every(isPlainLog)
        ? { log: true }
        : { log: scales.map(({ log }) => log), offset: scales.map(({ offset }) => offset) }),
    });
    this.names = names;
  }
}

/** Of a parameter of a weights file. */
export function parameterScale({ scale = plainLog }: Pick<ScaledParameter, "scale">): ParameterScale {
  return scale;
}

/** The original's scaling of latents: (z − min) / (max − min), one range over all components. */
export function minmaxLatents([min, max]: readonly [number, number]): LatentAffine {
  return { shift: [min], scale: [max - min] };
}

/** Latents. */
export class LatentScaling extends Scaling {
  /**
   * @param scaling  one range for all components, or shift and scale
   * @throws NumericsError where a range is empty or not finite: an encoder that gives one value for everything
   */
  constructor(scaling: readonly [number, number] | LatentAffine) {
    super("scale" in scaling ? scaling : minmaxLatents(scaling));
    const { shift, scale } = this;
    const bad = scale.findIndex((width, k) => !(width > 0 && Number.isFinite(width) && Number.isFinite(shift[k]!)));
    if (bad < 0) return;
    const [low, width] = [shift[bad]!, scale[bad]!];
    throw new NumericsError(
      `latents between ${low} and ${low + width} cannot be scaled: the range is empty or not finite`,
      {
        fix: "train the autoencoder anew, with another seed or a lower learning rate",
      },
    );
  }

  get affine(): LatentAffine {
    return { shift: this.shift, scale: this.scale };
  }
}

function checkRange(
  name: string,
  [lower, upper]: readonly [number, number],
  scale: ParameterScale,
  where: string,
): void {
  if (lower > boundOf(scale) && lower < upper && upper < Number.POSITIVE_INFINITY) return;
  throw new ConfigError(`the range [${lower}, ${upper}] of ${name} has no logarithms, or nothing in it`, {
    where,
    fix: scale.log
      ? `give finite numbers with ${boundOf(scale)} < lower < upper`
      : "give finite numbers with lower < upper",
  });
}
