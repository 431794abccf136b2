import { tf } from "../../backend/tf.ts";
import { evolver, flatRows, type ReadParameter } from "../evolver.ts";
import { width } from "../widths.ts";
import { residualMlpOf } from "./residual-mlp.ts";

/** Of the extinction in magnitudes: photo-rates of UCLCHEM's network fall as exp(−γ·Av), most γ between 1.5 and 3.5. */
const gamma = 2;
/** Habing. Below it the photons that cosmic rays make outweigh the field's. */
const floor = 1e-5;
/** Habing. What one unit of the input reaches up to from the floor. */
const one = 1e-2;

/**
 * The residual MLP driven by the radiation that reaches the gas. Extinction and field act on chemistry through photo-rates alone; where
 * little light comes through, in all but 2 of 100 rows of a collapse, they are noise, which an MLP of both learns by heart. In their place
 * stands the shielded field, log10(field · exp(−γ·Av) + floor), the same number for all that is dark.
 */
export const latentShielding = evolver({
  name: "latent_shielding",
  widths: { hidden_dim: width(180, "Width of the two hidden layers.") },
  reads: ["radfield", "extinction"],
  build: ({ input_dim, output_dim, hidden_dim, radfield, extinction }) => {
    // A dataset without one of them has nothing to shield, or nothing that shields.
    if (!radfield || !extinction) return residualMlpOf({ input_dim, output_dim, hidden_dim });
    const plain = residualMlpOf({ input_dim: input_dim - 1, output_dim, hidden_dim });
    return {
      ...plain,
      rollout(arrays, drive, start) {
        const physical = shielded(drive.physical, { radfield, extinction });
        return plain.rollout(arrays, { ...drive, physical }, start);
      },
    };
  },
});

/** @param physical [steps, batch, physical] @returns [steps, batch, physical − 1], the shielded field last */
function shielded(
  physical: tf.Tensor3D,
  { radfield, extinction }: Readonly<Record<"radfield" | "extinction", ReadParameter>>,
): tf.Tensor3D {
  const [steps, batch, parameters] = physical.shape;
  const columns = tf.split(flatRows(physical), parameters, 1);
  const field = logOf(columns[radfield.index]!, radfield);
  const depth = tf.mul(tf.exp(logOf(columns[extinction.index]!, extinction)), gamma);
  const reaching = tf.log(tf.add(tf.exp(tf.sub(field, depth)), floor));
  const input = tf.div(tf.sub(reaching, Math.log(floor)), Math.log(one / floor)) as tf.Tensor2D;
  const others = columns.filter((_, k) => k !== radfield.index && k !== extinction.index);
  return tf.reshape(tf.concat([...others, input], 1), [steps, batch, parameters - 1]);
}

/** The natural logarithm of a parameter, from its scaled column. */
function logOf(column: tf.Tensor, { range: [lower, upper] }: ReadParameter): tf.Tensor {
  return tf.add(tf.mul(column, Math.log(upper / lower)), Math.log(lower));
}
