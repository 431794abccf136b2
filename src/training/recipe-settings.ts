import type { AutoencoderRecipe, EmulatorRecipe } from "../config/schema-recipes.ts";
import type { TrainerSettings } from "./trainer.ts";

/** The keys that a model and its recipe both have a say in. */
export type TrainingModel = Omit<TrainerSettings, "metric" | "optimizer" | "skip_overflow">;

export type Recipe = AutoencoderRecipe | EmulatorRecipe;

/** A trainer's settings: the model's, and what the recipe puts in their place. */
export function trainerSettings<Model extends TrainingModel>(
  model: Model,
  { optimizer, betas, weight_decay, skip_overflow, metric }: Recipe,
): Model & TrainerSettings {
  return {
    ...model,
    betas: betas ?? model.betas,
    weight_decay: weight_decay ?? model.weight_decay,
    optimizer,
    skip_overflow,
    metric,
  };
}
