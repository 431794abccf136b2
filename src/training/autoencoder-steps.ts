import type { StepFunction } from "../backend/engine.ts";
import { lossAndGradients } from "../backend/gradients.ts";
import { type TensorMap, tf } from "../backend/tf.ts";
import type { Compressor } from "../models/compressor.ts";
import { evaluationArrays } from "../models/forward-steps.ts";
import { dexSum, type LossSettings, validationSum } from "../models/losses.ts";
import { batchNormalizer, runningNormalizer } from "../models/normalization.ts";
import { abundanceLoss, originalLoss, type PhaseLoss } from "../models/recipe-loss.ts";
import { type OptimizerSettings, optimizerStep } from "./optimizer.ts";

/**
 * One optimizer step of the autoencoder.
 *
 * State: `parameters`, `first_moment`, `second_moment` [trainable], `statistics` [statistics], `stoichiometry` [species, elements].
 * Inputs: `features` [rows, species] scaled; `learning_rate` …, see `adamWInputs`; where wanted the compressor's masks
 * (inverted dropout), each [rows, width], `noise` [rows, latent], added to the latents, and `relative_noise` [rows, latent],
 * added in units of each component's deviation in the batch.
 * Outputs: the loss by parts and `gradient_norm`, each [].
 */
export function autoencoderTrainStep(
  compressor: Compressor,
  loss: LossSettings,
  optimizer: OptimizerSettings,
  phaseLoss: PhaseLoss = originalLoss,
): StepFunction {
  const { layouts } = compressor;
  return (state, inputs) => {
    const running = layouts.statistics.unpack(state.statistics!);
    const features = inputs.features as tf.Tensor2D;
    const made = lossAndGradients(layouts.trainable.unpack(state.parameters!), (arrays) => {
      const norm = batchNormalizer(arrays, running);
      const decoded = trainingForward(compressor, { ...running, ...arrays }, features, norm, inputs);
      const stoichiometry = state.stoichiometry as tf.Tensor2D;
      const { total, ...parts } = abundanceLoss(decoded, features, stoichiometry, phaseLoss, loss);
      return { loss: total, aside: { ...parts, ...norm.updates } };
    });
    const update = optimizerStep(state, made.gradients, layouts.trainable, inputs, optimizer);
    const { reconstruction, worst, conservation, ...statistics } = made.aside;
    return {
      state: { ...update.state, statistics: layouts.statistics.pack({ ...running, ...statistics }) },
      outputs: {
        total: made.loss,
        reconstruction: reconstruction!,
        worst: worst!,
        conservation: conservation!,
        gradient_norm: update.gradient_norm,
      },
    };
  };
}

/** Scaled abundances, [rows, species], to and back from the latents as in training: batch statistics, dropout, noise. */
export function trainingForward(
  compressor: Compressor,
  arrays: TensorMap,
  features: tf.Tensor2D,
  norm: ReturnType<typeof batchNormalizer>,
  inputs: TensorMap,
): tf.Tensor2D {
  const latents = compressor.encode(arrays, features, norm, inputs);
  let noisy = inputs.noise ? tf.add<tf.Tensor2D>(latents, inputs.noise) : latents;
  if (inputs.relative_noise) noisy = tf.add(noisy, tf.mul(inputs.relative_noise, batchDeviation(latents)));
  return compressor.decode(arrays, noisy, norm, inputs);
}

/**
 * Standard deviation of each component over the rows, [1, latent]. It has no gradient: else the latents would be drawn together,
 * to make the noise smaller.
 */
function batchDeviation(latents: tf.Tensor2D): tf.Tensor {
  return tf.customGrad((x) => {
    const z = x as tf.Tensor2D;
    const variance = tf.mean(tf.square(tf.sub(z, tf.mean(z, 0, true))), 0, true);
    return { value: tf.sqrt(variance), gradFunc: () => tf.zeros(z.shape) };
  })(latents);
}

/** Validation: state `parameters`, `statistics`; input `features`; outputs `errors` and `dex` [species], relative errors and errors in dex summed over rows. */
export function autoencoderValidationStep(compressor: Compressor, loss: LossSettings): StepFunction {
  const unpacked = evaluationArrays(compressor);
  return (state, inputs) => {
    const arrays = unpacked(state);
    const norm = runningNormalizer(arrays);
    const features = inputs.features as tf.Tensor2D;
    const decoded = compressor.decode(arrays, compressor.encode(arrays, features, norm), norm);
    return { outputs: { errors: validationSum(decoded, features, loss), dex: dexSum(decoded, features, loss) } };
  };
}
