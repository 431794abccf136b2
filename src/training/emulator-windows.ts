import type { EvolverModel } from "../config/schema-models.ts";
import type { EmulatorPhase, EmulatorRecipe } from "../config/schema-recipes.ts";
import { counted } from "../counted.ts";
import { openRows, type RowSource } from "../data/chunk-source.ts";
import type { CleanColumns } from "../data/clean-data.ts";
import { type EmulatorBatch, EmulatorBatches, type RowLayout, windowsPerChunk } from "../data/emulator-batches.ts";
import { evenWindows } from "../data/even-sample.ts";
import { openHdf5 } from "../data/hdf5.ts";
import { derivedSeed } from "../data/random.ts";
import { edgedStarts, permuted, type TracerRun } from "../data/windows.ts";
import type { TrainingPhase } from "./phase.ts";

/** Which windows a training wants. */
export interface WindowJob {
  readonly columns: CleanColumns;
  readonly shape: { readonly output_dim: number };
  readonly model: EvolverModel;
  readonly recipe: EmulatorRecipe;
  readonly memoryBudgetBytes: number;
  readonly seed: number;
}

/** The windows of a training. */
export interface Windows {
  readonly phases: readonly TrainingPhase<EmulatorBatch>[];
  readonly validation: EmulatorBatches;
  close(): Promise<void>;
}

/** Rows of one split, and how they are read. */
interface OpenRows {
  readonly path: string;
  readonly source: RowSource;
  readonly chunkRows: number;
}

/** The windows of both splits: full shuffles in memory, as the original's, runs of neighbouring windows where streamed. */
export async function openWindows(
  caches: { readonly train: string; readonly val: string },
  job: WindowJob,
  log: (message: string) => void,
): Promise<Windows> {
  const { memoryBudgetBytes, model } = job;
  const open = async (path: string, split: string, shuffleChunkSize: number): Promise<OpenRows> => {
    const { source, chunkRows, reason } = await openRows(path, "dataset", { memoryBudgetBytes, shuffleChunkSize });
    const windows = (await readIntegers(path, "starts")).length;
    log(`${counted(windows, `${split} window`)}, ${reason}`);
    return { path, source, chunkRows };
  };
  const training = await open(caches.train, "training", model.shuffle_chunk_size);
  const validation = await open(caches.val, "validation", 1);
  const phases: TrainingPhase<EmulatorBatch>[] = [];
  for (const settings of job.recipe.phases) {
    phases.push({ settings, train: await trainingBatches(training, settings, job) });
  }
  return {
    phases,
    validation: await validationBatches(validation, job),
    close: async () => {
      await Promise.all([training.source.close(), validation.source.close()]);
    },
  };
}

async function trainingBatches(rows: OpenRows, phase: EmulatorPhase, job: WindowJob): Promise<EmulatorBatches> {
  const { model, seed } = job;
  const window = Math.min(phase.window ?? model.window_size, model.window_size);
  const order = derivedSeed(seed, "order of the windows");
  const isWhole = rows.chunkRows >= rows.source.rows;
  const starts = await startsOf(rows.path, { window, edges: phase.edges, whole: model.window_size });
  return new EmulatorBatches({
    source: rows.source,
    starts: isWhole ? permuted(starts, order) : starts,
    window,
    layout: layoutOf(job),
    chunkWindows: isWhole ? starts.length : windowsPerChunk(starts, window, rows.chunkRows),
    batchSize: phase.batch_size ?? model.batch_size,
    seed: order,
    targets: phase.loss.of,
  });
}

/** Always windows of the full size, through the decoder, whatever the phases train on: their errors can be compared. */
async function validationBatches(rows: OpenRows, job: WindowJob): Promise<EmulatorBatches> {
  const { model, recipe } = job;
  const window = model.window_size;
  const all = await readIntegers(rows.path, "starts");
  const { source, starts } = await evenWindows(rows.source, all, window, recipe.validation_items ?? all.length);
  const isWhole = source !== rows.source || rows.chunkRows >= source.rows;
  return new EmulatorBatches({
    source,
    starts,
    window,
    layout: layoutOf(job),
    chunkWindows: isWhole ? starts.length : windowsPerChunk(starts, window, rows.chunkRows),
    batchSize: Math.min(model.batch_size, starts.length),
    seed: null,
  });
}

/** The starts of a phase's windows; those that the cache holds where they are what is wanted. */
async function startsOf(
  path: string,
  { window, edges, whole }: { window: number; edges: number; whole: number },
): Promise<Int32Array> {
  if (window === whole && edges === 0) return readIntegers(path, "starts");
  const tracers = await readIntegers(path, "tracers");
  const runs: TracerRun[] = [];
  for (let k = 0; k < tracers.length; k += 2) runs.push({ start: tracers[k]!, rows: tracers[k + 1]! });
  return edgedStarts(runs, window, edges);
}

function layoutOf({ columns, shape }: WindowJob): RowLayout {
  return {
    metadata: columns.metadata.length,
    physical: columns.phys.length,
    species: columns.species.length,
    latent: shape.output_dim,
  };
}

/** A whole dataset of int32, flat. */
async function readIntegers(path: string, name: string): Promise<Int32Array> {
  const file = await openHdf5(path);
  try {
    const dataset = file.dataset(name);
    const values = new Int32Array(dataset.shape.reduce((a, b) => a * b, 1));
    dataset.readRows(0, dataset.shape[0]!, values);
    return values;
  } finally {
    file.close();
  }
}
