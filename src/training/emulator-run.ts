import { existsSync } from "node:fs";
import type { ElementTable } from "../chemistry/element-table.ts";
import {
  indexOfRole,
  isPlainLog,
  scaleOf,
  scaleText,
  storedScale,
  timestepColumn,
} from "../chemistry/physical-parameters.ts";
import { AbundanceScaling, type LatentAffine, LatentScaling, PhysicalScaling } from "../chemistry/scaling.ts";
import type { EvolverModel } from "../config/schema-models.ts";
import type { EmulatorRecipe } from "../config/schema-recipes.ts";
import type { CacheMode } from "../data/cache.ts";
import { type CleanColumns, type CleanData, openCleanData } from "../data/clean-data.ts";
import { type CommonStart, commonStart, rawColumnsOf, trainedSteps } from "../data/data-facts.ts";
import type { EmulatorBatch } from "../data/emulator-batches.ts";
import { emulatorCache } from "../data/emulator-cache.ts";
import { derivedSeed, RandomStream } from "../data/random.ts";
import { refuseOutside } from "../data/strict-ranges.ts";
import type { TimeSteps } from "../data/time-steps.ts";
import { CheckpointError, ConfigError } from "../errors.ts";
import { compressorOf } from "../models/compressors.ts";
import { type Evolver, type EvolverShape, initialEvolver } from "../models/evolver.ts";
import { evolverOf, kindOfEvolver } from "../models/evolvers.ts";
import { memberCount, memberOf } from "../models/members.ts";
import { Encoder } from "../models/runners.ts";
import type { Trust } from "../models/trust.ts";
import {
  type AutoencoderWeights,
  autoencoderHash,
  type EmulatorWeights,
  latentRange,
  readAutoencoder,
  readEmulator,
  storedTable,
  writeAutoencoder,
  writeEmulator,
} from "../models/weights-file.ts";
import { packageVersion } from "../version.ts";
import { lossSettings, stoichiometryTensor } from "./dataset-facts.ts";
import { EmulatorTrainerSequential } from "./emulator-trainer.ts";
import { openWindows } from "./emulator-windows.ts";
import { trainMembers } from "./members-run.ts";
import { provenanceOf, type RunTools, type TrainingReport } from "./run-tools.ts";
import { type OpenTraining, runTraining } from "./run-training.ts";
import type { Snapshot } from "./training-state.ts";
import { checkWarmStart } from "./warm-start.ts";

/** An emulator's training, all paths absolute. */
export interface EmulatorJob {
  readonly dataset: string;
  readonly columns: CleanColumns;
  readonly elementTable: ElementTable;
  /** What there is to say of the species' names, a line each. */
  readonly notes: readonly string[];
  readonly clipping: { readonly lower: number; readonly upper: number };
  readonly physicalRanges: Readonly<Record<string, readonly [number, number]>>;
  /** Whether rows that are not one step apart are allowed. */
  readonly unevenSteps: boolean;
  /** Its sizes: `model.model_name` says of what. */
  readonly shape: EvolverShape;
  readonly model: EvolverModel;
  readonly recipe: EmulatorRecipe;
  readonly autoencoder: string;
  /** The compressor that the configuration names, and its sizes. */
  readonly compressor: { readonly model_name: string; readonly model: object };
  readonly weights: string;
  /** Weights to start from; null for fresh ones. */
  readonly warmStart: string | null;
  readonly mode: CacheMode;
  readonly cacheFolder: string;
  readonly memoryBudgetBytes: number;
  /** Of the first member. */
  readonly seed: number;
  /** How many emulators are trained; several are an ensemble. */
  readonly members: number;
  /** Which of them, counted from 0. */
  readonly member: number;
}

/** Nothing was trained, so that nothing has to be found again. */
const untrained = {
  data_hash: null,
  seed: null,
  epoch: null,
  best_metric: null,
  versions: { astrochem: packageVersion },
};

/**
 * Trains an emulator, or the members of an ensemble, through the frozen autoencoder: encoded sequences, windows, epochs.
 * @returns null in mode `preprocess`, which makes the caches only
 * @throws DataError, CheckpointError, NumericsError
 */
