import { z } from "zod";
import { compressors } from "../models/compressors.ts";
import { evolvers } from "../models/evolvers.ts";
import { weightsPlaces } from "./paths.ts";
import { PositiveInteger } from "./schema-dataset.ts";

const share = z.number().min(0).lt(1);

/** What every model's file may say about its training. Defaults differ from model to model. */
function trainingKeys(defaults: {
  lr_decay_patience: number;
  betas: [number, number];
  weight_decay: number;
  conservation_weight: number;
  gradient_clipping: number;
  dropout: number;
  dropout_decay_patience: number;
  weights: string;
}) {
  return {
    lr: z.number().gt(0).default(1e-3).describe("Learning rate at the start; phases with a cosine scale it."),
    lr_decay: z
      .number()
      .gt(0)
      .lt(1)
      .default(0.5)
      .describe("Factor of the learning rate where the metric stays on a plateau."),
    lr_decay_patience: PositiveInteger.default(defaults.lr_decay_patience).describe(
      "Epochs without improvement before the learning rate decays; one more loads the best weights back.",
    ),
    betas: z.tuple([share, share]).default(defaults.betas).describe("AdamW: decay of the first and second moment."),
    weight_decay: z
      .number()
      .min(0)
      .default(defaults.weight_decay)
      .describe("AdamW: decoupled decay, on every parameter."),
    power_weight: z
      .number()
      .gt(0)
      .default(20)
      .describe("Decades that the scaled axis spans in the loss (20 for clipping at 1e-20)."),
    conservation_weight: z
      .number()
      .min(0)
      .default(defaults.conservation_weight)
      .describe("Weight of the elements' conservation in the loss."),
    worst_weight: z.number().min(0).default(2).describe("Weight of the worst species of each row in the loss (alpha)."),
    stagnant_epoch_patience: PositiveInteger.default(20).describe("Epochs without improvement that end the training."),
    gradient_clipping: z
      .number()
      .gt(0)
      .default(defaults.gradient_clipping)
      .describe("Largest global norm of the gradient."),
    dropout: share.default(defaults.dropout).describe("Dropout at the start; phases with a cosine have their own."),
    dropout_decay_patience: PositiveInteger.default(defaults.dropout_decay_patience).describe(
      "Epochs without improvement before the dropout is lowered.",
    ),
    dropout_reduction_factor: z
      .number()
      .min(0)
      .max(1)
      .default(0.05)
      .describe("What is taken off the dropout each time."),
    low_dropout_threshold: share
      .default(0.1)
      .describe("At or below this dropout the learning rate is `low_dropout_lr`."),
    low_dropout_lr: z
      .number()
      .gt(0)
      .default(1e-3)
      .describe("Learning rate once the dropout was lowered to the threshold."),
    shuffle_chunk_size: z
      .number()
      .gt(0)
      .max(1)
      .default(1)
      .describe("Share of the data shuffled at a time; below 1 the rows stream from the file."),
    max_epochs: PositiveInteger.nullable().default(null).describe("Epochs at most; null: no limit."),
    max_minutes: z.number().gt(0).nullable().default(null).describe("Minutes of training at most; null: no limit."),
    save_model: z.boolean().default(true).describe("Write the best weights and the epoch log."),
    pretrained_model_path: z
      .string()
      .min(1)
      .default(defaults.weights)
      .describe("Weights to load: warm start, inference."),
    save_model_path: z
      .string()
      .min(1)
      .default(defaults.weights)
      .describe("Weights to write; the epoch log goes beside, as .json."),
  };
}

/** What the file of every compressor says besides its widths. */
const compressorKeys = {
  batch_size: z.int().min(2).default(65536).describe("Rows a batch; batch normalisation needs two."),
  noise: z.number().min(0).default(0.1).describe("Standard deviation of the noise on the latents in training."),
  latents_minmax_path: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe(
      "Also write the latent range to this .npy file, as the original did; nothing reads it, the weights hold the range.",
    ),
  ...trainingKeys({
    lr_decay_patience: 12,
    betas: [0.99, 0.999],
    weight_decay: 1e-4,
    conservation_weight: 100,
    gradient_clipping: 2,
    dropout: 0.3,
    dropout_decay_patience: 10,
    weights: weightsPlaces.autoencoder,
  }),
};

/** What the file of every evolver says besides its widths. */
const evolverKeys = {
  window_size: z.int().min(2).default(240).describe("Rows of a training window: one start and window_size − 1 steps."),
  batch_size: PositiveInteger.default(3072).describe("Windows a batch."),
  ...trainingKeys({
    lr_decay_patience: 5,
    betas: [0.9, 0.995],
    weight_decay: 1e-3,
    conservation_weight: 500,
    gradient_clipping: 1,
    dropout: 0,
    dropout_decay_patience: 3,
    weights: weightsPlaces.emulator,
  }),
};

/** A model's file, whichever it is: its widths are for the model itself. */
type OfAnyKind<Keys extends z.ZodRawShape> = z.output<z.ZodObject<Keys>> & { readonly model_name: string };
export type CompressorModel = OfAnyKind<typeof compressorKeys>;
export type EvolverModel = OfAnyKind<typeof evolverKeys>;

/** The schemas of the files of all models of a registry, by `model_name`. */
function schemasOf<Keys extends z.ZodRawShape>(
  registry: Readonly<Record<string, { readonly name: string; readonly widths: z.ZodRawShape }>>,
  keys: Keys,
): Record<string, z.ZodType<OfAnyKind<Keys>>> {
  const schemas = Object.values(registry).map(({ name, widths }) => {
    const model_name = z.literal(name).describe("Which model this is.");
    // Widths stand first, and win over a key of their name.
    return [name, z.strictObject({ model_name, ...widths, ...keys, ...widths })] as const;
  });
  return Object.fromEntries(schemas) as never;
}

/** Every model there is, by its `model_name`. */
export const models = {
  /** Abundances ↔ latents. */
  compressors: schemasOf(compressors, compressorKeys),
  /** Latents through time. */
  evolvers: schemasOf(evolvers, evolverKeys),
};
