import { type HostTensors, hostTensor } from "../backend/engine.ts";
import { type TensorMap, tf } from "../backend/tf.ts";
import type { Conservation } from "../chemistry/conservation.ts";

/** Iterations, and those of them that take a tangent of their own; the others are chords. In float32 no more can be gained. */
const [iterations, tangents] = [3, 2];
/** The largest change of an abundance in one iteration, as a power of e. */
const largestStep = 2;
/** A smaller pivot belongs to a constraint that follows from the others, or that cannot be asked for. */
const leastPivot = 1e-4;

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
export function conservedBy(arrays: TensorMap, abundances: tf.Tensor2D, totals: tf.Tensor2D): ConservedTensors {
  const { conserved_counts, conserved_charge } = conservationAmong(arrays) as Record<string, tf.Tensor2D>;
  return conserved(abundances, totals, conserved_counts!, conserved_charge!);
}

/** Abundances with the totals asked for, and how it went. */
type ConservedTensors = {
  /** [rows, species] */
  readonly abundances: tf.Tensor2D;
  /** The largest residual that is left in each row, relative to what holds the element, [rows]. */
  readonly residual: tf.Tensor1D;
};

/**
 * `Conservation.project` in tensors, for any number of rows at once: the same iteration in float32 with a fixed number of steps, which large
 * corrections do not end in. Whoever needs those looks at `residual` and goes on from `abundances`.
 * @param abundances  [rows, species], linear, positive
 * @param totals      [rows, totals]
 * @param counts      [totals, species]
 * @param isCharge    [totals, 1]
 */
function conserved(
  abundances: tf.Tensor2D,
  totals: tf.Tensor2D,
  counts: tf.Tensor2D,
  isCharge: tf.Tensor2D,
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
  const holders = tf.maximum(sums(abundances, tf.abs(counts)), 1e-37) as tf.Tensor2D;
  const isAsked = tf.cast(
    tf.logicalAnd(tf.greater(holders, 1e-30), tf.greater(tf.add(isCharge, wanted), 0)),
    "float32",
  ) as tf.Tensor2D;
  let x = abundances;
  let missing = tf.mul<tf.Tensor2D>(tf.sub(wanted, sums(x, counts)), isAsked);
  let [factor, scale]: [Factor, tf.Tensor2D] = [[], holders];
  for (let i = 0; i < iterations; i++) {
    if (i < tangents) {
      const matrix: tf.Tensor3D = tf.reshape(sums(x, products), [n, n, rows]);
      scale = tf.div(isAsked, tf.sqrt(tf.maximum<tf.Tensor2D>(diagonal(matrix), 1e-37)));
      factor = factored(tf.mul(matrix, tf.mul(tf.expandDims(scale, 1), tf.expandDims(scale, 0))));
    }
    const step = tf.mul<tf.Tensor2D>(solved(factor, tf.mul(missing, scale)), scale);
    const by = tf.matMul(step, counts, true, false) as tf.Tensor2D;
    const furthest = tf.max(tf.abs(by), 1, true);
    const cut = tf.minimum(tf.div(largestStep, tf.maximum(furthest, 1e-30)), 1);
    const moved = tf.mul<tf.Tensor2D>(by, cut);
    x = tf.mul(x, tf.exp(moved));
    missing = tf.mul(tf.sub(wanted, sums(x, counts)), isAsked);
  }
  return {
    abundances: x,
    residual: tf.max(tf.abs(tf.div(missing, holders)), 0),
  };
}

/** Of each elimination: the pivot [1, rows], and what the rows below take of it, [left, rows]. */
type Factor = readonly { readonly pivot: tf.Tensor2D; readonly below: tf.Tensor2D | null }[];

/** L D Lᵀ of symmetric matrices, [n, n, rows]. */
function factored(matrix: tf.Tensor3D): Factor {
  const [n, , rows] = matrix.shape;
  const factor: { pivot: tf.Tensor2D; below: tf.Tensor2D | null }[] = [];
  let rest = matrix;
  for (let left = n; left > 0; left--) {
    const column = tf.reshape(tf.slice(rest, [0, 0, 0], [left, 1, rows]), [left, rows]);
    const pivot = tf.maximum(tf.slice(column, [0, 0], [1, rows]), leastPivot) as tf.Tensor2D;
    if (left === 1) {
      factor.push({ pivot, below: null });
      break;
    }
    const lower = tf.slice(column, [1, 0], [left - 1, rows]);
    const below = tf.div<tf.Tensor2D>(lower, pivot);
    factor.push({ pivot, below });
    rest = tf.sub(
      tf.slice(rest, [1, 1, 0], [left - 1, left - 1, rows]),
      tf.mul(tf.expandDims(below, 1), tf.expandDims(lower, 0)),
    );
  }
  return factor;
}

/** @param right [n, rows] */
function solved(factor: Factor, right: tf.Tensor2D): tf.Tensor2D {
  const rows = right.shape[1];
  const tops: tf.Tensor2D[] = [];
  let rest = right;
  for (const { pivot, below } of factor) {
    const top = tf.slice(rest, [0, 0], [1, rows]);
    tops.push(tf.div(top, pivot));
    if (below) rest = tf.sub(tf.slice(rest, [1, 0], [below.shape[0], rows]), tf.mul(below, top));
  }
  let found = tops.at(-1)!;
  for (let k = factor.length - 2; k >= 0; k--) {
    const top = tf.sub<tf.Tensor2D>(tops[k]!, tf.sum(tf.mul(factor[k]!.below!, found), 0, true));
    found = tf.concat([top, found], 0);
  }
  return found;
}

/** [n, n, rows] → [n, rows] */
function diagonal(matrix: tf.Tensor3D): tf.Tensor2D {
  const [n, , rows] = matrix.shape;
  return tf.concat(
    [...Array(n).keys()].map((k) => tf.reshape(tf.slice(matrix, [k, k, 0], [1, 1, rows]), [1, rows]) as tf.Tensor2D),
    0,
  );
}
