import type { Phase } from "../chemistry/name-reader.ts";
import type { BaselineChoices } from "./baseline-choices.ts";
import type { ConservationCheck } from "./conservation-check.ts";
import type { FailureMaps, PredictionKind, PredictionMetrics } from "./error-types.ts";
import type { Reliability } from "./reliability.ts";
import type { TrainingCheck, Verdict, Weakness } from "./verdict-types.ts";

/**
 * What an evaluation finds. `Metrics` is metrics.json as written (docs/metrics.md); `EvaluationSamples` (sample-types.ts) are the bounded
 * arrays that figures need besides; `Comparison` is compare.json. Errors of one kind of prediction: error-types.ts.
 *
 * Everywhere: `dex` is |log10 predicted − log10 true|, `relative` is |predicted − true| / true; every number is finite (relative errors
 * are counted as 1e30 at most, dex as 1000 at most, predictions that are not finite as these); means are weighted by rows; times are
 * years since a tracer's first row; densities cm^-3. What was not counted is absent from a list or null.
 */
export const metricsFormat = "astrochem-metrics";
export const metricsFormatVersion = 1;

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
  /** Absent in files of earlier versions, without an emulator, and where totals were not kept. */
  readonly conservation_check?: ConservationCheck;
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
  /** Absent for weights that are not calibrated, and in files of earlier versions. */
  readonly reliability?: Reliability;
  /** Absent in files of earlier versions. */
  readonly weaknesses?: readonly Weakness[];
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
