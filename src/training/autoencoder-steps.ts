import type { StepFunction } from "../backend/engine.ts";
import { lossAndGradients } from "../backend/gradients.ts";
import { type TensorMap, tf } from "../backend/tf.ts";
import { type AutoencoderShape, autoencoderLayouts, decode, encode } from "../models/autoencoder.ts";
import { evaluationArrays } from "../models/forward-steps.ts";
import { type LossSettings, trainingLoss, validationSum } from "../models/losses.ts";
import { batchNormalizer, runningNormalizer } from "../models/normalization.ts";
import { type AdamWSettings, adamWStep } from "./adamw.ts";

/**
 * One optimizer step of the autoencoder.
 *
 * State: `parameters`, `first_moment`, `second_moment` [trainable], `statistics` [statistics], `stoichiometry` [species, elements].
 * Inputs: `features` [rows, species] scaled; `learning_rate` …, see `adamWInputs`; where wanted `encoder_mask` [rows, hidden 2],
 * `decoder_mask` [rows, hidden 1] (inverted dropout) and `noise` [rows, latent], added to the latents.
 * Outputs: the loss by parts and `gradient_norm`, each [].
 */
export function autoencoderTrainStep(
  shape: AutoencoderShape,
  loss: LossSettings,
  optimizer: AdamWSettings,
): StepFunction {
  const layouts = autoencoderLayouts(shape);
  return (state, inputs) => {
    const running = layouts.statistics.unpack(state.statistics!);
    const features = inputs.features as tf.Tensor2D;
    const made = lossAndGradients(layouts.trainable.unpack(state.parameters!), (arrays) => {
      const norm = batchNormalizer(arrays, running);
      const decoded = trainingForward(arrays, features, norm, inputs);
      const { total, ...parts } = trainingLoss(decoded, features, state.stoichiometry as tf.Tensor2D, loss);
      return { loss: total, aside: { ...parts, ...norm.updates } };
    });
    const update = adamWStep(state, layouts.trainable.pack(made.gradients), inputs, optimizer);
    const { reconstruction, worst, conservation, ...statistics } = made.aside;
    return {
      state: { ...update.state, statistics: layouts.statistics.pack(statistics) },
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
  arrays: TensorMap,
  features: tf.Tensor2D,
  norm: ReturnType<typeof batchNormalizer>,
  inputs: TensorMap,
): tf.Tensor2D {
  const latents = encode(arrays, features, norm, inputs.encoder_mask ?? null);
  const noisy = inputs.noise ? tf.add<tf.Tensor2D>(latents, inputs.noise) : latents;
  return decode(arrays, noisy, norm, inputs.decoder_mask ?? null);
}

/** Validation: state `parameters`, `statistics`; input `features`; output `errors` [species], relative errors summed over rows. */
export function autoencoderValidationStep(shape: AutoencoderShape, loss: LossSettings): StepFunction {
  const unpacked = evaluationArrays(shape);
  return (state, inputs) => {
    const arrays = unpacked(state);
    const norm = runningNormalizer(arrays);
    const features = inputs.features as tf.Tensor2D;
    const decoded = decode(arrays, encode(arrays, features, norm, null), norm, null);
    return { outputs: { errors: validationSum(decoded, features, loss) } };
  };
}
