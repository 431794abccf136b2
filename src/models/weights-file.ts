import { createHash } from "node:crypto";
import { z } from "zod";
import type { ElementTable } from "../chemistry/element-table.ts";
import { boundOf, boundText } from "../chemistry/physical-parameters.ts";
import { type LatentAffine, minmaxLatents, parameterScale, type ScaledParameter } from "../chemistry/scaling.ts";
import { CheckpointError } from "../errors.ts";
import { checkVersion, migrate } from "../formats/format-version.ts";
import {
  foreignWeightsFix,
  type NamedTensor,
  readSafetensors,
  type SafetensorsContent,
  writeSafetensors,
} from "../formats/safetensors.ts";
import type { CompressorShape } from "./compressor.ts";
import { compressorOf } from "./compressors.ts";
import type { EvolverShape } from "./evolver.ts";
import { evolverOf } from "./evolvers.ts";
import type { Layout } from "./layout.ts";
import { type Trust, trustFacts, trustMetadata, trustOf, trustPrefix, trustTensors } from "./trust.ts";
import { encodeMetadata, weightsFormat, weightsFormatVersion } from "./weights-format.ts";

/** What is scaled by a range that is empty or upside down comes out as nonsense. */
const range = z.tuple([z.number(), z.number()]).refine(([lower, upper]) => lower < upper, "is not [lower, upper]");
/** The least and the largest value of each column over the training rows. */
const columnRange = z
  .strictObject({ lower: z.array(z.number()), upper: z.array(z.number()) })
  .refine(({ lower, upper }) => lower.length === upper.length, "has ends of different lengths")
  .refine(({ lower, upper }) => lower.every((low, k) => low <= upper[k]!), "has lower above upper");

/** Where weights come from: enough to find the run again, nothing that is needed to use them. */
const provenance = z.strictObject({
  data_hash: z.string().nullable(),
  seed: z.number().nullable(),
  epoch: z.number().nullable(),
  /** What chose these weights: the mean over species of the mean relative validation error, or of the error in dex. */
  best_metric: z.number().nullable(),
  /** Which of the two `best_metric` is; left out where it is not known. */
  metric: z.enum(["relative", "dex"]).optional(),
  versions: z.record(z.string(), z.string()),
});
export type Provenance = z.output<typeof provenance>;

const common = {
  format_version: z.literal(weightsFormatVersion),
  /** Which model of its kind: the `model_name` of its YAML file. */
  model_name: z.string(),
  /** Its sizes; the model itself says which. */
  model: z.looseObject({ input_dim: z.int().positive() }),
  species: z.array(z.string()),
  provenance,
};

const autoencoderMetadata = z.strictObject({
  ...common,
  kind: z.literal("autoencoder"),
  /** Linear abundances, clipped to [lower, upper] before scaling. */
  abundances_clipping: z
    .strictObject({ lower: z.number().positive(), upper: z.number().positive() })
    .refine(({ lower, upper }) => lower < upper, "is not lower < upper"),
  /** Smallest and largest entry of the latents of the training rows; null until a training has ended. */
  latent_range: range.nullable(),
  /** log10 of the species' abundances in the training rows, clipped; left out until a training has ended, and where it is not known. */
  abundance_range: columnRange.optional(),
  /**
   * What each species is made of: atoms, [species][elements], and charges, [species]; left out where it is not known. Where each is found,
   * [species], stands there too: left out, the names tell.
   */
  elements: z
    .strictObject({
      elements: z.array(z.string()),
      atoms: z.array(z.array(z.number().nonnegative())),
      charges: z.array(z.number()),
      phases: z.array(z.enum(["gas", "surface", "bulk"])).optional(),
    })
    .optional(),
  /** Optimizer steps, PyTorch's num_batches_tracked. */
  steps: z.int().nonnegative(),
});

