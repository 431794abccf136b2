import { AbundanceScaling, type LatentAffine, LatentScaling, PhysicalScaling } from "../chemistry/scaling.ts";
import type { EmulatorModel } from "../config/schema-models.ts";
import type { EmulatorRecipe } from "../config/schema-recipes.ts";
import type { CacheMode } from "../data/cache.ts";
import { type CleanColumns, type CleanData, openCleanData } from "../data/clean-data.ts";
import { emulatorCache } from "../data/emulator-cache.ts";
import { derivedSeed, RandomStream } from "../data/random.ts";
import { CheckpointError } from "../errors.ts";
import { type EmulatorShape, initialEmulator } from "../models/emulator.ts";
import { Encoder } from "../models/runners.ts";
import {
  type AutoencoderWeights,
  autoencoderHash,
  type EmulatorWeights,
  latentRange,
  readAutoencoder,
  readEmulator,
  writeEmulator,
} from "../models/weights-file.ts";
import { encodeCheckpoint } from "./checkpoint.ts";
import { checkpointPaths } from "./checkpoint-keeper.ts";
import { lossSettings, stoichiometryTensor } from "./dataset-facts.ts";
import { EmulatorTrainerSequential } from "./emulator-trainer.ts";
import { openWindows, type Windows } from "./emulator-windows.ts";
import { epochLogPath, loggingObserver } from "./epoch-log.ts";
import { trainerSettings } from "./recipe-settings.ts";
import {
  isFinished,
  keeperOf,
  provenanceOf,
  type RunTools,
  reportOf,
  resumedState,
  type TrainingReport,
  withWeightsLock,
} from "./run-tools.ts";
import type { TrainingOutcome } from "./trainer.ts";
import { bestOf, type Snapshot } from "./training-state.ts";
import { checkWarmStart } from "./warm-start.ts";

/** An emulator's training, all paths absolute. */
export interface EmulatorJob {
  readonly dataset: string;
  readonly columns: CleanColumns;
  readonly clipping: { readonly lower: number; readonly upper: number };
  readonly physicalRanges: Readonly<Record<string, readonly [number, number]>>;
  readonly shape: EmulatorShape;
  readonly model: EmulatorModel;
  readonly recipe: EmulatorRecipe;
  readonly autoencoder: string;
  readonly weights: string;
  /** Weights to start from; null for fresh ones. */
  readonly warmStart: string | null;
  readonly mode: CacheMode;
  readonly cacheFolder: string;
  readonly memoryBudgetBytes: number;
  readonly seed: number;
}

/**
 * Trains an emulator through the frozen autoencoder: encoded sequences, windows, epochs.
 * @returns null in mode `preprocess`, which makes the caches only
 * @throws DataError, CheckpointError, NumericsError
 */
export async function trainEmulator(job: EmulatorJob, tools: RunTools): Promise<TrainingReport | null> {
  return withWeightsLock(job, () => runEmulator(job, tools));
}

async function runEmulator(job: EmulatorJob, tools: RunTools): Promise<TrainingReport | null> {
  const autoencoder = readAutoencoder(job.autoencoder);
  checkAutoencoder(job, autoencoder);
  const clean = await openCleanData(job.dataset, job.columns);
  let caches: Awaited<ReturnType<typeof makeCaches>>;
  let timeStep: number | null;
  try {
    caches = await makeCaches(job, autoencoder, clean, tools);
    timeStep = medianTimeStep(clean, job.columns);
  } finally {
    clean.close();
  }
  if (job.mode === "preprocess") return null;
  const windows = await openWindows(caches, job, tools.log);
  const { latents, latentRange } = caches;
  const facts = { dataHash: clean.hash, timeStep, latents: latents.affine, latentRange };
  try {
    return await train(job, autoencoder, windows, facts, tools);
  } finally {
    await windows.close();
  }
}

function checkAutoencoder(job: EmulatorJob, weights: AutoencoderWeights): void {
  const { model, species, abundances_clipping: clipping } = weights;
  if (model.latent_dim !== job.shape.output_dim) {
    throw new CheckpointError(
      `${job.autoencoder} has ${model.latent_dim} latents, the configuration ${job.shape.output_dim}`,
      { where: job.autoencoder, fix: `autoencoder.latent_dim=${model.latent_dim}` },
    );
  }
  const isSame =
    species.join() === job.columns.species.join() &&
    clipping.lower === job.clipping.lower &&
    clipping.upper === job.clipping.upper;
  if (isSame) return;
  throw new CheckpointError(`${job.autoencoder} was trained with another species list or clipping range`, {
    where: job.autoencoder,
    fix: "use the dataset that it was trained with, or train it again: astrochem train-autoencoder",
  });
}

