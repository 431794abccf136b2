import { existsSync, realpathSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { ConfigError, DataError } from "../errors.ts";
import { beginFile } from "../formats/atomic-file.ts";
import { type Frame, FrameWriter, openFrame } from "./frame.ts";
import { createHdf5, type Hdf5File } from "./hdf5.ts";
import { legacyShuffle } from "./mt19937.ts";
import { type ColumnPlan, planColumns, type WantedColumns } from "./preprocess-columns.ts";
import { counted, type Log, logColumns, logTracers, Meter, type Progress } from "./preprocess-report.ts";
import { openSortedRows, rowsToScatter, type SortedRows } from "./preprocess-sorted-rows.ts";
import { type RowRules, SplitOutput } from "./preprocess-tracers.ts";
import { indexRows, type RawIndex } from "./raw-index.ts";

/** What makes a raw file into a clean one. */
export interface PreprocessOptions extends WantedColumns {
  inputPath: string;
  inputKey: string;
  outputPath: string;
  /** [species], linear. */
  initialAbundances: Float64Array;
  clipping: { lower: number; upper: number };
  /** Share of the tracers that train. */
  trainSplit: number;
  seed: number;
  minRadfield: number;
}

/** One split of the clean file. */
export interface SplitSummary {
  tracers: number;
  rows: number;
  /** sha256 of the column names and the values as written; also the attribute `astrochem_hash`. */
  hash: string;
}

/** What a preprocessing did. */
export interface PreprocessSummary {
  inputPath: string;
  outputPath: string;
  inputRows: number;
  inputColumns: number;
  columns: number;
  tracers: number;
  rows: number;
  /** Tracers with a single raw row. */
  oneRowTracers: number;
  /** Whether the rows had to pass through a temporary file to be sorted. */
  scattered: boolean;
  train: SplitSummary;
  val: SplitSummary;
}

/**
 * Makes the clean dataset of a raw UCLCHEM frame: columns renamed and picked, rows sorted by tracer and time, a start row at
 * Time 0 before each tracer, conditions shifted to the step that they act on, abundances clipped, tracers split into
 * `/train` and `/val`. Streams: memory does not grow with the file but for 12 bytes a row. The output appears whole or not
 * at all.
 * @param progress called after each block of rows
 * @throws DataError where the input is damaged, lacks columns or holds impossible values, or the output cannot be written
 */
export async function preprocessDataset(
  options: PreprocessOptions,
  log: Log,
  progress: Progress = () => {},
): Promise<PreprocessSummary> {
  checkOptions(options);
  const frame = await openFrame(options.inputPath, options.inputKey);
  try {
    log(`read ${options.inputPath}: ${counted(frame.rows, "row")} × ${frame.columns.length} columns`, {
      rows: frame.rows,
      columns: frame.columns.length,
    });
    const plan = planColumns(frame.columns, options, `${frame.path}, key ${frame.key}`);
    logColumns(plan, log);
    const meter = new Meter(frame.rows, progress);
    const radfield = options.phys.indexOf("Radfield");
    const index = await indexRows(frame, plan, { phys: options.phys.length, radfield }, meter.advance);
    meter.expect(rowsToScatter(frame, index.order));
    return await writeClean({ options, frame, plan, index, log, meter });
  } finally {
    frame.close();
  }
}

interface Job {
  options: PreprocessOptions;
  frame: Frame;
  plan: ColumnPlan;
  index: RawIndex;
  log: Log;
  meter: Meter;
}

/** Which tracers train, and how many tracers and rows each split gets. */
interface Split {
  isTrain: Uint8Array;
  train: { tracers: number; rows: number };
  val: { tracers: number; rows: number };
}

async function writeClean(job: Job): Promise<PreprocessSummary> {
  const { options, frame, plan, index, log, meter } = job;
  const split = splitTracers(index, options);
  const oneRowTracers = countOneRowTracers(index);
  logTracers(index, split.train.rows + split.val.rows, oneRowTracers, log);
  const output = beginFile(options.outputPath);
  try {
    const scatteredRows = rowsToScatter(frame, index.order);
    checkSpace(options.outputPath, split.train.rows + split.val.rows, scatteredRows, plan.floats.length);
    if (scatteredRows > 0)
      log("the rows are not in order: sorting them through a temporary file", { rows: scatteredRows });
    const source = await openSortedRows(frame, plan.sources, index.order, options.outputPath, meter.advance);
    const hashes = await writeSplits(job, split, source, output.temporaryPath).finally(() => source.close());
    output.commit();
    const summary = {
      inputPath: options.inputPath,
      outputPath: options.outputPath,
      inputRows: frame.rows,
      inputColumns: frame.columns.length,
      columns: plan.order.length,
      tracers: index.tracers.length,
      rows: split.train.rows + split.val.rows,
      oneRowTracers,
      scattered: source.isScattered,
      train: { ...split.train, hash: hashes.train },
      val: { ...split.val, hash: hashes.val },
    };
    for (const name of ["train", "val"] as const) {
      const { tracers, rows } = summary[name];
      log(`wrote /${name}: ${counted(tracers, "tracer")}, ${counted(rows, "row")} × ${summary.columns} columns`, {
        tracers,
        rows,
      });
    }
    return summary;
  } catch (error) {
    output.discard();
    throw error;
  }
}

async function writeSplits(
  job: Job,
  split: Split,
  source: SortedRows,
  path: string,
): Promise<{ train: string; val: string }> {
  const file = await createHdf5(path);
  try {
    const hashes = await writeTracers(job, split, source, file);
    // Closing writes what HDF5 still held back: only after it is the file whole.
    file.close();
    return hashes;
  } catch (error) {
    try {
      file.close();
    } catch {
      // The first error is the one to tell.
    }
    throw error;
  }
}

async function writeTracers(
  { options, plan, index, meter }: Job,
  split: Split,
  source: SortedRows,
  file: Hdf5File,
): Promise<{ train: string; val: string }> {
  const rules = rowRules(options, plan);
  const columns = { float32: plan.floats, int64: ["Index", "Model"], order: plan.order };
  const [train, val] = [
    new SplitOutput(new FrameWriter(file, "train", columns, split.train.rows), rules),
    new SplitOutput(new FrameWriter(file, "val", columns, split.val.rows), rules),
  ];
  const keepsIds = hasIntegerIds(index);
  let row = 0;
  let sinceTurn = 0;
  for (const [i, id] of index.tracers.entries()) {
    const start = index.starts[i]!;
    const count = index.starts[i + 1]! - start;
    const tracer = { id, model: BigInt(keepsIds ? id : i), start, count, startsAtZero: index.startsAtZero[i] === 1 };
    row += (split.isTrain[i] === 1 ? train : val).append(tracer, source, row);
    meter.advance(count);
    sinceTurn += count;
    if (sinceTurn < 4096) continue;
    sinceTurn = 0;
    await nextTurn();
  }
  if (!keepsIds) file.writeStrings("tracers", index.tracers.map(String));
  const attributes = { astrochem_settings: JSON.stringify(settings(options)) };
  return { train: train.finish(attributes), val: val.finish(attributes) };
}

function rowRules(options: PreprocessOptions, plan: ColumnPlan): RowRules {
  return {
    phys: options.phys.length,
    width: plan.floats.length,
    radfield: options.phys.indexOf("Radfield"),
    minRadfield: options.minRadfield,
    clipping: options.clipping,
    initialAbundances: options.initialAbundances,
    columns: plan.floats,
  };
}

/** What made the file, kept with it. */
function settings(options: PreprocessOptions): object {
  return {
    input_path: options.inputPath,
    input_key: options.inputKey,
    phys: options.phys,
    ...options.naming,
    columns_to_drop: options.columnsToDrop,
    abundances_clipping: options.clipping,
    train_split: options.trainSplit,
    seed: options.seed,
    min_radfield: options.minRadfield,
  };
}

/** The tracers in ascending order, shuffled as NumPy does; the first ⌊n · trainSplit⌋ of them train. */
function splitTracers(index: RawIndex, options: PreprocessOptions): Split {
  const count = index.tracers.length;
  const trainCount = Math.floor(count * options.trainSplit);
  if (trainCount === 0) {
    throw new DataError(`no tracer is left to train: ${counted(count, "tracer")}, train_split ${options.trainSplit}`, {
      where: options.inputPath,
      fix: "give more tracers, or raise dataset.preprocessing.train_split",
    });
  }
  const isTrain = new Uint8Array(count);
  for (const tracer of legacyShuffle(count, options.seed).subarray(0, trainCount)) isTrain[tracer] = 1;
  const split = { isTrain, train: { tracers: 0, rows: 0 }, val: { tracers: 0, rows: 0 } };
  for (let i = 0; i < count; i++) {
    const part = isTrain[i] === 1 ? split.train : split.val;
    part.tracers++;
    part.rows += index.starts[i + 1]! - index.starts[i]! + (index.startsAtZero[i] === 1 ? 0 : 1);
  }
  return split;
}

/** Integer ids are kept as Model; others (names, fractions) are replaced by their position in ascending order. */
function hasIntegerIds(index: RawIndex): boolean {
  return index.tracers.every((id) => Number.isInteger(id));
}

function countOneRowTracers(index: RawIndex): number {
  let count = 0;
  for (let i = 0; i < index.tracers.length; i++) if (index.starts[i + 1]! - index.starts[i]! === 1) count++;
  return count;
}

/** Better to say so now than after writing for an hour. */
function checkSpace(path: string, rows: number, scatteredRows: number, width: number): void {
  // 24 bytes: Index, Model and pandas' row number.
  const needed = rows * (width * 4 + 24) + scatteredRows * width * 4;
  const { bavail, bsize } = statfsSync(dirname(path));
  if (bavail * bsize >= needed) return;
  throw new DataError(`no space for ${path}: it takes ${megabytes(needed)}, ${megabytes(bavail * bsize)} are free`, {
    fix: "free some disk space, or write to another disk (dataset.preprocessing.output_path)",
  });
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6)} MB`;
}

function checkOptions({ initialAbundances, species, inputPath, outputPath, clipping }: PreprocessOptions): void {
  if (initialAbundances.length !== species.length) {
    throw new ConfigError(`${initialAbundances.length} initial abundances for ${species.length} species`, {
      fix: "make dataset.initial_abundances_path and dataset.species_path fit together",
    });
  }
  const bad = initialAbundances.findIndex((value) => !(value >= 0 && Number.isFinite(value)));
  if (bad >= 0) throw new ConfigError(`the initial abundance of ${species[bad]} is ${initialAbundances[bad]}`);
  if (!(clipping.lower > 0 && clipping.lower < clipping.upper)) {
    throw new ConfigError(
      `abundances_clipping: lower ${clipping.lower} must be above 0 and below upper ${clipping.upper}`,
    );
  }
  if (existsSync(outputPath) && existsSync(inputPath) && realpathSync(outputPath) === realpathSync(inputPath)) {
    throw new ConfigError(`the output would replace the input: ${inputPath}`, {
      fix: "give another dataset.preprocessing.output_path",
    });
  }
}
