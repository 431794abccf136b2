import type { OnnxSummary } from "../../backend/onnx-model.ts";

/**
 * What `astrochem inspect` finds in a file: plain data, as `--json` prints it (docs/inspect.md). Keys are snake_case for that reason.
 * Figures that a quick look leaves out, and those that no value gives, are null.
 */
export type Inspection =
  | DataInspection
  | CacheInspection
  | Hdf5Inspection
  | WeightsInspection
  | TensorsInspection
  | ArrayInspection
  | OnnxInspection
  | RunInspection
  | EpochsInspection
  | DocumentInspection
  | SpeciesInspection
  | FolderInspection;

export type InspectionKind = Inspection["kind"];

interface Inspected<Kind extends string> {
  readonly kind: Kind;
  readonly path: string;
  /** Size of the file; null of a folder. */
  readonly bytes: number | null;
}

/** Smallest, middle and largest of some numbers. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** One or more pandas frames of tracers. */
export interface DataInspection extends Inspected<"data"> {
  /** `raw`: as the solver's runs are put together; `clean`: as `preprocess` writes it. */
  readonly form: "raw" | "clean" | "other";
  /** Of tables of text and UCLCHEM 4's files, what they are, in words; null of pandas frames. */
  readonly source: string | null;
  /** What was read under another name or as several tracers, in words. */
  readonly notes: readonly string[];
  readonly frames: readonly FrameInspection[];
  /** Keys of the file that hold no frame that can be read, and why. */
  readonly unreadable: readonly { readonly key: string; readonly problem: string }[];
  /** Tracers that stand in more than one of /train, /val and /test; null where there are no two of these, or a quick look. */
  readonly shared_tracers: number | null;
}