const emulatorMetadata = z.strictObject({
  ...common,
  kind: z.literal("emulator"),
  /** In the order of the emulator's input; `range` scales it, `trained` is what the training rows held, left out where it is not known. */
  physical_parameters: z.array(
    z
      .strictObject({
        name: z.string(),
        range,
        /** Left out: log10. */
        scale: z.strictObject({ log: z.boolean(), offset: z.number().nonnegative() }).optional(),
        trained: z.tuple([z.number(), z.number()]).optional(),
      })
      .refine((parameter) => parameter.range[0] > boundOf(parameterScale(parameter)), {
        path: ["range"],
        error: ({ input }) =>
          `is scaled by log10 and must be ${boundText(parameterScale(input as Pick<ScaledParameter, "scale">))}`,
      }),
  ),
  window_size: z.int().positive(),
  /** Years of one step; the median of those of the training data where they vary; null where it is not known. */
  time_step_yr: z.number().positive().nullable(),
  /** `even`: the training rows were all that far apart; `median`: not, or nobody checked; `input`: the step is the parameter Timestep. */
  time_step_found: z.enum(["even", "median", "input", "unknown"]).optional(),
  /** The linear abundances that all training tracers start from, null where each has its own, and where that comes from; left out where it is not known. */
  start: z
    .strictObject({ abundances: z.record(z.string(), z.number().nonnegative()).nullable(), origin: z.string() })
    .optional(),
  /** What the raw files of its dataset call their columns, and their units, by our names; left out where they are ours or not known. */
  raw: z
    .strictObject({ columns: z.record(z.string(), z.string()), units: z.record(z.string(), z.string()) })
    .optional(),
  /** The emulator's latents are (raw − shift) / scale, each [latent]; left out, as in version 1: the autoencoder's one range. */
  latent_scaling: z.strictObject({ shift: z.array(z.number()), scale: z.array(z.number()) }).optional(),
  /** The scaled latents of the training rows; left out where it is not known. */
  scaled_latent_range: columnRange.optional(),
  /** `autoencoderHash` of the autoencoder that it was trained with. */
  autoencoder_hash: z.string(),
  /** How far to believe it: see `trust.ts`; left out until `astrochem calibrate`. */
  trust: trustMetadata.optional(),
  /** Of an ensemble, where each member comes from; `provenance` then tells what they have in common. Left out: one model by itself. */
  members: z.array(provenance).min(2).optional(),
});

type AutoencoderMetadata = z.output<typeof autoencoderMetadata>;
type EmulatorMetadata = z.output<typeof emulatorMetadata>;
type WithoutFormat<T> = Omit<T, "format_version" | "kind" | "model">;

/** An autoencoder (any compressor) as its file holds it. `trainable` and `statistics` are the vectors of its layouts. */
export interface AutoencoderWeights extends WithoutFormat<AutoencoderMetadata> {
  readonly model: CompressorShape;
  readonly trainable: Float32Array;
  readonly statistics: Float32Array;
}

/** An emulator (any evolver, or several: `members`) as its file holds it. `trainable` is the vector of its layout, `model` the sizes of one. */
export interface EmulatorWeights extends Omit<WithoutFormat<EmulatorMetadata>, "trust"> {
  readonly model: EvolverShape;
  readonly trust?: Trust | undefined;
  readonly trainable: Float32Array;
}

/** A file of weights may hold the state of their training too: arrays whose names begin with this, and metadata of this name; passed over. */
export const trainingPrefix = "training/";
export const trainingMetadata = "training";

/**
 * Writes one safetensors file, complete by itself, with PyTorch's names and shapes.
 * @param training  the state of the training, to be kept with the weights
 */
export function writeAutoencoder(path: string, weights: AutoencoderWeights, training?: SafetensorsContent): void {
  const { trainable, statistics, ...metadata } = weights;
  const { layouts } = compressorOf(weights);
  const tensors = new Map([...arraysOf(layouts.trainable, trainable), ...arraysOf(layouts.statistics, statistics)]);
  for (const { name } of layouts.statistics.specs) {
    if (!name.endsWith(".running_mean")) continue;
    const counter = name.replace("running_mean", "num_batches_tracked");
    tensors.set(counter, { dtype: "I64", shape: [], data: BigInt64Array.of(BigInt(weights.steps)) });
  }
  writeWith(path, tensors, encodeMetadata(autoencoderMetadata, { kind: "autoencoder", ...metadata }), training);
}

export function writeEmulator(path: string, weights: EmulatorWeights, training?: SafetensorsContent): void {
  const { trainable, trust, ...metadata } = weights;
  const tensors = new Map([...arraysOf(evolverOf(weights).layout, trainable), ...(trust ? trustTensors(trust) : [])]);
  writeWith(
    path,
    tensors,
    encodeMetadata(emulatorMetadata, { kind: "emulator", ...metadata, trust: trust && trustFacts(trust) }),
    training,
  );
}

function writeWith(
  path: string,
  tensors: ReadonlyMap<string, NamedTensor>,
  metadata: Record<string, string>,
  training: SafetensorsContent | undefined,
): void {
  writeSafetensors(path, new Map([...tensors, ...(training?.tensors ?? [])]), { ...metadata, ...training?.metadata });
}

