import type { StepFunction } from "../backend/engine.ts";
import type { TensorMap, tf } from "../backend/tf.ts";
import { type AutoencoderShape, autoencoderLayouts, decode, encode } from "./autoencoder.ts";
import { bounded, boundsOf } from "./bounds.ts";
import { type EmulatorShape, emulatorLayout, rollout } from "./emulator.ts";
import { runningNormalizer } from "./normalization.ts";

/** Encoding: state `parameters`, `statistics`; input `features` [rows, species] scaled; output `latents` [rows, latent], raw. */
export function encodeStep(shape: AutoencoderShape): StepFunction {
  const unpacked = evaluationArrays(shape);
  return (state, inputs) => {
    const arrays = unpacked(state);
    return { outputs: { latents: encode(arrays, inputs.features as tf.Tensor2D, runningNormalizer(arrays), null) } };
  };
}

/** Decoding: state `parameters`, `statistics`, any bounds; input `latents` [rows, latent] raw; output `scaled` [rows, species]. */
export function decodeStep(shape: AutoencoderShape): StepFunction {
  const unpacked = evaluationArrays(shape);
  return (state, inputs) => {
    const arrays = unpacked(state);
    const scaled = decode(arrays, inputs.latents as tf.Tensor2D, runningNormalizer(arrays), null);
    return { outputs: { scaled: bounded(scaled, boundsOf(state, "abundance")) } };
  };
}

/** The rollout: state `parameters`, any bounds; inputs `physical`, `latents`; output `latents` [steps · windows, latent], scaled, time first. */
export function rolloutStep(emulator: EmulatorShape): StepFunction {
  const layout = emulatorLayout(emulator);
  return (state, inputs) => {
    const arrays = layout.unpack(state.parameters!);
    const [physical, latents] = [inputs.physical as tf.Tensor3D, inputs.latents as tf.Tensor2D];
    return { outputs: { latents: rollout(arrays, physical, latents, { bounds: boundsOf(state, "latent") }) } };
  };
}

/** The autoencoder's arrays by name, weights and running statistics, of a state with `parameters` and `statistics`. */
export function evaluationArrays(shape: AutoencoderShape): (state: TensorMap) => TensorMap {
  const layouts = autoencoderLayouts(shape);
  return (state) => ({
    ...layouts.trainable.unpack(state.parameters!),
    ...layouts.statistics.unpack(state.statistics!),
  });
}

/** The rollout on a step's inputs: `physical`, `latents`, and `first_mask`, `second_mask` where there is dropout. */
export function rolloutFrom(arrays: TensorMap, inputs: TensorMap): tf.Tensor2D {
  const { first_mask: first, second_mask: second } = inputs;
  const masks = first && second ? { first, second } : null;
  return rollout(arrays, inputs.physical as tf.Tensor3D, inputs.latents as tf.Tensor2D, { masks });
}
