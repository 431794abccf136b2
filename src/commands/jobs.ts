import { join } from "node:path";
import { type ElementTable, elementTable, type MatrixFile } from "../chemistry/element-table.ts";
import { readSpeciesList } from "../chemistry/species.ts";
import type { LoadedConfig } from "../config/load.ts";
import { packageFolder, resolveIn, resolveInput } from "../config/paths.ts";
import type { CompressorModel, EvolverModel } from "../config/schema-models.ts";
import type { AutoencoderPhase, EmulatorPhase } from "../config/schema-recipes.ts";
import { readNpy } from "../formats/npy.ts";
import { kindOfCompressor } from "../models/compressors.ts";
import { kindOfEvolver } from "../models/evolvers.ts";
import type { AutoencoderJob } from "../training/autoencoder-run.ts";
import type { EmulatorJob } from "../training/emulator-run.ts";

/** The training of an autoencoder that a configuration describes. @param warmStart start from `model.pretrained_model_path` */
export function autoencoderJob(loaded: LoadedConfig<"config">, warmStart: boolean): AutoencoderJob {
  const { species, table, notes } = chemistryOf(loaded);
  const { config } = loaded;
  const { working_path, dataset, model } = config;
  const path = (name: string): string => resolveIn(working_path, name);
  return {
    dataset: path(dataset.dataset_path),
    columns: { metadata: dataset.metadata, phys: dataset.phys, species },
    elementTable: table,
    notes,
    clipping: dataset.abundances_clipping,
    unevenSteps: dataset.preprocessing.uneven_steps === "allow",
    shape: compressorShape(model, species.length),
    model,
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
  const { species, table, notes } = chemistryOf(loaded);
  const { config } = loaded;
  const { working_path, dataset, autoencoder, model } = config;
  const compressor = compressorShape(autoencoder, species.length);
  const path = (name: string): string => resolveIn(working_path, name);
  return {
    dataset: path(dataset.dataset_path),
    columns: { metadata: dataset.metadata, phys: dataset.phys, species },
    elementTable: table,
    notes,
    clipping: dataset.abundances_clipping,
    unevenSteps: dataset.preprocessing.uneven_steps === "allow",
    physicalRanges: dataset.physical_parameter_ranges,
    shape: evolverShape(model, dataset.phys.length, compressor),
    // A member by itself is no weights to use: those of the ensemble go there.
    model: { ...model, save_model: model.save_model && config.member === null },
    recipe: config.recipe,
    autoencoder: path(autoencoder.pretrained_model_path),
    compressor: { model_name: autoencoder.model_name, model: compressor },
    weights: path(model.save_model_path),
    warmStart: warmStart ? path(model.pretrained_model_path) : null,
    mode: config.mode,
    cacheFolder: path(config.cache_dir),
    memoryBudgetBytes: config.memory_budget_mb * 1e6,
    seed: config.seed + (config.member ?? 0),
    members: config.member === null ? config.members : 1,
    member: 0,
  };
}

/** @returns with the names of the elements whose totals are the last latents, where there are such */
function compressorShape(
  model: CompressorModel,
  species: number,
): { readonly latent_dim: number; readonly elements?: readonly string[] } {
  const { widths, latents } = kindOfCompressor(model.model_name);
  const own = widthsOf(widths, model) as { latent_dim: number };
  return { ...own, ...{ input_dim: species, latent_dim: latents?.(species) ?? own.latent_dim } };
}

function evolverShape(
  model: EvolverModel,
  physical: number,
  { latent_dim: latents, elements }: ReturnType<typeof compressorShape>,
): EmulatorJob["shape"] {
  const own = widthsOf(kindOfEvolver(model.model_name).widths, model);
  const held = elements === undefined ? {} : { held: elements.length };
  return { ...own, input_dim: physical + latents, output_dim: latents, ...held };
}

/** What a model's configuration says of its own sizes. */
function widthsOf(widths: object, model: object): object {
  return Object.fromEntries(Object.entries(model).filter(([name]) => name in widths));
}

/** The tables that a configuration names, which no output may replace. */
export function tablesOf({ config }: LoadedConfig<"config" | "config_emulator">): string[] {
  const { species_path, initial_abundances_path, stoichiometric_matrix_path } = config.dataset;
  return [species_path, initial_abundances_path, stoichiometric_matrix_path].flatMap((path) =>
    path === null ? [] : [resolveInput(config.working_path, path)],
  );
}

/** The species list of a configuration, or the package's own. */
export function speciesOf({ config }: LoadedConfig<"config" | "config_emulator">): string[] {
  return readSpeciesList(resolveInput(config.working_path, config.dataset.species_path));
}

/** The species of a configuration and what they are made of, by their names and the matrix. */
export interface Chemistry {
  readonly species: string[];
  readonly table: ElementTable;
  /** What there is to say of the names, a line each. */
  readonly notes: readonly string[];
}

/** @throws DataError naming all names that cannot be used, and where the matrix does not fit */
export function chemistryOf(loaded: LoadedConfig<"config" | "config_emulator">): Chemistry {
  const { working_path, dataset } = loaded.config;
  const species = speciesOf(loaded);
  const matrix = matrixOf(loaded, species);
  const { table, notes } = elementTable(species, {
    naming: dataset,
    matrix,
    allowsNoFormula: !conserves(loaded),
    where: resolveInput(working_path, dataset.species_path),
  });
  const isPassedOver = matrix === null && dataset.stoichiometric_matrix_path !== null;
  const note = "computed the elements from the names: the package's matrix belongs to another species list";
  return { species, table, notes: isPassedOver ? [note, ...notes] : notes };
}

/** The file of a configuration. The package's own counts for the package's own list only. */
function matrixOf(
  { config }: LoadedConfig<"config" | "config_emulator">,
  species: readonly string[],
): MatrixFile | null {
  const { working_path, dataset } = config;
  if (dataset.stoichiometric_matrix_path === null) return null;
  const path = resolveInput(working_path, dataset.stoichiometric_matrix_path);
  const isShipped = path === join(packageFolder, "utils", "stoichiometric_matrix.npy");
  if (isShipped && species.join() !== readSpeciesList(join(packageFolder, "utils", "species.txt")).join()) return null;
  return { path, ...readNpy(path) };
}

/** Whether some phase's loss holds the elements' totals. */
export function conserves({ config }: LoadedConfig<"config" | "config_emulator">): boolean {
  const phases: readonly (AutoencoderPhase | EmulatorPhase)[] = config.recipe.phases;
  return phases.some(({ loss }) => {
    if ("of" in loss && loss.of === "latents") return false;
    // The original's loss has the model's weight.
    return (loss.name === "original" ? config.model : loss).conservation_weight > 0;
  });
}
