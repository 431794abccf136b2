import { type EngineState, hostTensor } from "../backend/engine.ts";

/** What a running mean holds, by the names of the state's arrays. */
export interface AverageState {
  readonly steps: number;
  readonly means: Readonly<Record<string, Float32Array>>;
  readonly aside: Readonly<Record<string, Float32Array>>;
}

/**
 * The running mean of the weights over the steps of a phase (Polyak averaging with exponential forgetting): steadier than the weights
 * of any one step. Young means forget faster, so that they do not remember the start.
 */
export class WeightAverage {
  readonly #names: readonly string[];
  readonly #decay: number;
  readonly #means: Map<string, Float32Array>;
  /** The weights whose place the means have; null while they have not. */
  #aside: Map<string, Float32Array> | null;
  #steps: number;

  /**
   * @param names  the arrays of the state that are averaged
   * @param from   what an earlier one held, to go on from
   */
  constructor(names: readonly string[], decay: number, from?: AverageState) {
    this.#names = names;
    this.#decay = decay;
    this.#means = new Map(Object.entries(from?.means ?? {}));
    this.#aside = from && Object.keys(from.aside).length > 0 ? new Map(Object.entries(from.aside)) : null;
    this.#steps = from?.steps ?? 0;
  }

  /** What it holds; not a copy. */
  get state(): AverageState {
    return { steps: this.#steps, means: Object.fromEntries(this.#means), aside: Object.fromEntries(this.#aside ?? []) };
  }

  /** Takes the weights after a step. */
  async update(state: EngineState): Promise<void> {
    const keep = Math.min(this.#decay, this.#steps / (this.#steps + 9));
    this.#steps += 1;
    for (const name of this.#names) {
      const { data } = await state.read(name);
      const mean = this.#means.get(name);
      if (mean) for (let i = 0; i < mean.length; i++) mean[i] = keep * mean[i]! + (1 - keep) * data[i]!;
      else this.#means.set(name, data.slice());
    }
  }

  /** Puts the means in the place of the weights, where they are not there already. @returns `putBack` */
  async apply(state: EngineState): Promise<() => void> {
    const putBack = (): void => this.putBack(state);
    if (this.#aside) return putBack;
    this.#aside = new Map();
    for (const name of this.#names) this.#aside.set(name, (await state.read(name)).data);
    for (const [name, mean] of this.#means) state.write(name, hostTensor(mean, [mean.length]));
    return putBack;
  }

  /** Puts the weights back; @param keepMeans  leave the means in their place instead */
  putBack(state: EngineState, keepMeans = false): void {
    for (const [name, data] of this.#aside ?? []) if (!keepMeans) state.write(name, hostTensor(data, [data.length]));
    this.#aside = null;
  }
}
