import { readSpeciesList } from "../chemistry/species.ts";
import { derive } from "../config/derive.ts";
import type { LoadedConfig } from "../config/load.ts";
import { resolveIn, resolveInput } from "../config/paths.ts";
import type { AutoencoderJob } from "../training/autoencoder-run.ts";
import type { EmulatorJob } from "../training/emulator-run.ts";

/** The training of an autoencoder that a configuration describes. @param warmStart start from `model.pretrained_model_path` */
export function autoencoderJob(loaded: LoadedConfig<"config">, warmStart: boolean): AutoencoderJob {
  const config = derive(loaded, speciesOf(loaded));
  const { working_path, dataset, model } = config;
  const path = (name: string): string => resolveIn(working_path, name);
  return {
    dataset: path(dataset.dataset_path),
    columns: { metadata: dataset.metadata, phys: dataset.phys, species: dataset.species },
    clipping: dataset.abundances_clipping,
    unevenSteps: dataset.preprocessing.uneven_steps === "allow",
    shape: { input_dim: model.input_dim, hidden_dims: model.hidden_dims, latent_dim: model.latent_dim },
    model: loaded.config.model,
    recipe: config.recipe,
    weights: path(model.save_model_path),
    latentsMinmax: model.latents_minmax_path === null ? null : path(model.latents_minmax_path),
    warmStart: warmStart ? path(model.pretrained_model_path) : null,
    mode: config.mode,
    cacheFolder: path(config.cache_dir),
    memoryBudgetBytes: config.memory_budget_mb * 1e6,
    seed: config.seed,
  };
}

/** The training of an emulator that a configuration describes. @param warmStart start from `model.pretrained_model_path` */
export function emulatorJob(loaded: LoadedConfig<"config_emulator">, warmStart: boolean): EmulatorJob {
  const config = derive(loaded, speciesOf(loaded));
  const { working_path, dataset, autoencoder, model } = config;
  const path = (name: string): string => resolveIn(working_path, name);
  return {
    dataset: path(dataset.dataset_path),
    columns: { metadata: dataset.metadata, phys: dataset.phys, species: dataset.species },
    clipping: dataset.abundances_clipping,
    unevenSteps: dataset.preprocessing.uneven_steps === "allow",
    physicalRanges: dataset.physical_parameter_ranges,
    shape: { input_dim: model.input_dim, hidden_dim: model.hidden_dim, output_dim: model.output_dim },
    model: loaded.config.model,
    recipe: config.recipe,
    autoencoder: path(autoencoder.pretrained_model_path),
    weights: path(model.save_model_path),
    warmStart: warmStart ? path(model.pretrained_model_path) : null,
    mode: config.mode,
    cacheFolder: path(config.cache_dir),
    memoryBudgetBytes: config.memory_budget_mb * 1e6,
    seed: config.seed,
  };
}

/** The species list of a configuration, or the package's own. */
export function speciesOf({ config }: LoadedConfig): string[] {
  return readSpeciesList(resolveInput(config.working_path, config.dataset.species_path));
}
