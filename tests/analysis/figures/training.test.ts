import { describe, expect, it } from "vitest";
import { trainingFigure } from "../../../src/analysis/figures/training.ts";
import type { TrainingEpoch } from "../../../src/analysis/sample-types.ts";

/** A log of epochs with these learning rates; the error in dex falls from 1, the relative error rises to 1e5. */
function log(
  rates: readonly number[],
  change: (epoch: number) => Partial<TrainingEpoch> = () => ({}),
): TrainingEpoch[] {
  return rates.map((learning_rate, epoch) => {
    const dex = 1 / (1 + epoch);
    const common = { epoch, phase: 0, mean: 10 ** epoch, dex, metric: dex, dropout: 0, learning_rate };
    return { ...common, train_loss: { total: 1 }, improved: epoch < 4, ...change(epoch) };
  });
}

interface Layer {
  readonly data: { readonly values: readonly { epoch: number; error?: number; what?: string }[] };
  readonly encoding: { readonly y?: { readonly title: string; readonly scale: { readonly type: string } } };
}
const layersOf = (epochs: readonly TrainingEpoch[]): readonly Layer[] =>
  trainingFigure("autoencoder", epochs)!.spec.layer as readonly Layer[];
const eventsOf = (epochs: readonly TrainingEpoch[]): readonly unknown[] =>
  layersOf(epochs)
    .flatMap(({ data }) => data.values)
    .flatMap(({ epoch, what }) => (what === undefined ? [] : [[epoch, what]]));

describe("the figure of a training", () => {
  it("shows the metric that chose the epoch, and the epoch that was kept, counted from 1", () => {
    const [curve, kept] = layersOf(log(Array(6).fill(1e-3)));
    expect(curve!.data.values.map(({ error }) => error)).toEqual([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6]);
    expect(curve!.encoding.y).toMatchObject({ title: "mean error, dex (validation)", scale: { type: "log" } });
    expect(kept!.data.values).toMatchObject([{ epoch: 4, error: 1 / 4 }]);
    expect(trainingFigure("emulator", log(Array(6).fill(1e-3)))!.caption).toContain("epoch that was kept, 4 of 6");
  });

  it("shows the relative error where that chose, and in logs that know no other", () => {
    const chosen = log(Array(4).fill(1e-3), (epoch) => ({ metric: 10 ** epoch }));
    const earlier = chosen.map(({ dex: _, metric: __, phase: ___, ...rest }) => rest);
    for (const epochs of [chosen, earlier]) {
      const [curve] = layersOf(epochs);
      expect(curve!.data.values.map(({ error }) => error)).toEqual([1, 10, 100, 1000]);
      expect(curve!.encoding.y!.title).toBe("mean relative error (validation)");
    }
  });

  it("marks steps of the learning rate and of the dropout, not each epoch of a cosine", () => {
    const steps = [1e-3, 1e-3, 1e-3, 5e-4, 5e-4, 5e-4, 2e-4, 2e-4];
    const dropout = (epoch: number): number => (epoch < 5 ? 0.3 : 0.1);
    expect(eventsOf(log(steps, (epoch) => ({ dropout: dropout(epoch) })))).toEqual([
      [4, "learning rate falls"],
      [7, "learning rate falls"],
      [6, "dropout falls"],
    ]);
    const cosine = Array.from({ length: 20 }, (_, epoch) => 1e-3 * (1 + Math.cos((Math.PI * epoch) / 20)));
    expect(eventsOf(log(cosine))).toEqual([]);
    expect(eventsOf(log(cosine.slice(0, 3)))).toEqual([]);
  });

  it("marks where a phase begins, whatever its learning rate", () => {
    const phase = (epoch: number): number => (epoch < 2 ? 0 : 1);
    expect(eventsOf(log([1e-3, 5e-4, 1e-4, 1e-4, 1e-4], (epoch) => ({ phase: phase(epoch) })))).toEqual([
      [3, "next phase"],
    ]);
  });
});
