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

/**
 * Every species along a tracer at some of its rows, log10 abundance to hundredths; [species][rows], species in the order of
 * `Metrics.species`; null: not finite.
 */
export interface SpeciesCurves {
  /** The first and the last row are among them. */
  readonly rows: readonly number[];
  readonly actual: readonly (readonly (number | null)[])[];
  /** Emulated; without an emulator reconstructed. */
  readonly predicted: readonly (readonly (number | null)[])[];
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
  /** Absent in files of earlier versions. */
  readonly curves?: SpeciesCurves;
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
  /** Of an ensemble, whose epoch it is. */
  readonly member?: number;
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
