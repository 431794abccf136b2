import type { ElementTable } from "../chemistry/element-table.ts";
import { AbundanceScaling } from "../chemistry/scaling.ts";
import type { CompressorModel } from "../config/schema-models.ts";
import type { AutoencoderRecipe } from "../config/schema-recipes.ts";
import { type AutoencoderBatch, AutoencoderBatches } from "../data/autoencoder-batches.ts";
import { autoencoderCache, type CachePaths } from "../data/autoencoder-cache.ts";
import type { CacheMode } from "../data/cache.ts";
import { openRows, type RowSource } from "../data/chunk-source.ts";
import { type CleanColumns, openCleanData } from "../data/clean-data.ts";
import { ColumnRange } from "../data/column-range.ts";
import { trainedSteps } from "../data/data-facts.ts";
import { evenRows } from "../data/even-sample.ts";
import { derivedSeed, RandomStream } from "../data/random.ts";
import { ConfigError } from "../errors.ts";
import { writeNpy } from "../formats/npy.ts";
import type { Compressor, CompressorVectors } from "../models/compressor.ts";
import { compressorOf } from "../models/compressors.ts";
import { Encoder } from "../models/runners.ts";
import {
  type AutoencoderWeights,
  readAutoencoder,
  readTraining,
  storedTable,
  writeAutoencoder,
} from "../models/weights-file.ts";
import { AutoencoderTrainer } from "./autoencoder-trainer.ts";
import { encodeCheckpoint } from "./checkpoint.ts";
import { checkpointPaths } from "./checkpoint-keeper.ts";
import { lossSettings, stoichiometryTensor } from "./dataset-facts.ts";
import { epochLogPath, loggingObserver } from "./epoch-log.ts";
import type { TrainingPhase } from "./phase.ts";
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

/** Enough to begin with, few enough to be held in memory. */
const rowsForMeans = 16_384;

/** An autoencoder's training, all paths absolute. */
export interface AutoencoderJob {
  readonly dataset: string;
  readonly columns: CleanColumns;
  readonly elementTable: ElementTable;
  /** What there is to say of the species' names, a line each. */
  readonly notes: readonly string[];
  readonly clipping: { readonly lower: number; readonly upper: number };
  /** Whether rows that are not one step apart are allowed. */
  readonly unevenSteps: boolean;
  /** Its sizes: `model.model_name` says of what. */
  readonly shape: object;
  readonly model: CompressorModel;
  readonly recipe: AutoencoderRecipe;
  readonly weights: string;
  readonly latentsMinmax: string | null;
  /** Weights to start from; null for fresh ones. */
  readonly warmStart: string | null;
  readonly mode: CacheMode;
  readonly cacheFolder: string;
  readonly memoryBudgetBytes: number;
  readonly seed: number;
}

/**
 * Trains an autoencoder: scaled caches, epochs, then the range of the latents of the training rows through the best weights.
 * @returns null in mode `preprocess`, which makes the caches only
 * @throws DataError, CheckpointError, NumericsError
 */
export async function trainAutoencoder(job: AutoencoderJob, tools: RunTools): Promise<TrainingReport | null> {
  return withWeightsLock(job, () => runAutoencoder(job, tools));
}

async function runAutoencoder(job: AutoencoderJob, tools: RunTools): Promise<TrainingReport | null> {
  const { model_name } = job.model;
  if (compressorOf({ model_name, model: job.shape }).layouts.trainable.size === 0) {
    throw new ConfigError(`there is nothing to train in the model ${model_name}`, {
      where: "model",
      fix: `astrochem train-emulator autoencoder=${model_name} makes its file`,
    });
  }
  const { dataset, columns, model, cacheFolder, mode } = job;
  const { log, signal } = tools;
  const scaling = new AbundanceScaling(job.clipping);
  for (const note of job.notes) log(note);
  const clean = await openCleanData(dataset, columns, log);
  let caches: CachePaths;
  try {
    // No step plays a part here, but the emulator that comes next would be refused.
    await trainedSteps(clean, columns, job.unevenSteps, log);
    const { species } = columns;
    caches = await autoencoderCache({ clean, species, scaling, folder: cacheFolder, mode, log, signal });
  } finally {
    clean.close();
  }
  if (mode === "preprocess") return null;
  const { memoryBudgetBytes } = job;
  const training = await openRows(caches.train, "dataset", {
    memoryBudgetBytes,
    shuffleChunkSize: model.shuffle_chunk_size,
  });
  const validation = await openRows(caches.val, "dataset", { memoryBudgetBytes, shuffleChunkSize: 1 });
  tools.log(`training rows: ${training.source.rows}, ${training.reason}`);
  tools.log(`validation rows: ${validation.source.rows}, ${validation.reason}`);
  const { recipe } = job;
  const batches = {
    phases: recipe.phases.map((settings) => {
      const batchSize = settings.batch_size ?? model.batch_size;
      const seed = derivedSeed(job.seed, "order of the rows");
      return { settings, train: new AutoencoderBatches({ ...training, batchSize, seed }) };
    }),
    validation: new AutoencoderBatches({
      source: await evenRows(validation.source, recipe.validation_items ?? validation.source.rows),
      chunkRows: validation.chunkRows,
      batchSize: model.batch_size,
      seed: null,
    }),
  };
  try {
    return await train(job, scaling, batches, training.source, clean.hash, tools);
  } finally {
    await Promise.all([training.source.close(), validation.source.close()]);
  }
}

