import { kindOfCompressor } from "../models/compressors.ts";
import type { LoadedConfig } from "./load.ts";
import { printValue } from "./override-values.ts";
import { type Problem, throwProblems } from "./problems.ts";
import type { CompressorModel } from "./schema-models.ts";
import type { ConfigOf, TrainingRoot } from "./schemas.ts";
import type { ConfigValue } from "./tree.ts";

/** What a dataset's configuration leaves to be counted. */
export interface DerivedDataset {
  readonly species: readonly string[];
  readonly num_species: number;
  readonly num_phys: number;
  readonly num_metadata: number;
}

/** What a model's configuration leaves to be counted. */
export interface DerivedModel {
  readonly input_dim: number;
  readonly latent_dim: number;
  /** The columns of the clean file that the model reads, in order. */
  readonly columns: readonly string[];
  readonly num_columns: number;
}

/** What an emulator's configuration leaves to be counted: its latents are the autoencoder's. */
export interface DerivedEmulator extends DerivedModel {
  readonly output_dim: number;
}

type Completed<Part, Derived> = Omit<Part, keyof Derived> & Derived;

/** A configuration with nothing left open. */
export type CompleteConfig<R extends TrainingRoot> = R extends "config"
  ? Omit<ConfigOf<"config">, "dataset" | "model"> & {
      readonly dataset: Completed<ConfigOf<"config">["dataset"], DerivedDataset>;
      readonly model: Completed<ConfigOf<"config">["model"], DerivedModel>;
    }
  : Omit<ConfigOf<"config_emulator">, "dataset" | "autoencoder" | "model"> & {
      readonly dataset: Completed<ConfigOf<"config_emulator">["dataset"], DerivedDataset>;
      readonly autoencoder: Completed<ConfigOf<"config_emulator">["autoencoder"], DerivedModel>;
      readonly model: Completed<ConfigOf<"config_emulator">["model"], DerivedEmulator>;
    };

/**
 * Completes a configuration with what follows from the species and from its own parts: counts, columns, dimensions.
 * @param species the names in the species file, in order
 * @throws ConfigError telling every value of the configuration that contradicts them, with its place
 */
export function derive<R extends TrainingRoot>(loaded: LoadedConfig<R>, species: readonly string[]): CompleteConfig<R> {
  const check = new Contradictions(loaded);
  const config = loaded.config as ConfigOf<TrainingRoot>;
  const dataset = {
    ...config.dataset,
    ...check.complete<DerivedDataset>("dataset", {
      species,
      num_species: species.length,
      num_phys: config.dataset.phys.length,
      num_metadata: config.dataset.metadata.length,
    }),
  };
  const reads = (compressor: CompressorModel): DerivedModel => {
    const latent_dim = kindOfCompressor(compressor.model_name).latents?.(species.length) ?? compressor.latent_dim!;
    return { input_dim: species.length, latent_dim, columns: species, num_columns: species.length };
  };
  if (!("autoencoder" in config)) {
    const model = { ...config.model, ...check.complete<DerivedModel>("model", reads(config.model as CompressorModel)) };
    check.end();
    return { ...config, dataset, model } as unknown as CompleteConfig<R>;
  }
  const ofAutoencoder = reads(config.autoencoder);
  const { latent_dim } = ofAutoencoder;
  const columns = [...dataset.metadata, ...dataset.phys, ...species];
  const autoencoder = { ...config.autoencoder, ...check.complete<DerivedModel>("autoencoder", ofAutoencoder) };
  const derived = { input_dim: dataset.phys.length + latent_dim, columns, num_columns: columns.length };
  const model = {
    ...config.model,
    ...check.complete<DerivedEmulator>("model", { ...derived, latent_dim, output_dim: latent_dim }),
  };
  check.end();
  return { ...config, dataset, autoencoder, model } as unknown as CompleteConfig<R>;
}

/** Compares what was written with what follows. */
class Contradictions {
  readonly #loaded: LoadedConfig;
  readonly #problems: Problem[] = [];

  constructor(loaded: LoadedConfig) {
    this.#loaded = loaded;
  }

  /** The derived values, each compared with what the configuration says of it. */
  complete<Derived extends object>(section: string, derived: Derived): Derived {
    const written = (this.#loaded.config as Record<string, unknown>)[section] as Record<
      string,
      ConfigValue | undefined
    >;
    for (const [name, value] of Object.entries(derived) as [string, ConfigValue][]) {
      const given = written[name];
      if (given !== undefined && printValue(given) !== printValue(value))
        this.#report(`${section}.${name}`, given, value);
    }
    return derived;
  }

  end(): void {
    throwProblems(this.#problems);
  }

  #report(key: string, given: ConfigValue, value: ConfigValue): void {
    const difference =
      Array.isArray(given) && Array.isArray(value)
        ? describeLists(given, value)
        : `is ${printValue(given)}, but ${printValue(value)} follows from ${origins[key.split(".")[1]!]}`;
    this.#problems.push({
      what: `\`${key}\` ${difference}`,
      place: this.#loaded.sources.get(key),
      fix: `leave ${key} out: it is derived`,
    });
  }
}

/** What the derived values come from, for error messages. */
const origins: Readonly<Record<string, string>> = {
  num_species: "the species file",
  input_dim: "the species, the physical parameters and the latents",
  num_columns: "the species and the other columns",
  num_phys: "dataset.phys",
  num_metadata: "dataset.metadata",
  latent_dim: "the autoencoder's latent_dim",
  output_dim: "the autoencoder's latent_dim",
};

function describeLists(given: readonly ConfigValue[], derived: readonly ConfigValue[]): string {
  const length = Math.max(given.length, derived.length);
  const index = Array.from({ length }, (_, i) => i).findIndex((i) => given[i] !== derived[i]);
  const shown = (list: readonly ConfigValue[]) => (index < list.length ? printValue(list[index]!) : "nothing");
  const counts = given.length === derived.length ? "" : ` (${given.length} in all, there ${derived.length})`;
  return `differs from what the data give: at position ${index + 1} stands ${shown(given)}, there ${shown(derived)}${counts}`;
}
