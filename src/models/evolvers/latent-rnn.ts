import { type TensorMap, tf } from "../../backend/tf.ts";
import { gelu } from "../activations.ts";
import { type Drive, type EvolverState, evolver, flatRows, type Rollout, stepByStep } from "../evolver.ts";
import { type ArraySpec, Layout, linearSpecs } from "../layout.ts";
import { linear, masked, product, splitLinear, transposed } from "../linear.ts";
import { width } from "../widths.ts";

/**
 * The original's `latent_rnn`: x = GELU(Linear([p_t, z])); stacked GRU cells; z ← z + head([output of the last cell, z]), the head being
 * Linear, GELU, Linear. The hidden state of the first cell begins as Linear(z of the start), those of further cells as 0.
 * Dropout is on each cell's output, not on the hidden state that it keeps, and in the head.
 */
export const latentRnn = evolver({
  name: "latent_rnn",
  widths: {
    hidden_dim: width(80, "Width of the hidden states and of the layers around the cells."),
    layers: width(1, "Recurrent cells, one upon another."),
  },
  build: ({ input_dim, output_dim, hidden_dim, layers }) => {
    const cells = [...Array(layers).keys()];
    const hidden = cells.map((layer) => ({ name: hiddenOf(layer), shape: [hidden_dim] }));
    return {
      // Named as PyTorch's state_dict has them: `input_projection.1`, `output_head.1` and `.2` are GELU and dropout.
      layout: new Layout([
        ...linearSpecs("input_projection.0", input_dim, hidden_dim),
        ...linearSpecs("hidden_projection", output_dim, hidden_dim),
        ...cells.flatMap((layer) => cellSpecs(`cells.${layer}`, hidden_dim)),
        ...linearSpecs("output_head.0", hidden_dim + output_dim, hidden_dim),
        ...linearSpecs("output_head.3", hidden_dim, output_dim),
      ]),
      last: { weight: "output_head.3.weight", bias: "output_head.3.bias" },
      carry: hidden,
      masks: [
        ...hidden.map(({ name, shape }) => ({ name: `${name}_mask`, shape })),
        { name: headMask, shape: [hidden_dim] },
      ],
      begin: (arrays, latents) => {
        const first = linear(arrays, "hidden_projection")(latents);
        return Object.fromEntries(cells.map((layer) => [hiddenOf(layer), layer === 0 ? first : tf.zerosLike(first)]));
      },
      rollout: (arrays, drive, start) => rollout(arrays, drive, start, cells),
    };
  },
});

const hiddenOf = (layer: number): string => `hidden_${layer}`;
const headMask = "head_mask";

/** A GRU cell as wide as its input, as PyTorch names it: the rows of its gates are reset, update, new. */
function cellSpecs(name: string, hidden: number): ArraySpec[] {
  const fresh = { inputs: hidden };
  return ["ih", "hh"].flatMap((of) => [
    { name: `${name}.weight_${of}`, shape: [3 * hidden, hidden], fresh },
    { name: `${name}.bias_${of}`, shape: [3 * hidden], fresh },
  ]);
}

function rollout(arrays: TensorMap, drive: Drive, start: EvolverState, layers: readonly number[]): Rollout {
  const projection = splitLinear(arrays, "input_projection.0", drive.physical.shape[2]);
  const head = splitLinear(arrays, "output_head.0", arrays["output_head.3.weight"]!.shape[1]!);
  const last = linear(arrays, "output_head.3");
  const cells = layers.map((layer) => cell(arrays, `cells.${layer}`));
  // The physical parameters' share of the projection does not depend on the state: one product for all steps.
  const ofPhysical = product(flatRows(drive.physical), projection.first, projection.bias);
  return stepByStep(drive, start, { ofPhysical }, ({ latents, carry, at, masks }) => {
    let x = gelu(product(latents, projection.second, at.ofPhysical!));
    const after: TensorMap = {};
    for (const layer of layers) {
      const hidden = cells[layer]!(x, carry[hiddenOf(layer)] as tf.Tensor2D);
      after[hiddenOf(layer)] = hidden;
      x = masked(hidden, masks[`${hiddenOf(layer)}_mask`]);
    }
    const inner = gelu(product(x, head.first, product(latents, head.second, head.bias)));
    return { change: last(masked(inner, masks[headMask])), carry: after };
  });
}

/** r = σ(x·Wr + h·Ur + …), u likewise, n = tanh(x·Wn + b + r ⊙ (h·Un + c)); h ← n + u ⊙ (h − n). */
function cell(arrays: TensorMap, name: string): (x: tf.Tensor2D, hidden: tf.Tensor2D) => tf.Tensor2D {
  const [ofInput, ofHidden] = ["ih", "hh"].map((of) => transposed(arrays, `${name}.weight_${of}`)) as [
    tf.Tensor2D,
    tf.Tensor2D,
  ];
  const [inputBias, hiddenBias] = ["ih", "hh"].map((of) => arrays[`${name}.bias_${of}`]!) as [tf.Tensor, tf.Tensor];
  return (x, hidden) => {
    const [resetX, updateX, newX] = tf.split(product(x, ofInput, inputBias), 3, 1);
    const [resetH, updateH, newH] = tf.split(product(hidden, ofHidden, hiddenBias), 3, 1);
    const reset = tf.sigmoid(tf.add(resetX!, resetH!));
    const update = tf.sigmoid(tf.add(updateX!, updateH!));
    const fresh = tf.tanh(tf.add<tf.Tensor2D>(newX!, tf.mul(reset, newH!)));
    return tf.add(fresh, tf.mul(update, tf.sub(hidden, fresh)));
  };
}
