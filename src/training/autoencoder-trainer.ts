import { type EngineState, type HostTensors, hostTensor, type Program } from "../backend/engine.ts";
import type { AutoencoderBatch } from "../data/autoencoder-batches.ts";
import type { RandomStream } from "../data/random.ts";
import { type AutoencoderShape, autoencoderLayouts } from "../models/autoencoder.ts";
import type { LossSettings } from "../models/losses.ts";
import { autoencoderTrainStep, autoencoderValidationStep } from "./autoencoder-steps.ts";
import { Trainer, type TrainerOptions } from "./trainer.ts";

/** What the autoencoder's training needs beside the common options. */
export interface AutoencoderTraining {
  readonly shape: AutoencoderShape;
  readonly loss: LossSettings;
  /** Standard deviation of the noise on the latents in training. */
  readonly noise: number;
  /** Atoms per species, [species, elements]. */
  readonly stoichiometry: { readonly data: Float32Array; readonly shape: readonly number[] };
  /** Starting weights: the vectors of `autoencoderLayouts`. */
  readonly initial: { readonly trainable: Float32Array; readonly statistics: Float32Array };
}

/** Trains the autoencoder to reproduce scaled abundances. */
export class AutoencoderTrainer extends Trainer<AutoencoderBatch> {
  protected override readonly state: EngineState;
  protected override readonly trainProgram: Program;
  protected override readonly validationProgram: Program;
  protected override readonly weightNames = ["parameters", "statistics"];
  override readonly parameterCount: number;
  readonly #training: AutoencoderTraining;

  constructor(options: TrainerOptions<AutoencoderBatch>, training: AutoencoderTraining) {
    super(options);
    this.#training = training;
    const { shape, loss, initial, stoichiometry } = training;
    const size = autoencoderLayouts(shape).trainable.size;
    this.parameterCount = size;
    this.state = options.engine.state({
      parameters: hostTensor(initial.trainable, [size]),
      statistics: hostTensor(initial.statistics, [initial.statistics.length]),
      first_moment: hostTensor(new Float32Array(size), [size]),
      second_moment: hostTensor(new Float32Array(size), [size]),
      stoichiometry,
    });
    const { engine, settings } = options;
    this.trainProgram = engine.program("autoencoder training step", autoencoderTrainStep(shape, loss, settings));
    this.validationProgram = engine.program("autoencoder validation", autoencoderValidationStep(shape, loss));
  }

  protected override itemsIn(batch: AutoencoderBatch): number {
    return batch.rows;
  }

  protected override inputs(batch: AutoencoderBatch): HostTensors {
    return { features: hostTensor(batch.features, [batch.rows, this.#training.shape.input_dim]) };
  }

  protected override randomInputs({ rows }: AutoencoderBatch, dropout: number, random: RandomStream): HostTensors {
    const { hidden_dims, latent_dim } = this.#training.shape;
    const inputs: HostTensors = {};
    if (dropout > 0) {
      inputs.encoder_mask = hostTensor(new Float32Array(rows * hidden_dims[1]), [rows, hidden_dims[1]]);
      inputs.decoder_mask = hostTensor(new Float32Array(rows * hidden_dims[0]), [rows, hidden_dims[0]]);
      random.fillKeepMask(inputs.encoder_mask.data, dropout);
      random.fillKeepMask(inputs.decoder_mask.data, dropout);
    }
    if (this.#training.noise > 0) {
      inputs.noise = hostTensor(new Float32Array(rows * latent_dim), [rows, latent_dim]);
      random.fillNormal(inputs.noise.data, this.#training.noise);
    }
    return inputs;
  }
}
