import type { StepFunction } from "../backend/engine.ts";
import { type TensorMap, tf } from "../backend/tf.ts";
import type { Scale } from "../chemistry/scaling.ts";
import { bounded, boundsOf } from "../models/bounds.ts";
import type { Compressor } from "../models/compressor.ts";
import { conservedBy, many, totalsBy } from "../models/conserved.ts";
import { type Evolver, rolloutFrom } from "../models/evolver.ts";
import { carryName, decodeStep, forMembers } from "../models/forward-steps.ts";
import { runningNormalizer } from "../models/normalization.ts";
import { scaledTensor, unscaledTensor } from "../models/scale-tensors.ts";

/** The residual that counts as met, in float32. */
const met = 1e-6;

/** The scaling that goes into a file with `--scaling`: what `Inference` does around its networks on the host. */
export interface FileScaling {
  readonly abundances: Scale;
  readonly physical: Scale;
  readonly latents: Scale;
}

/**
 * The steps of the exported files. Each takes the weights as named arrays (`encoder_fc1.weight`, `net.0.bias`, …), so that the
 * file shows them under PyTorch's names. They are plain tfjs and are recorded like any other.
 *
 * Encoding: `features` scaled or, with scaling, `abundances` linear, [batch, species] → `latents` raw.
 */
export function encoderFile(compressor: Compressor, abundances: Scale | null): StepFunction {
  return (arrays, inputs) => {
    const features = abundances ? scaledTensor(inputs.abundances!, abundances) : inputs.features!;
    return { outputs: { latents: compressor.encode(arrays, features as tf.Tensor2D, runningNormalizer(arrays)) } };
  };
}

/** Decoding: `latents` raw, [batch, latent] → `abundances` scaled or, with scaling, linear. */
export function decoderFile(compressor: Compressor, abundances: Scale | null): StepFunction {
  return (arrays, inputs) => {
    const decoded = compressor.decode(arrays, inputs.latents as tf.Tensor2D, runningNormalizer(arrays));
    return { outputs: { abundances: unscaledTensor(bounded(decoded, boundsOf(arrays, "abundance")), abundances) } };
  };
}

/**
 * One step: `physical` [batch, physical], `latents` [batch, latent] and what the evolver remembers, `carry_<name>` → `next_latents` and
 * `next_carry_<name>`; all scaled or none.
 */
export function stepFile(evolver: Evolver, scaling: FileScaling | null): StepFunction {
  return (arrays, inputs) => {
    const physical = tf.expandDims<tf.Tensor3D>(scaledTensor(inputs.physical!, scaling?.physical), 0);
    const carry = Object.fromEntries(evolver.carry.map(({ name }) => [name, inputs[carryName(name)]!]));
    const latents = scaledTensor(inputs.latents as tf.Tensor2D, scaling?.latents);
    const next = evolver.rollout(arrays, { physical, bounds: boundsOf(arrays, "latent") }, { latents, carry });
    const after = evolver.carry.map(({ name }) => [`next_${carryName(name)}`, next.carry[name]!]);
    return { outputs: { next_latents: unscaledTensor(next.states, scaling?.latents), ...Object.fromEntries(after) } };
  };
}

/** What trajectories remember when they start: `latents` [batch, latent] → `carry_<name>`. */
export function startFile(evolver: Evolver, scaling: FileScaling | null): StepFunction {
  return (arrays, inputs) => {
    const carry = Object.entries(evolver.begin(arrays, scaledTensor(inputs.latents as tf.Tensor2D, scaling?.latents)));
    return { outputs: Object.fromEntries(carry.map(([name, value]) => [carryName(name), value])) };
  };
}

/**
 * The rollout, batch first as in `Inference`: `physical` [batch, steps, physical] and `latents` [batch, latent] →
 * `evolved_latents` [batch, steps, members · latent], all scaled. With scaling the whole surrogate: `physical` in physical units and
 * `abundances` [batch, species] → `evolved_abundances` [batch, steps, species], linear, and of an ensemble `spread` [batch, steps], dex.
 * With `conserve` they have the totals of `abundances`, and `correction` [batch, steps] says how far each state was moved.
 */
export function rolloutFile(
  evolver: Evolver,
  compressor: Compressor,
  { scaling, conserve }: { readonly scaling: FileScaling | null; readonly conserve: boolean },
): StepFunction {
  return (arrays, inputs) => {
    const steps = inputs.physical!.shape[1]!;
    const physical = tf.transpose(scaledTensor(inputs.physical as tf.Tensor3D, scaling?.physical), [1, 0, 2]);
    const drive = { physical, bounds: boundsOf(arrays, "latent") };
    if (!scaling) {
      const evolved = rolloutFrom(evolver, arrays, drive, forMembers(inputs.latents as tf.Tensor2D, evolver.members));
      return { outputs: { evolved_latents: batchFirst(evolved, steps) } };
    }
    const features = scaledTensor(inputs.abundances as tf.Tensor2D, scaling.abundances);
    const encoded = compressor.encode(arrays, features, runningNormalizer(arrays));
    const start = scaledTensor(forMembers(encoded, evolver.members), scaling.latents);
    const latents = unscaledTensor(rolloutFrom(evolver, arrays, drive, start), scaling.latents);
    const decode = decodeStep(compressor, { members: evolver.members, scale: scaling.abundances });
    const { scaled, spread } = decode.step(arrays, { latents }).outputs;
    const abundances = unscaledTensor(scaled as tf.Tensor2D, scaling.abundances);
    const ofStates = (values: tf.Tensor): tf.Tensor =>
      tf.reshape(batchFirst(tf.reshape(values, [-1, 1]), steps), [-1, steps]);
    const besides = spread ? { spread: ofStates(spread) } : {};
    if (!conserve) return { outputs: { evolved_abundances: batchFirst(abundances, steps), ...besides } };
    const totals = tf.tile(totalsBy(arrays, inputs.abundances as tf.Tensor2D), [steps, 1]);
    const { kept, correction } = keptTotals(arrays, abundances, totals);
    const outputs = { evolved_abundances: batchFirst(kept, steps), correction: ofStates(correction), ...besides };
    return { outputs };
  };
}

/** Abundances with the totals, and the correction, [rows, 1]; as decoded, and infinite, where they are not met. */
function keptTotals(arrays: TensorMap, decoded: tf.Tensor2D, totals: tf.Tensor2D) {
  const { abundances, correction, residual } = conservedBy(arrays, decoded, totals, many);
  // Not the opposite comparison: a residual may be no number.
  const isMet = tf.expandDims<tf.Tensor2D>(tf.less(residual, met), 1);
  const unmet = tf.sub(tf.div(1, tf.cast(isMet, "float32")), 1);
  return {
    kept: tf.where(isMet, abundances, decoded) as tf.Tensor2D,
    correction: tf.where(isMet, tf.expandDims<tf.Tensor2D>(correction, 1), unmet) as tf.Tensor2D,
  };
}

/** [steps · batch, n], time first → [batch, steps, n]. */
function batchFirst(rows: tf.Tensor2D, steps: number): tf.Tensor3D {
  const [count, width] = rows.shape;
  return tf.transpose(tf.reshape(rows, [steps, count / steps, width]), [1, 0, 2]);
}
