import { tf } from "../backend/tf.ts";
import type { Scale } from "../chemistry/scaling.ts";

/** Scaled values, of the same shape; the last dimension is the scale's columns. Without a scale they stay as they are. */
export function scaledTensor<T extends tf.Tensor>(x: T, by: Scale | null | undefined): T {
  if (!by) return x;
  const { shift, scale, log, clip, offset } = by;
  if (typeof log === "object") return mixedTensor(offset ? tf.add(x, perColumn(offset)) : x, shift, scale, log);
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

/** Some columns by log10, others as they are: the latter pass the logarithm as 1, that is 0. */
function mixedTensor<T extends tf.Tensor>(
  x: T,
  shift: readonly number[],
  scale: readonly number[],
  log: readonly boolean[],
): T {
  const pick = (of: (k: number) => number, others: number, wanted: boolean): tf.Tensor1D | number =>
    perColumn(log.map((isLog, k) => (isLog === wanted ? of(k) : others)));
  const inside = tf.add(
    tf.mul(
      x,
      pick((k) => 10 ** -shift[k]!, 0, true),
    ),
    pick(() => 1, 0, false),
  );
  const byLog = tf.mul(
    tf.log(inside),
    pick((k) => 1 / (scale[k]! * Math.LN10), 0, true),
  );
  const plain = tf.mul(
    tf.sub(
      x,
      pick((k) => shift[k]!, 0, false),
    ),
    pick((k) => 1 / scale[k]!, 0, false),
  );
  return tf.add<T>(byLog, plain);
}

/** The inverse of `scaledTensor`, but for the clipping. */
export function unscaledTensor<T extends tf.Tensor>(x: T, by: Scale | null | undefined): T {
  if (!by) return x;
  const { shift, scale, log, offset } = by;
  const unit = (value: number, k: number): number =>
    (typeof log === "object" ? log[k] : log) ? value * Math.LN10 : value;
  const y = tf.add<T>(tf.mul(x, perColumn(scale, unit)), perColumn(shift, unit));
  if (typeof log !== "object") return log ? tf.exp(y) : y;
  const isLog = perColumn(log.map(Number));
  const byLog = tf.mul(tf.exp(tf.mul(y, isLog)), isLog);
  return tf.sub<T>(tf.add(byLog, tf.mul(y, tf.sub(1, isLog))), perColumn(offset ?? [0]));
}

function perColumn(values: readonly number[], change = (x: number, _k: number): number => x): tf.Tensor1D | number {
  return values.length === 1 ? change(values[0]!, 0) : tf.tensor1d(values.map(change));
}
