import { z } from "zod";
import { isSpeciesName } from "../chemistry/species.ts";
import { DataError } from "../errors.ts";
import { checkStepsOf } from "./data-facts.ts";
import { type Frame, openFrame } from "./frame.ts";
import { openHdf5 } from "./hdf5.ts";
import { respelt } from "./respelt-frame.ts";
import { type SplitName, splitNames } from "./splits.ts";
import { tracerRuns } from "./windows.ts";

/** Numbers, row-major, and their shape. */
export interface DataMatrix {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/** One trajectory. Row t holds the state at time t, and the conditions that lead to row t + 1. */
export interface Tracer {
  /** Its id in the file. */
  readonly model: string | number;
  readonly rows: number;
  /** [rows], years. */
  readonly times: Float32Array;
  /** [rows, physical parameters], in their units. */
  readonly physical: DataMatrix;
  /** [rows, species], linear, relative to H nuclei. */
  readonly abundances: DataMatrix;
}

/** Which columns are wanted, in which order; an `Inference` fits here. */
export interface DatasetColumns {
  readonly species?: readonly string[] | undefined;
  readonly physicalParameters?: readonly (string | { readonly name: string })[] | undefined;
  /** Years that rows have to be apart, by 1 %; left out or null: any. */
  readonly timeStepYears?: number | null | undefined;
}

const metadata = ["Index", "Model", "Time"];

/**
 * A clean dataset, as `astrochem preprocess` writes it: tracers to train on, others to validate with, and others to test on. Only what is
 * asked for is read, so that the file may be of any size.
 *
 * @example
 * const dataset = await Dataset.open("data/clean.h5", surrogate); // the columns in the surrogate's order
 * for (const { physical, abundances } of dataset.val) …
 * dataset.close();
 */
export class Dataset {
  readonly path: string;
  /** In the order of every abundance array. */
  readonly species: readonly string[];
  /** In the order of every physical array. */
  readonly physicalParameters: readonly string[];
  readonly train: DatasetSplit;
  readonly val: DatasetSplit;
  /** Empty where the file has no `/test`. A file of test tracers alone has them here, and the other splits empty. */
  readonly test: DatasetSplit;
  readonly #frames: readonly Frame[];

  private constructor(path: string, frames: ReadonlyMap<SplitName, Frame>, columns: DatasetColumns) {
    const own = columnsOf([...frames.values()][0]!);
    this.path = path;
    this.species = columns.species ?? own.species;
    this.physicalParameters =
      columns.physicalParameters?.map((each) => (typeof each === "string" ? each : each.name)) ?? own.physical;
    this.#frames = [...frames.values()];
    const split = (name: SplitName) =>
      new DatasetSplit(frames.get(name) ?? null, this.physicalParameters, this.species);
    [this.train, this.val, this.test] = [split("train"), split("val"), split("test")];
  }

  /**
   * Opens a clean file.
   * @param columns left out: all that the file has, species and others told apart by their names
   * @throws DataError where the file is missing or damaged, is no clean file, lacks a column, or has another step than `timeStepYears`
   */
  static async open(path: string, columns: DatasetColumns = {}): Promise<Dataset> {
    const frames = new Map<SplitName, Frame>();
    try {
      for (const split of await splitsOf(path)) {
        frames.set(split, respelt(await openFrame(path, split), [...metadata, ...(columns.species ?? [])]));
      }
      const dataset = new Dataset(path, frames, columns);
      const { timeStepYears } = columns;
      if (timeStepYears != null) {
        for (const frame of frames.values()) await checkStepsOf(frame, metadata, timeStepYears);
      }
      return dataset;
    } catch (error) {
      for (const frame of frames.values()) frame.close();
      throw error;
    }
  }

  /** Closes the file. Reading after it is an error. */
  close(): void {
    for (const frame of this.#frames) frame.close();
  }
}

/** The tracers of a split, in the file's order: to go through, or to pick from. */
export class DatasetSplit implements Iterable<Tracer> {
  /** Number of rows of all tracers together. */
  readonly rows: number;
  readonly #frame: Frame | null;
  readonly #physical: readonly string[];
  readonly #species: readonly string[];
  readonly #runs: readonly { readonly start: number; readonly rows: number; readonly model: string | number }[];

  /** Made by `Dataset.open` only. */
  constructor(frame: Frame | null, physical: readonly string[], species: readonly string[]) {
    [this.#frame, this.#physical, this.#species] = [frame, physical, species];
    this.rows = frame?.rows ?? 0;
    this.#runs = [];
    if (frame === null) return;
    // Reading no rows finds the columns, or tells which one is absent.
    frame.read(0, 0, ["Time", ...physical, ...species], new Float32Array(0));
    const { values, codes } = frame.labels("Model");
    this.#runs = tracerRuns(codes).map((run) => ({ ...run, model: values[codes[run.start]!]! }));
  }

  /** Number of tracers. */
  get length(): number {
    return this.#runs.length;
  }

  /** Reads one tracer. @throws DataError where there is no such one */
  tracer(index: number): Tracer {
    const run = this.#runs[index];
    if (run === undefined) {
      throw new DataError(`there is no tracer ${index}: there are ${this.length}`, {
        where: this.#frame?.path ?? "a split that the file does not have",
      });
    }
    return {
      model: run.model,
      rows: run.rows,
      times: this.#read(run, ["Time"]).data,
      physical: this.#read(run, this.#physical),
      abundances: this.#read(run, this.#species),
    };
  }

  /** One tracer after the other, each read when its turn comes. */
  *[Symbol.iterator](): Generator<Tracer> {
    for (let index = 0; index < this.length; index++) yield this.tracer(index);
  }

  #read({ start, rows }: { start: number; rows: number }, columns: readonly string[]): DataMatrix {
    const data = new Float32Array(rows * columns.length);
    this.#frame!.read(start, rows, columns, data);
    return { data, shape: [rows, columns.length] };
  }
}

/** The splits to open: train and val, which a file is asked for unless it holds test tracers alone, and test where it is there. */
async function splitsOf(path: string): Promise<readonly SplitName[]> {
  const file = await openHdf5(path);
  try {
    const keys = file.keys();
    return keys.includes("test") ? splitNames.filter((name) => keys.includes(name)) : ["train", "val"];
  } finally {
    file.close();
  }
}

/** The file says what its conditions are; else, and in files of other programs, the names tell species from them. */
function columnsOf(frame: Frame): { species: string[]; physical: string[] } {
  const others = frame.columns.filter((name) => !metadata.includes(name));
  const physical = keptConditions(frame) ?? others.filter((name) => !isSpeciesName(name));
  const conditions = new Set(physical);
  return { species: [...new Set(others.filter((name) => !conditions.has(name)))], physical: [...physical] };
}

const keptSettings = z.looseObject({ phys: z.array(z.string()) });

/** The conditions that `preprocess` left in the file's settings, as far as they can be read. */
function keptConditions(frame: Frame): readonly string[] | undefined {
  try {
    const { phys } = keptSettings.parse(JSON.parse(frame.attribute("astrochem_settings") ?? "{}"));
    return phys.every((name) => frame.columns.includes(name)) ? phys : undefined;
  } catch {
    return undefined;
  }
}
