import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { isPlainLog, scaleOf } from "../chemistry/physical-parameters.ts";
import { type AbundanceScaling, LatentScaling, type PhysicalScaling } from "../chemistry/scaling.ts";
import { counted } from "../counted.ts";
import type { CachePaths } from "./autoencoder-cache.ts";
import { type CacheMode, ensureCache } from "./cache.ts";
import type { CleanColumns, CleanData } from "./clean-data.ts";
import { ColumnRange } from "./column-range.ts";
import type { Frame } from "./frame.ts";
import { type Hdf5Dataset, type Hdf5File, openHdf5 } from "./hdf5.ts";
import { latentMoments } from "./latent-moments.ts";
import { RangeWatch } from "./range-watch.ts";
import { checkAbundances, checkPhysical, roundingText } from "./value-checks.ts";
import { tracerRuns, windowStarts } from "./windows.ts";

export interface EmulatorCacheOptions {
  readonly clean: CleanData;
  readonly columns: CleanColumns;
  readonly abundances: AbundanceScaling;
  readonly physical: PhysicalScaling;
  readonly physicalRanges: Readonly<Record<string, readonly [number, number]>>;
  /** The original's range, or what gives each component mean 0 and deviation 1 over the training rows. */
  readonly latents: LatentScaling | "standard";
  readonly latentDim: number;
  /** Scaled abundances, [rows, species], → raw latents, [rows, latent]. */
  readonly encode: (scaled: Float32Array, rows: number) => Promise<Float32Array>;
  readonly autoencoderHash: string;
  readonly window: number;
  readonly folder: string;
  readonly mode: CacheMode;
  readonly log: (message: string, details?: Record<string, unknown>) => void;
  /** Aborted: leave off. */
  readonly signal?: AbortSignal | undefined;
}

/** Where they lie in the folder of the caches. */
export function emulatorCachePaths(folder: string): CachePaths {
  return { train: join(folder, "training_seq.h5"), val: join(folder, "validation_seq.h5") };
}

/**
 * Makes or finds the sequences of both splits: `training_seq.h5` and `validation_seq.h5` with `dataset`, float32
 * [rows, metadata + physical + species + latent] (the index renumbered, the rest scaled), `starts`, int32 [windows], the first rows of the
 * windows in file order, `tracers`, int32 [tracers, 2], first row and rows of each, and
 * `latent_scaling`, float64 [2, latent or 1], shift and scale, `latent_range`, float32 [2, latent], the least and the largest scaled latents,
 * `physical_range`, the same of the physical parameters in their units, and `outside`, a line for each parameter with values outside of its
 * configured range.
 * @returns where they are, the scaling of the latents, both ranges in the training rows, and the lines of both splits
 * @throws DataError for values that cannot be scaled, or where no tracer is as long as the window
 */
export async function emulatorCache(options: EmulatorCacheOptions): Promise<
  CachePaths & {
    readonly latents: LatentScaling;
    readonly latentRange: Ends;
    readonly physicalRange: Ends;
    readonly outside: string[];
  }
> {
  const { clean, columns, folder, mode, log, window } = options;
  const paths = emulatorCachePaths(folder);
  const parts = {
    kind: "emulator",
    "clean dataset": clean.hash,
    ...columns,
    abundances_clipping: [options.abundances.log10_lower, options.abundances.log10_upper],
    physical_parameter_ranges: columns.phys.map((name) => options.physicalRanges[name]),
    ...(columns.phys.map(scaleOf).every(isPlainLog) ? {} : { physical_scales: columns.phys.map(scaleOf) }),
    autoencoder: options.autoencoderHash,
    "ranges of": ["latents", "physical parameters"],
    "latent scaling": options.latents === "standard" ? "standard" : options.latents.affine,
    window_size: window,
  };
  let latents = options.latents === "standard" ? null : options.latents;
  for (const split of ["train", "val"] as const) {
    await ensureCache({
      path: paths[split],
      parts: { ...parts, split },
      mode,
      command: "train-emulator",
      log,
      signal: options.signal,
      write: async (file) => {
        const scaling = latents ?? new LatentScaling(await latentMoments(clean.train, options));
        writeStarts(file, clean[split], options);
        writeScaling(file, scaling);
        await writeRows(file, clean[split], scaling, options);
      },
    });
    // What the training rows gave holds for both splits, whether it was measured now or earlier.
    latents ??= await readScaling(paths.train);
  }
  const [latentRange, physicalRange] = [
    await readRange(paths.train, "latent"),
    await readRange(paths.train, "physical"),
  ];
  const outside = [...(await readOutside(paths.train)), ...(await readOutside(paths.val))];
  return { ...paths, latents: latents!, latentRange, physicalRange, outside };
}

/** The least and the largest value of each column. */
type Ends = Pick<ColumnRange, "lower" | "upper">;

function writeScaling(file: Hdf5File, { affine: { shift, scale } }: LatentScaling): void {
  const dataset = file.createDataset("latent_scaling", { shape: [2, shift.length], dtype: "<f8" });
  dataset.writeRows(0, 2, Float64Array.from([...shift, ...scale]));
}

