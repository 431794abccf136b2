import { absolute, rowMax } from "../backend/gradients.ts";
import { tf } from "../backend/tf.ts";

/** What the losses need to know of the scaling and of the chemistry. */
export interface LossSettings {
  /** κ = power_weight · ln 10; with the scaling's own range in dex the error is 10^|Δ log10 x| − 1. */
  readonly power_weight: number;
  readonly worst_weight: number;
  readonly conservation_weight: number;
  /** log10 of the clipping range's ends. */
  readonly log10_lower: number;
  readonly log10_upper: number;
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
 * value over species, and the mismatch of the elements' totals in dex; each averaged over rows.
 * @param predicted, target  [rows, species], scaled
 * @param stoichiometry      [species, elements], atoms per species
 */
export function trainingLoss(
  predicted: tf.Tensor2D,
  target: tf.Tensor2D,
  stoichiometry: tf.Tensor2D,
  settings: LossSettings,
): LossTensors {
  const rows = predicted.shape[0];
  const kappa = settings.power_weight * Math.LN10;
  const errors = tf.sub<tf.Tensor2D>(tf.exp(tf.mul(absolute(tf.sub(predicted, target)), kappa)), 1);
  const reconstruction = tf.div<tf.Scalar>(tf.sum(errors), rows);
  const worst = tf.mul<tf.Scalar>(tf.mean(rowMax(errors)), settings.worst_weight);
  const mismatch = tf.sub(
    logElementTotals(target, stoichiometry, settings),
    logElementTotals(predicted, stoichiometry, settings),
  );
  const conservation = tf.mul<tf.Scalar>(
    tf.sum(absolute(mismatch)),
    settings.conservation_weight / (rows * Math.LN10), // the totals are natural logarithms, the loss counts dex
  );
  const total = tf.mul<tf.Scalar>(tf.add(tf.add(reconstruction, worst), conservation), 1e-3);
  return { total, reconstruction, worst, conservation };
}

/**
 * The validation error: the relative error |t − o| / t in linear abundances, summed over rows.
 * @param predicted, target  [rows, species], scaled
 * @returns                  [species]
 */
export function validationSum(predicted: tf.Tensor2D, target: tf.Tensor2D, settings: LossSettings): tf.Tensor1D {
  const truth = unscaleAbundances(target, settings);
  return tf.sum(tf.div(tf.abs(tf.sub(truth, unscaleAbundances(predicted, settings))), truth), 0);
}

/** Scaled → linear abundances: 10^(s · (upper − lower) + lower), with the logarithms of the ends. Any shape. */
export function unscaleAbundances<T extends tf.Tensor>(scaled: T, settings: LogRange): T {
  const { log10_lower: lower, log10_upper: upper } = settings;
  return tf.exp(tf.add(tf.mul(scaled, (upper - lower) * Math.LN10), lower * Math.LN10));
}

/** log10 of the ends of the abundances' clipping range. */
export type LogRange = Pick<LossSettings, "log10_lower" | "log10_upper">;

/** ln of the elements' totals, [rows, elements], of scaled abundances, [rows, species]. */
function logElementTotals(scaled: tf.Tensor2D, stoichiometry: tf.Tensor2D, settings: LogRange): tf.Tensor2D {
  return tf.log(tf.matMul(unscaleAbundances(scaled, settings), stoichiometry));
}
