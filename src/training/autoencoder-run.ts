import type { ElementTable } from "../chemistry/element-table.ts";
import { AbundanceScaling } from "../chemistry/scaling.ts";
import type { CompressorModel } from "../config/schema-models.ts";
import type { AutoencoderRecipe } from "../config/schema-recipes.ts";
import { counted } from "../counted.ts";
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
import { type AutoencoderWeights, readAutoencoder, storedTable, writeAutoencoder } from "../models/weights-file.ts";
import { AutoencoderTrainer } from "./autoencoder-trainer.ts";
import { lossSettings, stoichiometryTensor } from "./dataset-facts.ts";
import { provenanceOf, type RunTools, type TrainingReport } from "./run-tools.ts";
import { type OpenTraining, runTraining } from "./run-training.ts";
import type { Snapshot } from "./training-state.ts";
import { checkWarmStart } from "./warm-start.ts";

/** Enough to begin with, few enough to be held in memory. */
const rowsForMeans = 16_384;

/** Totals of an element that are further apart are those of different starts: far above what solvers and float32 leave. */
const differentTotals_dex = 0.05;

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
export function trainAutoencoder(job: AutoencoderJob, tools: RunTools): Promise<TrainingReport | null> {
  return runTraining(job, tools, () => openTraining(job, tools));
}

async function openTraining(job: AutoencoderJob, tools: RunTools): Promise<OpenTraining<AutoencoderBatch> | null> {
  const { dataset, columns, model, recipe, seed } = job;
  const { model_name } = model;
  const compressor = compressorOf({ model_name, model: job.shape });
  if (compressor.layouts.trainable.size === 0) {
    throw new ConfigError(`there is nothing to train in the model ${model_name}`, {
      where: "model",
      fix: `astrochem train-emulator autoencoder=${model_name} makes its file`,
    });
  }
  const scaling = new AbundanceScaling(job.clipping);
  for (const note of job.notes) tools.log(note);
  const clean = await openCleanData(dataset, columns, tools.log);
  let caches: CachePaths;
  try {
    // No step plays a part here, but the emulator that comes next would be refused.
    await trainedSteps(clean, columns, job.unevenSteps, tools.log);
    const { cacheFolder: folder, mode } = job;
    const { log, signal } = tools;
    caches = await autoencoderCache({ clean, species: columns.species, scaling, folder, mode, log, signal });
  } finally {
    clean.close();
  }
  if (job.mode === "preprocess") return null;
  const { trainingRows, ...rows } = await openBatches(job, caches, tools.log);
  let ranges: TrainingRanges | null = null;
  const weightsOf = (best: Snapshot): AutoencoderWeights => ({
    model_name,
    model: compressor.shape,
    species: [...columns.species],
    abundances_clipping: job.clipping,
    latent_range: null,
    ...ranges,
    steps: best.steps,
    elements: storedTable(job.elementTable),
    provenance: provenanceOf(best, { dataHash: clean.hash, seed, metric: recipe.metric }),
    trainable: best.arrays.parameters!,
    statistics: best.arrays.statistics!,
  });
  return {
    ...rows,
    origin: { kind: "autoencoder", model_name, dataset: clean.hash, seed, model: compressor.shape },
    trainer: async (options) =>
      new AutoencoderTrainer(options, {
        compressor,
        loss: lossSettings(model, scaling, tools.log),
        noise: model.noise,
        phases: recipe.phases,
        stoichiometry: stoichiometryTensor(job.elementTable),
        initial: await startingWeights(job, compressor, trainingRows, tools),
      }),
    measure: async (best) => {
      ranges = await rangesOf(weightsOf(best), scaling, trainingRows, tools);
    },
    write: (path, best, training) => writeAutoencoder(path, weightsOf(best), training),
    written: () => {
      if (job.latentsMinmax === null || ranges === null) return;
      writeNpy(job.latentsMinmax, { shape: [2], data: Float32Array.from(ranges.latent_range) });
    },
  };
}

