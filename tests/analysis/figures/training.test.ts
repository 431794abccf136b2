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

interface Panel {
  readonly layer: readonly {
    readonly data: { readonly values: readonly { epoch: number; value?: number; phase?: number; what?: string }[] };
    readonly encoding: { readonly y?: { readonly title: string; readonly scale: { readonly type: string } } };
  }[];
}
/** The panels: metric, training loss, learning rate; each has its marks, then its curve. */
const panelsOf = (epochs: readonly TrainingEpoch[]): readonly Panel[] =>
  trainingFigure("autoencoder", epochs)!.spec.vconcat as readonly Panel[];
const eventsOf = (epochs: readonly TrainingEpoch[]): readonly unknown[] =>
  panelsOf(epochs)[0]!
    .layer[0]!.data.values.filter(({ what }) => what !== "the epoch that was kept")
    .map(({ epoch, what }) => [epoch, what]);

describe("the figure of a training", () => {
  it("shows the metric that chose the epoch, the training loss and the learning rate, each in its panel", () => {
    const panels = panelsOf(log([4e-3, 2e-3, 1e-3]));
    const curves = panels.map(({ layer }) => layer[1]!);
    expect(curves.map(({ data }) => data.values.map(({ value }) => value))).toEqual([
      [1, 1 / 2, 1 / 3],
      [1, 1, 1],
      [4e-3, 2e-3, 1e-3],
    ]);
    expect(curves.map(({ encoding }) => encoding.y!.title)).toEqual([
      "mean error, dex",
      "training loss",
      "learning rate",
    ]);
    for (const { encoding } of curves) expect(encoding.y!.scale.type).toBe("log");
  });

  it("marks the epoch that was kept in every panel, counted from 1", () => {
    const epochs = log(Array(6).fill(1e-3));
    for (const { layer } of panelsOf(epochs))
      expect(layer[0]!.data.values).toEqual([{ epoch: 4, what: "the epoch that was kept" }]);
    expect(trainingFigure("emulator", epochs)!.caption).toContain("The epoch that was kept is 4 of 6");
  });

  it("shows the relative error where that chose, and in logs that know no other", () => {
    const chosen = log(Array(4).fill(1e-3), (epoch) => ({ metric: 10 ** epoch }));
    const earlier = chosen.map(({ dex: _, metric: __, phase: ___, ...rest }) => rest);
    for (const epochs of [chosen, earlier]) {
      const curve = panelsOf(epochs)[0]!.layer[1]!;
      expect(curve.data.values.map(({ value }) => value)).toEqual([1, 10, 100, 1000]);
      expect(curve.encoding.y!.title).toBe("mean relative error");
    }
  });

  it("marks steps of the dropout, not a dropout that falls each epoch", () => {
    const rates = Array(8).fill(1e-3);
    expect(eventsOf(log(rates, (epoch) => ({ dropout: epoch < 5 ? 0.3 : 0.1 })))).toEqual([[6, "dropout falls"]]);
    expect(eventsOf(log(rates, (epoch) => ({ dropout: 0.3 - epoch / 100 })))).toEqual([]);
  });

  it("marks where a phase begins, and draws each phase as a line of its own", () => {
    const epochs = log([1e-3, 5e-4, 1e-4, 1e-4, 1e-4], (epoch) => ({ phase: epoch < 2 ? 0 : 1 }));
    expect(eventsOf(epochs)).toEqual([[3, "next phase"]]);
    expect(panelsOf(epochs)[1]!.layer[1]!.data.values.map(({ phase }) => phase)).toEqual([1, 1, 2, 2, 2]);
  });
});
