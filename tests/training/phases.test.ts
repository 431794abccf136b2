import { beforeAll, describe, expect, it } from "vitest";
import { type EngineState, hostTensor } from "../../src/backend/engine.ts";
import { endless, take } from "../../src/training/phase.ts";
import { steeringOf } from "../../src/training/steering.ts";
import { validate, validationErrors } from "../../src/training/validation.ts";
import { WeightAverage } from "../../src/training/weight-average.ts";
import { engineNamed, useWasm } from "../helpers/tensors.ts";

beforeAll(useWasm);

/** Batches that are named after their pass and their place in it. */
const source = {
  items: 3,
  batchSize: 1,
  batches: 3,
  async *epoch(pass: number, first = 0) {
    for (const letter of ["a", "b", "c"].slice(first)) yield `${letter}${pass}`;
  },
  close: async () => {},
};

describe("a stream of batches", () => {
  it("goes from pass to pass, and an epoch takes up where the last one ended", async () => {
    const stream = endless(source);
    const epochs: string[][] = [];
    for (const count of [2, 4]) {
      const epoch: string[] = [];
      for await (const batch of take(stream, count)) epoch.push(batch);
      epochs.push(epoch);
    }
    expect(epochs).toEqual([
      ["a0", "b0"],
      ["c0", "a1", "b1", "c1"],
    ]);
  });

  it("begins anywhere, as if it had been read until there", async () => {
    const rest: string[] = [];
    for await (const batch of take(endless(source, 4), 3)) rest.push(batch);
    expect(rest).toEqual(["b1", "c1", "a2"]);
  });

  it("survives an epoch that is broken off", async () => {
    const stream = endless(source);
    for await (const batch of take(stream, 3)) if (batch === "a0") break;
    const rest: string[] = [];
    for await (const batch of take(stream, 1)) rest.push(batch);
    expect(rest).toEqual(["b0"]);
  });
});

describe("the weights' running mean", () => {
  async function stateOf(...values: number[]): Promise<EngineState> {
    const engine = await engineNamed("compiled");
    return engine.state({ parameters: hostTensor(Float32Array.from(values), [values.length]) });
  }

  it("forgets as its decay says, the faster the younger it is", async () => {
    const state = await stateOf(0, 8);
    const average = new WeightAverage(["parameters"], 0.5);
    const set = (...values: number[]): void =>
      state.write("parameters", hostTensor(Float32Array.from(values), [values.length]));
    await average.update(state);
    set(10, 8);
    await average.update(state);
    // The second step keeps 1/10 of the first: 0.1 · 0 + 0.9 · 10.
    const putBack = await average.apply(state);
    expect([...(await state.read("parameters")).data]).toEqual([9, 8]);
    putBack();
    expect([...(await state.read("parameters")).data]).toEqual([10, 8]);
  });

  it("keeps no more than its decay", async () => {
    const state = await stateOf(0);
    const average = new WeightAverage(["parameters"], 0.5);
    for (let step = 0; step < 100; step++) await average.update(state);
    state.write("parameters", hostTensor(Float32Array.of(4), [1]));
    await average.update(state);
    await average.apply(state);
    expect([...(await state.read("parameters")).data]).toEqual([2]);
  });
});

describe("steering", () => {
  const settings = {
    lr: 0.01,
    lr_decay: 0.5,
    lr_decay_patience: 0,
    dropout: 0.2,
    dropout_decay_patience: 1000,
    dropout_reduction_factor: 0.05,
    stagnant_epoch_patience: 1,
    low_dropout_threshold: 0.1,
    low_dropout_lr: 1e-3,
  };
  const phase = { schedule: "cosine", lr_scale: 4, warm_up: 0.5, final_lr: 0, dropout: 0.1 } as const;

  it("by a cosine follows the progress and does not stop", () => {
    const steering = steeringOf(phase, settings, 3);
    expect(steering.at(0.25)).toEqual({ learning_rate: expect.closeTo(0.02, 12), dropout: 0.1 });
    expect(steering.at(0.5).learning_rate).toBeCloseTo(0.04, 12);
    expect(steering.epochEnded(4)).toEqual({ improved: false, revert: false, stop: false });
    expect(steering.epochEnded(2)).toMatchObject({ improved: true });
    expect(steering.epochEnded(2.5)).toMatchObject({ improved: false });
    expect(steering.stagnant_epochs).toBe(1);
  });

  it("by the plateau takes the model's values and measures itself by the phases before", () => {
    const steering = steeringOf({ ...phase, schedule: "plateau" }, settings, 3);
    expect(steering.at(0.9)).toMatchObject({ learning_rate: 0.01, dropout: 0.2 });
    expect(steering.epochEnded(4)).toMatchObject({ improved: false, stop: true });
  });
});

it("validation gives statistics over species, and the mean in dex", async () => {
  const program = {
    run: async () => ({
      errors: hostTensor(Float32Array.of(1, 2, 6), [3]),
      dex: hostTensor(Float32Array.of(1, 1, 4), [3]),
    }),
    dispose: async () => {},
  };
  // Three batches over three items: the sums are the means.
  const progress = { validated: 0, errors: {} };
  const validating = { program, state: {} as EngineState, source };
  // Broken off after the second batch, it goes on with the third.
  const goesOn = async (): Promise<boolean> => progress.validated !== 2;
  expect(await validate(validating, () => ({}), progress, goesOn)).toBe(false);
  expect(await validate(validating, () => ({}), progress, goesOn)).toBe(true);
  const errors = validationErrors(progress, source.items, 0);
  expect(errors).toEqual({ mean: 3, std: Math.sqrt(7), max: 6, dex: 2 });
});
