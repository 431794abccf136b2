import { type HostTensors, scalar } from "../backend/engine.ts";
import { type TensorMap, tf } from "../backend/tf.ts";

/** What AdamW and the clipping are set to; constant over a training. */
export interface AdamWSettings {
  readonly betas: readonly [number, number];
  readonly weight_decay: number;
  /** Largest global L2 norm of the gradients. */
  readonly gradient_clipping: number;
}

const epsilon = 1e-8;

/** The scalars of step `step` (counted from 1) as program inputs: they change each step and must not be frozen into a record. */
export function adamWInputs(settings: AdamWSettings, learningRate: number, step: number): HostTensors {
  const [beta1, beta2] = settings.betas;
  return {
    learning_rate: scalar(learningRate),
    step_size: scalar(learningRate / (1 - beta1 ** step)),
    second_correction: scalar(1 / Math.sqrt(1 - beta2 ** step)),
  };
}

/**
 * One AdamW step (Loshchilov & Hutter 2019) on one vector of all parameters, batch norms and biases included in the
 * decay, after clipping by the global norm: g ← g · min(1, c / (‖g‖ + 1e-6)).
 * @param state     `parameters`, `first_moment`, `second_moment`, each [size]
 * @param gradient  [size]
 * @param inputs    of `adamWInputs`
 * @returns         the new state and `gradient_norm`, []
 */
export function adamWStep(
  state: TensorMap,
  gradient: tf.Tensor,
  inputs: TensorMap,
  settings: AdamWSettings,
): { state: TensorMap; gradient_norm: tf.Tensor } {
  const norm = tf.sqrt(tf.sum(tf.square(gradient)));
  return { state: adamWMove(state, clipped(gradient, norm, settings), inputs, settings), gradient_norm: norm };
}

/** g · min(1, c / (‖g‖ + 1e-6)). */
export function clipped(gradient: tf.Tensor, norm: tf.Tensor, { gradient_clipping }: AdamWSettings): tf.Tensor {
  return tf.mul(gradient, tf.minimum(1, tf.div(gradient_clipping, tf.add(norm, 1e-6))));
}

/** The step itself, with a gradient that is clipped already. @returns the new state */
export function adamWMove(
  state: TensorMap,
  gradient: tf.Tensor,
  inputs: TensorMap,
  { betas: [beta1, beta2], weight_decay }: Pick<AdamWSettings, "betas" | "weight_decay">,
): TensorMap {
  const first = tf.add(tf.mul(state.first_moment!, beta1), tf.mul(gradient, 1 - beta1));
  const second = tf.add(tf.mul(state.second_moment!, beta2), tf.mul(tf.square(gradient), 1 - beta2));
  const decayed = tf.mul(state.parameters!, tf.sub(1, tf.mul(inputs.learning_rate!, weight_decay)));
  const scale = tf.add(tf.mul(tf.sqrt(second), inputs.second_correction!), epsilon);
  const parameters = tf.sub(decayed, tf.div(tf.mul(first, inputs.step_size!), scale));
  return { parameters, first_moment: first, second_moment: second };
}
