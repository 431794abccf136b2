import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { indexOfRole, timestepColumn } from "../chemistry/physical-parameters.ts";
import { counted } from "../counted.ts";
import { DataError } from "../errors.ts";
import { beginFile } from "../formats/atomic-file.ts";
import { openInput } from "./files/open-input.ts";
import { type Frame, FrameWriter } from "./frame.ts";
import { placeOfFrame } from "./frame-reader.ts";
import { createHdf5, type Hdf5File } from "./hdf5.ts";
import { legacyShuffle } from "./mt19937.ts";
import { openShards } from "./open-shards.ts";
import { type ColumnPlan, planColumns } from "./preprocess-columns.ts";
import { checkOptions, type PreprocessOptions, pathsOf } from "./preprocess-options.ts";
import { type Log, logColumns, logTracers, Meter, type Progress } from "./preprocess-report.ts";
import { openSortedRows, rowsToScatter, type SortedRows } from "./preprocess-sorted-rows.ts";
import { type RowRules, SplitOutput } from "./preprocess-tracers.ts";
import { RangeWatch } from "./range-watch.ts";
import { boundsOf, indexRows, type RawIndex, timesOf } from "./raw-index.ts";
import { asConfigured } from "./respelt-frame.ts";
import { type SplitName, splitNames } from "./splits.ts";
import { decideStarts, type StartRows } from "./start-rows.ts";
import { RawRanges } from "./strict-ranges.ts";
import { checkEvenSteps, StepWatch, type TimeSteps, timeStepAttribute, years } from "./time-steps.ts";

/** One split of the clean file. */
export interface SplitSummary {
  tracers: number;
  rows: number;
  /** sha256 of the column names and the values as written; also the attribute `astrochem_hash`. Empty where the file has no such split. */
  hash: string;
}

/** What a preprocessing did. */
export interface PreprocessSummary {
  /** Of several files the first. */
  inputPath: string;
  /** Files that were read. */
  inputFiles: number;
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
  /** Years from row to row, or their median. */
  timeStep: number | null;
  train: SplitSummary;
  val: SplitSummary;
  /** Absent without such tracers. */
  test?: SplitSummary;
}

/**
 * Makes the clean dataset of a raw UCLCHEM frame: columns renamed and picked, rows sorted by tracer and time, a start row at
 * Time 0 before each tracer, conditions shifted to the step that they act on, abundances clipped, tracers split into
 * `/train`, `/val` and, where it is asked for, `/test`. Streams: memory does not grow with the file but for 12 bytes a row. The output appears whole or not
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
  const tracer = options.columns?.Model;
  const shards = options.shards ? await openShards(options, options.shards) : null;
  let file: Frame | undefined;
  try {
    file = await openInput(pathsOf(options), { key: options.inputKey, tracer, log, partsOf: shards?.partsOf });
    const frame = asConfigured(file, options, log);
    log(`read ${frame.path}: ${counted(frame.rows, "row")} × ${frame.columns.length} columns`, {
      rows: frame.rows,
      columns: frame.columns.length,
    });
    const plan = planColumns(frame.columns, options, placeOfFrame(frame));
    logColumns(plan, log);
    const meter = new Meter(frame.rows, progress);
    // The rows of shards are looked at on their way out.
    const ranges = options.strict && shards === null ? new RawRanges(options) : undefined;
    const checks = { bounds: boundsOf(options.phys), lower: options.clipping.lower, ranges };
    const index = await indexRows(frame, plan, shards === null ? checks : null, meter.advance);
    for (const note of shards?.notes ?? index.notes) log(note);
    const sources = plan.sources.slice(1 + options.phys.length);
    const isInput = options.phys.includes(timestepColumn);
    const starts = decideStarts(
      { index, frame, columns: { sources, species: options.species } },
      { mode: options.start, state: options.startState, isEven: !isInput && options.unevenSteps !== "allow" },
      log,
    );
    ranges?.refuse(index, starts.isAdded, placeOfFrame(frame));
    const timeSteps = checkSteps({ options, frame, index, starts, log });
    meter.expect(rowsToScatter(frame, index.order));
    return await writeClean({ options, frame, plan, index, isAdded: starts.isAdded, timeSteps, log, meter });
  } finally {
    file?.close();
    shards?.close();
  }
}

interface Job {
  options: PreprocessOptions;
  frame: Frame;
  plan: ColumnPlan;
  index: RawIndex;
  /** [tracers]: 1 where a start row is put before. */
  isAdded: Uint8Array;
  timeSteps: TimeSteps;
  log: Log;
  meter: Meter;
}

