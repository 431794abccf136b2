import { type TensorMap, tf } from "../backend/tf.ts";
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
 * The emulator applied step by step: z ← z + net([p_t, z]). No clamp: scaled latents may leave [0, 1].
 * @param physical  [steps, batch, physical], scaled, time first
 * @param latents   [batch, latent_dim], scaled: the state at the first row
 * @returns         [steps · batch, latent_dim], scaled, time first: entry t is the state at row t + 1
 */
export function rollout(
  arrays: TensorMap,
  physical: tf.Tensor3D,
  latents: tf.Tensor2D,
  masks: RolloutMasks | null,
): tf.Tensor2D {
  const [steps, batch, parameters] = physical.shape;
  const [hidden, inputs] = arrays["net.0.weight"]!.shape as [number, number];
  const weight0 = tf.transpose(arrays["net.0.weight"] as tf.Tensor2D); // [inputs, hidden]
  const ofPhysical = tf.slice(weight0, [0, 0], [parameters, hidden]);
  const ofLatents = tf.slice(weight0, [parameters, 0], [inputs - parameters, hidden]);
  const weight3 = tf.transpose(arrays["net.3.weight"] as tf.Tensor2D);
  const weight6 = tf.transpose(arrays["net.6.weight"] as tf.Tensor2D);
  // The physical parameters' share of the first layer does not depend on the state: one product for all steps.
  const drive = tf.add(tf.matMul(tf.reshape(physical, [steps * batch, parameters]), ofPhysical), arrays["net.0.bias"]!);
  // The gradient of `unstack` fails for a single part.
  const drives = (steps === 1 ? [drive] : tf.unstack(tf.reshape(drive, [steps, batch, hidden]))) as tf.Tensor2D[];
  const first = masks ? tf.unstack(masks.first) : [];
  const second = masks ? tf.unstack(masks.second) : [];

  const states: tf.Tensor2D[] = [];
  let z = latents;
  for (let t = 0; t < steps; t++) {
    const h1 = masked(tf.relu(tf.add(tf.matMul(z, ofLatents), drives[t]!)), first[t]);
    const h2 = masked(tf.relu(tf.add(tf.matMul(h1, weight3), arrays["net.3.bias"]!)), second[t]);
    z = tf.add(z, tf.add(tf.matMul(h2, weight6), arrays["net.6.bias"]!));
    states.push(z);
  }
  return states.length === 1 ? states[0]! : tf.concat(states, 0);
}

function masked(x: tf.Tensor, mask: tf.Tensor | undefined): tf.Tensor2D {
  return (mask ? tf.mul(x, mask) : x) as tf.Tensor2D;
}
