import { type EngineState, type HostTensors, hostTensor, type Program } from "../backend/engine.ts";
import type { EmulatorBatch } from "../data/emulator-batches.ts";
import type { RandomStream } from "../data/random.ts";
import { emulatorLayout } from "../models/emulator.ts";
import { type EmulatorSetting, emulatorTrainStep, emulatorValidationStep } from "./emulator-steps.ts";
import { Trainer, type TrainerOptions } from "./trainer.ts";

/** What the emulator's training needs beside the common options. */
export interface EmulatorTraining extends EmulatorSetting {
  /** Atoms per species, [species, elements]. */
  readonly stoichiometry: { readonly data: Float32Array; readonly shape: readonly number[] };
  /** The frozen autoencoder: the vectors of `autoencoderLayouts`. */
  readonly frozen: { readonly trainable: Float32Array; readonly statistics: Float32Array };
  /** Starting weights: the vector of `emulatorLayout`. */
  readonly initial: Float32Array;
}

/** Trains the emulator through the frozen decoder, over whole windows, step by step. */
export class EmulatorTrainerSequential extends Trainer<EmulatorBatch> {
  protected override readonly state: EngineState;
  protected override readonly trainProgram: Program;
  protected override readonly validationProgram: Program;
  protected override readonly weightNames = ["parameters"];
  override readonly parameterCount: number;
  readonly #training: EmulatorTraining;

  constructor(options: TrainerOptions<EmulatorBatch>, training: EmulatorTraining) {
    super(options);
    this.#training = training;
    const { frozen, initial, stoichiometry } = training;
    const size = emulatorLayout(training.emulator).size;
    this.parameterCount = size;
    this.state = options.engine.state({
      parameters: hostTensor(initial, [size]),
      first_moment: hostTensor(new Float32Array(size), [size]),
      second_moment: hostTensor(new Float32Array(size), [size]),
      decoder_parameters: hostTensor(frozen.trainable, [frozen.trainable.length]),
      decoder_statistics: hostTensor(frozen.statistics, [frozen.statistics.length]),
      stoichiometry,
    });
    const { engine, settings } = options;
    this.trainProgram = engine.program("emulator training step", emulatorTrainStep(training, settings));
    this.validationProgram = engine.program("emulator validation", emulatorValidationStep(training));
  }

  protected override itemsIn(batch: EmulatorBatch): number {
    return batch.windows;
  }

  protected override inputs({ steps, windows, physical, latents, targets }: EmulatorBatch): HostTensors {
    const rows = steps * windows;
    return {
      physical: hostTensor(physical, [steps, windows, physical.length / rows]),
      latents: hostTensor(latents, [windows, latents.length / windows]),
      targets: hostTensor(targets, [steps, windows, targets.length / rows]),
    };
  }

  protected override randomInputs(
    { steps, windows }: EmulatorBatch,
    dropout: number,
    random: RandomStream,
  ): HostTensors {
    if (dropout === 0) return {};
    const shape = [steps, windows, this.#training.emulator.hidden_dim];
    const mask = (): Float32Array => new Float32Array(steps * windows * this.#training.emulator.hidden_dim);
    const inputs = { first_mask: hostTensor(mask(), shape), second_mask: hostTensor(mask(), shape) };
    random.fillKeepMask(inputs.first_mask.data, dropout);
    random.fillKeepMask(inputs.second_mask.data, dropout);
    return inputs;
  }
}