type StepJob = Pick<Job, "options" | "frame" | "index" | "log"> & { readonly starts: StartRows };

/** How far rows are apart, the start rows with them. @throws DataError where they are not one step apart and have to be */
function checkSteps({ options, frame, index, starts: { isAdded, steps }, log }: StepJob): TimeSteps {
  const { tracers } = index;
  if (options.phys.includes(timestepColumn)) {
    log(`the step is an input: rows are ${years(steps.least)} to ${years(steps.largest)} apart`);
    return { time_step_yr: steps.value, time_step_found: "input", time_step_range: [steps.least, steps.largest] };
  }
  const firsts = [...tracers.keys()].filter((k) => isAdded[k] === 1);
  const step = steps.value ?? (firsts.length > 0 ? timesOf(index, firsts[0]!)[0]! : null);
  if (step === null) return { time_step_yr: null, time_step_found: "unknown" };
  const watch = new StepWatch(step);
  for (const [k, id] of tracers.entries()) watch.add(id, timesOf(index, k), isAdded[k] === 1 ? 0 : undefined);
  const { unevenSteps } = options;
  if (unevenSteps !== "unchecked")
    checkEvenSteps(watch, unevenSteps === "allow", placeOfFrame(frame), log, frame.pandasLines);
  return { time_step_yr: step, time_step_found: watch.first === null ? "even" : "median" };
}

/** The split of each tracer, and how many tracers and rows each split gets. */
interface Split {
  of: readonly SplitName[];
  sizes: Record<SplitName, { tracers: number; rows: number }>;
  rows: number;
  /** The splits that the file is to have. */
  written: readonly SplitName[];
}

type Hashes = Readonly<Record<SplitName, string>>;

