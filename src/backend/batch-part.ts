import { type TensorMap, tf } from "./tf.ts";

/**
 * What a step knows of its batch, of which it may be given a part: whatever is a mean or a sum over the batch has to say so, and an engine
 * runs the parts one after another and adds up what each makes of it. So large batches take the memory of a small one.
 */
export interface BatchPart {
  /** How much of the batch the step is given, by items; 1: all. */
  readonly share: number;
  /** What each part makes, summed over all parts. It has no gradient. */
  readonly sum: (made: tf.Tensor) => tf.Tensor;
}

/** The batch in one piece. */
export const wholeBatch: BatchPart = { share: 1, sum: (made) => made };

/** A mean over the batch. @param mean  over the items of the part */
export function batchMean({ share, sum }: BatchPart, mean: tf.Tensor): tf.Tensor {
  return share === 1 ? mean : sum(tf.mul(mean, share));
}

/** The same of several, by name. */
export function batchMeans(part: BatchPart, means: TensorMap): TensorMap {
  return Object.fromEntries(Object.entries(means).map(([name, mean]) => [name, batchMean(part, mean)]));
}
