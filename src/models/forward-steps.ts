import type { Series, StepFunction, StepInC } from "../backend/engine.ts";
import { type TensorMap, tf } from "../backend/tf.ts";
import type { ConservedGroups } from "../chemistry/conserved-groups.ts";
import type { Scale } from "../chemistry/scaling.ts";
import { bounded, boundsAmong, boundsOf } from "./bounds.ts";
import type { Compressor } from "./compressor.ts";
import { conservingC } from "./conserve-c.ts";
import { conservationAmong, conservedBy } from "./conserved.ts";
import type { Evolver } from "./evolver.ts";
import { runningNormalizer } from "./normalization.ts";
import { unscaledTensor } from "./scale-tensors.ts";

/** A step with frozen weights: the state's vectors by their arrays, and what is done with them. */
export interface FrozenStep {
  readonly prepare: (state: TensorMap) => TensorMap;
  /** Which dimension of each input counts the rows or the trajectories. */
  readonly batch: Readonly<Record<string, number>>;
  /** Of a rollout. */
  readonly series?: Series;
  /** Its state is what `prepare` gives. */
  readonly step: StepFunction;
  readonly inC?: StepInC;
}

/** Encoding: state `parameters`, `statistics`; input `features` [rows, species] scaled; output `latents` [rows, latent], raw. */
export function encodeStep(compressor: Compressor): FrozenStep {
  const step: StepFunction = (arrays, inputs) => ({
    outputs: { latents: compressor.encode(arrays, inputs.features as tf.Tensor2D, runningNormalizer(arrays)) },
  });
  return { prepare: evaluationArrays(compressor), batch: { features: 0 }, step };
}

/** What is decoded together: members of an ensemble, or the one model. */
export interface DecodedEnsemble {
  readonly members: number;
  /** Of the abundances. */
  readonly scale: Scale;
}

/** Each member's from those of all: [rows, latent] → [rows, members · latent]. */
export function forMembers(latents: tf.Tensor2D, members: number): tf.Tensor2D {
  return members === 1 ? latents : tf.tile(latents, [1, members]);
}

/** Abundances above count for the spread of an ensemble. */
const spreadAbove = 1e-12;

/**
 * Decoding: state `parameters`, `statistics`, any bounds; input `latents` [rows, latent] raw; output `scaled` [rows, species].
 * Of several members `latents` is [rows, members · latent], `scaled` their mean, and there is a further output, `spread` [rows], dex.
 */
export function decodeStep(compressor: Compressor, { members, scale }: DecodedEnsemble): FrozenStep {
  const unpacked = evaluationArrays(compressor);
  const decoded = (arrays: TensorMap, latents: tf.Tensor2D): tf.Tensor2D =>
    bounded(compressor.decode(arrays, latents, runningNormalizer(arrays)), boundsOf(arrays, "abundance"));
  const step: StepFunction = (arrays, inputs) => {
    const latents = inputs.latents as tf.Tensor2D;
    if (members === 1) return { outputs: { scaled: decoded(arrays, latents) } };
    return { outputs: { ...decodedMembers(latents, { members, scale }, (rows) => decoded(arrays, rows)) } };
  };
  return {
    prepare: (state) => ({ ...unpacked(state), ...boundsAmong(state, "abundance") }),
    batch: { latents: 0 },
    step,
  };
}

/**
 * The mean of the members in scaled space, [rows, species], and their spread, [rows]: the standard deviation (members − 1) of log10 abundance,
 * in dex, mean over the species whose mean is above `spreadAbove`.
 * @param latents  raw, [rows, members · latent]
 */
function decodedMembers(
  latents: tf.Tensor2D,
  { members, scale }: DecodedEnsemble,
  decode: (latents: tf.Tensor2D) => tf.Tensor2D,
): { scaled: tf.Tensor2D; spread: tf.Tensor1D } {
  const [rows, width] = latents.shape;
  const together = decode(tf.reshape(latents, [rows * members, width / members]));
  const apart = tf.reshape(together, [rows, members, together.shape[1]]);
  const mean = tf.mean<tf.Tensor2D>(apart, 1);
  const squares = tf.sum(tf.square(tf.sub(apart, tf.expandDims(mean, 1))), 1);
  const [low, span] = [scale.shift[0]!, scale.scale[0]!];
  const counts = tf.cast(tf.greater(mean, (Math.log10(spreadAbove) - low) / span), "float32");
  const sum = tf.sum(tf.mul(tf.sqrt(tf.mul(squares, span ** 2 / (members - 1))), counts), 1);
  return { scaled: mean, spread: tf.div(sum, tf.maximum(tf.sum(counts, 1), 1)) };
}

