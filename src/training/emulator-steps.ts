import { batchMeans, wholeBatch } from "../backend/batch-part.ts";
import type { StepFunction } from "../backend/engine.ts";
import { lossAndGradients } from "../backend/gradients.ts";
import { type TensorMap, tf } from "../backend/tf.ts";
import type { LatentAffine } from "../chemistry/scaling.ts";
import type { EmulatorPhase } from "../config/schema-recipes.ts";
import type { Compressor } from "../models/compressor.ts";
import { type Evolver, flatRows, rolloutFrom } from "../models/evolver.ts";
import { dexSum, type LossSettings, validationSum } from "../models/losses.ts";
import { runningNormalizer } from "../models/normalization.ts";
import { abundanceLoss, latentLoss, originalLoss } from "../models/recipe-loss.ts";
import { unscaledTensor } from "../models/scale-tensors.ts";
import { type OptimizerSettings, optimizerStep } from "./optimizer.ts";

/** The models that an emulator's training involves, and the scaling of the latents. */
export interface EmulatorSetting {
  readonly compressor: Compressor;
  readonly evolver: Evolver;
  readonly latents: LatentAffine;
  readonly loss: LossSettings;
}

/** What a phase minimises: abundances through the frozen decoder, or the latents themselves. */
export type EmulatorLoss = EmulatorPhase["loss"];

const original = { ...originalLoss, of: "abundances" } as const;

/** Where the windows are among the inputs of the steps. */
export function emulatorParts({ masks }: Evolver): Record<string, number> {
  const inputs = ["physical", "targets", "latent_targets", ...masks.map(({ name }) => name)];
  return { ...Object.fromEntries(inputs.map((name) => [name, 1])), latents: 0 };
}

/**
 * One optimizer step of the emulator, through all steps of the rollout and, for abundances, the frozen decoder.
 *
 * State: `parameters`, `first_moment`, `second_moment` [emulator]; frozen: `decoder_parameters`, `decoder_statistics` (the
 * autoencoder's vectors) and `stoichiometry` [species, elements].
 * Inputs: `physical` [steps, windows, physical], `latents` [windows, latent], all scaled; the scalars of `adamWInputs`; where wanted
 * the evolver's masks, each [steps, windows, width]. For abundances `targets` [decoded, windows, species] and, where not all
 * steps are decoded, `selection` [decoded, steps], a 1 in each row; for latents `latent_targets` [steps, windows, latent].
 * Outputs: the loss by parts and `gradient_norm`, each [].
 */
export function emulatorTrainStep(
  setting: EmulatorSetting,
  optimizer: OptimizerSettings,
  phaseLoss: EmulatorLoss = original,
): StepFunction {
  const { layout } = setting.evolver;
  const decodeFrozen = frozenDecoder(setting);
  return (state, inputs, part = wholeBatch) => {
    const differentiated = (arrays: TensorMap): { loss: tf.Scalar; aside: TensorMap } => {
      const states = statesOf(setting.evolver, arrays, inputs);
      const { total, ...parts } =
        phaseLoss.of === "latents"
          ? latentLoss(states, flatRows(inputs.latent_targets!), phaseLoss)
          : abundanceLoss(
              decodeFrozen(state, selected(states, inputs)),
              flatRows(inputs.targets!),
              state.stoichiometry as tf.Tensor2D,
              phaseLoss,
              setting.loss,
            );
      return { loss: total, aside: batchMeans(part, parts) };
    };
    const made = lossAndGradients(layout.unpack(state.parameters!), differentiated, part);
    const update = optimizerStep(state, made.gradients, layout, inputs, optimizer);
    return {
      state: update.state,
      outputs: { total: made.loss, ...made.aside, gradient_norm: update.gradient_norm },
    };
  };
}

/** The states of the steps that are decoded, [decoded · windows, latent]: a product with ones and zeros, whose gradient is one too. */
function selected(states: tf.Tensor2D, { selection, physical }: TensorMap): tf.Tensor2D {
  if (!selection) return states;
  const [steps, windows] = physical!.shape as [number, number];
  const latent = states.shape[1];
  const chosen = tf.matMul(selection as tf.Tensor2D, tf.reshape(states, [steps, windows * latent]));
  return tf.reshape(chosen, [selection.shape[0]! * windows, latent]);
}

/** Validation: as the training step without masks; outputs `errors` and `dex` [species], summed over windows, averaged over steps. */
export function emulatorValidationStep(setting: EmulatorSetting): StepFunction {
  const { evolver } = setting;
  const decodeFrozen = frozenDecoder(setting);
  return (state, inputs, { sum } = wholeBatch) => {
    const predicted = decodeFrozen(state, statesOf(evolver, evolver.layout.unpack(state.parameters!), inputs));
    const [targets, steps] = [flatRows(inputs.targets!), inputs.targets!.shape[0]!];
    const errors = tf.div(validationSum(predicted, targets, setting.loss), steps);
    const dex = tf.div(dexSum(predicted, targets, setting.loss), steps);
    return { outputs: { errors: sum(errors), dex: sum(dex) } };
  };
}

/** The rollout on a step's inputs, with dropout where its masks are there. */
function statesOf(evolver: Evolver, arrays: TensorMap, inputs: TensorMap): tf.Tensor2D {
  const drawn = evolver.masks.flatMap(({ name }) => (inputs[name] ? [[name, inputs[name]] as const] : []));
  const masks = drawn.length > 0 ? Object.fromEntries(drawn) : null;
  return rolloutFrom(
    evolver,
    arrays,
    { physical: inputs.physical as tf.Tensor3D, masks },
    inputs.latents as tf.Tensor2D,
  );
}

/** Scaled latents, [rows, latent], → scaled abundances, [rows, species], with running statistics. */
function frozenDecoder({
  compressor,
  latents: scale,
}: EmulatorSetting): (state: TensorMap, latents: tf.Tensor2D) => tf.Tensor2D {
  const { layouts } = compressor;
  return (state, latents) => {
    const arrays = {
      ...layouts.trainable.unpack(state.decoder_parameters!),
      ...layouts.statistics.unpack(state.decoder_statistics!),
    };
    return compressor.decode(arrays, unscaledTensor(latents, scale), runningNormalizer(arrays));
  };
}
