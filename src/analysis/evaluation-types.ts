import type { Phase } from "../chemistry/species.ts";
import type { BaselineChoices } from "./baseline-choices.ts";
import type { TrainingCheck } from "./training-check.ts";
import type { Verdict, Weakness } from "./verdict-types.ts";

/**
 * What an evaluation finds. `Metrics` is metrics.json as written (docs/metrics.md); `EvaluationSamples` are the bounded arrays that
 * figures need besides; `Comparison` is compare.json.
 *
 * Everywhere: `dex` is |log10 predicted − log10 true|, `relative` is |predicted − true| / true; every number is finite (relative errors
 * are counted as 1e30 at most, dex as 1000 at most, predictions that are not finite as these); means are weighted by rows; times are
 * years since a tracer's first row; densities cm^-3. What was not counted is absent from a list or null.
 */
export const metricsFormat = "astrochem-metrics";
export const metricsFormatVersion = 1;

/** Predictions by the surrogate. */
export const surrogateKinds = ["reconstruction", "emulation", "windows"] as const;
/** Predictions that need no training of networks, of the same rows as `reconstruction` and `emulation`. */
export const baselineKinds = [
  "persistence",
  "mean_trajectory",
  "nearest_tracer",
  "linear_history",
  "pca_reconstruction",
] as const;
export type SurrogateKind = (typeof surrogateKinds)[number];
export type BaselineKind = (typeof baselineKinds)[number];
/**
 * - `reconstruction`: each row encoded and decoded
 * - `emulation`: emulated from a tracer's first row over its full length
 * - `windows`: emulated from the first row of each window of the trained size (or a seeded sample of them)
 * - `persistence`: every row equals the first one
 * - `mean_trajectory`: the mean over the training tracers of log10 abundance, row by row
 * - `nearest_tracer`: the training tracer whose physical history is nearest, in those scaled log parameters that serve best
 * - `linear_history`: a linear map for each step from the physical history and the first row, by ridge regression on training tracers
 * - `pca_reconstruction`: each row projected on the principal components and back; to be held against `reconstruction`
 */
export type PredictionKind = SurrogateKind | BaselineKind;

