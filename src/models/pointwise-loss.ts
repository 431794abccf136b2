import { tf } from "../backend/tf.ts";

/** Which error of one value is minimised, d being its difference from the truth: in dex or in standard deviations. */
export interface PointwiseLoss {
  /** |d|; huber: d²/2c up to the corner c, |d| − c/2 beyond; d²; 10^|d| − 1, with a cap c in a straight line beyond it. */
  readonly name: "l1" | "huber" | "mse" | "exponential";
  /** Of huber. */
  readonly corner: number;
  /** Of exponential; null for none. */
  readonly cap: number | null;
}

/**
 * The error of each value, with the gradient in closed form: one pass forwards, one backwards; sign(0) = 0.
 * @param difference  any shape, in dex or standard deviations
 * @returns           the same shape
 */
export function pointwiseLoss<T extends tf.Tensor>(difference: T, loss: PointwiseLoss): T {
  return tf.customGrad((...inputs) => {
    const [d, save] = inputs as unknown as [tf.Tensor, (tensors: tf.Tensor[]) => void];
    const { value, slope } = valueAndSlope(d, loss);
    save([slope]);
    return { value, gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => tf.mul(dy, saved[0]!) };
  })(difference) as T;
}

function valueAndSlope(d: tf.Tensor, { name, corner, cap }: PointwiseLoss): { value: tf.Tensor; slope: tf.Tensor } {
  const size = tf.abs(d);
  switch (name) {
    case "l1":
      return { value: size, slope: tf.sign(d) };
    case "mse":
      return { value: tf.square(d), slope: tf.mul(d, 2) };
    case "huber": {
      const inner = tf.minimum(size, corner);
      // c · (|d| − c/2) / c beyond the corner, where inner = c; d²/2c below it, where inner = |d|.
      const value = tf.div(tf.mul(inner, tf.sub(size, tf.mul(inner, 0.5))), corner);
      return { value, slope: tf.div(tf.mul(tf.sign(d), inner), corner) };
    }
    case "exponential": {
      const inner = cap === null ? size : tf.minimum(size, cap);
      const factor = tf.exp(tf.mul(inner, Math.LN10));
      const slope = tf.mul(tf.mul(tf.sign(d), factor), Math.LN10);
      const value = tf.sub(factor, 1);
      if (cap === null) return { value, slope };
      return { value: tf.add(value, tf.mul(tf.sub(size, inner), Math.LN10 * 10 ** cap)), slope };
    }
  }
}
