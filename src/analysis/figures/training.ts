import { metricNames, metricOf } from "../../training/epoch-log.ts";
import type { TrainingEpoch } from "../sample-types.ts";
import {
  amount,
  colours,
  type Figure,
  figureSpec,
  logarithmic,
  palette,
  panelWidth,
  type VegaLiteSpec,
} from "./figure.ts";

const marks = { kept: "the epoch that was kept", phase: "next phase", dropout: "dropout falls" } as const;
type Event = { readonly epoch: number; readonly what: (typeof marks)[keyof typeof marks] };

/**
 * A training by epoch: the metric that chose the weights, the loss that was made small, and the learning rate, each in a panel of its
 * own, with the epoch that was kept and where the training changed.
 */
export function trainingFigure(model: "autoencoder" | "emulator", log: readonly TrainingEpoch[]): Figure | null {
  const epochs = log.filter(({ member = 0 }) => member === 0);
  if (epochs.length < 2) return null;
  const metric = metricOf(epochs);
  const errorOf = (each: TrainingEpoch): number => (metric === "dex" ? each.dex! : (each.metric ?? each.mean));
  const kept = epochs.findLast(({ improved }) => improved);
  const events = [...changesOf(epochs), ...(kept ? [{ epoch: kept.epoch + 1, what: marks.kept }] : [])];
  const panel = (
    title: string,
    height: number,
    drawn: (each: TrainingEpoch) => number,
    isLast = false,
  ): VegaLiteSpec => {
    const axis = { tickMinStep: 1, ...(isLast ? {} : { labels: false, title: null }) };
    const x = amount("epoch", "epoch", { axis });
    return { width: panelWidth, height, layer: [eventRules(events, x), curve(epochs, x, title, drawn)] };
  };
  const what = metric === "dex" ? "mean error in dex" : "mean relative error";
  const chosen = kept === undefined ? "" : ` The epoch that was kept is ${kept.epoch + 1} of ${epochs.length}.`;
  return {
    name: `training-${model}`,
    title: `Training of the ${model}`,
    caption:
      `Above: mean over species of the ${what} on the validation rows after each epoch: what chose the weights.${chosen} ` +
      "Between: the loss on the training rows; each phase has its own. Below: the learning rate." +
      (epochs.length < log.length ? " These are the first member's of an ensemble." : ""),
    spec: figureSpec({
      vconcat: [
        panel(metricNames[metric], 170, errorOf),
        panel("training loss", 130, ({ train_loss }) => train_loss.total),
        panel("learning rate", 90, ({ learning_rate }) => learning_rate, true),
      ],
    }),
  };
}

/** One line a phase: the losses of two are of different kinds. */
function curve(
  epochs: readonly TrainingEpoch[],
  x: VegaLiteSpec,
  title: string,
  drawn: (each: TrainingEpoch) => number,
): VegaLiteSpec {
  const values = epochs
    .map((each) => ({ epoch: each.epoch + 1, value: drawn(each), phase: (each.phase ?? 0) + 1 }))
    .filter(({ value }) => value > 0);
  return {
    data: { values },
    mark: { type: "line", color: palette[0], point: { color: palette[0], size: epochs.length > 40 ? 6 : 20 } },
    encoding: {
      x,
      y: logarithmic("value", title, {}, 4),
      detail: { field: "phase", type: "nominal" },
    },
  };
}

function eventRules(events: readonly Event[], x: VegaLiteSpec): VegaLiteSpec {
  const shown = Object.values(marks).filter((name) => events.some(({ what }) => what === name));
  const colourOf = (name: string): string => palette[1 + Object.values(marks).indexOf(name as Event["what"])]!;
  return {
    data: { values: events },
    mark: { type: "rule", strokeDash: [3, 3], strokeWidth: 1.5 },
    encoding: { x, color: colours("what", shown, shown.map(colourOf)) },
  };
}

/** Where phases begin, and where dropout falls in steps: one that falls each epoch is a curve, not a set of events. */
function changesOf(epochs: readonly TrainingEpoch[]): Event[] {
  const events = epochs.slice(1).flatMap((each, i): Event[] => {
    const before = epochs[i]!;
    const epoch = each.epoch + 1;
    if ((each.phase ?? 0) !== (before.phase ?? 0)) return [{ epoch, what: marks.phase }];
    return each.dropout < before.dropout ? [{ epoch, what: marks.dropout }] : [];
  });
  const falls = events.filter(({ what }) => what === marks.dropout).length;
  return 2 * falls < epochs.length ? events : events.filter(({ what }) => what === marks.phase);
}