async function makeCaches(
  job: EmulatorJob,
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
      physical: new PhysicalScaling(job.columns.phys, job.physicalRanges),
      physicalRanges: job.physicalRanges,
      latents:
        job.recipe.latent_scaling === "standard"
          ? "standard"
          : new LatentScaling(latentRange(job.autoencoder, autoencoder)),
      latentDim: encoder.latentDim,
      encode: (scaled, rows) => encoder.encode(scaled, rows),
      autoencoderHash: autoencoderHash(autoencoder),
      window: job.model.window_size,
      seed: derivedSeed(job.seed, "order of the windows"),
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
  readonly timeStep: number | null;
  readonly latents: LatentAffine;
  /** Of the scaled latents, [latent] each. */
  readonly latentRange: { readonly lower: Float32Array; readonly upper: Float32Array };
}

async function train(
  job: EmulatorJob,
  autoencoder: AutoencoderWeights,
  windows: Windows,
  facts: TrainingFacts,
  tools: RunTools,
): Promise<TrainingReport> {
  const { model, shape, seed } = job;
  const weightsOf = (best: Snapshot): EmulatorWeights => ({
    model: shape,
    species: [...job.columns.species],
    physical_parameters: job.columns.phys.map((name) => ({ name, range: [...job.physicalRanges[name]!] })),
    window_size: model.window_size,
    time_step_yr: facts.timeStep,
    ...(job.recipe.latent_scaling === "standard" ? { latent_scaling: copyOf(facts.latents) } : {}),
    scaled_latent_range: { lower: [...facts.latentRange.lower], upper: [...facts.latentRange.upper] },
    autoencoder_hash: autoencoderHash(autoencoder),
    provenance: provenanceOf(best, { dataHash: facts.dataHash, seed }),
    trainable: best.arrays.parameters!,
  });
  const checkpoint = checkpointPaths(tools.checkpoints.folder).best;
  const scaling = new AbundanceScaling(job.clipping);
  const origin = {
    kind: "emulator",
    dataset: facts.dataHash,
    autoencoder: autoencoderHash(autoencoder),
    seed,
    model: shape,
    window_size: model.window_size,
  };
  const resumed = resumedState(tools, origin);
  const trainer = new EmulatorTrainerSequential(
    {
      engine: tools.engine,
      phases: windows.phases,
      validation: windows.validation,
      settings: trainerSettings(model, job.recipe),
      seed,
      observer: loggingObserver(
        model.save_model ? epochLogPath(job.weights) : null,
        tools.observer,
        resumed?.values.log,
      ),
      now: tools.now,
      signal: tools.signal,
      keeper: keeperOf(tools, origin, (path, made) =>
        writeEmulator(path, weightsOf(bestOf(made.state)), encodeCheckpoint(made)),
      ),
      resumed,
      maxSteps: tools.maxSteps,
    },
    {
      autoencoder: autoencoder.model,
      emulator: shape,
      latents: facts.latents,
      loss: lossSettings(model, scaling, tools.log),
      stoichiometry: stoichiometryTensor(job.columns.species),
      frozen: autoencoder,
      initial: startingWeights(job, tools),
      phases: job.recipe.phases,
    },
  );
  let outcome: TrainingOutcome;
  try {
    outcome = await trainer.run();
  } finally {
    await trainer.dispose();
  }
  const { best } = outcome;
  if (best && isFinished(outcome)) {
    writeEmulator(checkpoint, weightsOf(best));
    if (model.save_model) writeEmulator(job.weights, weightsOf(best));
  }
  return reportOf(
    outcome,
    job.recipe.metric,
    { weights: model.save_model ? job.weights : null, checkpoint },
    trainer.parameterCount,
  );
}

function copyOf({ shift, scale }: LatentAffine): { shift: number[]; scale: number[] } {
  return { shift: [...shift], scale: [...scale] };
}

function startingWeights({ warmStart, shape, seed, columns, recipe }: EmulatorJob, { log }: RunTools): Float32Array {
  if (warmStart === null) {
    const random = new RandomStream(derivedSeed(seed, "initial emulator"));
    return initialEmulator(shape, random, recipe.last_layer);
  }
  const weights = readEmulator(warmStart);
  checkWarmStart(
    warmStart,
    { model: weights.model, species: weights.species },
    { model: shape, species: columns.species },
  );
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

/** Median time between neighbouring rows of the first training rows, in years; null without a time column. */
function medianTimeStep({ train }: CleanData, { metadata }: CleanColumns): number | null {
  const time = metadata[2];
  if (time === undefined) return null;
  const count = Math.min(train.rows, 10_000);
  const times = new Float64Array(count);
  train.read(0, count, [time], times);
  const steps = times
    .subarray(1)
    .map((value, row) => value - times[row]!)
    .filter((step) => step > 0)
    .sort();
  return steps.length ? steps[steps.length >> 1]! : null;
}