/** One frame. */
export interface FrameInspection {
  readonly key: string;
  readonly form: DataInspection["form"];
  readonly rows: number;
  /** All columns, as the file names them, in its order. */
  readonly columns: readonly string[];
  /** Columns without numbers: texts, categories, dates, time spans, True and False. */
  readonly text_columns: readonly string[];
  /** Names that several columns have, once renamed as `preprocess` renames them. */
  readonly repeated_columns: readonly string[];
  readonly species: SpeciesSummary;
  /** Columns of the frame that are neither metadata, physical parameters nor species, as the file names them. */
  readonly unknown_columns: readonly string[];
  /** Physical parameters of the configuration that the frame lacks. */
  readonly missing_physical: readonly string[];
  readonly tracers: TracerSummary | null;
  /** Every column of numbers that is neither an id nor an abundance: conditions first, unknown ones last. */
  readonly physical: readonly PhysicalColumn[];
  readonly values: ValueSummary | null;
  /** What stops the preprocessing beside bad values, and what could not be found out, and why. */
  readonly problems: readonly string[];
  /** What `preprocess` will warn of: abundances in another unit, several histories under one id. */
  readonly doubts: readonly string[];
  /** Text attributes that `preprocess` leaves: format version, hash, settings. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** Species by phase, and against a species list. */
export interface SpeciesSummary {
  readonly count: number;
  readonly gas: number;
  readonly surface: number;
  readonly bulk: number;
  /** Species that the list does not have. */
  readonly not_listed: readonly string[];
  /** Species of the list that are not here. */
  readonly missing: readonly string[];
}

export interface TracerSummary {
  /** The column of ids. */
  readonly column: string;
  readonly count: number;
  /** False where there are more tracers than are counted. */
  readonly is_complete: boolean;
  readonly rows: Spread;
  /** Years; null without a finite time. */
  readonly time: { readonly min: number; readonly max: number } | null;
  /** Years from one row of a tracer to its next. */
  readonly spacing: Spread | null;
  /** Tracers whose rows do not lie together. */
  readonly is_interleaved: boolean;
  /** Rows that are earlier than the row of the same tracer before them. */
  readonly unsorted_rows: number;
  /** Rows that have the tracer and the time of another row. */
  readonly duplicate_rows: number;
  /** False where only rows next to each other were compared. */
  readonly duplicates_are_exact: boolean;
  /** Rows without an id, or with one beyond 2^53. */
  readonly rows_without_id: number;
}

export interface PhysicalColumn extends ColumnSummary {
  readonly unit: string;
  /** What the configuration scales to 0 and 1; null of other conditions. */
  readonly range: readonly [number, number] | null;
}

/** The values of a column. `min`, `median`, `max` are of the finite ones. */
export interface ColumnSummary {
  /** As the file names it. */
  readonly column: string;
  /** As this package names it. */
  readonly name: string;
  readonly min: number | null;
  /** Exact up to 65,536 rows, of an even sample beyond; null of species, and of unknown columns after the first 20. */
  readonly median: number | null;
  readonly max: number | null;
  readonly smallest_positive: number | null;
  readonly nan: number;
  readonly infinite: number;
  readonly negative: number;
  readonly zero: number;
  /** Above 0 and below the range; of abundances below the clipping, negative ones of that size included. */
  readonly below: number;
  /** Finite and above the range, or above the clipping. */
  readonly above: number;
  /** The first row with a NaN, an infinite or a negative value. */
  readonly first_bad_row: number | null;
}

/** The abundances of a frame together. */
export interface ValueSummary {
  readonly nan: number;
  readonly infinite: number;
  readonly negative: number;
  readonly zero: number;
  readonly below_clipping: number;
  readonly above_clipping: number;
  /** Smallest above 0, and largest, of all abundances. */
  readonly smallest: number | null;
  readonly largest: number | null;
  /** Species with NaN, infinite or negative values, the worst first; at most 20. */
  readonly bad_columns: readonly ColumnSummary[];
}

/** A cache of preprocessed training data. */
export interface CacheInspection extends Inspected<"cache"> {
  /** What it was made of: names and the beginnings of hashes. */
  readonly parts: Readonly<Record<string, string>>;
  readonly hash: string | null;
  readonly datasets: readonly DatasetSummary[];
}

/** An HDF5 file of other content. */
export interface Hdf5Inspection extends Inspected<"hdf5"> {
  /** All that there are; `datasets` has 400 at most. */
  readonly dataset_count: number;
  readonly datasets: readonly DatasetSummary[];
  readonly unreadable: readonly { readonly key: string; readonly problem: string }[];
}

export interface DatasetSummary {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: string;
}

/** A weights file of this package. */
export interface WeightsInspection extends Inspected<"weights"> {
  readonly model_kind: "autoencoder" | "emulator";
  readonly format_version: number;
  readonly model: Readonly<Record<string, number | readonly number[]>>;
  readonly parameters: number;
  readonly species: SpeciesSummary;
  /** Everything else that the file says of itself. */
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly tensors: readonly TensorSummary[];
  /** For an emulator: the autoencoder of the same folder that it was trained with, if it is there. */
  readonly autoencoder: string | null;
}

/** Weights of another origin: safetensors, PyTorch. */
export interface TensorsInspection extends Inspected<"tensors"> {
  readonly format: "safetensors" | "pytorch";
  readonly metadata: Readonly<Record<string, string>>;
  readonly parameters: number;
  readonly tensors: readonly TensorSummary[];
  /** Which model of this package has arrays of these names. */
  readonly looks_like: "autoencoder" | "emulator" | null;
}

export interface TensorSummary {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
  /** Of the finite values; null where they were not read. */
  readonly min: number | null;
  readonly max: number | null;
  /** NaN and infinite values. */
  readonly nonfinite: number | null;
}

/** A NumPy array. */
export interface ArrayInspection extends Inspected<"array"> {
  /** Whether a `columns.json` beside it names its columns. */
  readonly has_names?: boolean;
  readonly type: string;
  readonly shape: readonly number[];
  readonly min: number | null;
  readonly max: number | null;
  readonly nan: number | null;
  readonly infinite: number | null;
  readonly negative: number | null;
  readonly zero: number | null;
}

/** A model in ONNX, exported by this package or another. */
export interface OnnxInspection extends Inspected<"onnx">, Omit<OnnxSummary, "metadata"> {
  /** Null where the metadata do not list them. */
  readonly species: SpeciesSummary | null;
  /** Values that are JSON are parsed. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** The folder of a run. */
export interface RunInspection extends Inspected<"run"> {
  readonly command: string | null;
  readonly outcome: string | null;
  readonly started_at: string | null;
  readonly seconds: number | null;
  readonly overrides: readonly string[];
  readonly environment: Readonly<Record<string, unknown>>;
  /** The resolved configuration, key path → value. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly epochs: EpochSummary | null;
  /** metrics.json, key path → value: numbers and texts, no lists. */
  readonly metrics: Readonly<Record<string, unknown>>;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  /** Files of the run that cannot be read, and why. */
  readonly unreadable: readonly { readonly key: string; readonly problem: string }[];
}

export interface EpochSummary {
  readonly count: number;
  /** What chose the best epoch: the mean over species of the mean relative error, or of the mean error in dex; null where no record has it. */
  readonly metric: "relative" | "dex" | null;
  /** Counted from 0, as in the log. */
  readonly best_epoch: number | null;
  readonly best_metric: number | null;
  readonly last_metric: number | null;
  readonly last_learning_rate: number | null;
  readonly last_dropout: number | null;
  readonly seconds: number;
}

/** The log of a training's epochs: `autoencoder.json` beside the weights, or a run's `epochs.jsonl`. */
export interface EpochsInspection extends Inspected<"epochs"> {
  readonly epochs: EpochSummary;
}

/** A file of settings or results: YAML or JSON. */
export interface DocumentInspection extends Inspected<"document"> {
  readonly format: "yaml" | "json";
  /** Key path → value; of lists only the length. At most 400. */
  readonly entries: Readonly<Record<string, unknown>>;
}

/** A list of species names. */
export interface SpeciesInspection extends Inspected<"species"> {
  readonly species: SpeciesSummary;
  /** Why `preprocess` and the trainings refuse the names, and what else they say of them. */
  readonly problems: readonly string[];
  readonly doubts: readonly string[];
}

/** A folder that is no run's. */
export interface FolderInspection extends Inspected<"folder"> {
  /** What can be inspected in it and one level below; at most 100. */
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
}
