import { basename } from "node:path";
import type { ElementTable } from "../chemistry/element-table.ts";
import { storedScale } from "../chemistry/physical-parameters.ts";
import { CheckpointError } from "../errors.ts";
import { readNpy } from "../formats/npy.ts";
import { packageVersion } from "../version.ts";
import type { Compressor } from "./compressor.ts";
import type { Evolver } from "./evolver.ts";
import type { Layout } from "./layout.ts";
import { readSavedArrays, type SavedArrays } from "./saved-arrays.ts";
import {
  type AutoencoderWeights,
  compareArrays,
  type EmulatorWeights,
  type Provenance,
  storedTable,
  valueFault,
} from "./weights-file.ts";

/** A model and its `model_name`. */
export interface NamedModel<T> {
  readonly name: string;
  readonly of: T;
}

/** What PyTorch's file does not say of a model. */
interface ModelFacts {
  /** Told what was taken from the file, a line each. */
  readonly log: (line: string) => void;
}

/** Of an autoencoder. */
export interface AutoencoderFacts extends ModelFacts {
  readonly model: NamedModel<Compressor>;
  readonly species: readonly string[];
  readonly elementTable: ElementTable;
  readonly clipping: { readonly lower: number; readonly upper: number };
  /** `latents_minmax.npy`, [min, max]. */
  readonly latentsMinmax: string;
}

/** Of an emulator. */
export interface EmulatorFacts extends ModelFacts {
  readonly model: NamedModel<Evolver>;
  readonly species: readonly string[];
  readonly phys: readonly string[];
  readonly physicalRanges: Readonly<Record<string, readonly [number, number]>>;
  readonly window: number;
  readonly autoencoderHash: string;
}

/** @throws CheckpointError with a list of missing, unexpected and misshapen arrays */
export function importAutoencoder(path: string, facts: AutoencoderFacts): AutoencoderWeights {
  const { name, of: model } = facts.model;
  const { layouts } = model;
  const arrays = arraysOf(path, [layouts.trainable, layouts.statistics], facts.log);
  const counter = arrays.get("encoder_bn1.num_batches_tracked")?.data[0];
  return {
    model_name: name,
    model: model.shape,
    species: [...facts.species],
    abundances_clipping: facts.clipping,
    latent_range: readRange(facts.latentsMinmax),
    elements: storedTable(facts.elementTable),
    steps: Number(counter ?? 0),
    provenance: importedFrom(path),
    trainable: layouts.trainable.gather(arrays),
    statistics: layouts.statistics.gather(arrays),
  };
}

/** @throws CheckpointError with a list of missing, unexpected and misshapen arrays */
export function importEmulator(path: string, facts: EmulatorFacts): EmulatorWeights {
  const { name, of: model } = facts.model;
  const { layout } = model;
  const arrays = arraysOf(path, [layout], facts.log);
  return {
    model_name: name,
    model: model.shape,
    species: [...facts.species],
    physical_parameters: facts.phys.map((name) => ({
      name,
      range: [...facts.physicalRanges[name]!],
      ...storedScale(name),
    })),
    window_size: facts.window,
    time_step_yr: null,
    autoencoder_hash: facts.autoencoderHash,
    provenance: importedFrom(path),
    trainable: layout.gather(arrays),
  };
}

function arraysOf(path: string, layouts: readonly Layout[], log: (line: string) => void): SavedArrays["arrays"] {
  const wanted = new Set(layouts.flatMap(({ specs }) => specs.map(({ name }) => name)));
  const { arrays, notes } = readSavedArrays(path, wanted);
  for (const note of notes) log(note);
  const { missing, unexpected, misshapen } = compareArrays(arrays, layouts);
  // Float64 beyond float32's range would be infinite.
  const values = [...arrays].flatMap(([name, array]) => {
    const data = array.dtype === "F64" ? Float32Array.from(array.data as Float64Array) : array.data;
    return (wanted.has(name) && valueFault(name, { ...array, data })) || [];
  });
  const problems = [
    missing.length > 0 && `missing: ${missing.join(", ")}`,
    unexpected.length > 0 && `unexpected: ${unexpected.join(", ")}`,
    misshapen.length > 0 && `misshapen: ${misshapen.join(", ")}`,
    values.length > 0 && `not weights: ${values.join(", ")}`,
  ].filter((problem) => problem !== false);
  if (problems.length === 0) return arrays;
  const shard = /-\d{5}-of-(\d{5})\.\w+$/.exec(path);
  throw new CheckpointError(`${path} does not hold the model of the configuration\n  ${problems.join("\n  ")}`, {
    where: path,
    fix: shard
      ? `it is one shard of ${Number(shard[1])}: give the index beside it (model.safetensors.index.json)`
      : "set what it was trained with: autoencoder.hidden_dims, autoencoder.latent_dim, model.hidden_dim, dataset.species_path",
  });
}

function readRange(path: string): [number, number] {
  const { data } = readNpy(path);
  const [min, max] = [Number(data[0]), Number(data[1])];
  if (data.length === 2 && Number.isFinite(min) && Number.isFinite(max) && min < max) return [min, max];
  throw new CheckpointError(`${path} does not hold a range [min, max] of latents`, {
    where: path,
    fix: "give the latents_minmax.npy that belongs to the autoencoder",
  });
}

function importedFrom(path: string): Provenance {
  const versions = { astrochem: packageVersion, node: process.versions.node, imported_from: basename(path) };
  return { data_hash: null, seed: null, epoch: null, best_metric: null, versions };
}
