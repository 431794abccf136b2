import { describe, expect, it } from "vitest";
import { Schedule } from "../../src/training/schedule.ts";
import { goldenJson } from "../helpers/fixtures.ts";

interface GoldenCase {
  name: string;
  config: Record<"lr" | "lr_decay" | "lr_decay_patience" | "dropout", number> &
    Record<"dropout_decay_patience" | "dropout_reduction_factor" | "stagnant_epoch_patience", number>;
  epochs: {
    epoch: number;
    metric: number;
    lr_during_epoch: number;
    improved: boolean;
    stagnant: number;
    dropout: number;
    optimizer_lr_after: number;
    reverted: boolean;
    stop: boolean;
  }[];
}

describe("the schedule decides as the original trainer does", () => {
  for (const { name, config, epochs } of goldenJson<GoldenCase[]>("schedule")) {
    it(`over ${epochs.length} epochs of "${name}"`, () => {
      const schedule = new Schedule({ ...config, low_dropout_threshold: 0.1, low_dropout_lr: 1e-3 });
      const decided = epochs.map(({ epoch, metric }) => {
        const lr_during_epoch = schedule.state.learning_rate;
        const { improved, revert, stop } = schedule.epochEnded(metric);
        const { stagnant_epochs: stagnant, dropout, learning_rate: optimizer_lr_after } = schedule.state;
        return {
          epoch,
          metric,
          lr_during_epoch,
          improved,
          stagnant,
          dropout,
          optimizer_lr_after,
          reverted: revert,
          stop,
        };
      });
      expect(decided).toEqual(epochs.map(({ logged_lr: _, ...epoch }: Record<string, unknown>) => epoch));
    });
  }
});

describe("the schedule", () => {
  const settings = {
    lr: 1e-3,
    lr_decay: 0.5,
    lr_decay_patience: 5,
    dropout: 0.3,
    dropout_decay_patience: 1,
    dropout_reduction_factor: 0.05,
    stagnant_epoch_patience: 3,
    low_dropout_threshold: 0.1,
    low_dropout_lr: 2e-3,
  };

  it("lowers dropout from 0.3 to 0 in exactly six steps", () => {
    const schedule = new Schedule(settings);
    schedule.epochEnded(1);
    const seen = Array.from({ length: 7 }, () => {
      schedule.epochEnded(2);
      return schedule.state.dropout;
    });
    expect(seen).toEqual([0.25, 0.2, 0.15, 0.1, 0.05, 0, 0]);
  });

  it("never counts NaN as an improvement", () => {
    const schedule = new Schedule({ ...settings, dropout: 0 });
    expect([1, Number.NaN, Number.NaN, Number.NaN].map((metric) => schedule.epochEnded(metric))).toEqual([
      { improved: true, revert: false, stop: false },
      { improved: false, revert: false, stop: false },
      { improved: false, revert: false, stop: false },
      { improved: false, revert: false, stop: true },
    ]);
  });
});
