import { describe } from "vitest";
import { describeEvolver, plainLinear } from "../helpers/evolver-step.ts";

const relu = (x: number[]): number[] => x.map((value) => Math.max(value, 0));

describe("latent_relaxation: dz/dt = rate · (equilibrium − z), solved over a row", () => {
  describeEvolver("latent_relaxation", { input_dim: 5, output_dim: 3, hidden_dim: 4 }, (arrays, p, z) => {
    const first = relu(plainLinear(arrays, "first", [...p, ...z]));
    const last = plainLinear(arrays, "last", relu(plainLinear(arrays, "second", first)));
    return z.map((value, i) => {
      const rate = Math.log(1 + Math.exp(last[i]! - 3));
      return (1 - Math.exp(-rate)) * (last[3 + i]! - value);
    });
  });
});
