import type { Series, StepFunction } from "../backend/engine.ts";
import { type TensorMap, tf } from "../backend/tf.ts";
import type { Scale } from "../chemistry/scaling.ts";
import { bounded, boundsAmong, boundsOf } from "./bounds.ts";
import type { Compressor } from "./compressor.ts";
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
}

/** Encoding: state `parameters`, `statistics`; input `features` [rows, species] scaled; output `latents` [rows, latent], raw. */
export function encodeStep(compressor: Compressor): FrozenStep {
  const step: StepFunction = (arrays, inputs) => ({
    outputs: { latents: compressor.encode(arrays, inputs.features as tf.Tensor2D, runningNormalizer(arrays)) },
  });
  return { prepare: evaluationArrays(compressor), batch: { features: 0 }, step };
}

/** Decoding: state `parameters`, `statistics`, any bounds; input `latents` [rows, latent] raw; output `scaled` [rows, species]. */
export function decodeStep(compressor: Compressor): FrozenStep {
  const unpacked = evaluationArrays(compressor);
  const step: StepFunction = (arrays, inputs) => {
    const scaled = compressor.decode(arrays, inputs.latents as tf.Tensor2D, runningNormalizer(arrays));
    return { outputs: { scaled: bounded(scaled, boundsOf(arrays, "abundance")) } };
  };
  return {
    prepare: (state) => ({ ...unpacked(state), ...boundsAmong(state, "abundance") }),
    batch: { latents: 0 },
    step,
  };
}

/**
 * Decoding to linear abundances with given totals: state as for `decodeStep` and that of `conservationArrays`; inputs `latents`, `totals`
 * [rows, totals]; outputs `abundances` [rows, species], `correction` and `residual` [rows]: see `conserved`.
 */
export function decodeConservedStep(compressor: Compressor, scale: Scale): FrozenStep {
  const plain = decodeStep(compressor);
  const step: StepFunction = (arrays, inputs) => {
    const linear = unscaledTensor(plain.step(arrays, inputs).outputs.scaled as tf.Tensor2D, scale);
    return { outputs: { ...conservedBy(arrays, linear, inputs.totals as tf.Tensor2D) } };
  };
  return {
    prepare: (state) => ({ ...plain.prepare(state), ...conservationAmong(state) }),
    batch: { latents: 0, totals: 0 },
    step,
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
