import { tf } from "../backend/tf.ts";
import { type LogRange, logScale } from "../chemistry/scaling.ts";
import { type LossSettings, type LossTensors, trainingLoss } from "./losses.ts";
import { type PointwiseLoss, pointwiseLoss } from "./pointwise-loss.ts";
import { unscaledTensor } from "./scale-tensors.ts";

/** What a phase of a recipe minimises: the original's loss, with the model's own weights, or an error of each value and terms beside it. */
export type PhaseLoss = typeof originalLoss | MeanLoss;
type MeanLoss = PointwiseLoss & { readonly worst_weight: number; readonly conservation_weight: number };

export const originalLoss = { name: "original" } as const;

/**
 * The loss of a phase on abundances. But for the original's it is the mean over rows and species of the error in dex, with the worst
 * species of each row and the conservation of the elements as terms beside it.
 * @param predicted, target  [rows, species], scaled
 * @param stoichiometry      [species, elements], atoms per species
 * @param original           the settings of the original's loss, and the scaling
 */
export function abundanceLoss(
  predicted: tf.Tensor2D,
  target: tf.Tensor2D,
  stoichiometry: tf.Tensor2D,
  loss: PhaseLoss,
  original: LossSettings,
): LossTensors {
  if (loss.name === "original") return trainingLoss(predicted, target, stoichiometry, original);
  const dex = tf.mul<tf.Tensor2D>(tf.sub(predicted, target), original.log10_upper - original.log10_lower);
  const errors = pointwiseLoss<tf.Tensor2D>(dex, loss);
  const reconstruction = tf.mean<tf.Scalar>(errors);
  const [none, { worst_weight, conservation_weight }] = [tf.scalar(0), loss];
  const worst = worst_weight > 0 ? tf.mul<tf.Scalar>(tf.mean(rowMaximum(errors)), worst_weight) : none;
  const conservation =
    conservation_weight > 0
      ? tf.mul<tf.Scalar>(totalsMismatch(predicted, target, stoichiometry, original), conservation_weight)
      : none;
  return { total: tf.add(reconstruction, tf.add(worst, conservation)), reconstruction, worst, conservation };
}

/**
 * The loss of a phase on scaled latents: the mean of the error over all values.
 * @param predicted, target  the same shape, in standard deviations
 */
export function latentLoss(predicted: tf.Tensor, target: tf.Tensor, loss: PointwiseLoss): LossTensors {
  const errors = tf.mean<tf.Scalar>(pointwiseLoss(tf.sub(predicted, target), loss));
  // A tensor of its own each: whoever takes the loss may dispose its parts.
  return { total: errors, reconstruction: tf.clone(errors), worst: tf.scalar(0), conservation: tf.scalar(0) };
}

/** The largest entry of each row, [rows]; the first of equal ones has the gradient, as in the original's loss. */
function rowMaximum(errors: tf.Tensor2D): tf.Tensor1D {
  return tf.customGrad((...inputs) => {
    const [x, save] = inputs as unknown as [tf.Tensor2D, (tensors: tf.Tensor[]) => void];
    save([x]);
    return {
      value: tf.max(x, 1),
      gradFunc: (dy: tf.Tensor, [rows]: tf.Tensor[]) => {
        const first = tf.oneHot(tf.argMax(rows!, 1) as tf.Tensor1D, rows!.shape[1]!);
        return tf.mul(tf.cast(first, "float32"), tf.expandDims(dy, 1));
      },
    };
  })(errors) as tf.Tensor1D;
}

/** |Δ log10| of the elements' totals, averaged over rows and elements, []. */
function totalsMismatch(
  predicted: tf.Tensor2D,
  target: tf.Tensor2D,
  stoichiometry: tf.Tensor2D,
  range: LogRange,
): tf.Scalar {
  const totals = (scaled: tf.Tensor2D): tf.Tensor =>
    tf.log(tf.matMul(unscaledTensor(scaled, logScale(range)), stoichiometry));
  const dex = tf.div(tf.sub(totals(predicted), totals(target)), Math.LN10);
  return tf.mean<tf.Scalar>(pointwiseLoss(dex, { name: "l1" }));
}