/** The state of the training that a weights file holds beside the weights; empty where there is none. */
export function readTraining(path: string): SafetensorsContent {
  const { tensors, metadata } = readSafetensors(path);
  const text = metadata[trainingMetadata];
  return {
    tensors: new Map([...tensors].filter(([name]) => name.startsWith(trainingPrefix))),
    metadata: text === undefined ? {} : { [trainingMetadata]: text },
  };
}

/** What a weights file holds, without the state of the training. */
function readWeights(path: string): SafetensorsContent {
  const { tensors, metadata } = readSafetensors(path);
  const { [trainingMetadata]: _, ...rest } = metadata;
  return { tensors: new Map([...tensors].filter(([name]) => !name.startsWith(trainingPrefix))), metadata: rest };
}

/** @throws CheckpointError where the file is absent, damaged, of another kind or version */
export function readAutoencoder(path: string): AutoencoderWeights {
  const { tensors, metadata } = readWeights(path);
  const { format_version: _, kind: __, ...rest } = decodeMetadata(path, metadata, "autoencoder", autoencoderMetadata);
  const { shape: model, layouts } = modelIn(path, () => compressorOf(rest, path));
  checkCount(path, "species", rest.species.length, rest.model.input_dim);
  if (rest.abundance_range) {
    checkCount(path, "ranges of species", rest.abundance_range.lower.length, rest.model.input_dim);
  }
  if (rest.elements) {
    const { elements, atoms, charges, phases } = rest.elements;
    checkCount(path, "rows of elements", atoms.length, rest.model.input_dim);
    checkCount(path, "charges", charges.length, rest.model.input_dim);
    checkCount(path, "phases", phases?.length ?? atoms.length, rest.model.input_dim);
    const uneven = atoms.find((row) => row.length !== elements.length);
    if (uneven) checkCount(path, "counts of elements", uneven.length, elements.length);
  }
  checkArrays(path, tensors, [layouts.trainable, layouts.statistics]);
  return {
    ...rest,
    model,
    trainable: layouts.trainable.gather(tensors),
    statistics: layouts.statistics.gather(tensors),
  };
}

/** @throws CheckpointError where the file is absent, damaged, of another kind or version */
export function readEmulator(path: string): EmulatorWeights {
  const { tensors: all, metadata } = readWeights(path);
  const { format_version: _, kind: __, trust, ...rest } = decodeMetadata(path, metadata, "emulator", emulatorMetadata);
  const tensors = new Map([...all].filter(([name]) => !name.startsWith(trustPrefix)));
  const { shape: model, layout } = modelIn(path, () => evolverOf(rest, path));
  const { physical_parameters, start, species } = rest;
  checkCount(path, "physical parameters", physical_parameters.length, model.input_dim - model.output_dim);
  if (start?.abundances) {
    const { abundances } = start;
    checkCount(path, "abundances of the start", species.filter((name) => name in abundances).length, species.length);
  }
  if (rest.scaled_latent_range) {
    checkCount(path, "ranges of latents", rest.scaled_latent_range.lower.length, model.output_dim);
  }
  checkArrays(path, tensors, [layout]);
  const weights = { ...rest, model, trainable: layout.gather(tensors) };
  return trust ? { ...weights, trust: trustOf(path, trust, all, model.input_dim) } : weights;
}

/** The model that a file names. */
function modelIn<T>(path: string, find: () => T): T {
  try {
    return find();
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    throw new CheckpointError(`${path} has damaged metadata: ${z.prettifyError(error)}`, { where: path });
  }
}

/** A table of elements as a file holds it. */
export function storedTable({ elements, atoms, charges, phases }: ElementTable): AutoencoderWeights["elements"] {
  return {
    elements: [...elements],
    atoms: atoms.map((counts) => [...counts]),
    charges: [...charges],
    phases: [...phases],
  };
}

/** sha256 of all that an emulator depends on: weights, statistics, latent range, species, clipping. */
export function autoencoderHash(weights: AutoencoderWeights): string {
  const { model, species, abundances_clipping, latent_range } = weights;
  const hash = createHash("sha256");
  hash.update(JSON.stringify([model, species, abundances_clipping, latent_range]));
  hash.update(bytesOf(weights.trainable)).update(bytesOf(weights.statistics));
  return hash.digest("hex");
}

/** How raw latents become the emulator's. @throws CheckpointError as `latentRange` */
export function latentsOf(path: string, autoencoder: AutoencoderWeights, emulator: EmulatorWeights): LatentAffine {
  return emulator.latent_scaling ?? minmaxLatents(latentRange(path, autoencoder));
}

