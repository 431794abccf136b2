import { dirname, join } from "node:path";
import { readPth } from "../../formats/pytorch.ts";
import type { NamedTensor } from "../../formats/safetensors.ts";
import { forTensorBlocks, type IndexedTensor, readSafetensorsIndex } from "../../formats/safetensors-index.ts";
import { autoencoderAmong } from "../../models/companion.ts";
import { trustPrefix } from "../../models/trust.ts";
import { type AutoencoderWeights, readAutoencoder, readEmulator } from "../../models/weights-file.ts";
import { summarizeSpecies } from "./column-roles.ts";
import type { TensorSummary, TensorsInspection, WeightsInspection } from "./inspection.ts";
import { NumberStatistics } from "./number-statistics.ts";
import type { InspectionOptions } from "./settings.ts";

/** Looks at a safetensors file, of this package or of another origin. @throws CheckpointError where it is damaged */
export function inspectSafetensors(
  path: string,
  bytes: number,
  options: InspectionOptions,
): WeightsInspection | TensorsInspection {
  const { tensors, metadata } = readSafetensorsIndex(path);
  const summaries = tensors.map((tensor) => summaryOf(path, tensor, options.isQuick));
  const { kind, format_version } = metadata;
  if (format_version !== undefined && (kind === "autoencoder" || kind === "emulator")) {
    return { ...ownWeights(path, bytes, kind, summaries, options), format_version: Number(format_version) };
  }
  return {
    kind: "tensors",
    path,
    bytes,
    format: "safetensors",
    metadata,
    parameters: parameterCount(summaries),
    tensors: summaries,
    looks_like: looksLike(summaries),
  };
}

/** Looks at a file of PyTorch; nothing in it is run. @throws CheckpointError where it is damaged or holds more than tensors */
export function inspectPth(path: string, bytes: number): TensorsInspection {
  const tensors = [...readPth(path)].map(([name, tensor]) => describe(name, tensor));
  const parameters = parameterCount(tensors);
  const looks_like = looksLike(tensors);
  return { kind: "tensors", path, bytes, format: "pytorch", metadata: {}, parameters, tensors, looks_like };
}

function ownWeights(
  path: string,
  bytes: number,
  kind: "autoencoder" | "emulator",
  tensors: readonly TensorSummary[],
  { settings }: InspectionOptions,
): Omit<WeightsInspection, "format_version"> {
  const { model, species, trainable, ...rest } = kind === "autoencoder" ? readAutoencoder(path) : readEmulator(path);
  const { statistics: _, ...metadata } = rest as typeof rest & Partial<AutoencoderWeights>;
  const hash = "autoencoder_hash" in rest ? rest.autoencoder_hash : null;
  return {
    kind: "weights",
    path,
    bytes,
    model_kind: kind,
    model: model as WeightsInspection["model"],
    parameters: trainable.length,
    species: summarizeSpecies(species, settings.species, settings.naming, metadata.elements?.phases),
    metadata,
    tensors,
    autoencoder: hash === null ? null : companion(path, hash),
  };
}

/** The usual file of the autoencoder beside an emulator, where it is the one that belongs to it. */
function companion(path: string, hash: string): string | null {
  return autoencoderAmong([join(dirname(path), "autoencoder.safetensors")], hash);
}

function summaryOf(path: string, tensor: IndexedTensor, isQuick: boolean): TensorSummary {
  const { name, dtype: type, shape } = tensor;
  const statistics = new NumberStatistics();
  const isRead = !isQuick && forTensorBlocks(path, tensor, (values) => statistics.add(values));
  if (!isRead) return { name, type, shape, min: null, max: null, nonfinite: null };
  return { name, type, shape, ...limits(statistics) };
}

function describe(name: string, { dtype: type, shape, data }: NamedTensor): TensorSummary {
  const statistics = new NumberStatistics();
  statistics.add(data);
  return { name, type, shape, ...limits(statistics) };
}

function limits({ min, max, nan, infinite }: NumberStatistics): Pick<TensorSummary, "min" | "max" | "nonfinite"> {
  const finiteOrNull = (value: number): number | null => (Number.isFinite(value) ? value : null);
  return { min: finiteOrNull(min), max: finiteOrNull(max), nonfinite: nan + infinite };
}

/** Numbers in all arrays but for the counters of batch norms and a calibration. */
function parameterCount(tensors: readonly TensorSummary[]): number {
  return tensors
    .filter(({ name }) => !name.endsWith("num_batches_tracked") && !name.startsWith(trustPrefix))
    .reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
}

function looksLike(tensors: readonly TensorSummary[]): TensorsInspection["looks_like"] {
  const names = new Set(tensors.map(({ name }) => name));
  if (names.has("encoder_fc1.weight") && names.has("decoder_bias1")) return "autoencoder";
  return names.has("net.0.weight") ? "emulator" : null;
}
