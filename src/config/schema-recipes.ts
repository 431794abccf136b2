import { z } from "zod";
import { type PointwiseLoss, pointwiseLosses } from "../models/pointwise-loss.ts";
import { PositiveInteger } from "./schema-dataset.ts";

const share = z.number().min(0).lt(1);
const weight = z.number().min(0).default(0);

/** What a phase minimises, by `name`. @param of what every member says besides @param ofOriginal the same for the original's */
function lossUnion<Of extends z.ZodRawShape, OfOriginal extends z.ZodRawShape>(of: Of, ofOriginal: OfOriginal) {
  const original = z.strictObject({
    name: z
      .literal("original")
      .describe("the original's, summed over species, with the model's `worst_weight` and `conservation_weight`"),
    ...ofOriginal,
  });
  const others = Object.entries(pointwiseLosses).map(([name, { says, keys }]) =>
    z.strictObject({
      name: z.literal(name).describe(says),
      ...keys,
      worst_weight: weight.describe("Weight of the worst species of each row."),
      conservation_weight: weight.describe("Weight of the mismatch of the elements' totals, in dex."),
      ...of,
    }),
  );
  type Weights = { worst_weight: typeof weight; conservation_weight: typeof weight };
  type Original = z.output<typeof original>;
  type Other = PointwiseLoss & z.output<z.ZodObject<Weights & Of>>;
  const union = z.discriminatedUnion("name", [original, ...others]) as unknown as z.ZodType<Original | Other>;
  return union
    .prefault({ name: "original" })
    .describe("What the phase minimises, by the error d of a value, in dex or, for latents, in standard deviations.");
}

/** What every phase may say. */
const phaseKeys = {
  epochs: PositiveInteger.nullable()
    .default(null)
    .describe("Epochs of this phase; null: until the schedule or a limit of the model ends it."),
  epoch_steps: PositiveInteger.nullable()
    .default(null)
    .describe("Optimizer steps of an epoch, whatever the size of the data; null: once through them."),
  share: z.number().gt(0).default(1).describe("This phase's part of `model.max_minutes`, relative to the others'."),
  batch_size: PositiveInteger.nullable().default(null).describe("Items a batch; null: `model.batch_size`."),
  schedule: z
    .enum(["plateau", "cosine"])
    .default("plateau")
    .describe("plateau: the original's, steered by the validation error; cosine: warm-up and half a cosine."),
  lr_scale: z.number().gt(0).default(1).describe("Of cosine: the peak learning rate in units of `model.lr`."),
  warm_up: share.default(0.05).describe("Of cosine: share of the phase in which the learning rate rises from 0."),
  final_lr: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe("Of cosine: the learning rate at the end, as a share of the peak."),
  dropout: share.default(0).describe("Of cosine: dropout; with plateau it is `model.dropout`."),
  averaging: share
    .default(0)
    .describe("Decay of the running mean of the weights, which is validated and kept; 0: no averaging."),
};

/** What every recipe may say. */
const recipeKeys = {
  name: z.string().min(1).default("original").describe("What the log calls it."),
  optimizer: z
    .enum(["adamw", "muon"])
    .default("adamw")
    .describe("muon: matrices move by their orthogonalised momentum, the rest as in AdamW."),
  betas: z
    .tuple([share, share])
    .nullable()
    .default(null)
    .describe("Decay of the first and second moment; null: `model.betas`."),
  weight_decay: z.number().min(0).nullable().default(null).describe("Decoupled decay; null: `model.weight_decay`."),
  skip_overflow: z
    .boolean()
    .default(false)
    .describe("Leave out steps whose gradient is not finite, and count them; false: such a step ends the training."),
  metric: z
    .enum(["relative", "dex"])
    .default("relative")
    .describe("What chooses the best epoch: the mean relative error, or the mean error in dex."),
  validation_items: PositiveInteger.nullable()
    .default(null)
    .describe("Rows or windows to validate on, spread evenly; null: all."),
};

const AutoencoderPhase = z.strictObject({
  ...phaseKeys,
  noise: z
    .number()
    .min(0)
    .nullable()
    .default(null)
    .describe(
      "Noise on the latents, in units of each component's standard deviation in the batch; null: `model.noise`, in units of the latents.",
    ),
  loss: lossUnion({}, {}),
});
export type AutoencoderPhase = z.output<typeof AutoencoderPhase>;

const compared = <Names extends "abundances" | "latents">(...names: Names[]) =>
  z
    .enum(names)
    .default("abundances" as never)
    .describe("What is compared: abundances through the decoder, in dex, or scaled latents.");

const EmulatorPhase = z.strictObject({
  ...phaseKeys,
  window: z
    .int()
    .min(2)
    .nullable()
    .default(null)
    .describe("Rows of a window, at most `model.window_size`; null: `model.window_size`."),
  edges: share
    .default(0)
    .describe(
      "How often windows at the ends of a tracer are repeated, as a share of their steps: 0.5 has a tracer's ends covered as often as its middle.",
    ),
  noise: z.number().min(0).default(0).describe("Standard deviation of the noise on the scaled latents at the start."),
  decoded_steps: PositiveInteger.nullable()
    .default(null)
    .describe("Steps of a window, drawn anew each time, whose abundances enter the loss; null: all."),
  loss: lossUnion({ of: compared("abundances", "latents") }, { of: compared("abundances") }),
});
export type EmulatorPhase = z.output<typeof EmulatorPhase>;

/** `configs/recipes/autoencoder/*.yaml`. Left out, everything is the original's. */
export const AutoencoderRecipe = z.strictObject({
  ...recipeKeys,
  output_bias: z
    .enum(["zero", "mean"])
    .default("zero")
    .describe("Where the decoder begins: in the middle of the scale, or at each species' mean over training rows."),
  phases: z.array(AutoencoderPhase).min(1).prefault([{}]).describe("What is trained, one after the other."),
});
export type AutoencoderRecipe = z.output<typeof AutoencoderRecipe>;

/** `configs/recipes/emulator/*.yaml`. Left out, everything is the original's. */
export const EmulatorRecipe = z.strictObject({
  ...recipeKeys,
  latent_scaling: z
    .enum(["minmax", "standard"])
    .default("minmax")
    .describe("minmax: one range over all components, as the original; standard: mean and deviation of each."),
  last_layer: z
    .number()
    .gt(0)
    .nullable()
    .default(null)
    .describe("Factor of the last layer's initial weights, its bias 0: the rollout starts near the identity; null: 1."),
  phases: z.array(EmulatorPhase).min(1).prefault([{}]).describe("What is trained, one after the other."),
});
export type EmulatorRecipe = z.output<typeof EmulatorRecipe>;

/** Keys of the recipes' phases, for the documentation. */
export const phaseSchemas = { autoencoder: AutoencoderPhase, emulator: EmulatorPhase };
