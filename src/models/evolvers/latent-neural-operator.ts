import { type TensorMap, tf } from "../../backend/tf.ts";
import { gelu } from "../activations.ts";
import { evolver, flatRows, stepByStep } from "../evolver.ts";
import { type ArraySpec, Layout, linearSpecs } from "../layout.ts";
import { linear, transposed } from "../linear.ts";
import { layerNorm } from "../normalization.ts";
import { width } from "../widths.ts";

/** Sizes of one state: so many latent components, so many channels each. */
interface Tokens {
  readonly latents: number;
  readonly channels: number;
}

/**
 * The original's `latent_neural_operator`, an MLP-Mixer (Tolstikhin et al. 2021): each latent component is a token, embedded with the
 * physical parameters and a learned position. Blocks mix components, then channels; a head reads the change of each component.
 */
export const latentNeuralOperator = evolver({
  name: "latent_neural_operator",
  widths: {
    width: width(64, "Channels of each latent component."),
    blocks: width(3, "Blocks, each of which mixes components, then channels."),
  },
  build: ({ input_dim, output_dim: latents, width: channels, blocks }) => ({
    // Named as the original's state_dict has them.
    layout: new Layout([
      ...linearSpecs("token_projection", 1, channels),
      ...linearSpecs("phys_projection.0", input_dim - latents, channels),
      ...linearSpecs("phys_projection.2", channels, channels),
      { name: "position_embedding", shape: [1, latents, channels] },
      ...Array.from({ length: blocks }, (_, k) => blockSpecs(`blocks.${k}`, { latents, channels })).flat(),
      ...normSpecs("output_head.0", channels),
      ...linearSpecs("output_head.1", channels, 1),
    ]),
    last: { weight: "output_head.1.weight", bias: "output_head.1.bias" },
    // Some 120 operations a step: 256 steps in one graph took three minutes to prepare.
    stretch: 16,
    rollout(arrays, drive, start) {
      // The physical parameters do not depend on the state: all steps at once.
      const embed = gelu(linear(arrays, "phys_projection.0")(flatRows(drive.physical)));
      const embedded = linear(arrays, "phys_projection.2")(embed);
      const mix = Array.from({ length: blocks }, (_, k) => mixer(arrays, `blocks.${k}`, { latents, channels }));
      const position = tf.add(arrays.position_embedding!, arrays["token_projection.bias"]!);
      const direction = transposed(arrays, "token_projection.weight"); // [1, channels]
      const [headNorm, head] = [norms(arrays, "output_head.0"), linear(arrays, "output_head.1")];
      return stepByStep(drive, start, { embedded }, ({ latents: z, at }) => {
        const state = tf.mul(tf.expandDims(z, 2), direction); // [batch, latents, channels]
        const tokens = tf.add(state, tf.add(tf.expandDims(at.embedded!, 1), position));
        const mixed = mix.reduce((x, block) => block(x), tf.reshape(tokens, [-1, channels]) as tf.Tensor2D);
        return { change: tf.reshape(head(headNorm(mixed)), [-1, latents]) };
      });
    },
  }),
});

function blockSpecs(name: string, { latents, channels }: Tokens): ArraySpec[] {
  return [
    ...normSpecs(`${name}.token_norm`, channels),
    ...linearSpecs(`${name}.token_in`, latents, 2 * latents),
    ...linearSpecs(`${name}.token_out`, 2 * latents, latents),
    ...normSpecs(`${name}.channel_norm`, channels),
    ...linearSpecs(`${name}.channel_in`, channels, 2 * channels),
    ...linearSpecs(`${name}.channel_out`, 2 * channels, channels),
  ];
}

function normSpecs(name: string, channels: number): ArraySpec[] {
  return [
    { name: `${name}.weight`, shape: [channels], fresh: 1 },
    { name: `${name}.bias`, shape: [channels] },
  ];
}

/** One block on [batch · latents, channels]: every product has two dimensions, which is what engines are fast with. */
function mixer(arrays: TensorMap, name: string, { latents, channels }: Tokens): (x: tf.Tensor2D) => tf.Tensor2D {
  const [tokenNorm, channelNorm] = [norms(arrays, `${name}.token_norm`), norms(arrays, `${name}.channel_norm`)];
  const [tokenIn, tokenOut] = [linear(arrays, `${name}.token_in`), linear(arrays, `${name}.token_out`)];
  const [channelIn, channelOut] = [linear(arrays, `${name}.channel_in`), linear(arrays, `${name}.channel_out`)];
  /** [batch · from, to] → [batch · to, from]. */
  const turned = (x: tf.Tensor2D, from: number, to: number): tf.Tensor2D =>
    tf.reshape(tf.transpose(tf.reshape(x, [-1, from, to]), [0, 2, 1]), [-1, from]);
  return (x) => {
    const acrossComponents = tokenOut(gelu(tokenIn(turned(tokenNorm(x), latents, channels))));
    const mixed = tf.add<tf.Tensor2D>(x, turned(acrossComponents, channels, latents));
    return tf.add(mixed, channelOut(gelu(channelIn(channelNorm(mixed)))));
  };
}

function norms(arrays: TensorMap, name: string): (x: tf.Tensor2D) => tf.Tensor2D {
  return (x) => layerNorm(x, arrays[`${name}.weight`]!, arrays[`${name}.bias`]!);
}