export function trainEmulator(job: EmulatorJob, tools: RunTools): Promise<TrainingReport | null> {
  const trainOne = (one: EmulatorJob, its: RunTools) => runTraining(one, its, () => openTraining(one, its));
  return job.members > 1 || tools.joined ? trainMembers(job, tools, trainOne) : trainOne(job, tools);
}

async function openTraining(job: EmulatorJob, tools: RunTools): Promise<OpenTraining<EmulatorBatch> | null> {
  const autoencoder = compressorWeights(job);
  checkAutoencoder(job, autoencoder);
  for (const note of job.notes) tools.log(note);
  const clean = await openCleanData(job.dataset, job.columns, tools.log);
  let caches: Awaited<ReturnType<typeof makeCaches>>;
  let data: Pick<TrainingFacts, "timeSteps" | "start" | "physicalRanges" | "raw">;
  try {
    const timeSteps = await trainedSteps(clean, job.columns, job.unevenSteps, tools.log);
    data = {
      timeSteps,
      start: await commonStart(clean, job.columns),
      raw: rawColumnsOf(clean),
      physicalRanges: withTimestepRange(job.physicalRanges, timeSteps),
    };
    if (tools.strict) await refuseOutside([clean.train, clean.val], job.columns.phys, data.physicalRanges, job.dataset);
    caches = await makeCaches(job, data.physicalRanges, autoencoder, clean, tools);
  } finally {
    clean.close();
  }
  for (const line of caches.outside) tools.log(`warning: ${line}`);
  if (job.mode === "preprocess") return null;
  const training = trainingOf(job, autoencoder, { ...data, ...caches, dataHash: clean.hash }, tools);
  return { ...training, ...(await openWindows(caches, job, tools.log)) };
}

/** Those of the compressor's file; where there is nothing to train the file is made here. @throws CheckpointError as `readAutoencoder` */
function compressorWeights(job: EmulatorJob): AutoencoderWeights {
  const { layouts, shape } = compressorOf(job.compressor);
  const isTrained = layouts.trainable.size > 0;
  if (!isTrained && !existsSync(job.autoencoder)) {
    writeAutoencoder(job.autoencoder, {
      model_name: job.compressor.model_name,
      model: shape,
      species: [...job.columns.species],
      abundances_clipping: job.clipping,
      latent_range: [0, 1],
      elements: storedTable(job.elementTable),
      steps: 0,
      provenance: untrained,
      trainable: new Float32Array(0),
      statistics: new Float32Array(0),
    });
  }
  const weights = readAutoencoder(job.autoencoder);
  if (isTrained || weights.model_name === job.compressor.model_name) return weights;
  throw new CheckpointError(
    `${job.autoencoder} holds the model ${weights.model_name}, not ${job.compressor.model_name}`,
    {
      where: job.autoencoder,
      fix: "give another place: autoencoder.pretrained_model_path=FILE",
    },
  );
}

/** The species come first: those of another list are another number of latents too, where there is no compression. */
function checkAutoencoder(job: EmulatorJob, weights: AutoencoderWeights): void {
  const { model, species, abundances_clipping: clipping } = weights;
  const isTrained = compressorOf(job.compressor).layouts.trainable.size > 0;
  const again = isTrained
    ? "use the dataset that it was trained with, or train it again: astrochem train-autoencoder"
    : "remove it: the emulator's training makes it anew; or give another place: autoencoder.pretrained_model_path=FILE";
  const [at, wanted] = [job.autoencoder, job.columns.species];
  if (species.join() !== wanted.join()) {
    const odd = species.findIndex((name, s) => name !== wanted[s]);
    const found =
      species.length === wanted.length
        ? `species ${odd + 1} is ${species[odd]}, here ${wanted[odd]}`
        : `${species.length} species, here ${wanted.length}`;
    throw new CheckpointError(`${at} is of another species list: ${found}`, { where: at, fix: again });
  }
  if (clipping.lower !== job.clipping.lower || clipping.upper !== job.clipping.upper) {
    const range = ({ lower, upper }: typeof clipping): string => `[${lower}, ${upper}]`;
    const what = `${at} is of another clipping range: ${range(clipping)}, here ${range(job.clipping)}`;
    throw new CheckpointError(what, { where: at, fix: again });
  }
  if (model.latent_dim === job.shape.output_dim) return;
  const kind = weights.model_name === job.compressor.model_name ? "" : `autoencoder=${weights.model_name} `;
  throw new CheckpointError(`${at} has ${model.latent_dim} latents, the configuration ${job.shape.output_dim}`, {
    where: at,
    fix: `${kind}autoencoder.latent_dim=${model.latent_dim}`,
  });
}

