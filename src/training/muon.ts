import { tf } from "../backend/tf.ts";

/** The quintic whose iteration brings singular values near 1 within five rounds (Jordan et al. 2024, "Muon"). */
const [a, b, c] = [3.4445, -4.775, 2.0315];
const rounds = 5;

/**
 * A matrix with the same singular vectors and all singular values between about 0.7 and 1.2, by Newton and Schulz's iteration:
 * the direction in which every part of a layer moves alike, however unequal its gradients are.
 * @param matrix  [m, n]
 * @returns       [m, n]; zeros for zeros
 */
export function orthogonalized(matrix: tf.Tensor2D): tf.Tensor2D {
  const [rows, columns] = matrix.shape;
  // The products are the smaller, the fewer rows there are.
  const isTall = rows > columns;
  const wide = isTall ? tf.transpose(matrix) : matrix;
  const norm = tf.sqrt(tf.sum(tf.square(wide)));
  let x = tf.div<tf.Tensor2D>(wide, tf.add(norm, 1e-7));
  for (let round = 0; round < rounds; round++) {
    const gram = tf.matMul(x, x, false, true);
    const polynomial = tf.add<tf.Tensor2D>(tf.mul(gram, b), tf.mul(tf.matMul(gram, gram), c));
    x = tf.add(tf.mul(x, a), tf.matMul(polynomial, x));
  }
  return isTall ? tf.transpose(x) : x;
}

/** Factor that gives an orthogonalised update the size of AdamW's, some 0.2 a parameter (Liu et al. 2025), so that learning rates carry over. */
export function updateScale([rows, columns]: readonly [number, number]): number {
  return 0.2 * Math.sqrt(Math.max(rows, columns));
}
