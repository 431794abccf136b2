import { beforeAll, describe, expect, it } from "vitest";
import { tf } from "../../src/backend/tf.ts";
import { trainingLoss } from "../../src/models/losses.ts";
import { abundanceLoss, latentLoss, originalLoss, type PhaseLoss } from "../../src/models/recipe-loss.ts";
import { expectClose, useWasm, withoutLeak } from "../helpers/tensors.ts";

beforeAll(useWasm);

const original = { power_weight: 20, worst_weight: 2, conservation_weight: 100, log10_lower: -20, log10_upper: 0 };
const l1 = { name: "l1", worst_weight: 0, conservation_weight: 0 } as const;
/** Two rows of three species, scaled; one scaled unit is 20 dex. */
const [predicted, target] = [
  [0.9, 0.8, 0.7, 0.6, 0.5, 0.85],
  [0.91, 0.8, 0.65, 0.6, 0.52, 0.85],
];
const atoms = [1, 0, 2, 1, 0, 3];
const tensors = () => ({
  p: tf.tensor2d(predicted!, [2, 3]),
  t: tf.tensor2d(target!, [2, 3]),
  m: tf.tensor2d(atoms, [3, 2]),
});

function parts(loss: PhaseLoss): Record<string, number> {
  return withoutLeak(() => {
    const { p, t, m } = tensors();
    const made = abundanceLoss(p, t, m, loss, original);
    return Object.fromEntries(Object.entries(made).map(([name, value]) => [name, value.dataSync()[0]!]));
  });
}

describe("abundanceLoss", () => {
  it("is the mean error in dex: 0.2, 0, 1, 0, 0.4, 0", () => {
    expect(parts(l1).total).toBeCloseTo(1.6 / 6, 5);
  });

  it("adds the worst species of each row, 1 and 0.4, and the totals' mismatch", () => {
    const { reconstruction, worst, conservation, total } = parts({ ...l1, worst_weight: 3, conservation_weight: 2 });
    expect(reconstruction).toBeCloseTo(1.6 / 6, 5);
    expect(worst).toBeCloseTo(3 * 0.7, 5);
    const linear = (scaled: readonly number[]): number[] => scaled.map((x) => 10 ** (20 * x - 20));
    const totals = (scaled: readonly number[]): number[] =>
      [0, 1].flatMap((row) =>
        [0, 1].map((element) =>
          [0, 1, 2].reduce((sum, s) => sum + linear(scaled)[3 * row + s]! * atoms[2 * s + element]!, 0),
        ),
      );
    const truth = totals(target!);
    const mismatch = totals(predicted!).map((value, i) => Math.abs(Math.log10(value / truth[i]!)));
    expect(conservation).toBeCloseTo((2 * mismatch.reduce((a, b) => a + b)) / 4, 4);
    expect(total).toBeCloseTo(reconstruction! + worst! + conservation!, 5);
  });

  it("has a gradient that finite differences confirm", () => {
    const loss: PhaseLoss = { name: "huber", corner: 0.1, worst_weight: 0.5, conservation_weight: 0.3 };
    const value = (entries: readonly number[]): number =>
      withoutLeak(() => {
        const { t, m } = tensors();
        return abundanceLoss(tf.tensor2d([...entries], [2, 3]), t, m, loss, original).total.dataSync()[0]!;
      });
    const gradient = withoutLeak(() => {
      const { p, t, m } = tensors();
      return [
        ...tf
          .grad((x) => abundanceLoss(x as tf.Tensor2D, t, m, loss, original).total)(p)
          .dataSync(),
      ];
    });
    const step = 1e-3;
    // Entries with an error: at 0 the totals' |Δ| has a kink.
    for (const i of [0, 2, 4]) {
      const moved = (by: number): number[] => predicted!.map((x, k) => (k === i ? x + by : x));
      const slope = (value(moved(step)) - value(moved(-step))) / (2 * step);
      expect(gradient[i]! / slope).toBeCloseTo(1, 1);
    }
  });

  it("is the original's by that name", () => {
    const [ours, theirs] = withoutLeak(() => {
      const { p, t, m } = tensors();
      return [abundanceLoss(p, t, m, originalLoss, original), trainingLoss(p, t, m, original)].map(
        ({ total }) => total.dataSync()[0],
      );
    });
    expect(ours).toBe(theirs);
  });
});

describe("latentLoss", () => {
  it("is the mean over all values", () => {
    const value = withoutLeak(
      () => latentLoss(tf.tensor1d([1, 2, 3, 4]), tf.tensor1d([1, 0, 3, 5]), l1).total.dataSync()[0]!,
    );
    expectClose([value], [3 / 4], { relative: 1e-6 });
  });
});