/** Mean and largest are exact; quantiles come from histograms, to 1 % in dex and 2 % in relative error. */
export interface ErrorSummary {
  readonly mean: number;
  readonly median: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** Errors of a set of values; `count` ≥ 1. */
export interface ErrorStats {
  /** Values, that is rows × species. */
  readonly count: number;
  readonly relative: ErrorSummary;
  readonly dex: ErrorSummary;
}

/** All values, and those whose true abundance is above `Metrics.floor` (1e-12); null where there are none. */
export interface GroupErrors {
  readonly all: ErrorStats;
  readonly above_floor: ErrorStats | null;
}

export interface SpeciesErrors extends GroupErrors {
  readonly species: string;
  readonly phase: Phase;
  /** Mean and standard deviation over rows of the true log10 abundance. */
  readonly mean_log10: number;
  readonly std_log10: number;
  /** Mean of log10 predicted − log10 true: above 0 where the prediction is too high. */
  readonly bias_dex: number;
}

/** How an error is spread over the tracers and species of one step. */
export interface ErrorBands {
  readonly p10: number;
  readonly p25: number;
  readonly median: number;
  readonly p75: number;
  readonly p90: number;
  readonly p99: number;
  readonly mean: number;
}

export interface StepErrors {
  /** Steps since the start (of the tracer or window), from 1. */
  readonly step: number;
  /** Mean time since the start, yr. */
  readonly time_yr: number;
  /** Rows, that is tracers or windows. */
  readonly rows: number;
  readonly dex: ErrorBands;
  readonly relative: ErrorBands;
}

/** Relative error of a total, |predicted − true| / true, over rows; 0 where float32 cannot tell the two apart. */
export interface ConservationErrors {
  /** An element (H, HE, C …), or `charge`: |net charge predicted − true| / Σ |charge| · true abundance. */
  readonly element: string;
  readonly mean: number;
  readonly median: number;
  readonly p99: number;
  readonly max: number;
  /**
   * The row of the largest error: (predicted − true) / true, its step and its tracer (null in windows). Absent where nothing is wrong, and
   * in files of earlier versions.
   */
  readonly worst?: { readonly error: number; readonly step: number; readonly tracer: number | null };
}

/** Errors of one kind of prediction. */
export interface PredictionMetrics {
  readonly kind: PredictionKind;
  readonly tracers: number;
  /** Rows scored: those of `Metrics.scored`; for `windows`, of windows × steps. */
  readonly rows: number;
  /** Predicted values that were NaN or infinite; they count with the largest errors. */
  readonly non_finite: number;
  readonly overall: GroupErrors;
  /** The first `window_size` − 1 steps only: what the emulator was trained for. Null without an emulator. */
  readonly as_trained: ErrorStats | null;
  /** Over the species' mean relative errors: the figures that the original package reports (standard deviation of the population). */
  readonly over_species: { readonly mean: number; readonly median: number; readonly std: number; readonly max: number };
  /** Those phases that occur. */
  readonly phases: readonly (GroupErrors & { readonly phase: Phase })[];
  /** Over the species that hold the element. */
  readonly elements: readonly (GroupErrors & { readonly element: string })[];
  /** By decade of the true abundance, ascending: from 10^from_log10 to 10^(from_log10 + 1). */
  readonly levels: readonly (ErrorStats & { readonly from_log10: number })[];
  /** In the order of `Metrics.species`. */
  readonly species: readonly SpeciesErrors[];
  readonly steps: readonly StepErrors[];
  /** The same by time, where steps vary: `step` counts bins of a sixth of a decade from one year on. */
  readonly times?: readonly StepErrors[];
  /** The elements that occur, then `charge`. */
  readonly conservation: readonly ConservationErrors[];
}

/** Errors in bins of a quantity; [from, to) in log10 of its unit. */
export interface BinnedErrors {
  readonly from_log10: number;
  readonly to_log10: number;
  readonly count: number;
  readonly mean_dex: number;
  readonly p90_dex: number;
}

/** Where a prediction fails. Made for `reconstruction` and `emulation`. */
export interface FailureMaps {
  /** Error against |d log10 x / dt| of the truth (dex per yr), all species. */
  readonly gradient: readonly BinnedErrors[];
  /** Over the plane of density and gas temperature, in log10 cm^-3 and log10 K; cells [density][temperature] row-major. Null where the data have not both. */
  readonly plane: {
    readonly density_edges_log10: readonly number[];
    readonly temperature_edges_log10: readonly number[];
    /** Rows in each cell; 0: mean_dex is null. */
    readonly rows: readonly number[];
    readonly mean_dex: readonly (number | null)[];
  } | null;
  /**
   * Along each physical parameter: of the rows whose conditions lie in its bins (what is outside the range in the outermost ones).
   * Absent in files of earlier versions.
   */
  readonly conditions?: readonly {
    readonly name: string;
    readonly edges_log10: readonly number[];
    /** 0: mean_dex is null. */
    readonly rows: readonly number[];
    readonly mean_dex: readonly (number | null)[];
  }[];
  /** Mean dex, [species][bins of steps] row-major, species in the order of `Metrics.species`; step bin i covers steps from step_edges[i] to step_edges[i + 1] − 1. */
  readonly heat_map: { readonly step_edges: readonly number[]; readonly mean_dex: readonly (number | null)[] };
}

/** How fast the mean error in dex grows over a stretch of steps: least squares. */
export interface ErrorGrowth {
  readonly from_step: number;
  readonly to_step: number;
  /** Slope of the mean dex. */
  readonly dex_per_kyr: number;
  /** 1 / slope of ln(mean dex) in yr; null where the error does not grow. */
  readonly e_folding_yr: number | null;
}

/** A rollout 10 times longer than trained, from the first rows; there is no truth to compare with, only bounds. */
export interface LongRollout {
  /** What drives it past the tracer's end: the last conditions, or the history again from its start. */
  readonly history: "held" | "repeated";
  readonly tracers: number;
  /** `trained_steps` × 10. */
  readonly steps: number;
  readonly trained_steps: number;
  readonly step_yr: number | null;
  /** Whether every value stayed finite; else the first step where one did not. */
  readonly finite: boolean;
  readonly first_non_finite_step: number | null;
  /** Whether at the end at most 1 % of the values are out of range. */
  readonly bounded: boolean;
  /** At these steps (all of them where there are 500 or fewer, else every n-th and the last). */
  readonly at_steps: readonly number[];
  /** Share of (tracer, species) outside the training data's range widened by half a dex. */
  readonly out_of_range: readonly number[];
  /** Mean distance outside of that range, dex; 0 for what is inside. */
  readonly excursion_dex: readonly number[];
  /** Mean |change| of log10 abundance from one step to the next: how far it has settled. */
  readonly change_dex: readonly number[];
}

/** How far a rollout from a perturbed start goes away from the unperturbed one. */
export interface Sensitivity {
  /** Standard deviation of the normal noise on the log10 start abundances. */
  readonly perturbation_dex: number;
  readonly tracers: number;
  /** Mean |difference| in dex between the two rollouts after each step, from step 1. */
  readonly divergence_dex: readonly number[];
  /** divergence at the last step / mean |perturbation| of the start. */
  readonly final_amplification: number;
}

/** One tracer of the scored split of which a row was scored. */
export interface TracerSummary {
  readonly id: number;
  readonly rows: number;
  /** Absent in files of earlier versions: all but the first. */
  readonly scored_rows?: number;
  /** Density at its last row; null without the parameter. */
  readonly final_density: number | null;
  /** By kind, over all its scored rows: [mean dex, mean relative]. Windows are not there. For bootstraps over tracers. */
  readonly errors: Readonly<Partial<Record<PredictionKind, readonly [mean_dex: number, mean_relative: number]>>>;
  /** Coordinates of the tracer's mean state on the first three principal components of the training rows. */
  readonly pca: readonly number[];
}

export interface FileReference {
  readonly path: string;
  /** sha256 of the file's content (weights) or of its values (dataset). */
  readonly hash: string;
}

/** metrics.json. */
export interface Metrics {
  readonly format: typeof metricsFormat;
  readonly format_version: typeof metricsFormatVersion;
  readonly provenance: {
    /** Of this package. */
    readonly version: string;
    /** ISO 8601. */
    readonly created_at: string;
    readonly autoencoder: FileReference;
    readonly emulator: FileReference | null;
    /** What the baselines are made of, and, unless `test_dataset` is there, what was scored. */
    readonly dataset: FileReference;
    /** Which tracers were scored. Absent in files of earlier versions: `val`. */
    readonly split?: "val" | "test";
    /** The file of the scored test tracers; absent where it is `dataset`. */
    readonly test_dataset?: FileReference;
    /** sha256 over the evaluated tracers' ids, rows and values: two evaluations with the same are of the same rows. */
    readonly rows_hash: string;
    readonly seed: number;
    /** What computed. */
    readonly backend: string;
    /** Of the whole evaluation. */
    readonly seconds: number;
    /** Of emulating all scored tracers over their full lengths; null without an emulator. */
    readonly emulation_seconds: number | null;
  };
  readonly latent_dim: number;
  /** Rows of a training window of the emulator; null without one. */
  readonly window_size: number | null;
  /** Median step between rows; null for tracers of one row. */
  readonly time_step_yr: number | null;
  readonly species: readonly {
    readonly name: string;
    readonly phase: Phase;
    readonly charge: number;
    readonly atoms: Readonly<Record<string, number>>;
  }[];
  /** `range`: least and largest of the validation rows; `unit` is empty where it is not known. */
  readonly physical_parameters: readonly {
    readonly name: string;
    readonly unit: string;
    readonly range: readonly [number, number];
  }[];
  readonly abundances_clipping: { readonly lower: number; readonly upper: number };
  /** 1e-12. */
  readonly floor: number;
  /**
   * `fitted_rows`: those that principal components are fitted to; `averaged_rows`: those of the mean trajectory and
   * of the histograms of abundances. Absent in files of earlier versions: all.
   */
  readonly train: {
    readonly tracers: number;
    readonly rows: number;
    readonly fitted_rows: number;
    readonly averaged_rows?: number;
  };
  /** Absent in files of earlier versions, as is `training_check`. */
  readonly baselines?: BaselineChoices;
  readonly training_check?: TrainingCheck;
  /** The tracers that were scored: of the split in `provenance`. */
  readonly validation: { readonly tracers: number; readonly rows: number };
  /**
   * Rows after the first of each scored tracer, and how many of them every kind of prediction but `windows` was scored on: all, or
   * a seeded sample spread over tracers and steps. Absent in files of earlier versions: all.
   */
  readonly scored?: { readonly all: number; readonly rows: number };
  /** Windows there are and windows evaluated; null without an emulator or where every tracer is shorter. */
  readonly windows: { readonly all: number; readonly evaluated: number } | null;
  /** Share of the variance of the training rows' scaled log abundances that each principal component explains. */
  readonly pca_explained: readonly number[];
  /** `emulation` and `windows` are absent without an emulator; `windows` also where every tracer is shorter. */
  readonly predictions: Readonly<Partial<Record<PredictionKind, PredictionMetrics>>>;
  readonly failure_maps: Readonly<Partial<Record<"reconstruction" | "emulation", FailureMaps>>>;
  readonly error_growth: {
    readonly within_training: ErrorGrowth | null;
    readonly beyond_training: ErrorGrowth | null;
  } | null;
  readonly long_rollouts: readonly LongRollout[];
  readonly sensitivity: Sensitivity | null;
  readonly tracers: readonly TracerSummary[];
  readonly verdicts: readonly Verdict[];
  /** The verdicts as plain sentences, one a baseline. */
  readonly conclusions: readonly string[];
  /** Mean errors in dex with their intervals. Absent for a single tracer, and in files of earlier versions. */
  readonly intervals?: {
    readonly resamples: number;
    readonly dex: Readonly<Partial<Record<PredictionKind, Interval>>>;
  };
  /** Absent in files of earlier versions. */
  readonly weaknesses?: readonly Weakness[];
}

/** Why a species is shown: asked for, the most variable, the worst predicted. */
export type SpeciesReason = "chosen" | "variable" | "worst";

/** One species along one tracer, [rows] each, log10 abundance. */
export interface SpeciesSeries {
  readonly species: string;
  readonly reason: SpeciesReason;
  readonly actual: readonly number[];
  readonly reconstructed: readonly number[];
  /** First entry: the true start. Null without an emulator. */
  readonly emulated: readonly number[] | null;
}

/** One tracer in full. */
export interface TracerSample {
  readonly id: number;
  /** Why it is shown: its mean dex among the validation tracers (of emulation, else of reconstruction). */
  readonly reason: "best" | "median" | "worst";
  readonly mean_dex: number;
  /** [rows] */
  readonly times_yr: readonly number[];
  /** In the order of `Metrics.physical_parameters`; values [rows], in their units. */
  readonly physical: readonly { readonly name: string; readonly unit: string; readonly values: readonly number[] }[];
  readonly series: readonly SpeciesSeries[];
  /** Raw latents, [rows][latent_dim]; `emulated` starts with the encoded start and is null without an emulator. */
  readonly latents: {
    readonly encoded: readonly (readonly number[])[];
    readonly emulated: readonly (readonly number[])[] | null;
  };
  /** The same on the first two principal components of the shown tracers' encoded latents, [rows][2]. */
  readonly latents_pca: {
    readonly encoded: readonly (readonly [number, number])[];
    readonly emulated: readonly (readonly [number, number])[] | null;
  };
}

/** A histogram with equal bins. */
export interface Histogram {
  readonly from: number;
  readonly to: number;
  readonly counts: readonly number[];
}

/** Predicted against true log10 abundance: counts [true][predicted] row-major, both axes of `bins` equal bins from `from` to `to`; what is outside counts in the outermost bins. */
export interface DensityPlot {
  readonly from: number;
  readonly to: number;
  readonly bins: number;
  readonly counts: readonly number[];
}

/** A tracer as a vector, for PCA and t-SNE maps. */
export interface TracerFeatures {
  readonly id: number;
  /** `val`: scored, whatever split that was. */
  readonly split: "train" | "val";
  readonly final_density: number | null;
  /** Mean dex (of emulation, else of reconstruction); null for training tracers. */
  readonly mean_dex: number | null;
  /** Principal component scores at 8 rows spread evenly over its length, one after the other, [8 × latent_dim]. */
  readonly features: readonly number[];
}

/** An epoch of a training log as the .json beside weights holds it, the fields that the curves need. */
export interface TrainingEpoch {
  /** Counted from 0. */
  readonly epoch: number;
  /** Absent in logs of earlier versions: 0. */
  readonly phase?: number;
  /** Mean relative error. */
  readonly mean: number;
  /** Absent in logs of earlier versions, as is `metric`, which then is `mean`. */
  readonly dex?: number;
  readonly metric?: number;
  readonly dropout: number;
  readonly learning_rate: number;
  readonly train_loss: { readonly total: number };
  readonly improved: boolean;
}

/** What figures need and metrics.json does not hold; everything is bounded, whatever the size of the data. */
export interface EvaluationSamples {
  /** Best, median and worst tracer; fewer where there are fewer. */
  readonly tracers: readonly TracerSample[];
  readonly density_plots: Readonly<Partial<Record<"reconstruction" | "emulation", DensityPlot>>>;
  /** Physical histories of at most 60 validation tracers spread over the ids; at most 300 rows each. */
  readonly histories: readonly {
    readonly id: number;
    readonly times_yr: readonly number[];
    readonly physical: readonly (readonly number[])[];
  }[];
  /** log10 of each physical parameter over all rows of both splits, 50 bins between the extremes. */
  readonly parameter_histograms: readonly {
    readonly name: string;
    readonly unit: string;
    readonly train: Histogram;
    readonly val: Histogram;
  }[];
  /** Scaled abundances of the training rows, 60 bins from 0 to 1, in the order of `Metrics.species`. */
  readonly abundance_histograms: readonly { readonly species: string; readonly histogram: Histogram }[];
  /** At most 2,000 tracers, training and validation, spread evenly over the ids. */
  readonly features: readonly TracerFeatures[];
  /** The logs beside the weights; null where there is none. */
  readonly training: {
    readonly autoencoder: readonly TrainingEpoch[] | null;
    readonly emulator: readonly TrainingEpoch[] | null;
  };
}

/** An estimate with its 95 % bootstrap interval over tracers. */
export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** compare.json: several evaluations of the same rows; differences are run − first run, below 0 where the run is better. */
export interface Comparison {
  readonly format: "astrochem-comparison";
  readonly format_version: 1;
  readonly rows_hash: string;
  readonly tracers: number;
  readonly resamples: number;
  readonly seed: number;
  readonly runs: readonly {
    readonly name: string;
    readonly provenance: Metrics["provenance"];
  }[];
  /** One for each kind that every run has. */
  readonly kinds: readonly {
    readonly kind: PredictionKind;
    /** In the order of `runs`. */
    readonly runs: readonly {
      readonly mean_dex: Interval;
      readonly mean_relative: Interval;
      /** Null for the first run. */
      readonly difference_dex: Interval | null;
      readonly difference_relative: Interval | null;
      /** Whether the interval of the difference in dex leaves out 0. */
      readonly differs: boolean;
      /** By phase, whole validation set; no interval. */
      readonly phases_dex: Readonly<Partial<Record<Phase, number>>>;
    }[];
  }[];
}
