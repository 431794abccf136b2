import { z } from "zod";
import { type TensorMap, tf } from "../../backend/tf.ts";
import { gelu } from "../activations.ts";
import { type CompressorVectors, compressor, type Masks } from "../compressor.ts";
import type { UniformSource } from "../initialization.ts";
import { type ArraySpec, Layout } from "../layout.ts";
import { masked } from "../linear.ts";
import type { LinearLayer, Normalizer } from "../normalization.ts";
import { width } from "../widths.ts";

const positive = z.int().min(1);

/** The original's autoencoder: two hidden layers, the decoder with the encoder's weights, transposed. */
export const tiedAutoencoder = compressor({
  name: "autoencoder",
  widths: {
    hidden_dims: z
      .tuple([positive, positive])
      .default([160, 80])
      .describe("Widths of the two hidden layers, from the species towards the latents."),
    latent_dim: width(14, "Number of latent components."),
  },
  latents: null,
  build: ({ input_dim, hidden_dims, latent_dim }) => {
    const layouts = layoutsOf(input_dim, hidden_dims, latent_dim);
    return {
      layouts,
      masks: [
        { name: "encoder_mask", shape: [hidden_dims[1]] },
        { name: "decoder_mask", shape: [hidden_dims[0]] },
      ],
      initial: (random, outputMean) => initialVectors(layouts, random, outputMean),
      encode,
      decode,
    };
  },
});

/** The arrays, named and shaped as PyTorch's state_dict has them. */
function layoutsOf(species: number, [wide, narrow]: readonly [number, number], latent: number) {
  const norms = [
    ["encoder_bn1", wide],
    ["encoder_bn2", narrow],
    ["encoder_norm3", latent],
    ["decoder_bn1", narrow],
    ["decoder_bn2", wide],
  ] as const;
  const linear = (name: string, shape: number[], inputs: number): ArraySpec => ({ name, shape, fresh: { inputs } });
  return {
    trainable: new Layout([
      { name: "decoder_bias1", shape: [narrow] },
      { name: "decoder_bias2", shape: [wide] },
      { name: "decoder_bias3", shape: [species] },
      linear("encoder_fc1.weight", [wide, species], species),
      linear("encoder_fc2.weight", [narrow, wide], wide),
      linear("encoder_fc3.weight", [latent, narrow], narrow),
      linear("encoder_fc3.bias", [latent], narrow),
      ...norms.flatMap(([name, features]) => [
        { name: `${name}.weight`, shape: [features], fresh: 1 },
        { name: `${name}.bias`, shape: [features] },
      ]),
    ]),
    statistics: new Layout(
      norms.flatMap(([name, features]) => [
        { name: `${name}.running_mean`, shape: [features] },
        { name: `${name}.running_var`, shape: [features], fresh: 1 },
      ]),
    ),
  };
}

/**
 * Fresh weights.
 * @param outputMean  what the decoder gives where nothing speaks for more or less; null for the middle of the scale, where species that
 *                    are always near the floor have far to go
 */
function initialVectors(
  { trainable, statistics }: ReturnType<typeof layoutsOf>,
  random: UniformSource,
  outputMean: ArrayLike<number> | null,
): CompressorVectors {
  const vector = trainable.fresh(random);
  if (outputMean !== null) {
    const bias = trainable.view(vector, "decoder_bias3");
    // The sigmoid never reaches its ends.
    for (let s = 0; s < bias.length; s++) bias[s] = logit(Math.min(Math.max(outputMean[s]!, 1e-3), 1 - 1e-3));
  }
  return { trainable: vector, statistics: statistics.fresh(random) };
}

/** The inverse of the sigmoid. */
function logit(probability: number): number {
  return Math.log(probability / (1 - probability));
}

/**
 * Scaled abundances → raw latents.
 * @param masks  `encoder_mask` [rows, hidden_dims[1]] (0 or 1/(1 − p))
 * @returns      [rows, latent_dim], each ≥ −0.17 (the minimum of GELU), not bounded above
 */
function encode(arrays: TensorMap, x: tf.Tensor2D, norm: Normalizer, { encoder_mask }: Masks = {}): tf.Tensor2D {
  const linear = (layer: string, bias?: tf.Tensor): LinearLayer => {
    return { matrix: arrays[`encoder_${layer}.weight`] as tf.Tensor2D, transposed: true, bias };
  };
  const a1 = gelu(norm.layer(x, linear("fc1"), "encoder_bn1"));
  const a2 = masked(gelu(norm.layer(a1, linear("fc2"), "encoder_bn2")), encoder_mask);
  return gelu(norm.layer(a2, linear("fc3", arrays["encoder_fc3.bias"]!), "encoder_norm3"));
}

/**
 * Raw latents → scaled abundances, through the encoder's own weights, transposed.
 * @param masks  `decoder_mask` [rows, hidden_dims[0]]
 * @returns      [rows, species], in (0, 1)
 */
function decode(arrays: TensorMap, z: tf.Tensor2D, norm: Normalizer, { decoder_mask }: Masks = {}): tf.Tensor2D {
  const tied = (layer: string, bias: string): LinearLayer => {
    return { matrix: arrays[`encoder_${layer}.weight`] as tf.Tensor2D, transposed: false, bias: arrays[bias]! };
  };
  const d1 = gelu(norm.layer(z, tied("fc3", "decoder_bias1"), "decoder_bn1"));
  const d2 = masked(gelu(norm.layer(d1, tied("fc2", "decoder_bias2"), "decoder_bn2")), decoder_mask);
  const last = tied("fc1", "decoder_bias3");
  return tf.sigmoid(tf.add<tf.Tensor2D>(tf.matMul(d2, last.matrix), last.bias!));
}
