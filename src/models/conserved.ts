import { type HostTensors, hostTensor } from "../backend/engine.ts";
import { type TensorMap, tf } from "../backend/tf.ts";
import { type Conservation, leastWeight, roundedCharge, shareRoots } from "../chemistry/conservation.ts";

/** Iterations, and those of them that take a tangent of their own; the others are chords. */
interface Iterations {
  readonly all: number;
  readonly tangents: number;
}
/** For states near their totals: whoever can goes on from `residual`. */
const few: Iterations = { all: 4, tangents: 2 };
/** For all that float32 can end in. */
export const many: Iterations = { all: 9, tangents: 7 };
/** A smaller pivot belongs to a constraint that follows from the others, or that cannot be asked for. */
const leastPivot = 1e-4;
/** In place of 0, of which there is no logarithm. */
const least = 1e-37;

/** Arrays of a program's state that `conserved` takes: counts [totals, species], and `isCharge`, [totals, 1]. */
export function conservationArrays(conservation: Conservation): HostTensors {
  const { names, species } = conservation;
  return {
    conserved_counts: hostTensor(conservation.counts(), [names.length, species]),
    conserved_charge: hostTensor(
      Float32Array.from(names, (name) => (name === "charge" ? 1 : 0)),
      [names.length, 1],
    ),
  };
}

/** The same among a state's arrays. */
export function conservationAmong({ conserved_counts, conserved_charge }: TensorMap): TensorMap {
  return { conserved_counts: conserved_counts!, conserved_charge: conserved_charge! };
}

/** `conserved` with the arrays of a state. */
export function conservedBy(
  arrays: TensorMap,
  abundances: tf.Tensor2D,
  totals: tf.Tensor2D,
  iterations = few,
): ConservedTensors {
  const { conserved_counts, conserved_charge } = conservationAmong(arrays) as Record<string, tf.Tensor2D>;
  return conserved(abundances, totals, { counts: conserved_counts!, isCharge: conserved_charge! }, iterations);
}

/** The totals of states, as `Conservation.totals`. @param abundances [rows, species], linear @returns [rows, totals] */
export function totalsBy(arrays: TensorMap, abundances: tf.Tensor2D): tf.Tensor2D {
  const { conserved_counts: counts, conserved_charge } = conservationAmong(arrays) as Record<string, tf.Tensor2D>;
  const sums = tf.matMul(abundances, counts!, false, true);
  const rounding = tf.mul(tf.matMul(abundances, tf.abs(counts!), false, true), roundedCharge);
  const isKept = tf.cast(tf.greater(tf.abs(sums), rounding), "float32");
  const isElement = tf.sub(1, tf.transpose(conserved_charge!));
  return tf.mul(sums, tf.maximum(isElement, isKept));
}

/** Abundances with the totals asked for, and how it went. */
type ConservedTensors = {
  /** [rows, species] */
  readonly abundances: tf.Tensor2D;
  /** The mean change of an abundance in each row, dex, [rows]. */
  readonly correction: tf.Tensor1D;
  /** The largest residual that is left in each row, relative to what holds the element, [rows]; NaN where the iteration went astray. */
  readonly residual: tf.Tensor1D;
};

/**
 * `Conservation.project` in tensors, for any number of rows at once: the same iteration in float32 with a fixed number of steps, which large
 * corrections do not end in. Whoever needs those looks at `residual`.
 * @param abundances  [rows, species], linear, positive
 * @param totals      [rows, totals]
 * @param counts      [totals, species]
 * @param isCharge    [totals, 1]
 */
