import { type TensorMap, tf } from "../backend/tf.ts";
import type { Layout } from "../models/layout.ts";
import { type AdamWSettings, adamWMove, adamWStep, clipped } from "./adamw.ts";
import { orthogonalized, updateScale } from "./muon.ts";

/** What moves the weights; constant over a training. */
export interface OptimizerSettings extends AdamWSettings {
  /** AdamW where it is left out. */
  readonly optimizer?: "adamw" | "muon";
  /** Leave the state as it is where the gradient is not finite. */
  readonly skip_overflow?: boolean;
}

const epsilon = 1e-8;
/** Muon's decay of the momentum of matrices, whatever the betas of the rest. */
const momentum = 0.95;
const largestFloat = 3.4e38;

/**
 * One optimizer step on the vector of all parameters.
 * @param state      `parameters`, `first_moment`, `second_moment`, each [layout.size]
 * @param gradients  by the names of the layout
 * @param inputs     of `adamWInputs`
 * @returns          the new state and `gradient_norm`, []
 */
export function optimizerStep(
  state: TensorMap,
  gradients: TensorMap,
  layout: Layout,
  inputs: TensorMap,
  settings: OptimizerSettings,
): { state: TensorMap; gradient_norm: tf.Tensor } {
  const gradient = layout.pack(gradients);
  if (settings.optimizer !== "muon" && !settings.skip_overflow) return adamWStep(state, gradient, inputs, settings);
  const norm = safeNorm(gradient);
  const slope = clipped(gradient, norm, settings);
  const next =
    settings.optimizer === "muon"
      ? muonMove(state, slope, layout, inputs, settings)
      : adamWMove(state, slope, inputs, settings);
  if (!settings.skip_overflow) return { state: next, gradient_norm: norm };
  // Comparisons with NaN are false: neither NaN nor infinity moves anything.
  const isSound = tf.greater(largestFloat, norm);
  const kept = Object.entries(next).map(([name, value]) => [name, tf.where(isSound, value, state[name]!)]);
  return { state: Object.fromEntries(kept), gradient_norm: norm };
}

/** The global L2 norm, []; of gradients up to the largest float, whose squares would overflow. */
function safeNorm(gradient: tf.Tensor): tf.Tensor {
  const largest = tf.maximum(tf.max(tf.abs(gradient)), 1e-30);
  return tf.mul(largest, tf.sqrt(tf.sum(tf.square(tf.div(gradient, largest)))));
}

/** Muon for matrices, AdamW for vectors; the decay is AdamW's for both. The second moment of matrices stays 0. */
function muonMove(
  state: TensorMap,
  gradient: tf.Tensor,
  layout: Layout,
  inputs: TensorMap,
  { betas: [beta1, beta2], weight_decay }: OptimizerSettings,
): TensorMap {
  const [parameters, first, second, slopes] = [
    state.parameters!,
    state.first_moment!,
    state.second_moment!,
    gradient,
  ].map((vector) => layout.unpack(vector)) as [TensorMap, TensorMap, TensorMap, TensorMap];
  const keep = tf.sub(1, tf.mul(inputs.learning_rate!, weight_decay));
  const next = { parameters: {} as TensorMap, first_moment: {} as TensorMap, second_moment: {} as TensorMap };
  for (const { name, shape } of layout.specs) {
    const slope = slopes[name]!;
    const isMatrix = shape.length === 2;
    const decay = isMatrix ? momentum : beta1;
    const moment = tf.add(tf.mul(first[name]!, decay), tf.mul(slope, 1 - decay));
    const variance = isMatrix
      ? second[name]!
      : tf.add(tf.mul(second[name]!, beta2), tf.mul(tf.square(slope), 1 - beta2));
    const change = isMatrix
      ? matrixChange(moment as tf.Tensor2D, slope as tf.Tensor2D, inputs.learning_rate!)
      : tf.div(
          tf.mul(moment, inputs.step_size!),
          tf.add(tf.mul(tf.sqrt(variance), inputs.second_correction!), epsilon),
        );
    next.parameters[name] = tf.sub(tf.mul(parameters[name]!, keep), change);
    next.first_moment[name] = moment;
    next.second_moment[name] = variance;
  }
  return Object.fromEntries(Object.entries(next).map(([name, arrays]) => [name, layout.pack(arrays)]));
}

/** Nesterov's momentum, orthogonalised. */
function matrixChange(moment: tf.Tensor2D, slope: tf.Tensor2D, learningRate: tf.Tensor): tf.Tensor {
  const ahead = tf.add<tf.Tensor2D>(tf.mul(moment, momentum), tf.mul(slope, 1 - momentum));
  return tf.mul(orthogonalized(ahead), tf.mul(learningRate, updateScale(moment.shape)));
}