/** The ranges that scale; that of a varying step comes from the data where the configuration gives none. */
function withTimestepRange(ranges: EmulatorJob["physicalRanges"], { time_step_range }: TimeSteps): typeof ranges {
  if (time_step_range === undefined) return ranges;
  const [least, largest] = time_step_range;
  // Steps that hardly vary have no range to scale by.
  const range: [number, number] = largest > 1.02 * least ? [least, largest] : [least / 2, 2 * largest];
  return { [timestepColumn]: range, ...ranges };
}

async function makeCaches(
  job: EmulatorJob,
  physicalRanges: EmulatorJob["physicalRanges"],
  autoencoder: AutoencoderWeights,
  clean: CleanData,
  tools: RunTools,
): ReturnType<typeof emulatorCache> {
  const encoder = new Encoder(tools.engine, autoencoder);
  try {
    return await emulatorCache({
      clean,
      columns: job.columns,
      abundances: new AbundanceScaling(job.clipping),
      physical: new PhysicalScaling(job.columns.phys, physicalRanges),
      physicalRanges,
      latents:
        job.recipe.latent_scaling === "standard"
          ? "standard"
          : new LatentScaling(latentRange(job.autoencoder, autoencoder)),
      latentDim: encoder.latentDim,
      encode: (scaled, rows) => encoder.encode(scaled, rows),
      autoencoderHash: autoencoderHash(autoencoder),
      window: job.model.window_size,
      folder: job.cacheFolder,
      mode: job.mode,
      log: tools.log,
      signal: tools.signal,
    });
  } finally {
    await encoder.dispose();
  }
}

/** What the weights file tells of the training data. */
interface TrainingFacts {
  readonly dataHash: string;
  readonly timeSteps: TimeSteps;
  readonly start: CommonStart;
  readonly raw: EmulatorWeights["raw"];
  /** What scales each parameter. */
  readonly physicalRanges: EmulatorJob["physicalRanges"];
  readonly latents: LatentScaling;
  /** Of the scaled latents, [latent] each. */
  readonly latentRange: { readonly lower: Float32Array; readonly upper: Float32Array };
  /** Of the physical parameters in their units, [physical] each. */
  readonly physicalRange: TrainingFacts["latentRange"];
}

/** What the weights file tells of the training data besides the arrays. */
function describeData(
  { columns: { phys, species }, recipe }: EmulatorJob,
  { timeSteps, start, raw, physicalRanges, physicalRange, latents, latentRange }: TrainingFacts,
): Pick<
  EmulatorWeights,
  | "physical_parameters"
  | "time_step_yr"
  | "time_step_found"
  | "start"
  | "raw"
  | "latent_scaling"
  | "scaled_latent_range"
> {
  const { abundances, origin } = start;
  return {
    physical_parameters: phys.map((name, k) => ({
      name,
      range: [...physicalRanges[name]!],
      ...storedScale(name),
      trained: [digits(physicalRange.lower[k]!), digits(physicalRange.upper[k]!)],
    })),
    time_step_yr: timeSteps.time_step_yr,
    time_step_found: timeSteps.time_step_found,
    start: {
      abundances: abundances && Object.fromEntries(species.map((name, s) => [name, digits(abundances[s]!)])),
      origin,
    },
    ...(raw ? { raw } : {}),
    ...(recipe.latent_scaling === "standard" ? { latent_scaling: copyOf(latents.affine) } : {}),
    scaled_latent_range: { lower: [...latentRange.lower], upper: [...latentRange.upper] },
  };
}