/** The batches of all phases and of the validation. */
async function openBatches(
  { model, recipe, memoryBudgetBytes, seed }: AutoencoderJob,
  caches: CachePaths,
  log: RunTools["log"],
): Promise<Pick<OpenTraining<AutoencoderBatch>, "phases" | "validation" | "close"> & { trainingRows: RowSource }> {
  const { shuffle_chunk_size: shuffleChunkSize } = model;
  const training = await openRows(caches.train, "dataset", { memoryBudgetBytes, shuffleChunkSize });
  const validation = await openRows(caches.val, "dataset", { memoryBudgetBytes, shuffleChunkSize: 1 });
  log(`${counted(training.source.rows, "training row")}, ${training.reason}`);
  log(`${counted(validation.source.rows, "validation row")}, ${validation.reason}`);
  const order = derivedSeed(seed, "order of the rows");
  return {
    trainingRows: training.source,
    phases: recipe.phases.map((settings) => {
      const batchSize = settings.batch_size ?? model.batch_size;
      return { settings, train: new AutoencoderBatches({ ...training, batchSize, seed: order }) };
    }),
    validation: new AutoencoderBatches({
      source: await evenRows(validation.source, recipe.validation_items ?? validation.source.rows),
      chunkRows: validation.chunkRows,
      batchSize: model.batch_size,
      seed: null,
    }),
    close: async () => {
      await Promise.all([training.source.close(), validation.source.close()]);
    },
  };
}

async function startingWeights(
  { warmStart, model: { model_name }, seed, columns, recipe, elementTable: table, clipping }: AutoencoderJob,
  compressor: Compressor,
  trainingRows: RowSource,
  { log }: RunTools,
): Promise<CompressorVectors> {
  if (warmStart === null) {
    const random = new RandomStream(derivedSeed(seed, "initial autoencoder"));
    const sample = await evenRows(trainingRows, rowsForMeans);
    const values = await sample.load(0, sample.rows);
    const outputMean = recipe.output_bias === "mean" ? columnMeans(values, sample.columns) : null;
    const scaling = new AbundanceScaling(clipping);
    const totals = spreadOfTotals(values, table, scaling);
    const doubt = doubtOfElements(table.elements, totals, "elements" in compressor.shape);
    if (doubt !== null) log(doubt);
    const { log10_lower, log10_upper } = scaling;
    const meanTotals = totals.map(({ mean }) => mean);
    return compressor.initial(random, outputMean, { table, meanTotals, log10_lower, log10_upper });
  }
  const weights = readAutoencoder(warmStart);
  checkWarmStart(warmStart, weights, { model_name, model: compressor.shape, species: columns.species });
  log(`starting from ${warmStart}; the optimizer starts fresh`);
  return weights;
}

function columnMeans(values: Float32Array, columns: number): Float64Array {
  const sums = new Float64Array(columns);
  for (let i = 0; i < values.length; i++) sums[i % columns]! += values[i]!;
  return sums.map((sum) => sum / (values.length / columns));
}

/** log10 of an element's total over rows. */
interface TotalSpread {
  readonly mean: number;
  readonly lower: number;
  readonly upper: number;
}

/** Of scaled rows, by element. */
function spreadOfTotals(
  values: Float32Array,
  { elements, atoms }: ElementTable,
  { log10_lower, log10_upper }: AbundanceScaling,
): TotalSpread[] {
  const [species, span] = [atoms.length, log10_upper - log10_lower];
  return elements.map((_, e) => {
    const holders = [...atoms.keys()].filter((s) => atoms[s]![e]! > 0);
    let [sum, lower, upper] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let at = 0; at < values.length; at += species) {
      const total = holders.reduce(
        (all, s) => all + atoms[s]![e]! * 10 ** (log10_lower + span * values[at + s]!),
        Number.MIN_VALUE,
      );
      const dex = Math.max(Math.log10(total), log10_lower);
      sum += dex;
      lower = Math.min(lower, dex);
      upper = Math.max(upper, dex);
    }
    return { mean: (sum * species) / values.length, lower, upper };
  });
}

/** A start of bare atoms holds its elements in a few abundances, which a compression loses: said where tracers differ in them. */
function doubtOfElements(names: readonly string[], totals: readonly TotalSpread[], has: boolean): string | null {
  const spans = names.map((name, e) => ({ name, span: totals[e]!.upper - totals[e]!.lower }));
  const [widest] = spans.sort((a, b) => b.span - a.span);
  if (has || widest === undefined || widest.span < differentTotals_dex) return null;
  return (
    `warning: the training tracers differ in their elements (${widest.name} by ${widest.span.toFixed(2)} dex), which the latents of this model ` +
    "do not tell apart at the start: model=autoencoder_elements does"
  );
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
