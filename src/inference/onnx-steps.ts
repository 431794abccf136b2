import type { StepFunction } from "../backend/engine.ts";
import { type TensorMap, tf } from "../backend/tf.ts";
import type { LatentAffine } from "../chemistry/scaling.ts";
import { bounded, boundsOf } from "../models/bounds.ts";
import type { Compressor } from "../models/compressor.ts";
import { type Evolver, rolloutFrom } from "../models/evolver.ts";
import { carryName } from "../models/forward-steps.ts";
import { unscaleAbundances } from "../models/losses.ts";
import { runningNormalizer } from "../models/normalization.ts";

/** The scaling that goes into a file with `--scaling`: what `Inference` does around its networks on the host. */
export interface FileScaling {
  readonly clipping: { readonly lower: number; readonly upper: number };
  /** Of each physical parameter, in the order of the columns. */
  readonly physical: readonly (readonly [lower: number, upper: number])[];
  readonly latents: LatentAffine;
}

/**
 * The steps of the exported files. Each takes the weights as named arrays (`encoder_fc1.weight`, `net.0.bias`, …), so that the
 * file shows them under PyTorch's names. They are plain tfjs and are recorded like any other.
 *
 * Encoding: `features` scaled or, with scaling, `abundances` linear, [batch, species] → `latents` raw.
 */
export function encoderFile(compressor: Compressor, scaling: AbundanceRange | null): StepFunction {
  return (arrays, inputs) => {
    const features = scaling ? scaledAbundances(inputs.abundances as tf.Tensor2D, scaling) : inputs.features!;
    return { outputs: { latents: compressor.encode(arrays, features as tf.Tensor2D, runningNormalizer(arrays)) } };
  };
}

/** Decoding: `latents` raw, [batch, latent] → `abundances` scaled or, with scaling, linear. */
export function decoderFile(compressor: Compressor, scaling: AbundanceRange | null): StepFunction {
  return (arrays, inputs) => ({
    outputs: { abundances: decodedAbundances(compressor, arrays, inputs.latents as tf.Tensor2D, scaling) },
  });
}

/**
 * One step: `physical` [batch, physical], `latents` [batch, latent] and what the evolver remembers, `carry_<name>` → `next_latents` and
 * `next_carry_<name>`; all scaled or none.
 */
export function stepFile(evolver: Evolver, scaling: FileScaling | null): StepFunction {
  return (arrays, inputs) => {
    const physical = tf.expandDims<tf.Tensor3D>(scaledPhysical(inputs.physical!, scaling), 0);
    const carry = Object.fromEntries(evolver.carry.map(({ name }) => [name, inputs[carryName(name)]!]));
    const latents = scaledLatents(inputs.latents as tf.Tensor2D, scaling);
    const next = evolver.rollout(arrays, { physical, bounds: boundsOf(arrays, "latent") }, { latents, carry });
    const after = evolver.carry.map(({ name }) => [`next_${carryName(name)}`, next.carry[name]!]);
    return { outputs: { next_latents: rawLatents(next.states, scaling), ...Object.fromEntries(after) } };
  };
}

/** What trajectories remember when they start: `latents` [batch, latent] → `carry_<name>`. */
export function startFile(evolver: Evolver, scaling: FileScaling | null): StepFunction {
  return (arrays, inputs) => {
    const carry = Object.entries(evolver.begin(arrays, scaledLatents(inputs.latents as tf.Tensor2D, scaling)));
    return { outputs: Object.fromEntries(carry.map(([name, value]) => [carryName(name), value])) };
  };
}

/**
 * The rollout, batch first as in `Inference`: `physical` [batch, steps, physical] and `latents` [batch, latent] →
 * `evolved_latents` [batch, steps, latent], all scaled. With scaling the whole surrogate: `physical` in physical units and
 * `abundances` [batch, species] → `evolved_abundances` [batch, steps, species], linear.
 */
export function rolloutFile(evolver: Evolver, compressor: Compressor, scaling: FileScaling | null): StepFunction {
  return (arrays, inputs) => {
    const steps = inputs.physical!.shape[1]!;
    const physical = tf.transpose(scaledPhysical(inputs.physical as tf.Tensor3D, scaling), [1, 0, 2]);
    const drive = { physical, bounds: boundsOf(arrays, "latent") };
    if (!scaling) {
      const evolved = rolloutFrom(evolver, arrays, drive, inputs.latents as tf.Tensor2D);
      return { outputs: { evolved_latents: batchFirst(evolved, steps) } };
    }
    const features = scaledAbundances(inputs.abundances as tf.Tensor2D, scaling);
    const start = scaledLatents(compressor.encode(arrays, features, runningNormalizer(arrays)), scaling);
    const evolved = rawLatents(rolloutFrom(evolver, arrays, drive, start), scaling);
    const abundances = decodedAbundances(compressor, arrays, evolved, scaling);
    return { outputs: { evolved_abundances: batchFirst(abundances, steps) } };
  };
}

/** What scaling abundances needs to know. */
export type AbundanceRange = Pick<FileScaling, "clipping">;

/** Linear → scaled, clipped. There is no log10 in ONNX. */
function scaledAbundances(linear: tf.Tensor2D, { clipping }: AbundanceRange): tf.Tensor2D {
  const [low, high] = [Math.log(clipping.lower), Math.log(clipping.upper)];
  const clipped = tf.minimum(tf.maximum(linear, clipping.lower), clipping.upper);
  return tf.mul(tf.sub(tf.log(clipped), low), 1 / (high - low));
}

function decodedAbundances(
  compressor: Compressor,
  arrays: TensorMap,
  latents: tf.Tensor2D,
  scaling: AbundanceRange | null,
): tf.Tensor2D {
  const decoded = compressor.decode(arrays, latents, runningNormalizer(arrays));
  const scaled = bounded(decoded, boundsOf(arrays, "abundance"));
  if (!scaling) return scaled;
  const { lower, upper } = scaling.clipping;
  return unscaleAbundances(scaled, { log10_lower: Math.log10(lower), log10_upper: Math.log10(upper) });
}

/** Physical units → scaled; the last dimension is the parameters. Dividing first keeps the digits of narrow ranges in float32. */
function scaledPhysical<T extends tf.Tensor>(physical: T, scaling: FileScaling | null): T {
  if (!scaling) return physical;
  const lower = tf.tensor1d(scaling.physical.map(([low]) => low));
  const factor = tf.tensor1d(scaling.physical.map(([low, high]) => 1 / (Math.log(high) - Math.log(low))));
  return tf.mul(tf.log(tf.div(physical, lower)), factor);
}

function scaledLatents(raw: tf.Tensor2D, scaling: FileScaling | null): tf.Tensor2D {
  if (!scaling) return raw;
  const { shift, scale } = scaling.latents;
  return tf.mul(tf.sub(raw, tf.tensor1d([...shift])), tf.tensor1d(scale.map((width) => 1 / width)));
}

function rawLatents(scaled: tf.Tensor2D, scaling: FileScaling | null): tf.Tensor2D {
  if (!scaling) return scaled;
  const { shift, scale } = scaling.latents;
  return tf.add(tf.mul(scaled, tf.tensor1d([...scale])), tf.tensor1d([...shift]));
}

/** [steps · batch, n], time first → [batch, steps, n]. */
function batchFirst(rows: tf.Tensor2D, steps: number): tf.Tensor3D {
  const [count, width] = rows.shape;
  return tf.transpose(tf.reshape(rows, [steps, count / steps, width]), [1, 0, 2]);
}
