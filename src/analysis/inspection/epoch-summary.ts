import { metricOf } from "../../training/epoch-log.ts";
import type { EpochSummary } from "./inspection.ts";

/** What the records of a training's epochs come to; entries that are none are left out. @param records of any origin */
export function summarizeEpochs(records: readonly unknown[]): EpochSummary {
  const epochs = records.filter(
    (record): record is Record<string, unknown> => typeof record === "object" && record !== null && "epoch" in record,
  );
  const numberOf = (record: Record<string, unknown> | undefined, key: string): number | null => {
    const value = record?.[key];
    return typeof value === "number" ? value : null;
  };
  let best: Record<string, unknown> | undefined;
  let seconds = 0;
  for (const record of epochs) {
    seconds += (numberOf(record, "seconds_training") ?? 0) + (numberOf(record, "seconds_validation") ?? 0);
    const metric = numberOf(record, "metric");
    if (metric !== null && metric < (numberOf(best, "metric") ?? Number.POSITIVE_INFINITY)) best = record;
  }
  const last = epochs.at(-1);
  return {
    count: epochs.length,
    metric: epochs.some((record) => numberOf(record, "metric") !== null) ? metricOf(epochs) : null,
    best_epoch: numberOf(best, "epoch"),
    best_metric: numberOf(best, "metric"),
    last_metric: numberOf(last, "metric"),
    last_learning_rate: numberOf(last, "learning_rate"),
    last_dropout: numberOf(last, "dropout"),
    seconds,
  };
}
