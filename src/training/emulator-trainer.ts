import { type Engine, type HostTensor, type HostTensors, hostTensor } from "../backend/engine.ts";
import type { EmulatorBatch } from "../data/emulator-batches.ts";
import type { RandomStream } from "../data/random.ts";
import type { BoundSteps } from "./bound-steps.ts";
import { drawnMasks } from "./dropout.ts";
import {
  type EmulatorLoss,
  type EmulatorSetting,
  emulatorParts,
  emulatorTrainStep,
  emulatorValidationStep,
} from "./emulator-steps.ts";
import { Trainer, type TrainerOptions } from "./trainer.ts";

/** What the emulator's training needs beside the common options. */
export interface EmulatorTraining extends EmulatorSetting {
  /** Atoms per species, [species, elements]. */
  readonly stoichiometry: { readonly data: Float32Array; readonly shape: readonly number[] };
  /** The frozen autoencoder: the vectors of its layouts. */
  readonly frozen: { readonly trainable: Float32Array; readonly statistics: Float32Array };
  /** Starting weights: the vector of its layout. */
  readonly initial: Float32Array;
  /** What each phase of the options says beside the loop's settings. */
  readonly phases: readonly EmulatorPhaseSettings[];
}

/** A phase of the emulator's; keys as in the recipe. */
export interface EmulatorPhaseSettings {
  readonly loss: EmulatorLoss;
  /** Standard deviation of the noise on the scaled latents at the start of a window. */
  readonly noise: number;
  /** Steps of a window that are decoded; null for all. */
  readonly decoded_steps: number | null;
}

/** Trains the emulator through the frozen decoder, over whole windows, step by step. */
export class EmulatorTrainerSequential extends Trainer<EmulatorBatch> {
  protected override readonly weightNames = ["parameters"];
  override readonly parameterCount: number;
  readonly #training: EmulatorTraining;

  constructor(options: TrainerOptions<EmulatorBatch>, training: EmulatorTraining) {
    super(options);
    this.#training = training;
    this.parameterCount = training.evolver.layout.size;
  }

  protected override bind(engine: Engine): BoundSteps {
    const training = this.#training;
    const { frozen, initial, stoichiometry, phases } = training;
    const { settings } = this.options;
    const size = this.parameterCount;
    const state = engine.state({
      parameters: hostTensor(initial, [size]),
      first_moment: hostTensor(new Float32Array(size), [size]),
      second_moment: hostTensor(new Float32Array(size), [size]),
      decoder_parameters: hostTensor(frozen.trainable, [frozen.trainable.length]),
      decoder_statistics: hostTensor(frozen.statistics, [frozen.statistics.length]),
      stoichiometry,
    });
    const options = { parts: emulatorParts(training.evolver) };
    const trainPrograms = phases.map(({ loss }) =>
      engine.program("emulator training step", emulatorTrainStep(training, settings, loss), options),
    );
    const validationProgram = engine.program("emulator validation", emulatorValidationStep(training), options);
    return { state, trainPrograms, validationProgram };
  }

  protected override itemsIn(batch: EmulatorBatch): number {
    return batch.windows;
  }

  protected override inputs(batch: EmulatorBatch): HostTensors {
    const { steps, windows, targets } = batch;
    return {
      ...drivingInputs(batch),
      targets: hostTensor(targets, [steps, windows, targets.length / (steps * windows)]),
    };
  }

  protected override trainingInputs(
    batch: EmulatorBatch,
    phase: number,
    dropout: number,
    random: RandomStream,
  ): HostTensors {
    const { loss, noise, decoded_steps } = this.#training.phases[phase]!;
    const { steps, windows, latentTargets } = batch;
    const inputs = drivingInputs(batch);
    if (noise > 0) inputs.latents = withNoise(inputs.latents!, noise, random);
    if (loss.of === "latents") {
      inputs.latent_targets = hostTensor(latentTargets, [steps, windows, latentTargets.length / (steps * windows)]);
    } else if (decoded_steps !== null && decoded_steps < steps) {
      Object.assign(inputs, decodedInputs(batch, chooseSteps(steps, decoded_steps, random)));
    } else {
      inputs.targets = this.inputs(batch).targets!;
    }
    if (dropout > 0) {
      Object.assign(inputs, drawnMasks(this.#training.evolver.masks, [steps, windows], dropout, random));
    }
    return inputs;
  }
}

function drivingInputs({ steps, windows, physical, latents }: EmulatorBatch): HostTensors {
  return {
    physical: hostTensor(physical, [steps, windows, physical.length / (steps * windows)]),
    latents: hostTensor(latents, [windows, latents.length / windows]),
  };
}

function withNoise({ data, shape }: HostTensor, deviation: number, random: RandomStream): HostTensor {
  const noise = new Float32Array(data.length);
  random.fillNormal(noise, deviation);
  return hostTensor(
    noise.map((value, i) => value + data[i]!),
    shape,
  );
}

/** `count` of the steps, in order: each as likely as the other. */
function chooseSteps(steps: number, count: number, random: RandomStream): number[] {
  const all = Array.from({ length: steps }, (_, step) => step);
  for (let i = 0; i < count; i++) {
    const j = i + Math.floor(random.uniform() * (steps - i));
    [all[i], all[j]] = [all[j]!, all[i]!];
  }
  return all.slice(0, count).sort((a, b) => a - b);
}

/** The targets of some steps, and what picks their states. */
function decodedInputs({ steps, windows, targets }: EmulatorBatch, chosen: readonly number[]): HostTensors {
  const width = targets.length / steps;
  const selection = new Float32Array(chosen.length * steps);
  const some = new Float32Array(chosen.length * width);
  for (const [k, step] of chosen.entries()) {
    selection[k * steps + step] = 1;
    some.set(targets.subarray(step * width, (step + 1) * width), k * width);
  }
  return {
    selection: hostTensor(selection, [chosen.length, steps]),
    targets: hostTensor(some, [chosen.length, windows, width / windows]),
  };
}
