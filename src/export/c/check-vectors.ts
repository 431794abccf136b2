import { derivedSeed, RandomStream } from "../../data/random.ts";
import type { Inference } from "../../inference/inference.ts";
import type { Models, PartPort } from "../onnx-parts.ts";
import { Samples } from "../onnx-samples.ts";
import type { Description } from "./description.ts";

/** Trajectories that a check computes again, each array by trajectory. */
export interface CheckVectors {
  readonly cells: number;
  readonly steps: number;
  /** [cells, steps, conditions], [cells, species]: what goes in. */
  readonly physical: Float32Array;
  readonly abundances: Float32Array;
  /** [cells, latents], raw; [cells, species]; [cells, steps, latents], raw; [cells, steps, species]: what `Inference` makes of it. */
  readonly latents: Float32Array;
  readonly decoded: Float32Array;
  readonly stepped: Float32Array;
  readonly evolved: Float32Array;
  /** A scaled latent is (raw − shift) / scale, [latents]. */
  readonly shift: readonly number[];
  readonly scale: readonly number[];
  /** Decades of a scaled unit of abundance. */
  readonly span_dex: number;
}

const [cells, steps] = [5, 4];

/** How far the C code may be from `Inference`, in scaled units. */
export const checkTolerance = 1e-5;

/** Random trajectories all over the ranges, and what `Inference` makes of them. */
export async function checkVectors(about: Description, models: Models, inference: Inference): Promise<CheckVectors> {
  const samples = new Samples(models, new RandomStream(derivedSeed(0, "export c")));
  const [conditions, species, latent] = [about.conditions.length, about.species.length, about.latents];
  const draw = (quantity: PartPort["quantity"], shape: number[]): Float32Array =>
    samples.draw({ name: "", quantity, shape }, cells);
  const physical = draw("physical units", [steps, conditions]);
  const abundances = draw("linear abundances", [species]);
  const rows = { data: abundances, shape: [cells, species] };
  const history = { data: physical, shape: [cells, steps, conditions] };
  const latents = await inference.encode(rows);
  const { data: decoded } = await inference.decode(latents);
  const { data: stepped } = await inference.latentEmulate(history, latents);
  const { data: evolved } = await inference.emulate(history, rows, { conserve: false });
  const affine = models.emulator!.latents;
  const each = (values: readonly number[]): number[] =>
    Array.from({ length: latent }, (_, k) => values[k % values.length]!);
  return {
    ...{ cells, steps, physical, abundances, latents: latents.data, decoded, stepped, evolved },
    shift: each(affine.shift),
    scale: each(affine.scale),
    span_dex: Math.log10(about.clipping.upper) - Math.log10(about.clipping.lower),
  };
}