async function writeClean(job: Job): Promise<PreprocessSummary> {
  const { options, frame, plan, index, log, meter } = job;
  const split = splitTracers(index, job.isAdded, options);
  const oneRowTracers = countOneRowTracers(index);
  logTracers(index, job.isAdded, split.rows, oneRowTracers, log);
  const output = beginFile(options.outputPath);
  try {
    const scatteredRows = rowsToScatter(frame, index.order);
    checkSpace(options.outputPath, split.rows, scatteredRows, plan.floats.length);
    if (scatteredRows > 0)
      log("the rows are not in order: sorting them through a temporary file", { rows: scatteredRows });
    const source = await openSortedRows(frame, plan.sources, index.order, options.outputPath, meter.advance);
    const hashes = await writeSplits(job, split, source, output.temporaryPath).finally(() => source.close());
    output.commit();
    const { sizes } = split;
    const summary: PreprocessSummary = {
      inputPath: options.inputPath,
      inputFiles: pathsOf(options).length,
      outputPath: options.outputPath,
      inputRows: frame.rows,
      inputColumns: frame.columns.length,
      columns: plan.order.length,
      tracers: index.tracers.length,
      rows: split.rows,
      oneRowTracers,
      scattered: source.isScattered,
      timeStep: job.timeSteps.time_step_yr,
      train: { ...sizes.train, hash: hashes.train },
      val: { ...sizes.val, hash: hashes.val },
      ...(split.written.includes("test") ? { test: { ...sizes.test, hash: hashes.test } } : {}),
    };
    for (const name of split.written) {
      const { tracers, rows } = sizes[name];
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

async function writeSplits(job: Job, split: Split, source: SortedRows, path: string): Promise<Hashes> {
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
  { options, plan, index, isAdded, timeSteps, log, meter }: Job,
  split: Split,
  source: SortedRows,
  file: Hdf5File,
): Promise<Hashes> {
  const { physicalRanges = {}, strict = false } = options;
  const ranges = new RangeWatch(
    options.phys.map((name) => ({ name, range: physicalRanges[name] })),
    "configured",
  );
  const rules = { ...rowRules(options, plan), ranges };
  const columns = { float32: plan.floats, int64: ["Index", "Model"], order: plan.order };
  const outputs = new Map(
    split.written.map((name) => [
      name,
      new SplitOutput(new FrameWriter(file, name, columns, split.sizes[name].rows), rules),
    ]),
  );
  const keepsIds = hasIntegerIds(index);
  let row = 0;
  let sinceTurn = 0;
  for (const [i, id] of index.tracers.entries()) {
    const start = index.starts[i]!;
    const count = index.starts[i + 1]! - start;
    const times = timesOf(index, i);
    const tracer = { id, model: BigInt(keepsIds ? id : i), start, count, times, isStartAdded: isAdded[i] === 1 };
    row += outputs.get(split.of[i]!)!.append(tracer, source, row);
    meter.advance(count);
    sinceTurn += count;
    if (sinceTurn < 4096) continue;
    sinceTurn = 0;
    await nextTurn();
  }
  if (!keepsIds) file.writeStrings("tracers", index.tracers.map(String));
  const attributes = {
    astrochem_settings: JSON.stringify(settings(options)),
    [timeStepAttribute]: JSON.stringify(timeSteps),
  };
  const hashes = { train: "", val: "", test: "" };
  for (const [name, output] of outputs) hashes[name] = output.finish(attributes);
  ranges.tell(log, strict, `${options.inputPath}, key ${options.inputKey}`);
  return hashes;
}

function rowRules(options: PreprocessOptions, plan: ColumnPlan): Omit<RowRules, "ranges"> {
  return {
    phys: options.phys.length,
    bounds: boundsOf(options.phys),
    width: plan.floats.length,
    radfield: indexOfRole(options.phys, "radfield"),
    minRadfield: options.minRadfield,
    clipping: options.clipping,
    initialAbundances: options.startState?.abundances ?? new Float64Array(0),
    timestep: plan.floats.indexOf(timestepColumn),
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
    ...(isEmpty(options.columns) ? {} : { columns: options.columns }),
    ...(isEmpty(options.units) ? {} : { units: options.units }),
    columns_to_drop: options.columnsToDrop,
    abundances_clipping: options.clipping,
    train_split: options.trainSplit,
    // Files without test tracers are what they were before there were any.
    ...(options.testSplit ? { test_split: options.testSplit } : {}),
    seed: options.seed,
    min_radfield: options.minRadfield,
    start: options.start,
    start_state: options.startState?.name ?? null,
    uneven_steps: options.unevenSteps,
  };
}

function isEmpty(map: object = {}): boolean {
  return Object.keys(map).length === 0;
}

/**
 * The tracers in ascending order, shuffled as NumPy does: the first ⌊n · trainSplit⌋ of them train, the last ⌊n · testSplit⌋ test, the
 * others validate. Test tracers are taken from those that would validate: who trains does not depend on them.
 */
function splitTracers(
  index: RawIndex,
  isAdded: Uint8Array,
  { trainSplit, testSplit = 0, seed, inputPath }: PreprocessOptions,
): Split {
  const count = index.tracers.length;
  const [trainCount, testCount] = [Math.floor(count * trainSplit), Math.floor(count * testSplit)];
  if (trainSplit > 0 && trainCount === 0) throw tooFew("train", "train_split", trainSplit, count, inputPath);
  if (testSplit > 0 && testCount === 0) throw tooFew("test", "test_split", testSplit, count, inputPath);
  const of = new Array<SplitName>(count).fill("val");
  for (const [rank, tracer] of legacyShuffle(count, seed).entries()) {
    if (rank < trainCount) of[tracer] = "train";
    else if (rank >= count - testCount) of[tracer] = "test";
  }
  const sizes = { train: { tracers: 0, rows: 0 }, val: { tracers: 0, rows: 0 }, test: { tracers: 0, rows: 0 } };
  let rows = 0;
  for (const [i, name] of of.entries()) {
    const own = index.starts[i + 1]! - index.starts[i]! + isAdded[i]!;
    sizes[name].tracers++;
    sizes[name].rows += own;
    rows += own;
  }
  const written = splitNames.filter((name) => (testCount === 0 ? name !== "test" : sizes[name].tracers > 0));
  return { of, sizes, rows, written };
}

function tooFew(purpose: string, key: string, share: number, count: number, where: string): DataError {
  return new DataError(`no tracer is left to ${purpose}: ${counted(count, "tracer")}, ${key} ${share}`, {
    where,
    fix: `give more tracers, or raise dataset.preprocessing.${key}`,
  });
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
