import { type TensorMap, tf } from "../../backend/tf.ts";
import { gelu } from "../activations.ts";
import {
  type Drive,
  type EvolverShape,
  type EvolverState,
  evolver,
  flatRows,
  type Rollout,
  stepByStep,
} from "../evolver.ts";
import { Layout, linearSpecs } from "../layout.ts";
import { linear, masked, product, splitLinear } from "../linear.ts";
import { width } from "../widths.ts";

/**
 * The original's `latent_ode`: dz/dt = MLP([z, p]), two hidden layers, GELU; the physical parameters are constant over a step. The original
 * chooses its steps adaptively; here each is `substeps` classical Runge-Kutta steps of fourth order, so that it is a static graph.
 *
 * Time is in units of the training's step. Where the dataset's step is an input, the unit is the geometric mean of its range, √(lower ·
 * upper), and the step is taken from its column, which is then no input of the MLP: the rate does not depend on the length of the step.
 */
export const latentOde = evolver({
  name: "latent_ode",
  widths: {
    hidden_dim: width(80, "Width of the two hidden layers."),
    substeps: width(1, "Runge-Kutta steps of fourth order in each step of the data."),
  },
  reads: ["timestep"],
  build: (shape) => ({
    // Named as PyTorch's state_dict has them: `func.net.1` and `.3` are GELU.
    layout: new Layout([
      ...linearSpecs("func.net.0", shape.input_dim - (shape.timestep ? 1 : 0), shape.hidden_dim),
      ...linearSpecs("func.net.2", shape.hidden_dim, shape.hidden_dim),
      ...linearSpecs("func.net.4", shape.hidden_dim, shape.output_dim),
    ]),
    last: { weight: "func.net.4.weight", bias: "func.net.4.bias" },
    // One mask for all rates of a step: with one for each, the equation itself would change within the step.
    masks: [
      { name: "first_mask", shape: [shape.hidden_dim] },
      { name: "second_mask", shape: [shape.hidden_dim] },
    ],
    rollout: (arrays, drive, start) => rollout(arrays, drive, start, shape),
  }),
});

type Shape = Pick<EvolverShape, "timestep"> & { readonly substeps: number };

function rollout(arrays: TensorMap, drive: Drive, start: EvolverState, { timestep, substeps }: Shape): Rollout {
  const first = splitLinear(arrays, "func.net.0", start.latents.shape[1]);
  const [second, third] = [linear(arrays, "func.net.2"), linear(arrays, "func.net.4")];
  const physical = flatRows(drive.physical);
  const conditions = timestep ? without(physical, timestep.index) : physical;
  // The physical parameters' share of the first layer does not depend on the state: one product for all steps.
  const ofPhysical = product(conditions, first.second, first.bias);
  const lengths = timestep ? { length: stepLengths(physical, timestep) } : {};
  return stepByStep(drive, start, { ofPhysical, ...lengths }, ({ latents, at, masks }) => {
    const rate = (z: tf.Tensor2D): tf.Tensor2D => {
      const h = masked(gelu(product(z, first.first, at.ofPhysical!)), masks.first_mask);
      return third(masked(gelu(second(h)), masks.second_mask));
    };
    const scaled = (x: tf.Tensor2D, share: number): tf.Tensor2D => {
      return tf.mul(x, at.length ? tf.mul(at.length, share / substeps) : share / substeps);
    };
    let z = latents;
    let change = rungeKutta(rate, scaled, z);
    for (let k = 1; k < substeps; k++) {
      z = tf.add(latents, change);
      change = tf.add(change, rungeKutta(rate, scaled, z));
    }
    return { change };
  });
}

/** The change over one step of the classical fourth order. @param scaled  multiplies by a share of the step's length */
function rungeKutta(
  rate: (z: tf.Tensor2D) => tf.Tensor2D,
  scaled: (x: tf.Tensor2D, share: number) => tf.Tensor2D,
  z: tf.Tensor2D,
): tf.Tensor2D {
  const k1 = rate(z);
  const k2 = rate(tf.add(z, scaled(k1, 1 / 2)));
  const k3 = rate(tf.add(z, scaled(k2, 1 / 2)));
  const k4 = rate(tf.add(z, scaled(k3, 1)));
  const inner = tf.mul<tf.Tensor2D>(tf.add(k2, k3), 2);
  return scaled(tf.add(tf.add(k1, k4), inner), 1 / 6);
}

/** The steps of rows in units of the geometric mean of their range, [rows, 1]: their column is log10(step), scaled to the range. */
function stepLengths(
  physical: tf.Tensor2D,
  { index, range: [lower, upper] }: NonNullable<Shape["timestep"]>,
): tf.Tensor2D {
  const scaled = tf.slice(physical, [0, index], [physical.shape[0], 1]);
  return tf.exp(tf.mul(tf.sub(scaled, 0.5), Math.log(upper / lower)));
}

/** The columns of [rows, n] but one. */
function without(physical: tf.Tensor2D, index: number): tf.Tensor2D {
  const [rows, columns] = physical.shape;
  const [before, after] = [
    tf.slice(physical, [0, 0], [rows, index]),
    tf.slice(physical, [0, index + 1], [rows, columns - index - 1]),
  ];
  return tf.concat(
    [before, after].filter(({ shape }) => shape[1] > 0),
    1,
  ) as tf.Tensor2D;
}
