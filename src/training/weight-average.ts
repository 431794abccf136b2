import { type EngineState, hostTensor } from "../backend/engine.ts";

/**
 * The running mean of the weights over the steps of a phase (Polyak averaging with exponential forgetting): steadier than the weights
 * of any one step. Young means forget faster, so that they do not remember the start.
 */
export class WeightAverage {
  readonly #names: readonly string[];
  readonly #decay: number;
  readonly #means = new Map<string, Float32Array>();
  #steps = 0;

  /** @param names the arrays of the state that are averaged */
  constructor(names: readonly string[], decay: number) {
    this.#names = names;
    this.#decay = decay;
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

  /** Puts the means in the place of the weights. @returns puts the weights back */
  async apply(state: EngineState): Promise<() => void> {
    const before = await Promise.all(this.#names.map(async (name) => [name, (await state.read(name)).data] as const));
    for (const [name, mean] of this.#means) state.write(name, hostTensor(mean, [mean.length]));
    return () => {
      for (const [name, data] of before) state.write(name, hostTensor(data, [data.length]));
    };
  }
}
