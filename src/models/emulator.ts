import { type TensorMap, tf } from "../backend/tf.ts";
import type { BoundTensors } from "./bounds.ts";
import { type Chain, evolve, evolveWithin } from "./evolve.ts";
import { type UniformSource, uniformLinear } from "./initialization.ts";
import { Layout } from "./layout.ts";

/** The sizes of an emulator: a residual MLP (physical + latent → hidden → hidden → latent). */
export interface EmulatorShape {
  /** Physical parameters + latents. */
  readonly input_dim: number;
  readonly hidden_dim: number;
  readonly output_dim: number;
}

/** The arrays, named and shaped as PyTorch's state_dict has them (`net.1`, `.2`, `.4`, `.5` are ReLU and dropout). */
export function emulatorLayout({ input_dim, hidden_dim, output_dim }: EmulatorShape): Layout {
  return new Layout([
    { name: "net.0.weight", shape: [hidden_dim, input_dim] },
    { name: "net.0.bias", shape: [hidden_dim] },
    { name: "net.3.weight", shape: [hidden_dim, hidden_dim] },
    { name: "net.3.bias", shape: [hidden_dim] },
    { name: "net.6.weight", shape: [output_dim, hidden_dim] },
    { name: "net.6.bias", shape: [output_dim] },
  ]);
}

/**
 * Fresh weights: U(−1/√fan_in, 1/√fan_in) for every weight and bias.
 * @param lastLayer  factor of the last layer's weights, its bias 0: small ones start the rollout near the identity; null for neither
 * @returns          [layout.size]
 */
export function initialEmulator(
  shape: EmulatorShape,
  random: UniformSource,
  lastLayer: number | null = null,
): Float32Array {
  const layout = emulatorLayout(shape);
  const vector = new Float32Array(layout.size);
  for (const { name } of layout.specs) {
    uniformLinear(layout.view(vector, name), name.startsWith("net.0") ? shape.input_dim : shape.hidden_dim, random);
  }
  if (lastLayer !== null) {
    const last = layout.view(vector, "net.6.weight");
    last.set(last.map((weight) => weight * lastLayer));
    layout.view(vector, "net.6.bias").fill(0);
  }
  return vector;
}

/** Inverted dropout masks after the two hidden layers, each [steps, batch, hidden_dim]. */
export interface RolloutMasks {
  readonly first: tf.Tensor;
  readonly second: tf.Tensor;
}

/**
 * The emulator applied step by step: z ← z + net([p_t, z]). Scaled latents may leave [0, 1], but not the bounds where there are any.
 * @param physical  [steps, batch, physical], scaled, time first
 * @param latents   [batch, latent_dim], scaled: the state at the first row
 * @param options   `masks` to train with, `bounds` of the state, [1, latent_dim], to use it
 * @returns         [steps · batch, latent_dim], scaled, time first: entry t is the state at row t + 1
 */
export function rollout(
  arrays: TensorMap,
  physical: tf.Tensor3D,
  latents: tf.Tensor2D,
  { masks = null, bounds = null }: { readonly masks?: RolloutMasks | null; readonly bounds?: BoundTensors | null } = {},
): tf.Tensor2D {
  const [steps, batch, parameters] = physical.shape;
  const [hidden, inputs] = arrays["net.0.weight"]!.shape as [number, number];
  const array = (name: string): tf.Tensor2D => arrays[name] as tf.Tensor2D;
  // One more hidden unit, always 1, carries the biases: they are rows of the weights, and nothing is left to add at each step.
  const unit = tf.ones([1]);
  const besideUnit = (x: tf.Tensor2D): tf.Tensor2D =>
    tf.pad(x, [
      [0, 0],
      [0, 1],
    ]);
  const weight0 = besideUnit(tf.transpose(array("net.0.weight"))); // [inputs, hidden + 1]
  const ofPhysical = tf.slice(weight0, [0, 0], [parameters, hidden + 1]);
  const ofLatents = tf.slice(weight0, [parameters, 0], [inputs - parameters, hidden + 1]);
  // The physical parameters' share of the first layer does not depend on the state: one product for all steps.
  const bias = tf.concat([arrays["net.0.bias"] as tf.Tensor1D, unit]);
  const drive = tf.add<tf.Tensor2D>(
    tf.matMul(tf.reshape(physical, [steps * batch, parameters]), ofPhysical),
    // States within bounds are counted from the lower one.
    bounds ? tf.add(tf.matMul(bounds.lower as tf.Tensor2D, ofLatents), bias) : bias,
  );
  const withBias = (name: string): tf.Tensor2D =>
    tf.concat([tf.transpose(array(`${name}.weight`)), tf.expandDims(arrays[`${name}.bias`]!, 0)], 0);
  const hiddenToUnit = tf.concat([tf.zeros([hidden, 1]), tf.ones([1, 1])], 0) as tf.Tensor2D;
  const chain: Chain = {
    drive,
    ofLatents,
    second: tf.concat([withBias("net.3"), hiddenToUnit], 1),
    third: withBias("net.6"),
  };
  const keep = (mask: tf.Tensor): tf.Tensor2D =>
    tf.pad(
      tf.reshape(mask, [steps * batch, hidden]),
      [
        [0, 0],
        [0, 1],
      ],
      1,
    ) as tf.Tensor2D;
  if (bounds) return evolveWithin(chain, latents, steps, bounds);
  return evolve(chain, latents, steps, masks && { first: keep(masks.first), second: keep(masks.second) });
}