async function readScaling(path: string): Promise<LatentScaling> {
  const [shift, scale] = await readTwoRows(path, "latent_scaling", Float64Array);
  return new LatentScaling({ shift: [...shift], scale: [...scale] });
}

async function readRange(path: string, of: "latent" | "physical"): Promise<Ends> {
  const [lower, upper] = await readTwoRows(path, `${of}_range`, Float32Array);
  return { lower, upper };
}

async function readOutside(path: string): Promise<string[]> {
  const file = await openHdf5(path);
  try {
    return file.has("outside") ? file.dataset("outside").readStrings() : [];
  } finally {
    file.close();
  }
}

async function readTwoRows<T extends Float32Array | Float64Array>(
  path: string,
  name: string,
  Values: new (length: number) => T,
): Promise<[T, T]> {
  const file = await openHdf5(path);
  try {
    const dataset = file.dataset(name);
    const rows = [new Values(dataset.shape[1]!), new Values(dataset.shape[1]!)] as [T, T];
    for (const [k, row] of rows.entries()) dataset.readRows(k, 1, row);
    return rows;
  } finally {
    file.close();
  }
}

/** Tracer ids come as float32, which keeps integers up to 2^24 apart: as codes they stay exact whatever they are. */
function writeStarts(file: Hdf5File, frame: Frame, { columns, window, log }: EmulatorCacheOptions): void {
  const model = columns.metadata[1] ?? "Model";
  const { codes } = frame.labels(model);
  const { starts, skippedTracers, skippedRows } = windowStarts(codes, window, `${frame.path}, key ${frame.key}`);
  if (skippedTracers > 0) {
    log(
      `warning: ${counted(skippedTracers, "tracer")} shorter than the window of ${counted(window, "row")}: left out`,
      {
        skippedRows,
      },
    );
  }
  file.createDataset("starts", { shape: [starts.length], dtype: "<i4" }).writeRows(0, starts.length, starts);
  const runs = tracerRuns(codes);
  const tracers = Int32Array.from(runs.flatMap(({ start, rows }) => [start, rows]));
  file.createDataset("tracers", { shape: [runs.length, 2], dtype: "<i4" }).writeRows(0, runs.length, tracers);
}

async function writeRows(
  file: Hdf5File,
  frame: Frame,
  latents: LatentScaling,
  options: EmulatorCacheOptions,
): Promise<void> {
  const { metadata, phys, species } = options.columns;
  const width = metadata.length + phys.length + species.length + options.latentDim;
  const dataset = file.createDataset("dataset", { shape: [frame.rows, width], dtype: "<f4" });
  const ranges = { latent: new ColumnRange(options.latentDim), physical: new ColumnRange(phys.length) };
  const parameters = phys.map((name) => ({ name, range: options.physicalRanges[name] }));
  const outside = new RangeWatch(parameters, "configured");
  const step = frame.blockRows;
  let raised = 0;
  for (let start = 0; start < frame.rows; start += step) {
    const block = { start, count: Math.min(step, frame.rows - start), width };
    raised += await writeBlock(dataset, frame, block, latents, options, ranges, outside);
    await nextTurn();
    options.signal?.throwIfAborted();
  }
  if (raised > 0) options.log(roundingText(raised, options.abundances.clip.lower), { key: frame.key, raised });
  for (const [of, range] of Object.entries(ranges)) {
    const ends = file.createDataset(`${of}_range`, { shape: [2, range.lower.length], dtype: "<f4" });
    for (const [k, row] of [range.lower, range.upper].entries()) ends.writeRows(k, 1, row);
  }
  const lines = outside.lines().map((line) => `/${frame.key}: ${line}`);
  if (lines.length > 0) file.writeStrings("outside", lines);
}

/** Writes a block of rows and widens the ranges by them. @returns how many abundances were raised to the lower clipping value */
async function writeBlock(
  dataset: Hdf5Dataset,
  frame: Frame,
  { start, count, width }: { start: number; count: number; width: number },
  scaling: LatentScaling,
  options: EmulatorCacheOptions,
  ranges: { readonly latent: ColumnRange; readonly physical: ColumnRange },
  outside: RangeWatch,
): Promise<number> {
  const { metadata, phys, species } = options.columns;
  const read = (columns: readonly string[]): Float32Array => {
    const values = new Float32Array(count * columns.length);
    frame.read(start, count, columns, values);
    return values;
  };
  const [meta, physical, abundances] = [read(metadata), read(phys), read(species)];
  checkPhysical(physical, phys, start, frame);
  const raised = checkAbundances(abundances, species, start, frame, options.abundances.clip.lower);
  ranges.physical.add(physical);
  for (let row = 0; row < count; row++) outside.add(physical, row * phys.length, () => `row ${start + row}`);
  options.physical.scaleInto(physical, physical);
  options.abundances.scaleInto(abundances, abundances);
  const latents = Float32Array.from(await options.encode(abundances, count));
  scaling.scaleInto(latents, latents);
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
  ranges.latent.add(latents);
  dataset.writeRows(start, count, rows);
  return raised;
}
