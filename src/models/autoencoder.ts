import { type TensorMap, tf } from "../backend/tf.ts";
import type { UniformSource } from "./initialization.ts";
import { uniformLinear } from "./initialization.ts";
import { Layout } from "./layout.ts";
import type { LinearLayer, Normalizer } from "./normalization.ts";

/** The sizes of an autoencoder. */
export interface AutoencoderShape {
  /** Species: the width of the input and the output. */
  readonly input_dim: number;
  readonly hidden_dims: readonly [number, number];
  readonly latent_dim: number;
}

/**
 * The arrays of the tied-weight autoencoder, named and shaped as PyTorch's state_dict has them.
 * @returns `trainable` in the order of the optimizer, `statistics` the running means and variances of the batch norms
 */
export function autoencoderLayouts(shape: AutoencoderShape): { trainable: Layout; statistics: Layout } {
  const { input_dim: species, latent_dim: latent } = shape;
  const [wide, narrow] = shape.hidden_dims;
  const norms = [
    ["encoder_bn1", wide],
    ["encoder_bn2", narrow],
    ["encoder_norm3", latent],
    ["decoder_bn1", narrow],
    ["decoder_bn2", wide],
  ] as const;
  const trainable = new Layout([
    { name: "decoder_bias1", shape: [narrow] },
    { name: "decoder_bias2", shape: [wide] },
    { name: "decoder_bias3", shape: [species] },
    { name: "encoder_fc1.weight", shape: [wide, species] },
    { name: "encoder_fc2.weight", shape: [narrow, wide] },
    { name: "encoder_fc3.weight", shape: [latent, narrow] },
    { name: "encoder_fc3.bias", shape: [latent] },
    ...norms.flatMap(([name, width]) => [
      { name: `${name}.weight`, shape: [width] },
      { name: `${name}.bias`, shape: [width] },
    ]),
  ]);
  const statistics = new Layout(
    norms.flatMap(([name, width]) => [
      { name: `${name}.running_mean`, shape: [width] },
      { name: `${name}.running_var`, shape: [width] },
    ]),
  );
  return { trainable, statistics };
}

/**
 * Fresh weights: linear layers U(−1/√fan_in, 1/√fan_in), batch norms weight 1 and bias 0, decoder biases 0, running mean 0 and variance 1.
 * @param outputMean  mean of each scaled abundance, [species]: what the decoder gives where nothing speaks for more or less; null for
 *                    the middle of the scale, where species that are always near the floor have far to go
 */
export function initialAutoencoder(
  shape: AutoencoderShape,
  random: UniformSource,
  outputMean: ArrayLike<number> | null = null,
): { trainable: Float32Array; statistics: Float32Array } {
  const layouts = autoencoderLayouts(shape);
  const trainable = new Float32Array(layouts.trainable.size);
  for (const { name } of layouts.trainable.specs) {
    if (/(bn\d|norm3)\.weight$/.test(name)) layouts.trainable.view(trainable, name).fill(1);
  }
  const fanIn = { fc1: shape.input_dim, fc2: shape.hidden_dims[0], fc3: shape.hidden_dims[1] };
  for (const [layer, inputs] of Object.entries(fanIn)) {
    uniformLinear(layouts.trainable.view(trainable, `encoder_${layer}.weight`), inputs, random);
  }
  uniformLinear(layouts.trainable.view(trainable, "encoder_fc3.bias"), fanIn.fc3, random);
  if (outputMean !== null) {
    const bias = layouts.trainable.view(trainable, "decoder_bias3");
    // The sigmoid never reaches its ends.
    for (let s = 0; s < bias.length; s++) bias[s] = logit(Math.min(Math.max(outputMean[s]!, 1e-3), 1 - 1e-3));
  }
  const statistics = new Float32Array(layouts.statistics.size);
  for (const { name } of layouts.statistics.specs) {
    if (name.endsWith(".running_var")) layouts.statistics.view(statistics, name).fill(1);
  }
  return { trainable, statistics };
}

/** The inverse of the sigmoid. */
function logit(probability: number): number {
  return Math.log(probability / (1 - probability));
}

/**
 * Scaled abundances → raw latents.
 * @param x        [rows, species], scaled
 * @param dropout  inverted dropout mask [rows, hidden_dims[1]] (0 or 1/(1 − p)), null for none
 * @returns        [rows, latent_dim], each ≥ −0.17 (the minimum of GELU), not bounded above
 */
export function encode(arrays: TensorMap, x: tf.Tensor2D, norm: Normalizer, dropout: tf.Tensor | null): tf.Tensor2D {
  const linear = (layer: string, bias?: tf.Tensor): LinearLayer => {
    return { matrix: arrays[`encoder_${layer}.weight`] as tf.Tensor2D, transposed: true, bias };
  };
  const a1 = gelu(norm.layer(x, linear("fc1"), "encoder_bn1"));
  const a2 = masked(gelu(norm.layer(a1, linear("fc2"), "encoder_bn2")), dropout);
  return gelu(norm.layer(a2, linear("fc3", arrays["encoder_fc3.bias"]!), "encoder_norm3"));
}

/**
 * Raw latents → scaled abundances, through the encoder's own weights, transposed.
 * @param z        [rows, latent_dim], raw
 * @param dropout  inverted dropout mask [rows, hidden_dims[0]], null for none
 * @returns        [rows, species], in (0, 1)
 */
export function decode(arrays: TensorMap, z: tf.Tensor2D, norm: Normalizer, dropout: tf.Tensor | null): tf.Tensor2D {
  const tied = (layer: string, bias: string): LinearLayer => {
    return { matrix: arrays[`encoder_${layer}.weight`] as tf.Tensor2D, transposed: false, bias: arrays[bias]! };
  };
  const d1 = gelu(norm.layer(z, tied("fc3", "decoder_bias1"), "decoder_bn1"));
  const d2 = masked(gelu(norm.layer(d1, tied("fc2", "decoder_bias2"), "decoder_bn2")), dropout);
  const last = tied("fc1", "decoder_bias3");
  return tf.sigmoid(tf.add<tf.Tensor2D>(tf.matMul(d2, last.matrix), last.bias!));
}

/**
 * The exact GELU, x·Φ(x) (Hendrycks & Gimpel 2016), not its tanh approximation; its derivative is Φ(x) + x·φ(x). Written in the order
 * that ONNX Runtime knows, and computes in one pass where there is no gradient.
 */
export function gelu(x: tf.Tensor2D): tf.Tensor2D {
  return tf.customGrad((...inputs) => {
    const [input, save] = inputs as unknown as [tf.Tensor2D, (tensors: tf.Tensor[]) => void];
    const u = tf.div(input, Math.SQRT2);
    const twice = tf.add(tf.erf(u), 1); // 2 Φ(x)
    save([u, twice]);
    return {
      value: tf.mul(tf.mul(input, twice), 0.5),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [at, twicePhi] = saved as [tf.Tensor, tf.Tensor];
        // 2 x φ(x) = u · 2/√π · exp(−u²), the factor inside the exponential: a pass less.
        const density = tf.exp(tf.sub(Math.log(2 / Math.sqrt(Math.PI)), tf.square(at)));
        return tf.mul(tf.mul(dy, tf.add(twicePhi, tf.mul(at, density))), 0.5);
      },
    };
  })(x) as tf.Tensor2D;
}

function masked(x: tf.Tensor2D, mask: tf.Tensor | null): tf.Tensor2D {
  return mask ? tf.mul(x, mask) : x;
}
