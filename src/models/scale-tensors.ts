import { tf } from "../backend/tf.ts";
import type { Scale } from "../chemistry/scaling.ts";

/** Scaled values, of the same shape; the last dimension is the scale's columns. Without a scale they stay as they are. */
export function scaledTensor<T extends tf.Tensor>(x: T, by: Scale | null | undefined): T {
  if (!by) return x;
  const { shift, scale, log, clip } = by;
  if (!log)
    return tf.mul(
      tf.sub(x, perColumn(shift)),
      perColumn(scale, (width) => 1 / width),
    );
  const factor = perColumn(scale, (dex) => 1 / (dex * Math.LN10)); // There is no log10 in ONNX.
  if (clip) {
    const clipped = tf.minimum(tf.maximum(x, clip.lower), clip.upper);
    return tf.mul(
      tf.sub(
        tf.log(clipped),
        perColumn(shift, (low) => low * Math.LN10),
      ),
      factor,
    );
  }
  // Dividing first keeps the digits of narrow ranges in float32.
  return tf.mul(
    tf.log(
      tf.div(
        x,
        perColumn(shift, (low) => 10 ** low),
      ),
    ),
    factor,
  );
}

/** The inverse of `scaledTensor`, but for the clipping. */
export function unscaledTensor<T extends tf.Tensor>(x: T, by: Scale | null | undefined): T {
  if (!by) return x;
  const { shift, scale, log } = by;
  const unit = log ? Math.LN10 : 1;
  const y = tf.add<T>(
    tf.mul(
      x,
      perColumn(scale, (s) => s * unit),
    ),
    perColumn(shift, (s) => s * unit),
  );
  return log ? tf.exp(y) : y;
}

function perColumn(values: readonly number[], change = (x: number): number => x): tf.Tensor1D | number {
  return values.length === 1 ? change(values[0]!) : tf.tensor1d(values.map(change));
}
