import { ConfigError, NumericsError } from "../errors.ts";

/** The range to which linear abundances are clipped before they are scaled. */
export interface ClippingRange {
  readonly lower: number;
  readonly upper: number;
}

/**
 * Abundances: clip to [lower, upper], then (log10 x − log10 lower) / (log10 upper − log10 lower), in [0, 1].
 * With [1e-20, 1] one scaled unit is 20 dex.
 */
export class AbundanceScaling {
  readonly log10_lower: number;
  readonly log10_upper: number;
  readonly range: ClippingRange;

  /** @throws ConfigError where the range has no logarithm or nothing in it */
  constructor(range: ClippingRange) {
    checkLogRange("abundances_clipping", range.lower, range.upper, "dataset.abundances_clipping");
    this.range = range;
    this.log10_lower = Math.log10(range.lower);
    this.log10_upper = Math.log10(range.upper);
  }

  /** Linear → scaled, any shape. `target` may be the source. */
  scaleInto(source: ArrayLike<number>, target: Float32Array): void {
    const { lower, upper } = this.range;
    const [low, factor] = [this.log10_lower, 1 / (this.log10_upper - this.log10_lower)];
    for (let i = 0; i < source.length; i++) {
      const x = source[i]!;
      target[i] = (Math.log10(Math.min(Math.max(x, lower), upper)) - low) * factor;
    }
  }

  /** Scaled → linear, any shape. `target` may be the source. */
  unscaleInto(source: ArrayLike<number>, target: Float32Array): void {
    const slope = (this.log10_upper - this.log10_lower) * Math.LN10;
    const offset = this.log10_lower * Math.LN10;
    for (let i = 0; i < source.length; i++) target[i] = Math.exp(source[i]! * slope + offset);
  }
}

/** Physical parameters: (log10 x − log10 lower) / (log10 upper − log10 lower) per column; not clipped, so values may leave [0, 1]. */
export class PhysicalScaling {
  readonly names: readonly string[];
  readonly #low: Float64Array;
  readonly #span: Float64Array;

  /**
   * @param names   the columns in their order
   * @param ranges  by name: the order of the ranges means nothing
   * @throws ConfigError for a parameter without a range, or with one that has no logarithm or nothing in it
   */
  constructor(names: readonly string[], ranges: Readonly<Record<string, readonly [number, number]>>) {
    this.names = names;
    const known = names.map((name) => {
      const range = Object.hasOwn(ranges, name) ? ranges[name] : undefined;
      if (range) {
        checkLogRange(name, ...range, "dataset.physical_parameter_ranges");
        return range;
      }
      throw new ConfigError(`the physical parameter ${name} has no range`, {
        where: "dataset.physical_parameter_ranges",
        fix: `add ${name}: [lower, upper]`,
      });
    });
    this.#low = Float64Array.from(known, ([lower]) => Math.log10(lower));
    this.#span = Float64Array.from(known, ([lower, upper]) => Math.log10(upper) - Math.log10(lower));
  }

  /** Physical units → scaled; the last dimension is the parameters. `target` may be the source. */
  scaleInto(source: ArrayLike<number>, target: Float32Array): void {
    const width = this.names.length;
    for (let i = 0; i < source.length; i++) {
      const column = i % width;
      target[i] = (Math.log10(source[i]!) - this.#low[column]!) / this.#span[column]!;
    }
  }

  /** Scaled → physical units; the last dimension is the parameters. `target` may be the source. */
  unscaleInto(source: ArrayLike<number>, target: Float32Array): void {
    const width = this.names.length;
    for (let i = 0; i < source.length; i++) {
      const column = i % width;
      target[i] = 10 ** (source[i]! * this.#span[column]! + this.#low[column]!);
    }
  }
}

/** How raw latents become the emulator's: (z − shift) / scale, per component or, where there is one entry only, for all alike. */
export interface LatentAffine {
  readonly shift: readonly number[];
  readonly scale: readonly number[];
}

/** The original's scaling: (z − min) / (max − min), one range over all components. */
export function minmaxLatents([min, max]: readonly [number, number]): LatentAffine {
  return { shift: [min], scale: [max - min] };
}

/** Latents: (z − shift) / scale. */
export class LatentScaling {
  readonly affine: LatentAffine;

  /**
   * @param scaling  one range for all components, or shift and scale
   * @throws NumericsError where a range is empty or not finite: an encoder that gives one value for everything
   */
  constructor(scaling: readonly [number, number] | LatentAffine) {
    this.affine = "scale" in scaling ? scaling : minmaxLatents(scaling);
    const { shift, scale } = this.affine;
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

  /** Raw → scaled; the last dimension is the components. `target` may be the source. */
  scaleInto(source: ArrayLike<number>, target: Float32Array): void {
    const { shift, scale } = this.affine;
    for (let i = 0; i < source.length; i++) {
      const k = i % shift.length;
      target[i] = (source[i]! - shift[k]!) / scale[k]!;
    }
  }

  /** Scaled → raw; the last dimension is the components. `target` may be the source. */
  unscaleInto(source: ArrayLike<number>, target: Float32Array): void {
    const { shift, scale } = this.affine;
    for (let i = 0; i < source.length; i++) {
      const k = i % shift.length;
      target[i] = source[i]! * scale[k]! + shift[k]!;
    }
  }
}

function checkLogRange(name: string, lower: number, upper: number, where: string): void {
  if (lower > 0 && lower < upper && upper < Number.POSITIVE_INFINITY) return;
  throw new ConfigError(`the range [${lower}, ${upper}] of ${name} has no logarithms, or nothing in it`, {
    where,
    fix: "give finite numbers with 0 < lower < upper",
  });
}
