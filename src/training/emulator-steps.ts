import type { StepFunction } from "../backend/engine.ts";
import { lossAndGradients } from "../backend/gradients.ts";
import { type TensorMap, tf } from "../backend/tf.ts";
import { type AutoencoderShape, autoencoderLayouts, decode } from "../models/autoencoder.ts";
import { type EmulatorShape, emulatorLayout } from "../models/emulator.ts";
import { rolloutFrom } from "../models/forward-steps.ts";
import { type LossSettings, trainingLoss, validationSum } from "../models/losses.ts";
import { runningNormalizer } from "../models/normalization.ts";
import { type AdamWSettings, adamWStep } from "./adamw.ts";

/** The models that an emulator's training involves, and the range that scales the latents. */
export interface EmulatorSetting {
  readonly autoencoder: AutoencoderShape;
  readonly emulator: EmulatorShape;
  /** [min, max] over all components: raw = scaled · (max − min) + min. */
  readonly latent_range: readonly [number, number];
  readonly loss: LossSettings;
}

/**
 * One optimizer step of the emulator, through the frozen decoder and all steps of the rollout.
 *
 * State: `parameters`, `first_moment`, `second_moment` [emulator]; frozen: `decoder_parameters`, `decoder_statistics` (the
 * autoencoder's vectors) and `stoichiometry` [species, elements].
 * Inputs: `physical` [steps, windows, physical], `latents` [windows, latent], `targets` [steps, windows, species], all scaled; the
 * scalars of `adamWInputs`; where wanted `first_mask`, `second_mask` [steps, windows, hidden].
 * Outputs: the loss by parts and `gradient_norm`, each [].
 */
export function emulatorTrainStep(setting: EmulatorSetting, optimizer: AdamWSettings): StepFunction {
  const layout = emulatorLayout(setting.emulator);
  const decodeFrozen = frozenDecoder(setting);
  return (state, inputs) => {
    const stoichiometry = state.stoichiometry as tf.Tensor2D;
    const made = lossAndGradients(layout.unpack(state.parameters!), (arrays) => {
      const predicted = decodeFrozen(state, rolloutFrom(arrays, inputs));
      const { total, ...parts } = trainingLoss(predicted, flatRows(inputs.targets!), stoichiometry, setting.loss);
      return { loss: total, aside: parts };
    });
    const update = adamWStep(state, layout.pack(made.gradients), inputs, optimizer);
    return {
      state: update.state,
      outputs: { total: made.loss, ...made.aside, gradient_norm: update.gradient_norm },
    };
  };
}

/** Validation: as the training step without masks; output `errors` [species], relative errors summed over windows, averaged over steps. */
export function emulatorValidationStep(setting: EmulatorSetting): StepFunction {
  const layout = emulatorLayout(setting.emulator);
  const decodeFrozen = frozenDecoder(setting);
  return (state, inputs) => {
    const predicted = decodeFrozen(state, rolloutFrom(layout.unpack(state.parameters!), inputs));
    const sum = validationSum(predicted, flatRows(inputs.targets!), setting.loss);
    return { outputs: { errors: tf.div(sum, inputs.targets!.shape[0]!) } };
  };
}

/** Scaled latents, [rows, latent], → scaled abundances, [rows, species], with running statistics. */
function frozenDecoder(setting: EmulatorSetting): (state: TensorMap, latents: tf.Tensor2D) => tf.Tensor2D {
  const layouts = autoencoderLayouts(setting.autoencoder);
  const [low, high] = setting.latent_range;
  return (state, latents) => {
    const arrays = {
      ...layouts.trainable.unpack(state.decoder_parameters!),
      ...layouts.statistics.unpack(state.decoder_statistics!),
    };
    const raw = tf.add<tf.Tensor2D>(tf.mul(latents, high - low), low);
    return decode(arrays, raw, runningNormalizer(arrays), null);
  };
}

/** [steps, windows, n] → [steps · windows, n]. */
function flatRows(x: tf.Tensor): tf.Tensor2D {
  const [steps, windows, width] = x.shape as [number, number, number];
  return tf.reshape(x, [steps * windows, width]);
}
