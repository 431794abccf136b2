import { type Engine, type HostTensors, hostTensor } from "../backend/engine.ts";
import type { AutoencoderBatch } from "../data/autoencoder-batches.ts";
import type { RandomStream } from "../data/random.ts";
import type { Compressor, CompressorVectors } from "../models/compressor.ts";
import type { LossSettings } from "../models/losses.ts";
import type { PhaseLoss } from "../models/recipe-loss.ts";
import { autoencoderParts, autoencoderTrainStep, autoencoderValidationStep } from "./autoencoder-steps.ts";
import type { BoundSteps } from "./bound-steps.ts";
import { drawnMasks } from "./dropout.ts";
import { Trainer, type TrainerOptions } from "./trainer.ts";

/** What the autoencoder's training needs beside the common options. */
export interface AutoencoderTraining {
  readonly compressor: Compressor;
  readonly loss: LossSettings;
  /** Standard deviation of the noise on the latents in training, where a phase has none of its own. */
  readonly noise: number;
  /** What each phase of the options says beside the loop's settings. */
  readonly phases: readonly AutoencoderPhaseSettings[];
  /** Atoms per species, [species, elements]. */
  readonly stoichiometry: { readonly data: Float32Array; readonly shape: readonly number[] };
  /** Starting weights. */
  readonly initial: CompressorVectors;
}

/** A phase of the autoencoder's; keys as in the recipe. */
export interface AutoencoderPhaseSettings {
  readonly loss: PhaseLoss;
  /** In units of each component's deviation; null for the training's noise in units of the latents. */
  readonly noise: number | null;
}

/** Trains the autoencoder to reproduce scaled abundances. */
export class AutoencoderTrainer extends Trainer<AutoencoderBatch> {
  protected override readonly weightNames = ["parameters", "statistics"];
  override readonly parameterCount: number;
  readonly #training: AutoencoderTraining;

  constructor(options: TrainerOptions<AutoencoderBatch>, training: AutoencoderTraining) {
    super(options);
    this.#training = training;
    this.parameterCount = training.compressor.layouts.trainable.size;
  }

  protected override bind(engine: Engine): BoundSteps {
    const { compressor, loss, initial, stoichiometry, phases } = this.#training;
    const { settings } = this.options;
    const size = this.parameterCount;
    const state = engine.state({
      parameters: hostTensor(initial.trainable, [size]),
      statistics: hostTensor(initial.statistics, [initial.statistics.length]),
      first_moment: hostTensor(new Float32Array(size), [size]),
      second_moment: hostTensor(new Float32Array(size), [size]),
      stoichiometry,
    });
    const options = { parts: autoencoderParts(compressor) };
    const trainPrograms = phases.map((phase) =>
      engine.program(
        "autoencoder training step",
        autoencoderTrainStep(compressor, loss, settings, phase.loss),
        options,
      ),
    );
    const validation = autoencoderValidationStep(compressor, loss);
    const validationProgram = engine.program("autoencoder validation", validation, options);
    return { state, trainPrograms, validationProgram };
  }

  protected override itemsIn(batch: AutoencoderBatch): number {
    return batch.rows;
  }

  protected override inputs(batch: AutoencoderBatch): HostTensors {
    return { features: hostTensor(batch.features, [batch.rows, this.#training.compressor.shape.input_dim]) };
  }

  protected override trainingInputs(
    batch: AutoencoderBatch,
    phase: number,
    dropout: number,
    random: RandomStream,
  ): HostTensors {
    const { masks, shape } = this.#training.compressor;
    const { rows } = batch;
    const inputs = this.inputs(batch);
    if (dropout > 0) Object.assign(inputs, drawnMasks(masks, [rows], dropout, random));
    const relative = this.#training.phases[phase]!.noise;
    const noise = relative ?? this.#training.noise;
    if (noise > 0) {
      const values = hostTensor(new Float32Array(rows * shape.latent_dim), [rows, shape.latent_dim]);
      random.fillNormal(values.data, noise);
      inputs[relative === null ? "noise" : "relative_noise"] = values;
    }
    return inputs;
  }
}