/** The range of the latents. @throws CheckpointError where the training that wrote the file has not ended */
export function latentRange(path: string, weights: AutoencoderWeights): readonly [number, number] {
  if (weights.latent_range) return weights.latent_range;
  throw new CheckpointError(`${path} holds no latent range: the training that wrote it did not end`, {
    where: path,
    fix: "let the training end, or start it again: astrochem train-autoencoder",
  });
}

/** Compares what a file holds with what a model wants. */
export function compareArrays(
  found: ReadonlyMap<string, Pick<NamedTensor, "shape" | "dtype">>,
  layouts: readonly Layout[],
): { missing: string[]; unexpected: string[]; misshapen: string[] } {
  const wanted = new Map(layouts.flatMap((layout) => layout.specs.map(({ name, shape }) => [name, shape] as const)));
  const missing = [...wanted.keys()].filter((name) => !found.has(name));
  const unexpected = [...found.keys()].filter((name) => !wanted.has(name) && !name.endsWith(".num_batches_tracked"));
  const misshapen = [...wanted].flatMap(([name, shape]) => {
    const got = found.get(name);
    if (!got) return [];
    if (got.dtype === "I64") return [`${name} holds integers, not floats`];
    return `${got.shape}` === `${shape}` ? [] : [`${name} is [${got.shape}], not [${shape}]`];
  });
  return { missing, unexpected, misshapen };
}

function checkArrays(path: string, tensors: ReadonlyMap<string, NamedTensor>, layouts: readonly Layout[]): void {
  const { missing, unexpected, misshapen } = compareArrays(tensors, layouts);
  const problems = [
    ...missing.map((name) => `missing array ${name}`),
    ...unexpected.map((name) => `unexpected array ${name}`),
    ...misshapen,
    ...[...tensors].flatMap(([name, tensor]) => valueFault(name, tensor) ?? []),
  ];
  if (problems.length === 0) return;
  throw new CheckpointError(`${path} does not hold the model that its metadata names: ${problems.join("; ")}`, {
    where: path,
    fix: "the file is damaged or was edited: restore it, or train again",
  });
}

/** One bad value spoils every result without a word. */
export function valueFault(name: string, { data }: NamedTensor): string | undefined {
  if (data instanceof BigInt64Array) return undefined;
  const at = data.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) return `${name} has the value ${data[at]} at ${at}`;
  return name.endsWith(".running_var") && data.some((value) => value < 0)
    ? `${name} has a negative variance`
    : undefined;
}

function checkCount(path: string, what: string, found: number, wanted: number): void {
  if (found === wanted) return;
  throw new CheckpointError(`${path} names ${found} ${what}, and its model takes ${wanted}`, {
    where: path,
    fix: "the file is damaged or was edited: restore it, or train again",
  });
}

function arraysOf(layout: Layout, vector: Float32Array): [string, NamedTensor][] {
  return layout.specs.map(({ name, shape }) => [
    name,
    { dtype: "F32", shape, data: layout.view(vector, name).slice() },
  ]);
}

const plainKeys = new Set(["kind", "autoencoder_hash", "model_name", "time_step_found"]);

function decodeMetadata<T extends z.ZodType>(
  path: string,
  metadata: Record<string, string>,
  kind: string,
  schema: T,
): z.output<T> {
  const version = metadata.format_version;
  if (version === undefined || metadata.kind === undefined) {
    throw new CheckpointError(`${path} is not a weights file of astrochem: it has no metadata`, {
      where: path,
      fix: foreignWeightsFix,
    });
  }
  const found = /^\d{1,15}$/.test(version) ? Number(version) : version;
  checkVersion(weightsFormat, found, path, (what, hint) => new CheckpointError(what, hint));
  if (metadata.kind !== kind) {
    throw new CheckpointError(`${path} holds an ${metadata.kind}, not an ${kind}`, {
      where: path,
      fix: `give the ${kind}'s file`,
    });
  }
  const { format: _, ...texts } = metadata;
  const parsed = schema.safeParse(migrate(weightsFormat, parseTexts(path, texts), found));
  if (parsed.success) return parsed.data;
  throw new CheckpointError(`${path} has damaged metadata: ${z.prettifyError(parsed.error)}`, { where: path });
}

function parseTexts(path: string, texts: Record<string, string>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(texts).map(([key, text]) => {
      if (plainKeys.has(key)) return [key, text];
      try {
        return [key, JSON.parse(text)];
      } catch (cause) {
        throw new CheckpointError(`${path} has damaged metadata: ${key} is not JSON`, { where: path, cause });
      }
    }),
  );
}

function bytesOf(array: Float32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
