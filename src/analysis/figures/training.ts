import { metricNames, metricOf } from "../../training/epoch-log.ts";
import type { TrainingEpoch } from "../sample-types.ts";
import { amount, colours, type Figure, figureSpec, logarithmic, palette, type VegaLiteSpec } from "./figure.ts";

const changes = ["learning rate falls", "dropout falls", "next phase"] as const;

/** The metric that chose the epoch, by epoch, with the epoch that was kept and where the training changed. */
export function trainingFigure(model: "autoencoder" | "emulator", epochs: readonly TrainingEpoch[]): Figure | null {
  if (epochs.length < 2) return null;
  const metric = metricOf(epochs);
  const errorOf = (each: TrainingEpoch): number => (metric === "dex" ? each.dex! : (each.metric ?? each.mean));
  const values = epochs
    .map((each) => ({ epoch: each.epoch + 1, error: errorOf(each), improved: each.improved }))
    .filter(({ error }) => error > 0);
  const kept = values.findLast(({ improved }) => improved);
  const events = changesOf(epochs);
  const encoding = {
    x: amount("epoch", "epoch"),
    y: logarithmic("error", `${metricNames[metric]} (validation)`),
  };
  const layers: VegaLiteSpec[] = [{ data: { values }, mark: { type: "line", color: "#8a8f98" }, encoding }];
  if (kept !== undefined) {
    const mark = { type: "point", filled: true, size: 70, color: palette[0] };
    layers.push({ data: { values: [kept] }, mark, encoding });
  }
  const shown = changes.filter((name) => events.some(({ what }) => what === name));
  if (shown.length > 0) {
    layers.push({
      data: { values: events },
      mark: { type: "rule", strokeDash: [3, 3], strokeWidth: 1 },
      encoding: {
        x: amount("epoch", "epoch"),
        color: colours(
          "what",
          shown,
          shown.map((name) => palette[1 + changes.indexOf(name)]!),
        ),
      },
    });
  }
  const what = metric === "dex" ? "mean error in dex" : "mean relative error";
  const chosen = kept === undefined ? "" : ` The point is the epoch that was kept, ${kept.epoch} of ${epochs.length}.`;
  return {
    name: `training-${model}`,
    title: `Training of the ${model}`,
    caption: `Mean over species of the ${what} on the validation rows after each epoch: what chose the weights.${chosen}`,
    spec: figureSpec({ height: 220, layer: layers }),
  };
}

/** Where phases begin, and where learning rate and dropout fall in steps: a schedule that moves each epoch is a curve, not a set of events. */
function changesOf(epochs: readonly TrainingEpoch[]): { epoch: number; what: (typeof changes)[number] }[] {
  const phaseOf = ({ phase = 0 }: TrainingEpoch): number => phase;
  const pairs = epochs.slice(1).map((each, i) => ({ each, before: epochs[i]!, epoch: each.epoch + 1 }));
  const starts = pairs.filter(({ each, before }) => phaseOf(each) !== phaseOf(before));
  const within = pairs.filter((pair) => !starts.includes(pair));
  const falls = (key: "learning_rate" | "dropout", phase: number): typeof pairs => {
    const own = within.filter(({ each }) => phaseOf(each) === phase);
    const changed = own.filter(({ each, before }) => each[key] !== before[key]);
    return 2 * changed.length < own.length ? changed.filter(({ each, before }) => each[key] < before[key]) : [];
  };
  const phases = [...new Set(epochs.map(phaseOf))];
  const [rates, dropouts] = (["learning_rate", "dropout"] as const).map((key) =>
    phases.flatMap((phase) => falls(key, phase)),
  );
  return [rates!, dropouts!, starts].flatMap((list, i) => list.map(({ epoch }) => ({ epoch, what: changes[i]! })));
}
