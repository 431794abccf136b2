import { z } from "zod";
import { type TensorMap, tf } from "../../backend/tf.ts";
import { ConfigError, nearest } from "../../errors.ts";
import { type Composition, type CompressorVectors, compressor, type Masks } from "../compressor.ts";
import type { UniformSource } from "../initialization.ts";
import { type ArraySpec, Layout } from "../layout.ts";
import type { Normalizer } from "../normalization.ts";
import { width } from "../widths.ts";
import { tiedAutoencoder } from "./tied-autoencoder.ts";

/** A species this near the lower clipping, on the scaled axis, is none whose abundance follows the elements. */
const present = 0.1;
/** Of an element that is absent: below all that clipping leaves. */
const least = 1e-25;

/**
 * The tied autoencoder beside exact totals: the last latents are log10 of how much there is of each element, in dex from the training's
 * mean. A start of bare atoms holds its metallicity in a dozen of hundreds of abundances, which a compression loses; here it cannot be
 * lost. What is compressed is divided by the elements that a species is made of, to their geometric mean: much the same at any metallicity.
 */
export const elementalAutoencoder = compressor({
  name: "autoencoder_elements",
  widths: {
    ...tiedAutoencoder.widths,
    latent_dim: width(21, "Number of latent components, those of the elements included."),
    elements: z
      .array(z.string().min(1))
      .min(1)
      .default(["C", "N", "O", "S", "SI", "MG", "CL"])
      .describe("Elements whose totals differ among the tracers: a latent each."),
  },
  latents: null,
  build: (shape) => {
    const { input_dim, hidden_dims, latent_dim, elements } = shape as unknown as Sizes;
    const learned = latent_dim - elements.length;
    if (learned < 1) {
      throw new ConfigError(`${latent_dim} latents for ${elements.length} elements leave none to learn`, {
        where: "latent_dim",
        fix: `raise latent_dim: 14 besides the elements are usual, ${14 + elements.length} in all`,
      });
    }
    const inner = tiedAutoencoder.of({ input_dim, hidden_dims, latent_dim: learned });
    const [, narrow] = hidden_dims;
    const layouts = {
      trainable: new Layout([
        ...inner.layouts.trainable.specs,
        { name: "decoder_elements.weight", shape: [elements.length, narrow], fresh: { inputs: learned } },
      ]),
      statistics: new Layout([...inner.layouts.statistics.specs, ...fixed(input_dim, elements.length)]),
    };
    return {
      layouts,
      masks: inner.masks,
      initial(
        random: UniformSource,
        outputMean: ArrayLike<number> | null,
        composition: Composition,
      ): CompressorVectors {
        if (composition === undefined) throw new Error("an autoencoder of elements begins from a composition");
        const vectors = { trainable: layouts.trainable.fresh(random), statistics: layouts.statistics.fresh(random) };
        const started = inner.initial(random, outputMean, composition);
        vectors.trainable.set(started.trainable);
        vectors.statistics.set(started.statistics);
        fillFixed(layouts.statistics, vectors.statistics, elements, composition);
        return vectors;
      },
      encode(arrays: TensorMap, x: tf.Tensor2D, norm: Normalizer, masks: Masks = {}): tf.Tensor2D {
        const totals = totalsOf(arrays, x);
        const z = inner.encode(arrays, tf.sub(x, shift(arrays, x, totals)), norm, masks);
        return tf.concat([z, totals], 1);
      },
      decode(arrays: TensorMap, z: tf.Tensor2D, norm: Normalizer, masks: Masks = {}): tf.Tensor2D {
        const totals = tf.slice(z, [0, learned], [-1, elements.length]);
        // The first layer sees the totals, too.
        const first = tf.concat([arrays["encoder_fc3.weight"]!, arrays["decoder_elements.weight"]!], 0);
        const y = inner.decode({ ...arrays, "encoder_fc3.weight": first }, z, norm, masks);
        return tf.add(y, shift(arrays, y, totals));
      },
    };
  },
});

interface Sizes {
  readonly input_dim: number;
  readonly hidden_dims: readonly [number, number];
  readonly latent_dim: number;
  readonly elements: readonly string[];
}

/** What no training moves. */
function fixed(species: number, elements: number): ArraySpec[] {
  return [
    { name: "elements.atoms", shape: [species, elements] },
    // Scaled abundance for each dex of an element.
    { name: "elements.slope", shape: [elements, species] },
    { name: "elements.mean", shape: [elements] },
    // log of the abundance: lower + span · scaled.
    { name: "elements.lower", shape: [1] },
    { name: "elements.span", shape: [1] },
  ];
}

/** @throws ConfigError for an element that the species do not hold */
function fillFixed(
  layout: Layout,
  vector: Float32Array,
  names: readonly string[],
  { table, meanTotals, log10_lower, log10_upper }: Composition,
): void {
  const columns = names.map((name) => table.elements.indexOf(name));
  const missing = names.find((_, k) => !table.atoms.some((counts) => (counts[columns[k]!] ?? 0) > 0));
  if (missing !== undefined) {
    throw new ConfigError(`no species holds the element ${missing}`, {
      where: "model.elements",
      fix: `name elements among ${table.elements.join(", ")}${nearest(missing, table.elements) ? `; ${nearest(missing, table.elements)}?` : ""}`,
    });
  }
  const view = (name: string): Float32Array => layout.view(vector, name);
  const span = log10_upper - log10_lower;
  view("elements.mean").set(columns.map((e) => meanTotals[e]!));
  view("elements.lower").set([log10_lower * Math.LN10]);
  view("elements.span").set([span * Math.LN10]);
  const [atoms, slope, species] = [view("elements.atoms"), view("elements.slope"), table.atoms.length];
  for (const [s, counts] of table.atoms.entries()) {
    const held = columns.filter((e) => counts[e]! > 0).length;
    for (const [k, e] of columns.entries()) {
      atoms[s * columns.length + k] = counts[e]!;
      slope[k * species + s] = counts[e]! > 0 ? 1 / (held * span) : 0;
    }
  }
}

/** Dex from the mean, [rows, elements]. */
function totalsOf(arrays: TensorMap, x: tf.Tensor2D): tf.Tensor2D {
  const linear = tf.exp<tf.Tensor2D>(tf.add(tf.mul(x, arrays["elements.span"]!), arrays["elements.lower"]!));
  const sums = tf.matMul(linear, arrays["elements.atoms"] as tf.Tensor2D);
  return tf.sub(tf.div(tf.log(tf.maximum(sums, least)), Math.LN10), arrays["elements.mean"]!);
}

/** What the elements add to each scaled abundance, [rows, species]; to one near the lower clipping less, to one at it nothing. */
function shift(arrays: TensorMap, x: tf.Tensor2D, totals: tf.Tensor2D): tf.Tensor2D {
  const share = tf.clipByValue(tf.div<tf.Tensor2D>(x, present), 0, 1);
  return tf.mul(tf.matMul(totals, arrays["elements.slope"] as tf.Tensor2D), share);
}