async function train(
  job: AutoencoderJob,
  scaling: AbundanceScaling,
  batches: { phases: TrainingPhase<AutoencoderBatch>[]; validation: AutoencoderBatches },
  trainingRows: RowSource,
  dataHash: string,
  tools: RunTools,
): Promise<TrainingReport> {
  const { model, seed } = job;
  const compressor = compressorOf({ model_name: model.model_name, model: job.shape });
  const logPath = model.save_model ? epochLogPath(job.weights) : null;
  const weightsOf = (best: Snapshot, ranges: TrainingRanges | null): AutoencoderWeights => ({
    model_name: model.model_name,
    model: compressor.shape,
    species: [...job.columns.species],
    abundances_clipping: job.clipping,
    latent_range: null,
    ...ranges,
    steps: best.steps,
    elements: storedTable(job.elementTable),
    provenance: provenanceOf(best, { dataHash, seed, metric: job.recipe.metric }),
    trainable: best.arrays.parameters!,
    statistics: best.arrays.statistics!,
  });
  const checkpoint = checkpointPaths(tools.checkpoints.folder).best;
  const origin = { kind: "autoencoder", dataset: dataHash, seed, model: compressor.shape };
  const resumed = resumedState(tools, origin);
  const trainer = new AutoencoderTrainer(
    {
      engine: tools.engine,
      ...batches,
      settings: trainerSettings(model, job.recipe),
      seed,
      observer: loggingObserver(logPath, tools.observer, resumed?.values.log),
      now: tools.now,
      signal: tools.signal,
      keeper: keeperOf(tools, origin, (path, made) =>
        writeAutoencoder(path, weightsOf(bestOf(made.state), null), encodeCheckpoint(made)),
      ),
      resumed,
      maxSteps: tools.maxSteps,
    },
    {
      compressor,
      loss: lossSettings(model, scaling, tools.log),
      noise: model.noise,
      phases: job.recipe.phases,
      stoichiometry: stoichiometryTensor(job.elementTable),
      initial: await startingWeights(job, compressor, trainingRows, tools),
    },
  );
  let outcome: TrainingOutcome;
  try {
    outcome = await trainer.run();
  } finally {
    await trainer.dispose();
  }
  const { best } = outcome;
  if (best) {
    const ranges = await rangesOf(weightsOf(best, null), scaling, trainingRows, tools);
    // Of a training that goes on later its state is kept beside the weights, which can be used meanwhile.
    const training = isFinished(outcome) ? undefined : readTraining(checkpoint);
    writeAutoencoder(checkpoint, weightsOf(best, ranges), training);
    if (model.save_model && isFinished(outcome)) {
      writeAutoencoder(job.weights, weightsOf(best, ranges));
      if (job.latentsMinmax) writeNpy(job.latentsMinmax, { shape: [2], data: Float32Array.from(ranges.latent_range) });
    }
  }
  return reportOf(
    outcome,
    job.recipe.metric,
    { weights: model.save_model ? job.weights : null, checkpoint },
    trainer.parameterCount,
  );
}

async function startingWeights(
  { warmStart, model: { model_name }, seed, columns, recipe }: AutoencoderJob,
  compressor: Compressor,
  trainingRows: RowSource,
  { log }: RunTools,
): Promise<CompressorVectors> {
  if (warmStart === null) {
    const random = new RandomStream(derivedSeed(seed, "initial autoencoder"));
    return compressor.initial(random, recipe.output_bias === "mean" ? await columnMeans(trainingRows) : null);
  }
  const weights = readAutoencoder(warmStart);
  checkWarmStart(warmStart, weights, { model_name, model: compressor.shape, species: columns.species });
  log(`starting from ${warmStart}; the optimizer starts fresh`);
  return weights;
}

/** Means of the columns, of rows spread evenly over the source. */
async function columnMeans(source: RowSource): Promise<Float64Array> {
  const sample = await evenRows(source, rowsForMeans);
  const values = await sample.load(0, sample.rows);
  const sums = new Float64Array(sample.columns);
  for (let i = 0; i < values.length; i++) sums[i % sample.columns]! += values[i]!;
  return sums.map((sum) => sum / sample.rows);
}

/** What the weights file tells of the training rows: the range of all latents, that of each species in log10. */
interface TrainingRanges {
  readonly latent_range: [number, number];
  readonly abundance_range: { lower: number[]; upper: number[] };
}

async function rangesOf(
  weights: AutoencoderWeights,
  { log10_lower, log10_upper }: AbundanceScaling,
  rows: RowSource,
  tools: RunTools,
): Promise<TrainingRanges> {
  const encoder = new Encoder(tools.engine, weights);
  const [latents, species] = [new ColumnRange(1), new ColumnRange(rows.columns)];
  try {
    const block = Math.max(1, Math.floor(2 ** 24 / rows.columns / 4));
    for (let start = 0; start < rows.rows; start += block) {
      const count = Math.min(block, rows.rows - start);
      const scaled = await rows.load(start, count);
      species.add(scaled);
      latents.add(await encoder.encode(scaled, count));
    }
  } finally {
    await encoder.dispose();
  }
  const [low, high] = [latents.lower[0]!, latents.upper[0]!];
  tools.log(`latents of the training rows: ${low.toPrecision(6)} to ${high.toPrecision(6)}`, { low, high });
  const dex = (scaled: number): number => Number((log10_lower + scaled * (log10_upper - log10_lower)).toFixed(4));
  return {
    latent_range: [low, high],
    abundance_range: { lower: Array.from(species.lower, dex), upper: Array.from(species.upper, dex) },
  };
}
