import { z } from "zod";
import type { TensorMap, tf } from "../backend/tf.ts";
import type { ElementTable } from "../chemistry/element-table.ts";
import type { UniformSource } from "./initialization.ts";
import type { ArraySpec, Layout } from "./layout.ts";
import type { Normalizer } from "./normalization.ts";

/** What every compressor's shape says: species and latents. */
const sizes = { input_dim: z.int().positive(), latent_dim: z.int().positive() };

/** The sizes of a compressor as a weights file holds them. */
export type CompressorShape = z.output<z.ZodObject<typeof sizes>> & Readonly<Record<string, unknown>>;

/** The vectors of a compressor's two layouts. */
export interface CompressorVectors {
  readonly trainable: Float32Array;
  readonly statistics: Float32Array;
}

/** What the rows of a training are made of. */
export interface Composition {
  readonly table: ElementTable;
  /** Mean over training rows of log10 of each element's total, [elements]. */
  readonly meanTotals: readonly number[];
  readonly log10_lower: number;
  readonly log10_upper: number;
}

/** A model between scaled abundances and latents, of given sizes. Everything outside knows it by this. */
export interface Compressor {
  readonly shape: CompressorShape;
  /** `trainable` in the order of the optimizer, `statistics` what training collects besides (running means and variances). */
  readonly layouts: { readonly trainable: Layout; readonly statistics: Layout };
  /** What dropout draws for one row, in the order of drawing. */
  readonly masks: readonly ArraySpec[];
  /**
   * @param outputMean  mean of each scaled abundance, [species]: where the decoder may begin; null: it begins anywhere
   * @param composition of the training rows; left out where no model asks for it
   */
  initial(random: UniformSource, outputMean: ArrayLike<number> | null, composition?: Composition): CompressorVectors;
  /**
   * Scaled abundances → raw latents, [rows, latent].
   * @param x      [rows, species]
   * @param masks  inverted dropout masks by name, each [rows, width]; none without dropout
   */
  encode(arrays: TensorMap, x: tf.Tensor2D, norm: Normalizer, masks?: Masks): tf.Tensor2D;
  /** Raw latents, [rows, latent], → scaled abundances, [rows, species]. */
  decode(arrays: TensorMap, z: tf.Tensor2D, norm: Normalizer, masks?: Masks): tf.Tensor2D;
}

/** Dropout's masks by name, where there is dropout. */
export type Masks = Readonly<Record<string, tf.Tensor | undefined>>;

/** A kind of compressor: a module of `models/compressors/`, a line in `models/compressors.ts`, a YAML file in `configs/models/`. */
export interface CompressorKind {
  /** `model_name` in YAML and weights. */
  readonly name: string;
  /** The keys of its YAML that size it, with defaults and descriptions. */
  readonly widths: z.ZodRawShape;
  /** Its number of latents: null where YAML says it (`latent_dim`). */
  readonly latents: ((species: number) => number) | null;
  /** The model of these sizes. @throws ZodError where they are not its own */
  of(shape: unknown): Compressor;
}

/** What a module says of a kind. */
interface Definition<Widths extends z.ZodRawShape> extends Pick<CompressorKind, "name" | "latents"> {
  readonly widths: Widths;
  readonly build: (
    shape: z.output<z.ZodObject<Omit<typeof sizes, keyof Widths> & Widths>>,
  ) => Omit<Compressor, "shape">;
}

/** Makes a kind from its definition. */
export function compressor<Widths extends z.ZodRawShape>({
  name,
  widths,
  latents,
  build,
}: Definition<Widths>): CompressorKind {
  // In this order from the beginning: the hash of an autoencoder depends on it.
  const schema = z.strictObject({
    input_dim: sizes.input_dim,
    ...widths,
    latent_dim: widths.latent_dim ?? sizes.latent_dim,
  });
  return {
    name,
    widths,
    latents,
    of(given) {
      const shape = schema.parse(given) as z.output<typeof schema>;
      return { shape: shape as CompressorShape, ...build(shape as never) };
    },
  };
}
