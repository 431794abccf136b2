import type { ComputeRequest } from "../backend/compute.ts";
import type { ScaledParameter } from "../chemistry/scaling.ts";
import type { Expected } from "../models/trust.ts";
import type { Matrix, MatrixInput } from "./arguments.ts";
import type { WarningListener } from "./input-warnings.ts";

/** What to load and where to compute. */
export interface InferenceOptions extends ComputeRequest {
  /** Path of the autoencoder's weights. */
  readonly autoencoder: string;
  /** Path of the emulator's weights; without it `latentEmulate` and `emulate` are errors. */
  readonly emulator?: string | undefined;
  /**
   * Told once of each kind of doubtful input, such as abundances that are not relative to hydrogen nuclei, and of what is doubtful about
   * the choice of what computes (kind `compute`). Default: a warning of the process, of type `AstrochemWarning`.
   */
  readonly onWarning?: WarningListener | undefined;
}

/** `scaled: true`: abundances and physical parameters go in and come out scaled. Latents are raw encoder outputs either way. */
export interface ScaledOption {
  readonly scaled?: boolean | undefined;
}

/** Where abundances are to lie. */
export interface IntoOption {
  /**
   * An array of the caller that becomes the result's `data`, of exactly its length. Filling the same one again and again is faster than a fresh
   * one each time. Until the call has ended it must be left alone, and above all not be transferred. Default: a fresh array.
   */
  readonly into?: Float32Array | undefined;
}

/** What `emulate` takes beside the arrays. */
export interface EmulateOptions extends ScaledOption, IntoOption {
  /**
   * Every state keeps the totals of the elements and the charge of its start, to 1e-6: the nearest abundances in weighted relative entropy that do.
   * False: abundances as the networks give them. Default: true.
   */
  readonly conserve?: boolean | undefined;
  /** Gives the spread of an ensemble's members beside their mean. Default: false. */
  readonly spread?: boolean | undefined;
  /** Says of every state how far to believe it. The weights must be calibrated: `astrochem calibrate`. Default: false. */
  readonly trust?: boolean | undefined;
  /** Of `trust`, where steps are not all the trained one: years of the start and of every state, [b, t + 1]. */
  readonly times?: MatrixInput | undefined;
}

/** What `decode` takes beside the latents. */
export interface DecodeOptions extends ScaledOption, IntoOption {
  /**
   * Abundances whose totals of the elements and the charge the decoded states are to have, to 1e-6, such as the start's: [n, species] for
   * latents [n, latent_dim], [b, species] for [b, t, latent_dim], or [1, species] for all. Default: none, abundances come as decoded.
   */
  readonly totalsOf?: MatrixInput | undefined;
}

/** Abundances, and where their totals were kept, what that took. */
export interface Abundances extends Matrix {
  /** Of each state, [n] or [b · t]: the mean over species of |Δ log10 x|, dex, by which it was moved; infinite where it cannot have the totals. */
  readonly correction?: Float32Array | undefined;
}

/** What `emulate` gives: abundances, [b, t, species]. */
export interface Emulated extends Abundances {
  /**
   * With `spread`, [b, t]: how far the members of an ensemble are from each other in each state, in dex. The standard deviation of log10
   * abundance over the members (divided by members − 1), mean over the species whose mean is above 1e-12.
   */
  readonly spread?: Matrix;
  /** With `trust`, [b, t] each: the error in dex that 9 of 10 states do not exceed, and bits of `trustFlags` that say why. */
  readonly trust?: Expected;
}

/** A physical parameter of the emulator, the range that scales it, and what the training rows held where that is known. */
export interface PhysicalParameter extends ScaledParameter {
  readonly trained?: readonly [number, number] | undefined;
}

/** The state that the training tracers start from. */
export interface TrainedStart {
  /** Linear, [species]; null where each starts from its own. */
  readonly abundances: Float64Array | null;
  readonly origin: string;
}
