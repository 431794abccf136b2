import { tf } from "../../backend/tf.ts";
import type { BoundTensors } from "../bounds.ts";
import { apart, stacked } from "../evolver.ts";
import { masked } from "../linear.ts";

/** The residual network without biases: z ← z + relu(relu(z·ofLatents + drive_t)·second)·third. */
export interface Chain {
  /** [steps · batch, hidden], time first: what drives the first layer at each step. */
  readonly drive: tf.Tensor2D;
  /** [latent, hidden] */
  readonly ofLatents: tf.Tensor2D;
  /** [hidden, hidden] */
  readonly second: tf.Tensor2D;
  /** [hidden, latent] */
  readonly third: tf.Tensor2D;
}

/** Factors of the hidden layers' values, ≥ 0, each [steps · batch, hidden]. */
export interface ChainMasks {
  readonly first: tf.Tensor2D;
  readonly second: tf.Tensor2D;
}

/**
 * All states of the recurrence, with its closed-form gradient by the chain's arrays (backpropagation through time): the way back
 * makes three products a step, and the weights' gradients are one product each over all steps. No gradient by `latents`.
 * @param latents  [batch, latent]
 * @returns        [steps · batch, latent], time first: entry t is the state after step t
 */
export function evolve(chain: Chain, latents: tf.Tensor2D, steps: number, masks: ChainMasks | null): tf.Tensor2D {
  return tf.customGrad((...args) => {
    const [drive, ofLatents, second, third] = args as unknown as tf.Tensor2D[];
    const save = args[4] as unknown as (tensors: tf.Tensor[]) => void;
    const weights = { drive: drive!, ofLatents: ofLatents!, second: second!, third: third! };
    const { states, firsts, seconds } = evolvePlainly(weights, latents, steps, masks);
    // Stacked here and not on the way back, because saved tensors are all that tfjs keeps; a recorded step leaves out what is unused.
    const trace = [[latents, ...states.slice(0, -1)], firsts, seconds].map(stacked);
    save([...trace, ofLatents!, second!, third!, ...(masks ? [masks.first, masks.second] : [])]);
    return {
      value: stacked(states),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => gradients(dy as tf.Tensor2D, saved as tf.Tensor2D[], steps),
    };
  })(chain.drive, chain.ofLatents, chain.second, chain.third) as tf.Tensor2D;
}

/**
 * All states of the recurrence, kept within bounds after each step; for use, not for training. Counted from the lower bound, so that this one
 * is a ReLU, which the product before it takes along.
 * @param chain  its drive with lower · ofLatents added
 * @returns      as `evolve`
 */
export function evolveWithin(
  chain: Chain,
  latents: tf.Tensor2D,
  steps: number,
  { lower, upper }: BoundTensors,
): tf.Tensor2D {
  const width = tf.sub(upper, lower);
  const within = (z: tf.Tensor2D): tf.Tensor2D => tf.minimum(tf.relu(z), width);
  const { states } = evolvePlainly(chain, tf.sub(latents, lower), steps, null, within);
  return tf.add(stacked(states), lower);
}

/** The recurrence as it is defined; the reference of `evolve` for automatic differentiation. Each list has one entry a step. */
export function evolvePlainly(
  { drive, ofLatents, second, third }: Chain,
  latents: tf.Tensor2D,
  steps: number,
  masks: ChainMasks | null,
  within = (z: tf.Tensor2D): tf.Tensor2D => z,
): { states: tf.Tensor2D[]; firsts: tf.Tensor2D[]; seconds: tf.Tensor2D[] } {
  const drives = apart(drive, steps);
  const kept = masks && { first: apart(masks.first, steps), second: apart(masks.second, steps) };
  const made = { states: [] as tf.Tensor2D[], firsts: [] as tf.Tensor2D[], seconds: [] as tf.Tensor2D[] };
  let z = latents;
  for (let t = 0; t < steps; t++) {
    const h1 = masked(tf.relu(tf.add<tf.Tensor2D>(tf.matMul(z, ofLatents), drives[t]!)), kept?.first[t]);
    const h2 = masked(tf.relu(tf.matMul(h1, second)), kept?.second[t]);
    z = within(tf.add(tf.matMul(h2, third), z));
    made.firsts.push(h1);
    made.seconds.push(h2);
    made.states.push(z);
  }
  return made;
}

/** By drive, ofLatents, second and third. @param dy [steps · batch, latent], by the states */
function gradients(dy: tf.Tensor2D, saved: tf.Tensor2D[], steps: number): tf.Tensor2D[] {
  const [before, first, second, w1, w2, w3, m1, m2] = saved;
  // The derivative of mask · relu: the mask where the value came through.
  const slope = (value: tf.Tensor2D, mask?: tf.Tensor2D): tf.Tensor2D[] => apart(masked(tf.step(value), mask), steps);
  const byStates = apart(dy, steps);
  const [slopes1, slopes2] = [slope(first!, m1), slope(second!, m2)];
  const [back1, back2, back3] = [w1!, w2!, w3!].map((w) => tf.transpose(w));
  const [byFirst, bySecond, byNext]: [tf.Tensor2D[], tf.Tensor2D[], tf.Tensor2D[]] = [[], [], []];
  let g = byStates[steps - 1]!;
  for (let t = steps - 1; t >= 0; t--) {
    byNext[t] = g;
    bySecond[t] = tf.mul(tf.matMul(g, back3!), slopes2[t]!);
    byFirst[t] = tf.mul(tf.matMul(bySecond[t]!, back2!), slopes1[t]!);
    if (t > 0) g = tf.add(tf.matMul(byFirst[t]!, back1!), tf.add(g, byStates[t - 1]!));
  }
  const [d1, d2, d3] = [byFirst, bySecond, byNext].map(stacked) as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
  const product = (x: tf.Tensor2D, d: tf.Tensor2D): tf.Tensor2D => tf.matMul(x, d, true);
  return [d1, product(before!, d1), product(first!, d2), product(second!, d3)];
}
