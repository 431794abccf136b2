import { Conservation } from "../../chemistry/conservation.ts";
import { tableOfWeights } from "../../chemistry/element-table.ts";
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
  /** [cells, totals], [cells, species]: totals, and what gets them. Those all over the ranges would leave some species to differences. */
  readonly totals: Float32Array;
  readonly doubtful: Float32Array;
  /** [cells, species]: what `Conservation` makes of it. */
  readonly conserved: Float32Array;
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
  const kept = conservedVectors(models.autoencoder);
  const affine = models.emulator!.latents;
  const each = (values: readonly number[]): number[] =>
    Array.from({ length: latent }, (_, k) => values[k % values.length]!);
  return {
    ...{ cells, steps, physical, abundances, latents: latents.data, decoded, stepped, evolved, ...kept },
    shift: each(affine.shift),
    scale: each(affine.scale),
    span_dex: Math.log10(about.clipping.upper) - Math.log10(about.clipping.lower),
  };
}

function conservedVectors(autoencoder: Models["autoencoder"]): Pick<CheckVectors, "totals" | "doubtful" | "conserved"> {
  const conservation = new Conservation(tableOfWeights(autoencoder));
  const random = new RandomStream(derivedSeed(0, "export c totals"));
  const [species, names] = [conservation.species, conservation.names.length];
  const draw = (): Float32Array => {
    const values = new Float32Array(cells * species);
    random.fillUniform(values, -6, -4);
    return values.map((x) => 10 ** x);
  };
  const [doubtful, other] = [draw(), draw()];
  const [totals, conserved] = [new Float32Array(cells * names), doubtful.slice()];
  for (let i = 0; i < cells; i++) {
    const row = (of: Float32Array, width: number): Float32Array => of.subarray(i * width, (i + 1) * width);
    row(totals, names).set(conservation.totals(row(other, species)));
    conservation.project(row(conserved, species), row(totals, names));
  }
  return { totals, doubtful, conserved };
}
