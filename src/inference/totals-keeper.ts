import type { Engine } from "../backend/engine.ts";
import type { ElementTable } from "../chemistry/element-table.ts";
import { type Conserved, ConservingDecoder } from "../models/runners.ts";
import type { AutoencoderWeights } from "../models/weights-file.ts";

/** Whether any species has atoms. Without, nothing can be kept. */
export function hasFormulas({ atoms }: ElementTable): boolean {
  return atoms.some((counts) => counts.some((count) => count !== 0));
}

/** States with the totals of their starts. */
export interface KeptTotals extends Pick<Conserved, "abundances" | "correction" | "spread"> {
  /** What there is to say of totals that cannot be kept; null where all can. */
  readonly doubt: string | null;
}

/** Decodes trajectories so that every state has the totals of the elements and the charge of its start. */
export class TotalsKeeper {
  readonly #decoder: ConservingDecoder;
  readonly #species: number;
  readonly #latentDim: number;
  readonly #lower: number;

  /** @param members  of an ensemble, whose mean keeps the totals */
  constructor(engine: Engine, weights: AutoencoderWeights, members: number) {
    this.#decoder = new ConservingDecoder(engine, weights, members);
    [this.#species, this.#latentDim] = [weights.model.input_dim, members * weights.model.latent_dim];
    this.#lower = weights.abundances_clipping.lower;
  }

  /**
   * @param latents  raw, [b, t, members · latent]
   * @param starts   linear, [b, species]
   * @param into     [b, t, species], which an engine may write to and give back
   */
  async decode(latents: Float32Array, starts: Float32Array, into?: Float32Array): Promise<KeptTotals> {
    const { conservation } = this.#decoder;
    const [width, rows, count] = [
      ...[conservation.names.length, latents.length / this.#latentDim, starts.length / this.#species],
    ] as [number, number, number];
    const all = new Float64Array(rows * width);
    const lacking = new Set<string>();
    for (let b = 0; b < count; b++) {
      const start = starts.subarray(b * this.#species, (b + 1) * this.#species);
      const totals = conservation.totals(start.map((x) => Math.max(x, 0)));
      // What is not there at the start stays as little as the surrogate can tell.
      const least = totals.every((total) => total !== 0)
        ? totals
        : conservation.totals(start.map((x) => Math.max(x, this.#lower)));
      for (const [k, name] of conservation.names.entries()) {
        if (name === "charge" || totals[k]! > 0) continue;
        totals[k] = least[k]!;
        lacking.add(name);
      }
      for (let row = (b * rows) / count; row < ((b + 1) * rows) / count; row++) all.set(totals, row * width);
    }
    const { abundances, correction, unmet, spread } = await this.#decoder.decode(latents, all, rows, into);
    const doubts = [
      ...(lacking.size > 0
        ? [
            `no ${[...lacking].join(", ")} at a start: its total cannot be kept, and its species stay near ${this.#lower}`,
          ]
        : []),
      ...(unmet.length > 0 ? [`${unmet.length} of ${rows} states cannot have the totals of their start`] : []),
    ];
    return { abundances, correction, spread, doubt: doubts.length > 0 ? `conservation: ${doubts.join("; ")}` : null };
  }

  dispose(): Promise<void> {
    return this.#decoder.dispose();
  }
}