function trainingOf(
  job: EmulatorJob,
  autoencoder: AutoencoderWeights,
  facts: TrainingFacts,
  tools: RunTools,
): Pick<OpenTraining<EmulatorBatch>, "origin" | "trainer" | "measure" | "write"> {
  const { model, recipe, seed } = job;
  const { model_name, window_size } = model;
  const evolver = evolverFor(job, facts);
  const autoencoder_hash = autoencoderHash(autoencoder);
  let trust: Trust | undefined;
  const weightsOf = (best: Snapshot): EmulatorWeights => ({
    model_name,
    model: evolver.shape,
    species: [...job.columns.species],
    window_size,
    ...describeData(job, facts),
    autoencoder_hash,
    provenance: provenanceOf(best, { dataHash: facts.dataHash, seed, metric: recipe.metric }),
    trainable: best.arrays.parameters!,
    ...(trust ? { trust } : {}),
  });
  const origin = { dataset: facts.dataHash, autoencoder: autoencoder_hash, seed, model: evolver.shape, window_size };
  return {
    origin: { kind: "emulator", model_name, ...origin },
    trainer: async (options) =>
      new EmulatorTrainerSequential(options, {
        compressor: compressorOf(autoencoder),
        evolver,
        latents: facts.latents.affine,
        loss: lossSettings(model, new AbundanceScaling(job.clipping), tools.log),
        stoichiometry: stoichiometryTensor(job.elementTable),
        frozen: autoencoder,
        initial: startingWeights(job, evolver, tools),
        phases: recipe.phases,
      }),
    measure: async (best, forGood) => {
      if (forGood) trust = await tools.calibrate?.(weightsOf(best));
    },
    write: (path, best, training) => writeEmulator(path, weightsOf(best), training),
  };
}

/**
 * The evolver of the sizes that configuration and data give.
 * @throws ConfigError where the dataset has not what it reads; a constant step it need not have
 */
function evolverFor(
  { model: { model_name }, shape, columns }: EmulatorJob,
  { physicalRanges }: TrainingFacts,
): Evolver {
  const read = kindOfEvolver(model_name).reads.flatMap((name) => {
    const index = indexOfRole(columns.phys, name === "timestep" ? "time_step" : name);
    if (index >= 0) {
      const column = columns.phys[index]!;
      if (isPlainLog(scaleOf(column))) return [[name, { index, range: physicalRanges[column] }] as const];
      throw new ConfigError(
        `${model_name} reads ${column} by log10, but it is scaled by ${scaleText(column, scaleOf(column))}`,
        {
          fix: "train model=emulator",
        },
      );
    }
    if (name === "timestep") return [];
    throw new ConfigError(`${model_name} reads the ${name}, which is not among ${columns.phys.join(", ")}`, {
      where: "dataset.phys",
      fix: "add its column (Radfield, Av), or train model=emulator",
    });
  });
  return evolverOf({ model_name, model: { ...shape, ...Object.fromEntries(read) } });
}

/** As many as float32 has. */
function digits(value: number): number {
  return Number(value.toPrecision(9));
}

function copyOf({ shift, scale }: LatentAffine): { shift: number[]; scale: number[] } {
  return { shift: [...shift], scale: [...scale] };
}

function startingWeights(
  { warmStart, model: { model_name }, seed, columns, recipe, members, member }: EmulatorJob,
  evolver: Evolver,
  { log }: RunTools,
): Float32Array {
  if (warmStart === null) {
    const random = new RandomStream(derivedSeed(seed, "initial emulator"));
    return initialEvolver(evolver, random, recipe.last_layer);
  }
  const found = readEmulator(warmStart);
  const count = memberCount(found);
  if (count > 1 && count !== members) {
    throw new CheckpointError(`${warmStart} holds an ensemble of ${count}, not ${members}`, {
      where: warmStart,
      fix: `members=${count}: each goes on from its own weights; or give the weights of one emulator, or start fresh`,
    });
  }
  const weights = memberOf(found, count > 1 ? member : 0);
  checkWarmStart(warmStart, weights, { model_name, model: evolver.shape, species: columns.species });
  const scaling = weights.latent_scaling === undefined ? "minmax" : "standard";
  if (scaling !== recipe.latent_scaling) {
    throw new CheckpointError(`${warmStart} was trained on latents of another scaling, ${scaling}`, {
      where: warmStart,
      fix: `recipe.latent_scaling=${scaling}, or start fresh`,
    });
  }
  log(`starting from ${warmStart}; the optimizer starts fresh`);
  return weights.trainable;
}
