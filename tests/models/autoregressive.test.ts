import { describe } from "vitest";
import { describeEvolver, plainLinear } from "../helpers/evolver-step.ts";

const relu = (x: number[]): number[] => x.map((value) => Math.max(value, 0));

describe("autoregressive: x + net([p, x])", () => {
  describeEvolver("autoregressive", { input_dim: 5, output_dim: 3, hidden_dim: 4 }, (arrays, p, x) => {
    const first = relu(plainLinear(arrays, "net.0", [...p, ...x]));
    return plainLinear(arrays, "net.6", relu(plainLinear(arrays, "net.3", first)));
  });
});
