import { type BatchPart, batchMean, batchMeans, wholeBatch } from "../backend/batch-part.ts";
import type { StepFunction } from "../backend/engine.ts";
import { lossAndGradients } from "../backend/gradients.ts";
import { type TensorMap, tf } from "../backend/tf.ts";
import type { Compressor } from "../models/compressor.ts";
import { evaluationArrays } from "../models/forward-steps.ts";
import { dexSum, type LossSettings, validationSum } from "../models/losses.ts";
import { batchNormalizer, runningNormalizer } from "../models/normalization.ts";
import { abundanceLoss, originalLoss, type PhaseLoss } from "../models/recipe-loss.ts";
import { type OptimizerSettings, optimizerStep } from "./optimizer.ts";

/** Where the rows are among the inputs of the steps. */
export function autoencoderParts({ masks }: Compressor): Record<string, number> {
  return Object.fromEntries(
    ["features", "noise", "relative_noise", ...masks.map(({ name }) => name)].map((name) => [name, 0]),
  );
}

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
  return (state, inputs, part = wholeBatch) => {
    const running = layouts.statistics.unpack(state.statistics!);
    const features = inputs.features as tf.Tensor2D;
    const differentiated = (arrays: TensorMap): { loss: tf.Scalar; aside: TensorMap } => {
      const norm = batchNormalizer(arrays, running, part);
      const decoded = trainingForward(compressor, { ...running, ...arrays }, features, norm, inputs, part);
      const stoichiometry = state.stoichiometry as tf.Tensor2D;
      const { total, ...parts } = abundanceLoss(decoded, features, stoichiometry, phaseLoss, loss);
      return { loss: total, aside: { ...batchMeans(part, parts), ...norm.updates } };
    };
    const made = lossAndGradients(layouts.trainable.unpack(state.parameters!), differentiated, part);
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
  part: BatchPart = wholeBatch,
): tf.Tensor2D {
  const latents = compressor.encode(arrays, features, norm, inputs);
  let noisy = inputs.noise ? tf.add<tf.Tensor2D>(latents, inputs.noise) : latents;
  if (inputs.relative_noise) noisy = tf.add(noisy, tf.mul(inputs.relative_noise, batchDeviation(latents, part)));
  return compressor.decode(arrays, noisy, norm, inputs);
}

/**
 * Standard deviation of each component over the rows, [1, latent]. It has no gradient: else the latents would be drawn together,
 * to make the noise smaller.
 */
function batchDeviation(latents: tf.Tensor2D, part: BatchPart): tf.Tensor {
  return tf.customGrad((x) => {
    const z = x as tf.Tensor2D;
    const mean = batchMean(part, tf.mean(z, 0, true));
    const variance = batchMean(part, tf.mean(tf.square(tf.sub(z, mean)), 0, true));
    return { value: tf.sqrt(variance), gradFunc: () => tf.zeros(z.shape) };
  })(latents);
}

/** Validation: state `parameters`, `statistics`; input `features`; outputs `errors` and `dex` [species], relative errors and errors in dex summed over rows. */
export function autoencoderValidationStep(compressor: Compressor, loss: LossSettings): StepFunction {
  const unpacked = evaluationArrays(compressor);
  return (state, inputs, { sum } = wholeBatch) => {
    const arrays = unpacked(state);
    const norm = runningNormalizer(arrays);
    const features = inputs.features as tf.Tensor2D;
    const decoded = compressor.decode(arrays, compressor.encode(arrays, features, norm), norm);
    const [errors, dex] = [validationSum(decoded, features, loss), dexSum(decoded, features, loss)].map(sum);
    return { outputs: { errors: errors!, dex: dex! } };
  };
}
