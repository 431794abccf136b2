import { describe, expect, it } from "vitest";
import { RandomStream } from "../../src/data/random.ts";
import { type UniformSource, uniformLinear } from "../../src/models/initialization.ts";
import type { Layout } from "../../src/models/layout.ts";
import { autoencoderLayouts, emulatorLayout, initialAutoencoder, initialEmulator } from "../helpers/models.ts";

const autoencoderShape = { input_dim: 100, hidden_dims: [64, 25], latent_dim: 16 } as const;
const emulatorShape = { input_dim: 20, hidden_dim: 49, output_dim: 16 };
const layouts = autoencoderLayouts(autoencoderShape);
const layout = emulatorLayout(emulatorShape);

const arraysOf = (of: Layout, vector: Float32Array): [string, Float32Array][] =>
  of.specs.map(({ name }) => [name, of.view(vector, name)]);

/** Checks that values lie within the bound, reach near both its ends and average to nothing. */
function expectUniform(values: Float32Array, bound: number, what: string): void {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  expect(least, what).toBeGreaterThanOrEqual(-bound);
  expect(most, what).toBeLessThanOrEqual(bound);
  // Of n uniform values the farthest is on average 2/(n + 1) of the bound short of it; 20/n leaves room for chance.
  expect(most, what).toBeGreaterThan(bound * (1 - 20 / values.length));
  expect(least, what).toBeLessThan(-bound * (1 - 20 / values.length));
  // The mean's standard deviation is bound / √(3n).
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(Math.abs(mean), what).toBeLessThan((5 * bound) / Math.sqrt(3 * values.length));
}

describe("a linear layer", () => {
  it("is drawn between ∓1/√fan_in", () => {
    const asked: [number, number, number][] = [];
    const source: UniformSource = {
      fillUniform: (target, from, to) => asked.push([target.length, from, to]),
    };
    uniformLinear(new Float32Array(6), 16, source);
    expect(asked).toEqual([[6, -0.25, 0.25]]);
  });
});

describe("a fresh autoencoder", () => {
  const { trainable, statistics } = initialAutoencoder(autoencoderShape, new RandomStream(1));

  it("has linear layers within their bounds", () => {
    // Inputs: 100, 64 and 25.
    const bounds = {
      "encoder_fc1.weight": 1 / 10,
      "encoder_fc2.weight": 1 / 8,
      "encoder_fc3.weight": 1 / 5,
      "encoder_fc3.bias": 1 / 5,
    };
    for (const [name, bound] of Object.entries(bounds)) {
      expectUniform(layouts.trainable.view(trainable, name), Math.fround(bound), name);
    }
  });

  it("has batch norms of weight one and all other biases zero", () => {
    for (const [name, values] of arraysOf(layouts.trainable, trainable)) {
      if (name.startsWith("encoder_fc")) continue;
      const isScale = /(bn[12]|norm3)\.weight$/.test(name);
      expect(new Set(values), name).toEqual(new Set([isScale ? 1 : 0]));
    }
  });

  it("has running means of zero and variances of one", () => {
    for (const [name, values] of arraysOf(layouts.statistics, statistics)) {
      expect(new Set(values), name).toEqual(new Set([name.endsWith("running_var") ? 1 : 0]));
    }
  });
});

describe("a fresh emulator", () => {
  it("has weights and biases within the bounds of their layers", () => {
    const vector = initialEmulator(emulatorShape, new RandomStream(1));
    for (const [name, values] of arraysOf(layout, vector)) {
      const inputs = name.startsWith("net.0") ? 20 : 49;
      const bound = Math.fround(1 / Math.sqrt(inputs));
      if (values.length >= 40) expectUniform(values, bound, name);
      else for (const value of values) expect(Math.abs(value), name).toBeLessThanOrEqual(bound);
      expect(new Set(values).size, name).toBeGreaterThan(1);
    }
  });
});

describe("the seed", () => {
  const both = (seed: number) => [
    initialAutoencoder(autoencoderShape, new RandomStream(seed)).trainable,
    initialEmulator(emulatorShape, new RandomStream(seed)),
  ];

  it("alone decides the weights", () => {
    expect(both(3)).toEqual(both(3));
    const [first, second] = [both(3), both(4)];
    expect(first[0]).not.toEqual(second[0]);
    expect(first[1]).not.toEqual(second[1]);
  });
});

describe("where training may begin instead", () => {
  it("a decoder whose sigmoid gives the mean of each species, short of its ends", () => {
    const means = Float64Array.from({ length: 100 }, (_, s) => s / 99);
    const fresh = initialAutoencoder(autoencoderShape, new RandomStream(1)).trainable;
    const begun = initialAutoencoder(autoencoderShape, new RandomStream(1), means).trainable;
    for (const [s, bias] of layouts.trainable.view(begun, "decoder_bias3").entries()) {
      const expected = Math.min(Math.max(means[s]!, 1e-3), 1 - 1e-3);
      expect(1 / (1 + Math.exp(-bias))).toBeCloseTo(expected, 6);
    }
    layouts.trainable.view(begun, "decoder_bias3").fill(0);
    expect(begun).toEqual(fresh);
  });

  it("an emulator whose last layer is small and without bias", () => {
    const fresh = initialEmulator(emulatorShape, new RandomStream(2));
    const begun = initialEmulator(emulatorShape, new RandomStream(2), 0.1);
    const [weights, biases] = ["net.6.weight", "net.6.bias"].map((name) => layout.view(begun, name));
    for (const [i, weight] of weights!.entries()) {
      expect(weight).toBeCloseTo(0.1 * layout.view(fresh, "net.6.weight")[i]!, 7);
    }
    expect(new Set(biases)).toEqual(new Set([0]));
    expect(layout.view(begun, "net.3.weight")).toEqual(layout.view(fresh, "net.3.weight"));
  });
});
