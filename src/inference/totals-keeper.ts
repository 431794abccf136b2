import type { Engine } from "../backend/engine.ts";
import { type Conserved, ConservingDecoder } from "../models/runners.ts";
import type { AutoencoderWeights } from "../models/weights-file.ts";

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

  /** @param members  of an ensemble, whose mean keeps the totals */
  constructor(engine: Engine, weights: AutoencoderWeights, members = 1) {
    this.#decoder = new ConservingDecoder(engine, weights, members);
    [this.#species, this.#latentDim] = [weights.model.input_dim, members * weights.model.latent_dim];
  }

  /**
   * @param latents  raw, [b, t, members · latent]
   * @param starts   linear, [b, species]
   */
  async decode(latents: Float32Array, starts: Float32Array): Promise<KeptTotals> {
    const { conservation } = this.#decoder;
    const [width, rows, count] = [
      ...[conservation.names.length, latents.length / this.#latentDim, starts.length / this.#species],
    ] as [number, number, number];
    const all = new Float32Array(rows * width);
    const lacking = new Set<string>();
    for (let b = 0; b < count; b++) {
      const totals = conservation.totals(starts.subarray(b * this.#species, (b + 1) * this.#species));
      for (const [k, name] of conservation.names.entries())
        if (name !== "charge" && !(totals[k]! > 0)) lacking.add(name);
      for (let row = (b * rows) / count; row < ((b + 1) * rows) / count; row++) all.set(totals, row * width);
    }
    const { abundances, correction, unmet, spread } = await this.#decoder.decode(latents, all, rows);
    const doubts = [
      ...(lacking.size > 0 ? [`no ${[...lacking].join(", ")} at the start, so that its total cannot be kept`] : []),
      ...(unmet.length > 0 ? [`${unmet.length} of ${rows} states cannot have the totals of their start`] : []),
    ];
    return { abundances, correction, spread, doubt: doubts.length > 0 ? `conservation: ${doubts.join("; ")}` : null };
  }

  dispose(): Promise<void> {
    return this.#decoder.dispose();
  }
}