/** `decodeStep` to linear abundances: output `abundances` [rows, species] in place of `scaled`. */
export function decodeLinearStep(compressor: Compressor, ensemble: DecodedEnsemble): FrozenStep {
  const { step: decode, ...plain } = decodeStep(compressor, ensemble);
  const step: StepFunction = (arrays, inputs) => {
    const { scaled, ...spread } = decode(arrays, inputs).outputs;
    return { outputs: { abundances: unscaledTensor(scaled as tf.Tensor2D, ensemble.scale), ...spread } };
  };
  return { ...plain, step };
}

/**
 * Decoding to linear abundances with given totals: state as for `decodeStep` and that of `conservationArrays`; inputs `latents`, `totals`
 * [rows, totals]; outputs `abundances` [rows, species], `correction` and `residual` [rows]: see `conserved`. Of an ensemble the mean gets the totals.
 */
export function decodeConservedStep(
  compressor: Compressor,
  ensemble: DecodedEnsemble,
  conserved: ConservedGroups,
): FrozenStep {
  const plain = decodeLinearStep(compressor, ensemble);
  const step: StepFunction = (arrays, inputs) => {
    const { abundances, ...spread } = plain.step(arrays, inputs).outputs;
    const kept = conservedBy(arrays, abundances as tf.Tensor2D, inputs.totals as tf.Tensor2D);
    return { outputs: { ...kept, ...spread } };
  };
  return {
    prepare: (state) => ({ ...plain.prepare(state), ...conservationAmong(state) }),
    batch: { latents: 0, totals: 0 },
    step,
    inC: conservingC(conserved, plain.step),
  };
}

/** What `carry` is called among a step's inputs and outputs. */
export const carryName = (name: string): string => `carry_${name}`;

/**
 * A stretch of a rollout: state `parameters`, any bounds; inputs `physical`, `latents` and `carry_<name>` of what the evolver remembers;
 * outputs `latents` [steps, trajectories, latent], scaled, and the carry after the last step.
 */
export function rolloutStep(evolver: Evolver): FrozenStep {
  const { layout } = evolver;
  const names = evolver.carry.map(({ name }) => name);
  const step: StepFunction = (arrays, inputs) => {
    const [physical, latents] = [inputs.physical as tf.Tensor3D, inputs.latents as tf.Tensor2D];
    const carry = Object.fromEntries(names.map((name) => [name, inputs[carryName(name)]!]));
    const made = evolver.rollout(arrays, { physical, bounds: boundsOf(arrays, "latent") }, { latents, carry });
    return {
      outputs: {
        latents: tf.reshape(made.states, [physical.shape[0], ...latents.shape]),
        ...Object.fromEntries(names.map((name) => [carryName(name), made.carry[name]!])),
      },
    };
  };
  return {
    prepare: (state) => ({ ...layout.unpack(state.parameters!), ...boundsAmong(state, "latent") }),
    batch: { physical: 1, latents: 0, ...Object.fromEntries(names.map((name) => [carryName(name), 0])) },
    series: { input: "physical", output: "latents", longest: evolver.stretch },
    step,
  };
}

/** What trajectories remember when they start: state `parameters`; input `latents`; outputs `carry_<name>`. */
export function beginStep(evolver: Evolver): FrozenStep {
  const step: StepFunction = (arrays, inputs) => {
    const carry = Object.entries(evolver.begin(arrays, inputs.latents as tf.Tensor2D));
    return { outputs: Object.fromEntries(carry.map(([name, value]) => [carryName(name), value])) };
  };
  return { prepare: (state) => evolver.layout.unpack(state.parameters!), batch: { latents: 0 }, step };
}

/** The autoencoder's arrays by name, weights and running statistics, of a state with `parameters` and `statistics`. */
export function evaluationArrays({ layouts }: Compressor): (state: TensorMap) => TensorMap {
  return (state) => ({
    ...layouts.trainable.unpack(state.parameters!),
    ...layouts.statistics.unpack(state.statistics!),
  });
}
