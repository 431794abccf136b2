import { tf } from "../backend/tf.ts";

/**
 * The exact GELU, x·Φ(x) (Hendrycks & Gimpel 2016), not its tanh approximation; its derivative is Φ(x) + x·φ(x). Written in the order
 * that ONNX Runtime knows, and computes in one pass where there is no gradient.
 */
export function gelu(x: tf.Tensor2D): tf.Tensor2D {
  return tf.customGrad((...inputs) => {
    const [input, save] = inputs as unknown as [tf.Tensor2D, (tensors: tf.Tensor[]) => void];
    const u = tf.div(input, Math.SQRT2);
    const twice = tf.add(tf.erf(u), 1); // 2 Φ(x)
    save([u, twice]);
    return {
      value: tf.mul(tf.mul(input, twice), 0.5),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [at, twicePhi] = saved as [tf.Tensor, tf.Tensor];
        // 2 x φ(x) = u · 2/√π · exp(−u²), the factor inside the exponential: a pass less.
        const density = tf.exp(tf.sub(Math.log(2 / Math.sqrt(Math.PI)), tf.square(at)));
        return tf.mul(tf.mul(dy, tf.add(twicePhi, tf.mul(at, density))), 0.5);
      },
    };
  })(x) as tf.Tensor2D;
}
