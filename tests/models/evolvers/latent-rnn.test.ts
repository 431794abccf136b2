import { beforeAll, describe, expect, it } from "vitest";
import { type TensorMap, tf } from "../../../src/backend/tf.ts";
import { rolloutFrom } from "../../../src/models/evolver.ts";
import { evolverOf } from "../../../src/models/evolvers.ts";
import { expectClose, useWasm, withoutLeak } from "../../helpers/tensors.ts";
import { affine, gelu, type Rows, sigmoid, wave } from "./plain.ts";

beforeAll(useWasm);

const [physical, latent, hidden, layers] = [2, 2, 3, 2];
const evolver = evolverOf({
  model_name: "latent_rnn",
  model: { input_dim: physical + latent, output_dim: latent, hidden_dim: hidden, layers },
});

/** By the names of PyTorch. */
const weights: Record<string, number[][]> = Object.fromEntries(
  evolver.layout.specs.map(({ name, shape }, k) => [name, wave(shape.length === 2 ? shape[0]! : 1, shape.at(-1)!, k)]),
);
const linear = (name: string, x: readonly number[]): number[] =>
  affine(weights[`${name}.weight`]!, weights[`${name}.bias`]![0]!, x);

/** PyTorch's GRUCell: its rows are the gates r, z, n in that order. */
function gruCell(name: string, x: readonly number[], h: readonly number[]): number[] {
  const ofInput = affine(weights[`${name}.weight_ih`]!, weights[`${name}.bias_ih`]![0]!, x);
  const ofHidden = affine(weights[`${name}.weight_hh`]!, weights[`${name}.bias_hh`]![0]!, h);
  return h.map((before, i) => {
    const r = sigmoid(ofInput[i]! + ofHidden[i]!);
    const z = sigmoid(ofInput[hidden + i]! + ofHidden[hidden + i]!);
    const n = Math.tanh(ofInput[2 * hidden + i]! + r * ofHidden[2 * hidden + i]!);
    return (1 - z) * n + z * before;
  });
}

/** The states of one trajectory. `masks` has factors of each cell's output and of the head's inner layer, the same at every step. */
function byHand(drive: Rows, start: readonly number[], masks: Rows): number[] {
  let z = [...start];
  const h = [linear("hidden_projection", z), new Array<number>(hidden).fill(0)];
  const states: number[] = [];
  for (const p of drive) {
    let x = linear("input_projection.0", [...p, ...z]).map(gelu);
    for (let layer = 0; layer < layers; layer++) {
      h[layer] = gruCell(`cells.${layer}`, x, h[layer]!);
      x = h[layer]!.map((value, i) => value * masks[layer]![i]!);
    }
    const inner = linear("output_head.0", [...x, ...z]).map((value, i) => gelu(value) * masks[2]![i]!);
    const change = linear("output_head.3", inner);
    z = z.map((value, i) => value + change[i]!);
    states.push(...z);
  }
  return states;
}

describe("the recurrent emulator", () => {
  it.each([
    ["", [1, 1, 1]],
    [" with dropout", [0, 2, 1.5]],
  ])("is the formula in its notation, step for step%s", (_, mask) => {
    const [steps, start] = [3, [0.3, -0.2]];
    const drive = wave(steps, physical, 40);
    const masks = [mask, mask.toReversed(), mask];
    const states = withoutLeak(() => {
      const arrays: TensorMap = Object.fromEntries(
        evolver.layout.specs.map(({ name, shape }) => [name, tf.tensor(weights[name]!.flat(), [...shape])]),
      );
      const given = evolver.masks.map(({ name }, k) => [name, tf.tensor3d(drive.map(() => [masks[k]!]))] as const);
      const course = { physical: tf.tensor3d(drive.map((p) => [p])), masks: Object.fromEntries(given) };
      return rolloutFrom(evolver, arrays, course, tf.tensor2d([start]))
        .dataSync()
        .slice();
    });
    expectClose(states, byHand(drive, start, masks), { absolute: 2e-6 });
  });

  it("has the original's count of parameters and names", () => {
    const { layout } = evolverOf({ model_name: "latent_rnn", model: { input_dim: 18, output_dim: 14 } });
    expect(layout.size).toBe(50_334);
    expect(layout.specs.map(({ name }) => name)).toEqual([
      ...["input_projection.0.weight", "input_projection.0.bias", "hidden_projection.weight", "hidden_projection.bias"],
      ...["cells.0.weight_ih", "cells.0.bias_ih", "cells.0.weight_hh", "cells.0.bias_hh"],
      ...["output_head.0.weight", "output_head.0.bias", "output_head.3.weight", "output_head.3.bias"],
    ]);
  });
});
