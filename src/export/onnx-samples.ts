import { AbundanceScaling, LatentScaling, PhysicalScaling } from "../chemistry/scaling.ts";
import type { RandomStream } from "../data/random.ts";
import type { Models, PartPort, Quantity } from "./onnx-parts.ts";

/** Where the encoder's outputs lie before a training has measured it: GELU's minimum, and a guess. */
const unknownLatents = [-0.17, 3] as const;

/** Random values for the inputs of a file, and what the outputs are in scaled units: all that the check needs of the scalings. */
export class Samples {
  readonly #abundances: AbundanceScaling;
  readonly #latents: LatentScaling;
  readonly #physical: PhysicalScaling;
  readonly #random: RandomStream;

  constructor({ autoencoder, emulator }: Models, random: RandomStream) {
    this.#abundances = new AbundanceScaling(autoencoder.abundances_clipping);
    this.#latents = new LatentScaling(emulator?.latents ?? autoencoder.latent_range ?? unknownLatents);
    this.#physical = PhysicalScaling.of(emulator?.weights.physical_parameters ?? []);
    this.#random = random;
  }

  /** Values all over the ranges; linear abundances also outside them, and zero. @returns [batch, …] */
  draw({ quantity, shape }: PartPort, batch: number): Float32Array {
    const values = new Float32Array(shape.reduce((a, b) => a * b, batch));
    const outside = quantity === "linear abundances" ? 0.05 : 0;
    this.#random.fillUniform(values, -outside, 1 + outside);
    if (quantity === "physical units") this.#physical.unscaleInto(values, values);
    if (quantity === "raw latents") this.#latents.unscaleInto(values, values);
    if (quantity === "linear abundances") {
      this.#abundances.unscaleInto(values, values);
      values[values.length - 1] = 0;
    }
    return values;
  }

  /** The same latents as `Inference` takes and gives them. */
  rawLatents(quantity: Quantity, values: Float32Array): Float32Array {
    const raw = values.slice();
    if (quantity === "scaled latents") this.#latents.unscaleInto(values, raw);
    return raw;
  }

  /**
   * The largest difference in scaled units; NaN where one of the numbers is. Values beyond 1, where a rollout may drift,
   * count relative to their size: float32 has no more digits for them. So do raw latents of a component that hardly varies, relative to
   * how far from 0 it does so.
   */
  deviation(quantity: Quantity, found: Float32Array, expected: Float32Array): number {
    const scaled = this.#scale(quantity);
    let largest = 0;
    for (let i = 0; i < expected.length; i++) {
      const wanted = scaled(expected[i]!, i);
      const difference =
        Math.abs(scaled(found[i]!, i) - wanted) / Math.max(1, Math.abs(wanted), this.#offset(quantity, i));
      if (!(difference <= largest)) largest = difference;
      if (Number.isNaN(largest)) break;
    }
    return largest;
  }

  /** How far from 0 a value lies by its scaling alone, in scaled units. */
  #offset(quantity: Quantity, index: number): number {
    if (quantity !== "raw latents") return 0;
    const { shift, scale } = this.#latents.affine;
    const k = index % shift.length;
    return Math.abs(shift[k]! / scale[k]!);
  }

  #scale(quantity: Quantity): (value: number, index: number) => number {
    const { shift, scale } = this.#latents.affine;
    const components = shift.length;
    if (quantity === "raw latents") return (value, i) => (value - shift[i % components]!) / scale[i % components]!;
    const span = this.#abundances.log10_upper - this.#abundances.log10_lower;
    // Not by `scaleInto`: its clipping would hide what lies outside.
    if (quantity === "linear abundances") return (value) => Math.log10(value) / span;
    return (value) => value;
  }
}
