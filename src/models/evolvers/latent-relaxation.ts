import { tf } from "../../backend/tf.ts";
import { bounded } from "../bounds.ts";
import { evolver, flatRows, stacked } from "../evolver.ts";
import { Layout, linearSpecs } from "../layout.ts";
import { product, splitLinear, transposed } from "../linear.ts";
import { width } from "../widths.ts";
import { type RelaxationChain, relax, relaxPlainly } from "./relaxation-chain.ts";

/** Of the rates at the start: softplus(−3), a twentieth of the way in a row. */
const slowness = 3;

/**
 * Each latent component relaxes towards an equilibrium of the moment: dz/dt = rate · (equilibrium − z), both from an MLP of [p_t, z], solved
 * exactly over a row: z ← z + (1 − exp(−rate)) · (equilibrium − z). With rate = softplus(a) the bracket is sigmoid(a), so that no rate, however
 * stiff, oversteps the equilibrium.
 */
export const latentRelaxation = evolver({
  name: "latent_relaxation",
  widths: { hidden_dim: width(180, "Width of the two hidden layers.") },
  build: ({ input_dim, output_dim, hidden_dim }) => ({
    layout: new Layout([
      ...linearSpecs("first", input_dim, hidden_dim),
      ...linearSpecs("second", hidden_dim, hidden_dim),
      ...linearSpecs("last", hidden_dim, 2 * output_dim),
    ]),
    last: { weight: "last.weight", bias: "last.bias" },
    masks: [
      { name: "first_mask", shape: [hidden_dim] },
      { name: "second_mask", shape: [hidden_dim] },
    ],
    rollout(arrays, { physical, masks, bounds }, { latents }) {
      const first = splitLinear(arrays, "first", input_dim - output_dim);
      // How slow the rates begin belongs to the bias: nothing is left to subtract at each step.
      const offset = tf.concat([tf.fill([output_dim], -slowness), tf.zeros([output_dim])]);
      const chain: RelaxationChain = {
        // The physical parameters' share of the first layer does not depend on the state: one product for all steps.
        driven: product(flatRows(physical), first.first, first.bias),
        ofLatents: first.second,
        second: transposed(arrays, "second.weight"),
        secondBias: arrays["second.bias"]!,
        last: transposed(arrays, "last.weight"),
        lastBias: tf.add(arrays["last.bias"]!, offset),
      };
      const steps = physical.shape[0];
      if (!bounds) {
        const kept = masks && { first: flatRows(masks.first_mask!), second: flatRows(masks.second_mask!) };
        return { states: relax(chain, latents, steps, kept ?? null), carry: {} };
      }
      const within = (z: tf.Tensor2D): tf.Tensor2D => bounded(z, bounds);
      return { states: stacked(relaxPlainly(chain, latents, steps, null, within).after), carry: {} };
    },
  }),
});
