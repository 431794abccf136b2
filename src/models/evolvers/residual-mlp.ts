import { type TensorMap, tf } from "../../backend/tf.ts";
import { type Drive, type EvolverKind, type EvolverState, evolver, flatRows, type Rollout } from "../evolver.ts";
import { Layout, linearSpecs } from "../layout.ts";
import { width } from "../widths.ts";
import { type Chain, evolve, evolveWithin } from "./residual-chain.ts";

/** The original's emulator, a residual MLP (physical + latent → hidden → hidden → latent): z ← z + net([p_t, z]). */
export const residualMlp = residualNetwork("emulator", 180);

/** A kind by this name that is the residual MLP. @param hidden  the usual width of its hidden layers */
export function residualNetwork(name: string, hidden: number): EvolverKind {
  return evolver({
    name,
    widths: { hidden_dim: width(hidden, "Width of the two hidden layers.") },
    build: residualMlpOf,
  });
}

/** The residual MLP of these sizes. */
export function residualMlpOf({ input_dim, output_dim, hidden_dim }: Sizes) {
  return {
    // Named as PyTorch's state_dict has them: `net.1`, `.2`, `.4`, `.5` are ReLU and dropout.
    layout: new Layout([
      ...linearSpecs("net.0", input_dim, hidden_dim),
      ...linearSpecs("net.3", hidden_dim, hidden_dim),
      ...linearSpecs("net.6", hidden_dim, output_dim),
    ]),
    last: { weight: "net.6.weight", bias: "net.6.bias" },
    masks: [
      { name: "first_mask", shape: [hidden_dim] },
      { name: "second_mask", shape: [hidden_dim] },
    ],
    rollout,
  };
}

type Sizes = Readonly<Record<"input_dim" | "output_dim" | "hidden_dim", number>>;

/** All steps at once, with a closed-form gradient: the loop that everybody waits for. */
function rollout(arrays: TensorMap, { physical, masks, bounds }: Drive, { latents }: EvolverState): Rollout {
  const [steps, , parameters] = physical.shape;
  const conditions = flatRows(physical);
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
    tf.matMul(conditions, ofPhysical),
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
  if (bounds) return { states: evolveWithin(chain, latents, steps, bounds), carry: {} };
  // Dropout leaves the unit alone.
  const keep = (mask: tf.Tensor): tf.Tensor2D =>
    tf.pad(
      flatRows(mask),
      [
        [0, 0],
        [0, 1],
      ],
      1,
    );
  const kept = masks ? { first: keep(masks.first_mask!), second: keep(masks.second_mask!) } : null;
  return { states: evolve(chain, latents, steps, kept), carry: {} };
}
