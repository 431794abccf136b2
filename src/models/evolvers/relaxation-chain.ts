import { tf } from "../../backend/tf.ts";
import { apart, stacked } from "../evolver.ts";
import { masked } from "../linear.ts";

/** The relaxation's arrays: z ← z + σ(rate) · (equilibrium − z), [rate, equilibrium] = relu(relu(z·ofLatents + driven_t)·second + …)·last + …. */
export interface RelaxationChain {
  /** [steps · batch, hidden], time first: what drives the first layer at each step. */
  readonly driven: tf.Tensor2D;
  /** [latent, hidden] */
  readonly ofLatents: tf.Tensor2D;
  /** [hidden, hidden] */
  readonly second: tf.Tensor2D;
  /** [hidden] */
  readonly secondBias: tf.Tensor;
  /** [hidden, 2 · latent] */
  readonly last: tf.Tensor2D;
  /** [2 · latent] */
  readonly lastBias: tf.Tensor;
}

/** Factors of the hidden layers' values, ≥ 0, each [steps · batch, hidden]. */
export interface RelaxationMasks {
  readonly first: tf.Tensor2D;
  readonly second: tf.Tensor2D;
}

/** What a step leaves, one entry a step each: states before and after it, hidden layers, σ(rate), equilibrium − z. */
type Trace = Record<"before" | "after" | "first" | "second" | "gate" | "away", tf.Tensor2D[]>;

/** The recurrence as it is defined. @param within  keeps a state within bounds */
export function relaxPlainly(
  { driven, ofLatents, second, secondBias, last, lastBias }: RelaxationChain,
  latents: tf.Tensor2D,
  steps: number,
  masks: RelaxationMasks | null,
  within = (z: tf.Tensor2D): tf.Tensor2D => z,
): Trace {
  const drives = apart(driven, steps);
  const kept = masks && { first: apart(masks.first, steps), second: apart(masks.second, steps) };
  const hidden = (x: tf.Tensor2D, mask: tf.Tensor2D | undefined): tf.Tensor2D => masked(tf.relu(x), mask);
  const trace: Trace = { before: [], after: [], first: [], second: [], gate: [], away: [] };
  let z = latents;
  for (let t = 0; t < steps; t++) {
    const h1 = hidden(tf.add(tf.matMul(z, ofLatents), drives[t]!), kept?.first[t]);
    const h2 = hidden(tf.add(tf.matMul(h1, second), secondBias), kept?.second[t]);
    const [rate, equilibrium] = tf.split(tf.add<tf.Tensor2D>(tf.matMul(h2, last), lastBias), 2, 1);
    const [gate, away] = [tf.sigmoid(rate as tf.Tensor2D), tf.sub<tf.Tensor2D>(equilibrium!, z)];
    const after = within(tf.add<tf.Tensor2D>(tf.mul(gate, away), z));
    for (const [name, value] of Object.entries({ before: z, after, first: h1, second: h2, gate, away }))
      trace[name as keyof Trace].push(value);
    z = after;
  }
  return trace;
}

/**
 * All states of the recurrence, with its closed-form gradient by the chain's arrays (backpropagation through time), as `evolve` of the residual
 * chain: the weights' gradients are one product each over all steps. No gradient by `latents`.
 * @param latents  [batch, latent]
 * @returns        [steps · batch, latent], time first: entry t is the state after step t
 */
export function relax(
  chain: RelaxationChain,
  latents: tf.Tensor2D,
  steps: number,
  masks: RelaxationMasks | null,
): tf.Tensor2D {
  return tf.customGrad((...args) => {
    const [driven, ofLatents, second, secondBias, last, lastBias] = args as unknown as tf.Tensor2D[];
    const save = args[6] as unknown as (tensors: tf.Tensor[]) => void;
    const weights = { driven, ofLatents, second, secondBias, last, lastBias } as RelaxationChain;
    const made = relaxPlainly(weights, latents, steps, masks);
    const trace = [made.before, made.first, made.second, made.gate, made.away].map(stacked);
    save([...trace, ofLatents!, second!, last!, ...(masks ? [masks.first, masks.second] : [])]);
    return {
      value: stacked(made.after),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => gradients(dy as tf.Tensor2D, saved as tf.Tensor2D[], steps),
    };
  })(chain.driven, chain.ofLatents, chain.second, chain.secondBias, chain.last, chain.lastBias) as tf.Tensor2D;
}

/** By the chain's arrays, in their order. @param dy [steps · batch, latent], by the states */
function gradients(dy: tf.Tensor2D, saved: tf.Tensor2D[], steps: number): tf.Tensor2D[] {
  const [before, first, second, gate, away, w1, w2, w3, m1, m2] = saved;
  const slope = (value: tf.Tensor2D, mask?: tf.Tensor2D): tf.Tensor2D[] => apart(masked(tf.step(value), mask), steps);
  const [slopes1, slopes2] = [slope(first!, m1), slope(second!, m2)];
  const stays = tf.sub<tf.Tensor2D>(1, gate!);
  // By the last layer's outputs: [g · σ'(rate) · (equilibrium − z), g · σ(rate)]. Its factors are made for all steps at once.
  const factors = apart(tf.concat([tf.mul(tf.mul(gate!, stays), away!), gate!], 1), steps);
  const [staying, byStates] = [apart(stays, steps), apart(dy, steps)];
  const [back1, back2, back3] = [w1!, w2!, w3!].map((w) => tf.transpose(w));
  const [byFirst, bySecond, byLast]: [tf.Tensor2D[], tf.Tensor2D[], tf.Tensor2D[]] = [[], [], []];
  let g = byStates[steps - 1]!;
  for (let t = steps - 1; t >= 0; t--) {
    byLast[t] = tf.mul(tf.concat([g, g], 1), factors[t]!);
    bySecond[t] = tf.mul(tf.matMul(byLast[t]!, back3!), slopes2[t]!);
    byFirst[t] = tf.mul(tf.matMul(bySecond[t]!, back2!), slopes1[t]!);
    if (t > 0) g = tf.add(tf.matMul(byFirst[t]!, back1!), tf.add(tf.mul(g, staying[t]!), byStates[t - 1]!));
  }
  const [d1, d2, d3] = [byFirst, bySecond, byLast].map(stacked) as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
  const product = (x: tf.Tensor2D, d: tf.Tensor2D): tf.Tensor2D => tf.matMul(x, d, true);
  return [d1, product(before!, d1), product(first!, d2), tf.sum(d2, 0), product(second!, d3), tf.sum(d3, 0)];
}
