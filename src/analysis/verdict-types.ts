import type { Phase } from "../chemistry/name-reader.ts";
import type { BaselineKind } from "./error-types.ts";

/** One comparison of a surrogate's error with a baseline's. */
export interface Verdict {
  readonly subject: "reconstruction" | "emulation";
  readonly baseline: BaselineKind;
  readonly phase: Phase | "all";
  /** Whether only true abundances above the floor count. */
  readonly above_floor: boolean;
  readonly subject_dex: number;
  readonly baseline_dex: number;
  /** By the error in dex. */
  readonly beats: boolean;
  /** Mean relative errors of the same values. Absent in files of earlier versions, as is what follows. */
  readonly subject_relative?: number;
  readonly baseline_relative?: number;
  readonly beats_relative?: boolean;
  /**
   * Mean relative error of the elements' totals, for all phases and values only. A baseline that copies rows conserves by construction
   * (0): that is not counted as a loss.
   */
  readonly subject_conservation?: number;
  readonly baseline_conservation?: number;
}

/** Where the emulation, else the reconstruction, is worst; numbers, and the sentence that tells them. */
export type Weakness = { readonly sentence: string } & (
  | {
      readonly about: "time";
      /** The step with the largest mean error, and the stretch around it where the error is at least half as large. */
      readonly step: number;
      readonly dex: number;
      readonly from_step: number;
      readonly to_step: number;
      readonly from_yr: number;
      readonly to_yr: number;
      readonly stretch_dex: number;
    }
  | {
      readonly about: "conditions";
      readonly parameter: string;
      readonly from: number;
      readonly to: number;
      readonly dex: number;
      /** Share of the scored rows. */
      readonly share: number;
    }
  | { readonly about: "tracer"; readonly id: number; readonly dex: number; readonly median_dex: number }
  | {
      readonly about: "species";
      readonly worst: readonly { readonly species: string; readonly dex: number }[];
    }
  | {
      readonly about: "species above the floor";
      readonly mean_relative: number;
      readonly worst: readonly { readonly species: string; readonly mean_relative: number }[];
    }
  | {
      readonly about: "conservation";
      readonly mean: number;
      readonly charge_mean: number | null;
      readonly element: string;
      readonly error: number;
      readonly step: number;
      readonly tracer: number | null;
    }
);

/** A species of which values are far off in training rows: how many, and the worst of them. */
export interface FarOffSpecies {
  readonly species: string;
  readonly values: number;
  readonly mean_relative: number;
  readonly dex: number;
  readonly tracer: number;
  /** Since the tracer's first row. */
  readonly time_yr: number;
  readonly true_log10: number;
  readonly predicted_log10: number;
}

/** How well training rows are met: part of metrics.json. */
export interface TrainingCheck {
  /** Rows after the first of each training tracer, and how many were reconstructed. */
  readonly all: number;
  readonly rows: number;
  readonly reconstruction: {
    readonly mean_dex: number;
    /** Over the species' mean relative errors. */
    readonly over_species: { readonly mean: number; readonly max: number };
    /** Values that are off by more than a dex, in how many species, and the ten species with the largest errors. */
    readonly far_off_values: number;
    readonly far_off_species: number;
    readonly worst: readonly FarOffSpecies[];
  };
  /** Of some training tracers over their full length; null without an emulator. */
  readonly emulation: { readonly tracers: number; readonly rows: number; readonly mean_dex: number } | null;
  /** What is worse than it should be, in sentences. */
  readonly findings: readonly string[];
}
