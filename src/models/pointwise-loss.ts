import { z } from "zod";
import { tf } from "../backend/tf.ts";

/** A loss that says the error of one value by d, its difference from the truth: in dex or in standard deviations. */
interface LossKind<Keys extends z.ZodRawShape> {
  /** The error of one value d. */
  readonly says: string;
  /** What its mapping says besides. */
  readonly keys: Keys;
  /** The error of each value, and its slope in closed form, 0 at 0. */
  readonly error: (d: tf.Tensor, keys: ValuesOf<Keys>) => { value: tf.Tensor; slope: tf.Tensor };
}

type ValuesOf<Keys extends z.ZodRawShape> = { readonly [Key in keyof Keys]: z.output<Keys[Key]> };

/** Every loss of that kind, by its `name`; a new one is an entry here. The original's, by rows, stands beside them (recipe-loss.ts). */
export const pointwiseLosses = {
  l1: kind({
    says: "|d|",
    keys: {},
    error: (d) => ({ value: tf.abs(d), slope: tf.sign(d) }),
  }),
  huber: kind({
    says: "a parabola, d²/2c up to the corner c, |d| − c/2 beyond",
    keys: { corner: z.number().gt(0).default(0.1).describe("The error at which the parabola becomes a line.") },
    error: (d, { corner }) => {
      const size = tf.abs(d);
      const inner = tf.minimum(size, corner);
      // c · (|d| − c/2) / c beyond the corner, where inner = c; d²/2c below it, where inner = |d|.
      const value = tf.div(tf.mul(inner, tf.sub(size, tf.mul(inner, 0.5))), corner);
      return { value, slope: tf.div(tf.mul(tf.sign(d), inner), corner) };
    },
  }),
  mse: kind({
    says: "d²",
    keys: {},
    error: (d) => ({ value: tf.square(d), slope: tf.mul(d, 2) }),
  }),
  exponential: kind({
    says: "10^|d| − 1, the symmetric relative error, up to the cap, a straight line beyond",
    keys: {
      // Beyond 38 dex float32 has no number.
      cap: z.number().gt(0).max(38).describe("The error in dex beyond which it grows in a straight line."),
    },
    error: (d, { cap }) => {
      const size = tf.abs(d);
      const inner = tf.minimum(size, cap);
      const factor = tf.exp(tf.mul(inner, Math.LN10));
      const line = tf.mul(tf.sub(size, inner), Math.LN10 * 10 ** cap);
      return {
        value: tf.add(tf.sub(factor, 1), line),
        slope: tf.mul(tf.mul(tf.sign(d), factor), Math.LN10),
      };
    },
  }),
};

/** The mapping of one of them. */
export type PointwiseLoss = {
  [Name in keyof typeof pointwiseLosses]: { readonly name: Name } & ValuesOf<(typeof pointwiseLosses)[Name]["keys"]>;
}[keyof typeof pointwiseLosses];

/**
 * The error of each value, with the gradient in closed form: one pass forwards, one backwards; sign(0) = 0.
 * @param difference  any shape, in dex or standard deviations
 * @returns           the same shape
 */
export function pointwiseLoss<T extends tf.Tensor>(difference: T, loss: PointwiseLoss): T {
  const { error } = pointwiseLosses[loss.name];
  return tf.customGrad((...inputs) => {
    const [d, save] = inputs as unknown as [tf.Tensor, (tensors: tf.Tensor[]) => void];
    const { value, slope } = error(d, loss as never);
    save([slope]);
    return { value, gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => tf.mul(dy, saved[0]!) };
  })(difference) as T;
}

function kind<Keys extends z.ZodRawShape>(definition: LossKind<Keys>): LossKind<Keys> {
  return definition;
}
