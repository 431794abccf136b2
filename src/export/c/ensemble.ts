import type { StepFunction } from "../../backend/engine.ts";
import { tf } from "../../backend/tf.ts";
import { AbundanceScaling } from "../../chemistry/scaling.ts";
import { compressorOf } from "../../models/compressors.ts";
import { decodeStep } from "../../models/forward-steps.ts";
import { unscaledTensor } from "../../models/scale-tensors.ts";
import type { Models, Part, PartPort } from "../onnx-parts.ts";

/**
 * A part of one emulator as one of the ensemble, whose latents are those of all members, one after the other: encoding gives each the
 * same, decoding the mean and the spread of all, the distance is the largest. Steps are of all already.
 */
export function ofEnsemble(word: string, part: Part, members: number, { autoencoder }: Models): Part {
  const wide = (ports: readonly PartPort[]): PartPort[] =>
    ports.map((port) => (port.name === "latents" ? { ...port, shape: [members * port.shape[0]!] } : port));
  const [inputs, outputs] = [wide(part.inputs), wide(part.outputs)];
  const stepOf = (
    step: (arrays: Parameters<StepFunction>[0], given: Parameters<StepFunction>[1]) => Record<string, tf.Tensor>,
    more: readonly PartPort[] = [],
  ): Part => ({
    ...part,
    inputs,
    outputs: [...outputs, ...more],
    step: (arrays, given) => ({ outputs: step(arrays, given) }),
  });
  const one = (...args: Parameters<StepFunction>): Record<string, tf.Tensor> => part.step(...args).outputs;
  if (word === "encode") {
    return stepOf((arrays, given) => {
      const { latents } = one(arrays, given);
      return { latents: tf.concat(Array<tf.Tensor>(members).fill(latents!), 1) };
    });
  }
  if (word === "decode") {
    const scale = new AbundanceScaling(autoencoder.abundances_clipping);
    const { step } = decodeStep(compressorOf(autoencoder), { members, scale });
    return stepOf(
      (arrays, given) => {
        const { scaled, spread } = step(arrays, given).outputs;
        return { abundances: unscaledTensor(scaled as tf.Tensor2D, scale), spread: spread! };
      },
      [{ name: "spread", quantity: "spread", shape: [] }],
    );
  }
  if (word === "distance") {
    return stepOf((arrays, { physical, latents }) => {
      const each = tf
        .split(latents!, members, 1)
        .map((own) => one(arrays, { physical: physical!, latents: own }).distance!);
      const largest = each.reduce((most, distance) => tf.maximum(most, distance));
      // What is no number in one of them is none: the largest of it may be another's.
      return { distance: tf.add(largest, tf.mul(tf.addN(each), 0)) };
    });
  }
  return part;
}
