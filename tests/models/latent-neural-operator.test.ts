import { describe, expect, it } from "vitest";
import type { Engine, StepFunction } from "../../src/backend/engine.ts";
import { evolverOf } from "../../src/models/evolvers.ts";
import { Roller } from "../../src/models/runners.ts";
import type { EmulatorWeights } from "../../src/models/weights-file.ts";
import { describeEvolver, type Plain, plainLinear } from "../helpers/evolver-step.ts";
import { engineNamed } from "../helpers/tensors.ts";

/** By Abramowitz and Stegun 7.1.26, within 1.5e-7. */
function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const sum = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - sum * Math.exp(-x * x));
}
const gelu = (x: number[]): number[] => x.map((value) => 0.5 * value * (1 + erf(value / Math.SQRT2)));
const sum = (x: number[]): number => x.reduce((a, b) => a + b, 0);
const turned = (rows: number[][]): number[][] => rows[0]!.map((_, j) => rows.map((row) => row[j]!));
const added = (a: number[][], b: number[][]): number[][] => a.map((row, i) => row.map((x, j) => x + b[i]![j]!));

function layerNorm(arrays: Plain, name: string, x: number[]): number[] {
  const mean = sum(x) / x.length;
  const deviation = Math.sqrt(sum(x.map((value) => (value - mean) ** 2)) / x.length + 1e-5);
  const [weight, bias] = [arrays(`${name}.weight`), arrays(`${name}.bias`)];
  return x.map((value, i) => ((value - mean) / deviation) * weight[i]! + bias[i]!);
}

describe("latent_neural_operator: an MLP-Mixer over latent components", () => {
  const shape = { input_dim: 5, output_dim: 3, width: 4, blocks: 2 };
  describeEvolver("latent_neural_operator", shape, (arrays, p, z) => {
    const embedded = plainLinear(arrays, "phys_projection.2", gelu(plainLinear(arrays, "phys_projection.0", p)));
    const position = arrays("position_embedding");
    let tokens = z.map((value, i) =>
      plainLinear(arrays, "token_projection", [value]).map((x, c) => x + embedded[c]! + position[i * 4 + c]!),
    );
    const mlp = (name: string, x: number[]): number[] =>
      plainLinear(arrays, `${name}_out`, gelu(plainLinear(arrays, `${name}_in`, x)));
    for (const block of ["blocks.0", "blocks.1"]) {
      const across = turned(tokens.map((x) => layerNorm(arrays, `${block}.token_norm`, x)));
      tokens = added(tokens, turned(across.map((x) => mlp(`${block}.token`, x))));
      tokens = added(
        tokens,
        tokens.map((x) => mlp(`${block}.channel`, layerNorm(arrays, `${block}.channel_norm`, x))),
      );
    }
    return tokens.flatMap((x) => plainLinear(arrays, "output_head.1", layerNorm(arrays, "output_head.0", x)));
  });

  it("is rolled out by short graphs, which are prepared in a moment", async () => {
    const engine = await engineNamed("compiled");
    const lengths = new Set<number>();
    const watched: Engine = {
      name: engine.name,
      state: (initial) => engine.state(initial),
      program: (name, step, options) => {
        const watchedStep: StepFunction = (state, inputs) => {
          lengths.add(inputs.physical!.shape[0]!);
          return step(state, inputs);
        };
        return engine.program(name, watchedStep, options);
      },
    };
    const model_name = "latent_neural_operator";
    const trainable = new Float32Array(evolverOf({ model_name, model: shape }).layout.size);
    const roller = new Roller(watched, { model_name, model: shape, trainable } as unknown as EmulatorWeights);
    await roller.rollout(new Float32Array(37 * 2), new Float32Array(3), 1, 37);
    await roller.dispose();
    expect([...lengths]).toEqual([16, 4, 1]);
  });
});
