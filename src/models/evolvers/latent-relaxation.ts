import { tf } from "../../backend/tf.ts";
import { evolver, flatRows, stepByStep } from "../evolver.ts";
import { Layout, linearSpecs } from "../layout.ts";
import { width } from "../widths.ts";

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
    rollout(arrays, drive, start) {
      const weight = (name: string): tf.Tensor2D => tf.transpose(arrays[`${name}.weight`] as tf.Tensor2D);
      // The physical parameters' share of the first layer does not depend on the state: one product for all steps.
      const parameters = input_dim - output_dim;
      const [ofPhysical, ofLatents] = tf.split(weight("first"), [parameters, output_dim], 0);
      const driven = tf.add<tf.Tensor2D>(tf.matMul(flatRows(drive.physical), ofPhysical!), arrays["first.bias"]!);
      const [second, last] = [weight("second"), weight("last")];
      // How slow the rates begin belongs to the bias: nothing is left to subtract at each step.
      const offset = tf.concat([tf.fill([output_dim], -slowness), tf.zeros([output_dim])]);
      const bias = tf.add(arrays["last.bias"]!, offset);
      const hidden = (x: tf.Tensor2D, mask?: tf.Tensor2D): tf.Tensor2D =>
        mask ? tf.mul(tf.relu(x), mask) : tf.relu(x);
      return stepByStep(drive, start, { driven }, ({ latents, at, masks }) => {
        const h1 = hidden(tf.add(tf.matMul(latents, ofLatents as tf.Tensor2D), at.driven!), masks.first_mask);
        const h2 = hidden(tf.add(tf.matMul(h1, second), arrays["second.bias"]!), masks.second_mask);
        const [rate, equilibrium] = tf.split(tf.add(tf.matMul(h2, last), bias), 2, 1);
        return { change: tf.mul(tf.sigmoid(rate!), tf.sub(equilibrium!, latents)) };
      });
    },
  }),
});
