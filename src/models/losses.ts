import { tf } from "../backend/tf.ts";
import { type LogRange, logScale } from "../chemistry/scaling.ts";
import { unscaledTensor } from "./scale-tensors.ts";

/** What the losses need to know of the scaling and of the chemistry. */
export interface LossSettings extends LogRange {
  /** κ = power_weight · ln 10; with the scaling's own range in dex the error is 10^|Δ log10 x| − 1. */
  readonly power_weight: number;
  readonly worst_weight: number;
  readonly conservation_weight: number;
}

/** The parts of the training loss, each []. `total` = 1e-3 · (reconstruction + worst + conservation), the parts already weighted. */
export interface LossTensors {
  readonly total: tf.Scalar;
  readonly reconstruction: tf.Scalar;
  readonly worst: tf.Scalar;
  readonly conservation: tf.Scalar;
}

/**
 * The training loss: the symmetric relative error max/min − 1 = exp(κ|o − t|) − 1, summed over species, its largest
 * value over species, and the mismatch of the elements' totals in dex; each averaged over rows. Its gradient by the predictions
 * has a closed form, with a third of the passes over [rows, species] that automatic differentiation makes; none by the targets.
 * @param predicted, target  [rows, species], scaled
 * @param stoichiometry      [species, elements], atoms per species
 */
export function trainingLoss(
  predicted: tf.Tensor2D,
  target: tf.Tensor2D,
  stoichiometry: tf.Tensor2D,
  settings: LossSettings,
): LossTensors {
  const parts = tf.customGrad((input, save) => {
    const forward = lossForward(input as tf.Tensor2D, target, stoichiometry, settings);
    (save as (tensors: tf.Tensor[]) => void)([...forward.saved, stoichiometry]);
    return {
      value: forward.parts,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => lossGradient(dy as tf.Tensor1D, saved, settings),
    };
  })(predicted) as tf.Tensor1D;
  const [reconstruction, worst, conservation] = tf.unstack(parts) as [tf.Scalar, tf.Scalar, tf.Scalar];
  return { total: tf.mul(tf.sum(parts), 1e-3), reconstruction, worst, conservation };
}

/** The three weighted parts, [3], and what the gradient needs: difference, ratios max/min, linear predictions, ratio of totals' gradient. */
function lossForward(
  predicted: tf.Tensor2D,
  target: tf.Tensor2D,
  stoichiometry: tf.Tensor2D,
  settings: LossSettings,
): { parts: tf.Tensor1D; saved: tf.Tensor[] } {
  const rows = predicted.shape[0];
  const difference = tf.sub(predicted, target);
  const ratios = tf.exp(tf.mul(tf.abs(difference), settings.power_weight * Math.LN10)); // max/min
  const errors = tf.sub<tf.Tensor2D>(ratios, 1);
  const linear = relativeAbundances(predicted, settings);
  const totals = tf.matMul(linear, stoichiometry);
  const mismatch = tf.sub(tf.log(totals), tf.log(tf.matMul(relativeAbundances(target, settings), stoichiometry)));
  const parts = tf.stack([
    tf.div(tf.sum(errors), rows),
    tf.mul(tf.mean(tf.max(errors, 1)), settings.worst_weight),
    // The totals are natural logarithms, the loss counts dex.
    tf.mul(tf.sum(tf.abs(mismatch)), settings.conservation_weight / (rows * Math.LN10)),
  ]) as tf.Tensor1D;
  return { parts, saved: [difference, ratios, linear, tf.div(tf.sign(mismatch), totals)] };
}

/** The gradient by the predictions, [rows, species]. @param dy by the three parts, [3] */
function lossGradient(dy: tf.Tensor1D, saved: tf.Tensor[], settings: LossSettings): tf.Tensor2D {
  const [difference, ratios, linear, signOverTotals, stoichiometry] = saved as [
    tf.Tensor2D,
    tf.Tensor2D,
    tf.Tensor2D,
    tf.Tensor2D,
    tf.Tensor2D,
  ];
  const [rows, species] = ratios.shape;
  const kappa = settings.power_weight * Math.LN10;
  const slope = (settings.log10_upper - settings.log10_lower) * Math.LN10;
  const [byReconstruction, byWorst, byConservation] = tf.unstack(dy);
  // The largest error of a row counts once more: the first of equal ones, as in PyTorch.
  const first = tf.cast(tf.oneHot(tf.argMax(ratios, 1) as tf.Tensor1D, species), "float32");
  const weights = tf.add(
    tf.mul(first, tf.mul(byWorst!, (kappa * settings.worst_weight) / rows)),
    tf.mul(byReconstruction!, kappa / rows),
  );
  // sign, not the step that tfjs takes for the gradient of |x|: it is 0 at 0.
  const ofErrors = tf.mul(tf.mul(tf.sign(difference), ratios), weights);
  const scale = tf.mul(byConservation!, (slope * settings.conservation_weight) / (rows * Math.LN10));
  const ofTotals = tf.matMul(tf.mul(signOverTotals, scale) as tf.Tensor2D, stoichiometry, false, true);
  return tf.add(ofErrors, tf.mul(ofTotals, linear));
}

/**
 * The validation error: the relative error |t − o| / t in linear abundances, summed over rows.
 * @param predicted, target  [rows, species], scaled
 * @returns                  [species]
 */
export function validationSum(predicted: tf.Tensor2D, target: tf.Tensor2D, settings: LossSettings): tf.Tensor1D {
  const scale = logScale(settings);
  const truth = unscaledTensor(target, scale);
  return tf.sum(tf.div(tf.abs(tf.sub(truth, unscaledTensor(predicted, scale))), truth), 0);
}

/**
 * The validation error in dex, |Δ log10|, summed over rows.
 * @param predicted, target  [rows, species], scaled
 * @returns                  [species]
 */
export function dexSum(
  predicted: tf.Tensor2D,
  target: tf.Tensor2D,
  { log10_lower, log10_upper }: LogRange,
): tf.Tensor1D {
  return tf.mul(tf.sum(tf.abs(tf.sub(predicted, target)), 0), log10_upper - log10_lower);
}

/**
 * Abundances in a unit of their own, which ratios of totals do not know: the lower end of the range saves a pass, where float32 has room
 * for the upper one.
 */
function relativeAbundances(scaled: tf.Tensor2D, settings: LogRange): tf.Tensor2D {
  const dex = settings.log10_upper - settings.log10_lower;
  return dex <= 30 ? tf.exp(tf.mul(scaled, dex * Math.LN10)) : unscaledTensor(scaled, logScale(settings));
}
