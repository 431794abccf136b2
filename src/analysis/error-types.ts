import type { Phase } from "../chemistry/name-reader.ts";

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
