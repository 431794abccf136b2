import { describe, expect, it } from "vitest";
import { tf } from "../../src/backend/tf.ts";
import { rolloutFrom } from "../../src/models/evolver.ts";
import { evolverOf } from "../../src/models/evolvers.ts";
import { describeEvolver, plainLinear } from "../helpers/evolver-step.ts";
import { engineNamed } from "../helpers/tensors.ts";

const relu = (x: number[]): number[] => x.map((value) => Math.max(value, 0));
const extinction = { index: 0, range: [0.1, 10] };
const radfield = { index: 2, range: [1e-2, 100] };
const shape = { input_dim: 7, output_dim: 3, hidden_dim: 4, radfield, extinction };

describe("latent_shielding: the residual MLP driven by the field that is left behind the extinction", () => {
  describeEvolver("latent_shielding", shape, (arrays, [av, density, field, temperature], z) => {
    const reaching = 1e-2 * 1e4 ** field! * Math.exp(-2 * 0.1 * 100 ** av!);
    const shielded = Math.log10(reaching / 1e-5 + 1) / 3;
    const first = relu(plainLinear(arrays, "net.0", [density!, temperature!, shielded, ...z]));
    return plainLinear(arrays, "net.6", relu(plainLinear(arrays, "net.3", first)));
  });

  it("is the same whatever the field where it is dark, and finite at any extinction", async () => {
    await engineNamed("eager");
    const { layout, ...model } = evolverOf({ model_name: "latent_shielding", model: shape });
    const vector = Float32Array.from({ length: layout.size }, (_, i) => Math.sin(i));
    const end = (av: number, field: number): number[] =>
      tf.tidy(() => {
        const drive = { physical: tf.tensor3d([av, 0.5, field, 0.5], [1, 1, 4]) };
        const start = tf.tensor2d([0.1, 0.2, 0.3], [1, 3]);
        const states = rolloutFrom({ layout, ...model }, layout.unpack(tf.tensor1d(vector)), drive, start);
        return [...states.dataSync()];
      });
    expect(end(1.2, 0)).toEqual(end(90, 1));
    expect(end(0.3, 0)).not.toEqual(end(0.3, 1));
    expect(end(90, 1).every(Number.isFinite)).toBe(true);
  });
});
