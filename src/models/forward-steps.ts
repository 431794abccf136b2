import type { StepFunction } from "../backend/engine.ts";
import { type TensorMap, tf } from "../backend/tf.ts";
import { type AutoencoderShape, autoencoderLayouts, decode, encode } from "./autoencoder.ts";
import { bounded, boundsAmong, boundsOf } from "./bounds.ts";
import { type EmulatorShape, emulatorLayout, rollout } from "./emulator.ts";
import { runningNormalizer } from "./normalization.ts";

/** A step with frozen weights: the state's vectors by their arrays, and what is done with them. */
export interface FrozenStep {
  readonly prepare: (state: TensorMap) => TensorMap;
  /** Which dimension of each input counts the rows or the trajectories. */
  readonly batch: Readonly<Record<string, number>>;
  /** Its state is what `prepare` gives. */
  readonly step: StepFunction;
}

/** Encoding: state `parameters`, `statistics`; input `features` [rows, species] scaled; output `latents` [rows, latent], raw. */
export function encodeStep(shape: AutoencoderShape): FrozenStep {
  const step: StepFunction = (arrays, inputs) => ({
    outputs: { latents: encode(arrays, inputs.features as tf.Tensor2D, runningNormalizer(arrays), null) },
  });
  return { prepare: evaluationArrays(shape), batch: { features: 0 }, step };
}

/** Decoding: state `parameters`, `statistics`, any bounds; input `latents` [rows, latent] raw; output `scaled` [rows, species]. */
export function decodeStep(shape: AutoencoderShape): FrozenStep {
  const unpacked = evaluationArrays(shape);
  const step: StepFunction = (arrays, inputs) => {
    const scaled = decode(arrays, inputs.latents as tf.Tensor2D, runningNormalizer(arrays), null);
    return { outputs: { scaled: bounded(scaled, boundsOf(arrays, "abundance")) } };
  };
  return {
    prepare: (state) => ({ ...unpacked(state), ...boundsAmong(state, "abundance") }),
    batch: { latents: 0 },
    step,
  };
}

/** The rollout: state `parameters`, any bounds; inputs `physical`, `latents`; output `latents` [steps, trajectories, latent], scaled. */
export function rolloutStep(emulator: EmulatorShape): FrozenStep {
  const layout = emulatorLayout(emulator);
  const step: StepFunction = (arrays, inputs) => {
    const [physical, latents] = [inputs.physical as tf.Tensor3D, inputs.latents as tf.Tensor2D];
    const evolved = rollout(arrays, physical, latents, { bounds: boundsOf(arrays, "latent") });
    return { outputs: { latents: tf.reshape(evolved, [physical.shape[0], ...latents.shape]) } };
  };
  return {
    prepare: (state) => ({ ...layout.unpack(state.parameters!), ...boundsAmong(state, "latent") }),
    batch: { physical: 1, latents: 0 },
    step,
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