function conserved(
  abundances: tf.Tensor2D,
  totals: tf.Tensor2D,
  { counts, isCharge }: { readonly counts: tf.Tensor2D; readonly isCharge: tf.Tensor2D },
  iterations: Iterations,
): ConservedTensors {
  const [n, species] = counts.shape;
  const rows = abundances.shape[0];
  const products: tf.Tensor2D = tf.reshape(tf.mul(tf.expandDims(counts, 1), tf.expandDims(counts, 0)), [
    n * n,
    species,
  ]);
  const wanted = tf.transpose(totals);
  // Rows last from here: an operation on the few constraints of many rows is one on long vectors.
  const sums = (x: tf.Tensor2D, of: tf.Tensor2D): tf.Tensor2D => tf.matMul(of, x, false, true);
  const holders = tf.maximum(sums(abundances, tf.abs(counts)), least) as tf.Tensor2D;
  const isAsked = tf.cast(
    tf.logicalAnd(tf.greater(holders, 1e-30), tf.greater(tf.maximum(isCharge, wanted), 0)),
    "float32",
  ) as tf.Tensor2D;
  // A species' share in what it is made of, added up over its totals, and a root of it.
  let weights: tf.Tensor2D = tf.mul(abundances, tf.matMul(tf.div(isAsked, holders), tf.abs(counts), true, false));
  for (let i = 0; i < shareRoots; i++) weights = tf.sqrt(weights);
  weights = tf.maximum(weights, leastWeight);
  let x = abundances;
  // The first step in logarithms of the elements' totals, which large corrections are better met in.
  const ratio = tf.div(tf.maximum(wanted, least), holders);
  let missing = tf.mul<tf.Tensor2D>(
    tf.where(tf.cast(isCharge, "bool"), tf.sub(wanted, sums(x, counts)), tf.mul(holders, tf.log(ratio))),
    isAsked,
  );
  let lambda: tf.Tensor2D | null = null;
  let [inverse, scale]: [tf.Tensor3D | null, tf.Tensor2D] = [null, holders];
  let shift!: tf.Tensor2D;
  for (let i = 0; i < iterations.all; i++) {
    if (i < iterations.tangents) {
      const matrix: tf.Tensor3D = tf.reshape(sums(tf.mul(x, weights), products), [n, n, rows]);
      scale = tf.div(isAsked, tf.sqrt(tf.maximum<tf.Tensor2D>(diagonal(matrix), least)));
      inverse = swept(tf.mul(matrix, tf.mul(tf.expandDims(scale, 1), tf.expandDims(scale, 0))));
    }
    const right = tf.mul<tf.Tensor2D>(missing, scale);
    const taken = tf.sum(tf.mul(inverse!, tf.expandDims(right, 0)), 1);
    const step = tf.mul<tf.Tensor2D>(tf.sub(tf.mul(right, 2), taken), scale);
    lambda = lambda ? tf.add<tf.Tensor2D>(lambda, step) : step;
    shift = tf.mul(weights, tf.matMul(lambda, counts, true, false));
    x = tf.mul(abundances, tf.exp(shift));
    missing = tf.mul(tf.sub(wanted, sums(x, counts)), isAsked);
  }
  return {
    abundances: x,
    correction: tf.mul(tf.mean(tf.abs(shift), 1), 1 / Math.LN10),
    // Of what is there at the end: after a large correction that is another amount.
    residual: tf.max(tf.abs(tf.div(missing, tf.maximum(sums(x, tf.abs(counts)), least))), 0),
  };
}

/**
 * 2 − M⁻¹ of symmetric matrices [n, n, rows] whose diagonal is 1: swept pivot by pivot, with the 2 that each sweep leaves on the diagonal.
 */
function swept(matrix: tf.Tensor3D): tf.Tensor3D {
  const [n, , rows] = matrix.shape;
  let rest = matrix;
  for (let k = 0; k < n; k++) {
    const row = tf.slice(rest, [k, 0, 0], [1, n, rows]);
    const pivot = tf.maximum(tf.slice(row, [0, k, 0], [1, 1, rows]), leastPivot);
    const unit = tf.tensor3d(
      [...Array(n).keys()].map((i) => (i === k ? 1 : 0)),
      [1, n, 1],
    );
    const less = tf.sub<tf.Tensor3D>(row, unit);
    rest = tf.sub(rest, tf.mul(tf.reshape(less, [n, 1, rows]), tf.div(less, pivot)));
  }
  return rest;
}

/** [n, n, rows] → [n, rows] */
function diagonal(matrix: tf.Tensor3D): tf.Tensor2D {
  const [n, , rows] = matrix.shape;
  return tf.gather(
    tf.reshape(matrix, [n * n, rows]) as tf.Tensor2D,
    tf.tensor1d(
      [...Array(n).keys()].map((k) => k * (n + 1)),
      "int32",
    ),
  );
}
