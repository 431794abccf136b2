import type { Engine } from "../backend/engine.ts";
import { tableOfWeights } from "../chemistry/element-table.ts";
import { AbundanceScaling } from "../chemistry/scaling.ts";
import { Decoder } from "../models/runners.ts";
import type { AutoencoderWeights } from "../models/weights-file.ts";
import type { InputWarnings } from "./input-warnings.ts";
import type { IntoOption, ScaledOption } from "./options.ts";
import { hasFormulas, TotalsKeeper } from "./totals-keeper.ts";

/** Abundances, and the spread of members where there are several. */
interface Decoded {
  readonly data: Float32Array;
  readonly spread: Float32Array | null;
  /** Of those that were conserved. */
  readonly correction?: Float32Array;
}

/** Decodes the latents of one emulator, or of the members of an ensemble, as they are or with the totals of their starts. */
export class AbundanceDecoder {
  readonly #engine: Engine;
  readonly #weights: AutoencoderWeights;
  readonly #scaling: AbundanceScaling;
  readonly #warnings: InputWarnings;
  readonly #canKeep: boolean;
  /** By members, made when they are first asked for. */
  readonly #decoders = new Map<number, Decoder>();
  readonly #keepers = new Map<number, TotalsKeeper>();

  constructor(engine: Engine, weights: AutoencoderWeights, warnings: InputWarnings) {
    [this.#engine, this.#weights, this.#warnings] = [engine, weights, warnings];
    this.#canKeep = hasFormulas(tableOfWeights(weights));
    this.#scaling = new AbundanceScaling(weights.abundances_clipping);
  }

  /**
   * @param latents  raw, [rows, members · latent]
   * @param starts   whose totals the states are to have, linear, [b, species]
   * @param options  `into`: where the result is to be
   * @returns        abundances, linear or scaled
   */
  async decode(
    latents: Float32Array,
    members: number,
    { scaled, into }: ScaledOption & IntoOption,
    starts?: Float32Array,
  ): Promise<Decoded> {
    const { data, ...known } = await this.#decoded(latents, members, { scaled, into }, starts);
    if (into === undefined || data === into) return { data, ...known };
    into.set(data);
    return { data: into, ...known };
  }

  async #decoded(
    latents: Float32Array,
    members: number,
    { scaled, into }: ScaledOption & IntoOption,
    starts?: Float32Array,
  ): Promise<Decoded> {
    const keeper = starts && this.#keeper(members);
    if (!keeper) {
      const [decoder, rows] = [this.#decoder(members), latents.length / (members * this.#weights.model.latent_dim)];
      if (scaled) {
        const { scaled: data, spread } = await decoder.decode(latents, rows, into);
        return { data, spread };
      }
      const { abundances: data, spread } = await decoder.decodeLinear(latents, rows, into);
      return { data, spread };
    }
    const { abundances: data, correction, spread, doubt } = await keeper.decode(latents, starts, into);
    this.#warnings.check("conservation", () => doubt);
    if (scaled) this.#scaling.scaleInto(data, data);
    return { data, spread, correction };
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.#decoders.values(), ...this.#keepers.values()].map((runner) => runner.dispose()));
  }

  #decoder(members: number): Decoder {
    const decoder = this.#decoders.get(members) ?? new Decoder(this.#engine, this.#weights, members);
    this.#decoders.set(members, decoder);
    return decoder;
  }

  /** Null where nothing can be kept. */
  #keeper(members: number): TotalsKeeper | null {
    if (!this.#canKeep) {
      this.#warnings.check("conservation", () => "conservation: no species has a formula, so that nothing can be kept");
      return null;
    }
    const keeper = this.#keepers.get(members) ?? new TotalsKeeper(this.#engine, this.#weights, members);
    this.#keepers.set(members, keeper);
    return keeper;
  }
}
