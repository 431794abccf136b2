import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { AbundanceScaling, LatentScaling, PhysicalScaling } from "../chemistry/scaling.ts";
import type { CachePaths } from "./autoencoder-cache.ts";
import { type CacheMode, ensureCache } from "./cache.ts";
import type { CleanColumns, CleanData } from "./clean-data.ts";
import type { Frame } from "./frame.ts";
import type { Hdf5Dataset, Hdf5File } from "./hdf5.ts";
import { checkAbundances, checkPhysical } from "./value-checks.ts";
import { permuted, windowStarts } from "./windows.ts";

export interface EmulatorCacheOptions {
  readonly clean: CleanData;
  readonly columns: CleanColumns;
  readonly abundances: AbundanceScaling;
  readonly physical: PhysicalScaling;
  readonly physicalRanges: Readonly<Record<string, readonly [number, number]>>;
  readonly latents: LatentScaling;
  readonly latentDim: number;
  /** Scaled abundances, [rows, species], → raw latents, [rows, latent]. */
  readonly encode: (scaled: Float32Array, rows: number) => Promise<Float32Array>;
  readonly autoencoderHash: string;
  readonly window: number;
  /** Of the one-time permutation of the training windows. */
  readonly seed: number;
  readonly folder: string;
  readonly mode: CacheMode;
  readonly log: (message: string, details?: Record<string, unknown>) => void;
  /** Aborted: leave off. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes or finds the sequences of both splits: `training_seq.h5` and `validation_seq.h5` with `dataset`, float32
 * [rows, metadata + physical + species + latent] (the index renumbered, the rest scaled), `starts`, int32 [windows], the first rows of the
 * windows in file order, and `permuted_starts`, the same in random order.
 * @throws DataError for values that cannot be scaled, or where no tracer is as long as the window
 */
export async function emulatorCache(options: EmulatorCacheOptions): Promise<CachePaths> {
  const { clean, columns, folder, mode, log, window, seed } = options;
  const paths = { train: join(folder, "training_seq.h5"), val: join(folder, "validation_seq.h5") };
  const parts = {
    kind: "emulator",
    "clean dataset": clean.hash,
    ...columns,
    abundances_clipping: [options.abundances.log10_lower, options.abundances.log10_upper],
    physical_parameter_ranges: columns.phys.map((name) => options.physicalRanges[name]),
    autoencoder: options.autoencoderHash,
    window_size: window,
    seed,
  };
  for (const split of ["train", "val"] as const) {
    await ensureCache({
      path: paths[split],
      parts: { ...parts, split },
      mode,
      command: "train-emulator",
      log,
      signal: options.signal,
      write: async (file) => {
        writeStarts(file, clean[split], options);
        await writeRows(file, clean[split], options);
      },
    });
  }
  return paths;
}

/** Tracer ids come as float32, which keeps integers up to 2^24 apart: as codes they stay exact whatever they are. */
function writeStarts(file: Hdf5File, frame: Frame, { columns, window, seed, log }: EmulatorCacheOptions): void {
  const model = columns.metadata[1] ?? "Model";
  const { codes } = frame.labels(model);
  const { starts, skippedTracers, skippedRows } = windowStarts(codes, window, `${frame.path}, key ${frame.key}`);
  if (skippedTracers > 0) {
    log(`warning: ${skippedTracers} tracers are shorter than the window of ${window} rows and give none`, {
      skippedRows,
    });
  }
  const write = (name: string, values: Int32Array): void =>
    file.createDataset(name, { shape: [values.length], dtype: "<i4" }).writeRows(0, values.length, values);
  write("starts", starts);
  write("permuted_starts", permuted(starts, seed));
}

async function writeRows(file: Hdf5File, frame: Frame, options: EmulatorCacheOptions): Promise<void> {
  const { metadata, phys, species } = options.columns;
  const width = metadata.length + phys.length + species.length + options.latentDim;
  const dataset = file.createDataset("dataset", { shape: [frame.rows, width], dtype: "<f4" });
  const step = frame.blockRows;
  for (let start = 0; start < frame.rows; start += step) {
    await writeBlock(dataset, frame, start, Math.min(step, frame.rows - start), width, options);
    await nextTurn();
    options.signal?.throwIfAborted();
  }
}

async function writeBlock(
  dataset: Hdf5Dataset,
  frame: Frame,
  start: number,
  count: number,
  width: number,
  options: EmulatorCacheOptions,
): Promise<void> {
  const { metadata, phys, species } = options.columns;
  const read = (columns: readonly string[]): Float32Array => {
    const values = new Float32Array(count * columns.length);
    frame.read(start, count, columns, values);
    return values;
  };
  const [meta, physical, abundances] = [read(metadata), read(phys), read(species)];
  checkPhysical(physical, phys, start, frame);
  checkAbundances(abundances, species, start, frame);
  options.physical.scaleInto(physical, physical);
  options.abundances.scaleInto(abundances, abundances);
  const latents = Float32Array.from(await options.encode(abundances, count));
  options.latents.scaleInto(latents, latents);
  const parts = [meta, physical, abundances, latents];
  const rows = new Float32Array(count * width);
  for (let row = 0; row < count; row++) {
    let at = row * width;
    for (const part of parts) {
      const columns = part.length / count;
      rows.set(part.subarray(row * columns, (row + 1) * columns), at);
      at += columns;
    }
    rows[row * width] = start + row;
  }
  dataset.writeRows(start, count, rows);
}
