import type { TrainingEpoch } from "../evaluation-types.ts";
import { amount, colours, type Figure, figureSpec, logarithmic, palette, type VegaLiteSpec } from "./figure.ts";

/** The validation error by epoch, with the epochs where learning rate or dropout fell. */
export function trainingFigure(model: "autoencoder" | "emulator", epochs: readonly TrainingEpoch[]): Figure | null {
  if (epochs.length < 2) return null;
  const values = epochs.filter(({ mean }) => mean > 0).map(({ epoch, mean }) => ({ epoch: epoch + 1, mean }));
  const changes = epochs.slice(1).flatMap((each, i) => {
    const before = epochs[i]!;
    return [
      ...(each.learning_rate < before.learning_rate ? [{ epoch: each.epoch + 1, what: "learning rate falls" }] : []),
      ...(each.dropout < before.dropout ? [{ epoch: each.epoch + 1, what: "dropout falls" }] : []),
    ];
  });
  const layers: VegaLiteSpec[] = [
    {
      data: { values },
      mark: { type: "line", color: "#8a8f98" },
      encoding: {
        x: amount("epoch", "epoch"),
        y: logarithmic("mean", "mean relative error, validation"),
      },
    },
  ];
  // A schedule that changes every epoch is a curve of its own, not a set of events.
  if (changes.length > 0 && changes.length <= 60) {
    layers.push({
      data: { values: changes },
      mark: { type: "rule", strokeDash: [3, 3], strokeWidth: 1 },
      encoding: {
        x: amount("epoch", "epoch"),
        color: colours("what", ["learning rate falls", "dropout falls"], [palette[0], palette[1]]),
      },
    });
  }
  return {
    name: `training-${model}`,
    title: `Training of the ${model}`,
    caption: "Mean over species of the mean relative error on the validation rows, after each epoch.",
    spec: figureSpec({ height: 220, layer: layers }),
  };
}
